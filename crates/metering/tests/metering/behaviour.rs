//! Gas, stack and NaN rules, counted by hand.

use assay_metering::{cost, export, meter};
use wasmi::{Config, Engine, Instance, Linker, Module, Store, Val};

pub fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

pub struct Run {
    pub store: Store<()>,
    pub instance: Instance,
}

impl Run {
    pub fn new(wasm: &[u8], gas: i64) -> Self {
        let mut config = Config::default();
        config.set_max_recursion_depth(1_000_000).set_max_stack_height(256 << 20);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, wasm).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).unwrap();
        let mut run = Self { store, instance };
        run.set(export::GAS_LEFT, Val::I64(gas));
        run.set(export::STACK_LIMIT, Val::I32(1 << 20));
        run.set(export::MEMORY_LIMIT_PAGES, Val::I32(4));
        run
    }

    pub fn set(&mut self, name: &str, value: Val) {
        self.instance.get_global(&self.store, name).unwrap().set(&mut self.store, value).unwrap();
    }

    pub fn i64(&self, name: &str) -> i64 {
        self.instance.get_global(&self.store, name).unwrap().get(&self.store).i64().unwrap()
    }

    pub fn i32(&self, name: &str) -> i32 {
        self.instance.get_global(&self.store, name).unwrap().get(&self.store).i32().unwrap()
    }

    pub fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>, wasmi::Error> {
        let function = self.instance.get_func(&self.store, name).unwrap();
        let results = function.ty(&self.store).results().len();
        let mut out = vec![Val::I32(0); results];
        function.call(&mut self.store, args, &mut out)?;
        Ok(out)
    }
}

fn run(text: &str) -> Run {
    Run::new(&meter(&wat(text)).unwrap().wasm, 1_000_000)
}

fn used(run: &Run) -> u64 {
    u64::try_from(1_000_000 - run.i64(export::GAS_LEFT)).unwrap()
}

#[test]
fn a_straight_function_costs_its_operators_its_entry_and_one_segment() {
    let mut run = run(r#"(module (func (export "f") (result i32) i32.const 1 i32.const 2 i32.add))"#);
    assert_eq!(run.call("f", &[]).unwrap()[0].i32(), Some(3));
    assert_eq!(used(&run), cost::SEGMENT + cost::FUNCTION_ENTRY + 1 + 1 + 3);
}

#[test]
fn a_loop_is_charged_once_per_turn() {
    let mut run = run(r#"(module (func (export "f") (param i32)
            loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end))"#);
    run.call("f", &[Val::I32(10)]).unwrap();
    let entry = cost::SEGMENT + cost::FUNCTION_ENTRY;
    let turn = cost::SEGMENT + 1 + 1 + 3 + 1 + 2;
    assert_eq!(used(&run), entry + 10 * turn);
}

#[test]
fn only_the_branch_taken_is_charged() {
    let text = r#"(module (func (export "f") (param i32) (result i32)
        local.get 0 if (result i32) i32.const 1 i32.const 1 i32.div_u else i32.const 2 end))"#;
    let (mut yes, mut no) = (run(text), run(text));
    assert_eq!(yes.call("f", &[Val::I32(1)]).unwrap()[0].i32(), Some(1));
    assert_eq!(no.call("f", &[Val::I32(0)]).unwrap()[0].i32(), Some(2));
    let entry = cost::SEGMENT + cost::FUNCTION_ENTRY + 1 + 2;
    assert_eq!(used(&yes), entry + cost::SEGMENT + 1 + 1 + 32);
    assert_eq!(used(&no), entry + cost::SEGMENT + 1);
}

