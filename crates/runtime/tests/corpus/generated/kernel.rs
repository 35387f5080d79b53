//! Functions of dense expressions, which the module generator rarely makes: it picks from what fits the operand stack, so
//! that two operands of a type seldom meet. Here every operator gets operands made for it.

use wasm_encoder::{BlockType, Function, HeapType, Instruction as I, MemArg, MemArgTarget, ValType};

use super::{Numbers, operators};

/// Types of values; a kernel takes one of each, and has as many locals.
pub const TYPES: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
/// Loops in loops.
const LOOPS_MAX: u32 = 2;
/// The first local that counts the turns of a loop.
const FIRST_COUNTER: u32 = 8;
/// Keeps addresses mostly in the first page.
const ADDRESS_MASK: i32 = 0xffe7;
/// Branches in branches, at most: more than any weight by which branches are guessed to be taken can be halved.
const BRANCHES_MAX: u64 = 60;

/// What a kernel may use.
pub struct Surroundings<'a> {
    /// Globals by type, and whether they can be set.
    pub globals: &'a [(ValType, bool)],
    /// Tables of function references.
    pub tables: u32,
    /// Kernels that were made before: the function of the first, and how many. Each takes [`TYPES`] and gives one of them.
    pub kernels: (u32, u32),
    /// The type of the first kernel; behind it those of the others, of which there are as many as [`TYPES`].
    pub first_type: u32,
    /// Whether the host is there to tell the time (function 0) and to write (function 1).
    pub host: bool,
}

/// Type of a kernel's result.
pub const fn result(kernel: u32) -> ValType {
    TYPES[(kernel % 4) as usize]
}

/// A function being written.
pub struct Kernel<'a> {
    numbers: &'a mut Numbers,
    surroundings: Surroundings<'a>,
    function: Function,
    loops: u32,
}

impl<'a> Kernel<'a> {
    /// The body of the next kernel; `turn` writes what stands at its beginning.
    pub fn body(
        numbers: &'a mut Numbers,
        surroundings: Surroundings<'a>,
        turn: impl FnOnce(&mut Function),
    ) -> Function {
        let ty = result(surroundings.kernels.1);
        let mut locals = TYPES.map(|ty| (1, ty)).to_vec();
        locals.push((LOOPS_MAX, ValType::I32));
        let mut function = Function::new(locals);
        turn(&mut function);
        let mut kernel = Self { numbers, surroundings, function, loops: 0 };
        kernel.statements(3);
        kernel.value(ty, 4);
        kernel.put(I::End);
        kernel.function
    }