#[test]
fn an_end_that_nothing_branches_to_does_not_end_a_segment() {
    let mut run = run(r#"(module (func (export "f") block nop end nop))"#);
    run.call("f", &[]).unwrap();
    assert_eq!(used(&run), cost::SEGMENT + cost::FUNCTION_ENTRY + 1 + 1);
}

#[test]
fn an_end_that_something_branches_to_ends_a_segment() {
    let text = r#"(module (func (export "f") (param i32) block local.get 0 br_if 0 nop end nop))"#;
    let (mut taken, mut through) = (run(text), run(text));
    taken.call("f", &[Val::I32(1)]).unwrap();
    through.call("f", &[Val::I32(0)]).unwrap();
    let entry = cost::SEGMENT + cost::FUNCTION_ENTRY + 1 + 2;
    let behind = cost::SEGMENT + 1;
    assert_eq!(used(&taken), entry + behind);
    assert_eq!(used(&through), entry + cost::SEGMENT + 1 + behind);
}

#[test]
fn out_of_gas_leaves_the_global_below_zero_and_no_trap_code() {
    let metered = meter(&wat(r#"(module (func (export "f") loop br 0 end))"#)).unwrap();
    let mut run = Run::new(&metered.wasm, 1_000);
    assert!(run.call("f", &[]).is_err());
    assert!(run.i64(export::GAS_LEFT) < 0);
    assert_eq!(run.i32(export::TRAP_CODE), 0);
}

#[test]
fn deep_recursion_ends_at_the_limit_with_its_trap_code() {
    let mut run = run(r#"(module (func $f (export "f") (param i32) (result i32)
        local.get 0 i32.const 1 i32.add call $f i32.const 1 i32.add))"#);
    run.set(export::GAS_LEFT, Val::I64(1 << 40));
    assert!(run.call("f", &[Val::I32(0)]).is_err());
    assert_eq!(run.i32(export::TRAP_CODE), 9);
    // A frame holds one parameter and two operands.
    let frame = 64 + 3 * 8;
    assert_eq!(run.i32(export::STACK_PEAK), (1 << 20) / frame * frame);
}

#[test]
fn the_stack_is_given_back_on_every_way_out() {
    let text = r#"(module
        (func $leaf (param i32) (result i32) local.get 0)
        (func $g (param i32) (result i32 i32)
            block (result i32 i32)
              local.get 0 i32.eqz if i32.const 7 i32.const 8 return end
              i32.const 1 i32.const 2 local.get 0 i32.const 1 i32.eq br_if 1
              drop drop local.get 0 call $leaf i32.const 5 local.get 0 br_table 0 1 0 1
            end)
        (func (export "f") (param i32) (result i32 i32) local.get 0 call $g))"#;
    for (argument, expected) in [(0, (7, 8)), (1, (1, 2)), (2, (2, 5)), (3, (3, 5))] {
        let mut run = run(text);
        let once = run.call("f", &[Val::I32(argument)]).unwrap();
        assert_eq!((once[0].i32().unwrap(), once[1].i32().unwrap()), expected);
        let peak = run.i32(export::STACK_PEAK);
        run.set(export::STACK_PEAK, Val::I32(0));
        run.call("f", &[Val::I32(argument)]).unwrap();
        assert_eq!(run.i32(export::STACK_PEAK), peak, "the second call starts from an empty stack");
    }
}

#[test]
fn nans_are_canonical() {
    let mut run = run(r#"(module
        (func (export "div32") (param f32 f32) (result i32) local.get 0 local.get 1 f32.div i32.reinterpret_f32)
        (func (export "add64") (param f64 f64) (result i64) local.get 0 local.get 1 f64.add i64.reinterpret_f64)
        (func (export "chain") (param f64 f64) (result i64)
            local.get 0 local.get 1 f64.add f64.sqrt f64.floor i64.reinterpret_f64))"#);
    let payload = Val::F64(wasmi::F64::from_bits(0xfff0_0000_dead_beef));
    assert_eq!(run.call("add64", &[payload.clone(), payload.clone()]).unwrap()[0].i64(), Some(0x7ff8 << 48));
    assert_eq!(run.call("chain", &[payload.clone(), payload]).unwrap()[0].i64(), Some(0x7ff8 << 48));
    let zero = Val::F32(wasmi::F32::from_bits(0));
    assert_eq!(run.call("div32", &[zero.clone(), zero]).unwrap()[0].i32(), Some(0x7fc0_0000));
}

#[test]
fn bulk_operations_cost_their_bytes_before_they_run() {
    let mut run = run(r#"(module (memory 1)
        (func (export "f") (param i32) i32.const 0 i32.const 1 local.get 0 memory.fill))"#);
    run.call("f", &[Val::I32(0)]).unwrap();
    let fixed = used(&run);
    run.call("f", &[Val::I32(65_535)]).unwrap();
    assert_eq!(used(&run), 2 * fixed + 65_535_u64.div_ceil(cost::BYTES_PER_GAS));
    // Out of bounds, but paid for first.
    assert!(run.call("f", &[Val::I32(-1)]).is_err());
    assert_eq!(run.i32(export::TRAP_CODE), 0);
    assert!(run.i64(export::GAS_LEFT) < 0, "four gigabytes cost more than the limit");
}

#[test]
fn memory_grows_to_the_limit_and_traps_beyond() {
    let text = r#"(module (memory 1 8)
        (func (export "grow") (param i32) (result i32) local.get 0 memory.grow))"#;
    let mut run = run(text);
    assert_eq!(run.call("grow", &[Val::I32(3)]).unwrap()[0].i32(), Some(1));
    assert!(used(&run) > 3 * cost::MEMORY_PAGE);
    let before = used(&run);
    assert_eq!(run.call("grow", &[Val::I32(5)]).unwrap()[0].i32(), Some(-1), "past the declared maximum");
    assert!(used(&run) - before < 400, "a refused growth costs no pages");
    assert_eq!(run.call("grow", &[Val::I32(-1)]).unwrap()[0].i32(), Some(-1));
    assert!(run.call("grow", &[Val::I32(1)]).is_err());
    assert_eq!(run.i32(export::TRAP_CODE), 10);
}

#[test]
fn tables_grow_to_the_profile_limit_and_trap_beyond() {
    let mut run = run(r#"(module (table $t 1 funcref)
        (func (export "grow") (param i32) (result i32) ref.null func local.get 0 table.grow $t))"#);
    run.set(export::GAS_LEFT, Val::I64(1 << 40));
    assert_eq!(run.call("grow", &[Val::I32(99_999)]).unwrap()[0].i32(), Some(1));
    assert!(run.call("grow", &[Val::I32(1)]).is_err());
    assert_eq!(run.i32(export::TRAP_CODE), 11);
}

#[test]
fn w_06_a_start_function_is_exported_and_not_started() {
    let metered = meter(&wat(r#"(module (func $s loop br 0 end) (start $s))"#)).unwrap();
    assert!(metered.info.has_start);
    let mut run = Run::new(&metered.wasm, 500);
    assert!(run.call(export::START, &[]).is_err());
    assert!(run.i64(export::GAS_LEFT) < 0);
}

#[test]
fn the_instantiation_gas_is_in_the_module() {
    let metered = meter(&wat(r#"(module (memory 2) (data (i32.const 0) "hello") (func nop))"#)).unwrap();
    let run = Run::new(&metered.wasm, 0);
    assert_eq!(u64::try_from(run.i64(export::INSTANTIATION_GAS)).unwrap(), metered.instantiation_gas);
    assert!(metered.instantiation_gas > cost::INSTANTIATE + 2 * cost::INITIAL_PAGE);
}