    fn put(&mut self, instruction: I<'_>) {
        self.function.instruction(&instruction);
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.numbers.below(count) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.numbers.below(from.len() as u64) as usize].clone()
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..=self.numbers.below(4) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: u32) {
        let ty = self.pick(&TYPES);
        if depth == 3 && self.one_in(6) {
            return self.descend();
        }
        match self.numbers.below(if depth == 0 { 10 } else { 13 }) {
            0..3 => {
                self.value(ty, 3);
                let local = self.local(ty);
                self.put(I::LocalSet(local));
            }
            3..6 => self.store(ty),
            6 => self.bulk(),
            7 => self.set_global(ty),
            8 => self.call_indirect(),
            9 => self.call_host(),
            10 => {
                self.value(ValType::I32, 2);
                self.put(I::If(BlockType::Empty));
                self.statements(depth - 1);
                if self.one_in(2) {
                    self.put(I::Else);
                    self.statements(depth - 1);
                }
                self.put(I::End);
            }
            11 => {
                self.put(I::Block(BlockType::Empty));
                self.statements(depth - 1);
                self.value(ValType::I32, 2);
                self.put(I::BrIf(0));
                self.statements(depth - 1);
                self.put(I::End);
            }
            _ => self.repeat(depth - 1),
        }
    }

    /// Branches in branches, as long chains of `else if` are compiled to; nearly always all of them are taken.
    fn descend(&mut self) {
        let branches = 10 + self.numbers.below(BRANCHES_MAX - 9);
        for _ in 0..branches {
            let (is_else, condition) = (self.one_in(2), self.local(ValType::I32));
            let seldom = i32::from(self.one_in(100));
            self.put(I::LocalGet(condition));
            self.put(I::I32Const(if is_else { seldom } else { 1 - seldom }));
            self.put(if is_else { I::I32And } else { I::I32Or });
            self.put(I::If(BlockType::Empty));
            if is_else {
                self.put(I::Else);
            }
            if self.one_in(8) {
                self.statement(0);
            }
        }
        self.statements(0);
        for _ in 0..branches {
            self.put(I::End);
        }
    }

    /// Up to thirty turns, and now and then a way out of the middle.
    fn repeat(&mut self, depth: u32) {
        if self.loops == LOOPS_MAX {
            return;
        }
        let counter = FIRST_COUNTER + self.loops;
        self.loops += 1;
        let turns = self.numbers.below(30) as i32;
        self.put(I::I32Const(turns));
        self.put(I::LocalSet(counter));
        self.put(I::Block(BlockType::Empty));
        self.put(I::Loop(BlockType::Empty));
        self.statements(depth);
        if self.one_in(3) {
            self.value(ValType::I32, 2);
            self.put(I::BrIf(1));
        }
        for instruction in [I::LocalGet(counter), I::I32Const(1), I::I32Sub, I::LocalTee(counter)] {
            self.put(instruction);
        }
        for instruction in [I::I32Const(0), I::I32GtS, I::BrIf(0), I::End, I::End] {
            self.put(instruction);
        }
        self.loops -= 1;
    }

    fn set_global(&mut self, ty: ValType) {
        let globals = self.surroundings.globals;
        let of_type: Vec<u32> = (0..).zip(globals).filter(|(_, of)| **of == (ty, true)).map(|(n, _)| n).collect();
        self.value(ty, 3);
        if of_type.is_empty() {
            return self.put(I::Drop);
        }
        let global = self.pick(&of_type);
        self.put(I::GlobalSet(global));
    }

    /// An address that is in bounds, unless it is one of the few that are not meant to be.
    fn address(&mut self) -> MemArg {
        self.value(ValType::I32, 2);
        if !self.one_in(48) {
            self.put(I::I32Const(ADDRESS_MASK));
            self.put(I::I32And);
        }
        MemArg { offset: self.numbers.below(16), align: 0, target: MemArgTarget::Memory(0), ordering: None }
    }

    fn store(&mut self, ty: ValType) {
        let at = self.address();
        self.value(ty, 3);
        let store = self.pick(operators::stores(ty));
        self.put(store(at));
    }

    /// What works on many bytes or elements; of elements only what is small.
    fn bulk(&mut self) {
        let (address, length) = (self.numbers.below(60_000) as i32, self.numbers.below(3_000) as i32);
        let tables = self.surroundings.tables;
        match self.numbers.below(4) {
            0 => {
                self.put(I::I32Const(address));
                self.value(ValType::I32, 1);
                self.put(I::I32Const(length));
                self.put(I::MemoryFill(0));
            }
            1 => {
                self.put(I::I32Const(address));
                self.value(ValType::I32, 1);
                self.put(I::I32Const(0x7fff));
                self.put(I::I32And);
                self.put(I::I32Const(length));
                self.put(I::MemoryCopy { src_mem: 0, dst_mem: 0 });
            }
            choice if tables > 0 => {
                let (table, at) = (self.numbers.below(tables.into()) as u32, self.numbers.below(8) as i32);
                if choice == 2 {
                    self.put(I::RefNull(HeapType::FUNC));
                    self.put(I::I32Const(at));
                    self.put(I::TableGrow(table));
                    self.put(I::Drop);
                } else {
                    self.put(I::I32Const(at));
                    self.put(I::RefNull(HeapType::FUNC));
                    self.put(I::TableSet(table));
                }
            }
            _ => {
                self.put(I::I32Const(address % 2));
                self.put(I::MemoryGrow(0));
                self.put(I::Drop);
            }
        }
    }

    fn local(&mut self, ty: ValType) -> u32 {
        let index = TYPES.iter().position(|of| *of == ty).unwrap() as u32;
        index + 4 * self.numbers.below(2) as u32
    }

    /// Writes an expression of a type, so many operators deep at most.
    fn value(&mut self, ty: ValType, depth: u32) {
        if depth == 0 || self.one_in(8) {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.numbers.below(20) {
            0..7 => self.binary(ty, depth),
            7..10 => {
                let (from, unary) = self.pick(operators::unary(ty));
                self.value(from, depth);
                self.put(unary);
            }
            10..12 => {
                let at = self.address();
                let load = self.pick(operators::loads(ty));
                self.put(load(at));
            }
            12..14 => {
                self.value(ty, depth);
                self.value(ty, depth);
                self.condition(depth);
                self.put(I::Select);
            }
            14 => {
                self.condition(depth);
                self.put(I::If(BlockType::Result(ty)));
                self.value(ty, depth);
                self.put(I::Else);
                self.value(ty, depth);
                self.put(I::End);
            }
            15 => {
                self.put(I::Block(BlockType::Result(ty)));
                self.value(ty, depth);
                self.condition(depth);
                self.put(I::BrIf(0));
                self.put(I::Drop);
                self.value(ty, depth);
                self.put(I::End);
            }
            16 => {
                self.put(I::Block(BlockType::Result(ty)));
                self.put(I::Block(BlockType::Result(ty)));
                self.value(ty, depth);
                self.value(ValType::I32, depth);
                self.put(I::BrTable([0, 1, 1, 0].as_slice().into(), 1));
                self.put(I::End);
                self.put(I::Drop);
                self.value(ty, depth);
                self.put(I::End);
            }
            17 => {
                self.value(ty, depth);
                let local = self.local(ty);
                self.put(I::LocalTee(local));
            }
            _ => self.call(ty, depth),
        }
    }

    /// Mostly a comparison, which engines fuse with what follows.
    fn condition(&mut self, depth: u32) {
        let (of, comparison) = self.pick(operators::COMPARISONS);
        self.value(of, depth);
        if self.one_in(4) {
            // Zero is special.
            self.put(operators::zero(of));
        } else {
            self.value(of, depth.saturating_sub(1));
        }
        self.put(comparison);
        if self.one_in(4) {
            self.put(I::I32Eqz);
        }
    }

    fn binary(&mut self, ty: ValType, depth: u32) {
        if ty == ValType::I32 && self.one_in(4) {
            return self.condition(depth);
        }
        let (binary, divides) = self.pick(operators::binary(ty));
        self.value(ty, depth);
        self.value(ty, depth);
        if divides && !self.one_in(16) {
            // Odd, so not zero.
            self.put(if ty == ValType::I32 { I::I32Const(1) } else { I::I64Const(1) });
            self.put(if ty == ValType::I32 { I::I32Or } else { I::I64Or });
        }
        self.put(binary);
    }

    /// A kernel made before, if one gives this type.
    fn call(&mut self, ty: ValType, depth: u32) {
        let (first, count) = self.surroundings.kernels;
        let Some(kernel) = (0..count).find(|kernel| result(*kernel) == ty) else { return self.leaf(ty) };
        for ty in TYPES {
            self.value(ty, depth.min(1));
        }
        self.put(I::Call(first + kernel));
    }

    /// Reads the clock, which shows the gas, or writes a piece of memory to stdout or stderr.
    fn call_host(&mut self) {
        if !self.surroundings.host {
            return;
        }
        let at = self.numbers.below(8_000) as i32;
        if self.one_in(2) {
            let clock = self.numbers.below(5) as i32;
            for instruction in [I::I32Const(clock), I::I64Const(0), I::I32Const(at), I::Call(0), I::Drop] {
                self.put(instruction);
            }
            return;
        }
        let (from, length) = (self.numbers.below(9_000) as i32, self.numbers.below(200) as i32);
        let memory = |offset| MemArg { offset, align: 0, target: MemArgTarget::Memory(0), ordering: None };
        for (offset, value) in [(0, from), (4, length)] {
            for instruction in [I::I32Const(at), I::I32Const(value), I::I32Store(memory(offset))] {
                self.put(instruction);
            }
        }
        let descriptor = 1 + self.numbers.below(2) as i32;
        for value in [descriptor, at, 1, at + 8] {
            self.put(I::I32Const(value));
        }
        self.put(I::Call(1));
        self.put(I::Drop);
    }

    /// Puts a kernel into a table, if it is large enough, and calls it; now and then as what it is not, or what is there.
    fn call_indirect(&mut self) {
        let Surroundings { kernels: (first, count), first_type, tables, .. } = self.surroundings;
        if count == 0 || tables == 0 {
            return;
        }
        let (kernel, table) = (self.numbers.below(count.into()) as u32, self.numbers.below(tables.into()) as u32);
        let at = I::I32Const(self.numbers.below(4) as i32);
        for instruction in [I::TableSize(table), at.clone(), I::I32GtU, I::If(BlockType::Empty)] {
            self.put(instruction);
        }
        if !self.one_in(16) {
            for instruction in [at.clone(), I::RefFunc(first + kernel), I::TableSet(table)] {
                self.put(instruction);
            }
        }
        for ty in TYPES {
            self.value(ty, 1);
        }
        self.put(at);
        let wrong = u32::from(self.one_in(16));
        self.put(I::CallIndirect { type_index: first_type + (kernel + wrong) % 4, table_index: table });
        self.put(I::Drop);
        self.put(I::End);
    }

    fn leaf(&mut self, ty: ValType) {
        let globals = self.surroundings.globals;
        let of_type: Vec<u32> = (0..).zip(globals).filter(|(_, of)| of.0 == ty).map(|(n, _)| n).collect();
        match self.numbers.below(8) {
            0..3 => {
                let constant = operators::constant(ty, self.numbers);
                self.put(constant);
            }
            3 if !of_type.is_empty() => {
                let global = self.pick(&of_type);
                self.put(I::GlobalGet(global));
            }
            4 if ty == ValType::I32 => {
                let tables = self.surroundings.tables;
                let table = self.numbers.below(tables.max(1).into()) as u32;
                let of_table = tables > 0 && self.one_in(2);
                self.put(if of_table { I::TableSize(table) } else { I::MemorySize(0) });
            }
            _ => {
                let local = self.local(ty);
                self.put(I::LocalGet(local));
            }
        }
    }
}
