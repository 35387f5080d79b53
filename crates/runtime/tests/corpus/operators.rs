//! Every operator of the profile, in programs that do little else.
//!
//! Unless its name says otherwise a case is a chain: each operator takes what the one before it gave, which is the
//! slowest that a processor can be made to run it with data in its first cache and predicted branches. The values come
//! from globals, so that no compiler knows them.
#![allow(dead_code, reason = "nobody needs all of it")]

/// How often the operators stand in one turn.
pub const COPIES: u32 = 64;

/// One case.
pub struct Case {
    /// What is measured.
    pub name: String,
    /// Operators that leave the stack as it was; `#` stands for 0 to 3 and `@` for an offset, others in each copy.
    pub code: String,
    /// What of the operators is there only to make a chain of the others, if anything.
    pub frame: &'static str,
}

/// A program that runs a case's operators [`COPIES`] times in each of so many turns.
pub fn program(code: &str, turns: u32) -> String {
    format!(r#"{} (func (export "_start") {}))"#, head(), body(code, COPIES, turns))
}

/// A program that runs each of the cases once, in a function of its own, with every local and offset that its copies have.
pub fn one_program(cases: &[Case]) -> String {
    let function = |(at, case): (usize, &Case)| format!("(func $case{at} {}) ", body(&case.code, 4, 1));
    let functions: String = cases.iter().enumerate().map(function).collect();
    let calls: String = (0..cases.len()).map(|at| format!("call $case{at} ")).collect();
    format!(r#"{} {functions} (func (export "_start") {calls}))"#, head())
}

/// What a case's function consists of.
fn body(code: &str, copies: u32, turns: u32) -> String {
    let copy =
        |copy: u32| code.replace('#', &(copy % 4).to_string()).replace("@", &format!("offset={}", 128 + copy * 8));
    let copies: String = (0..copies).map(copy).collect();
    format!("{LOCALS} i32.const {turns} local.set $n {SET_UP} loop $turn {copies} {TAIL}")
}

fn head() -> String {
    HEAD.replace("I64S", &"i64 ".repeat(128))
}

const HEAD: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_pread" (func $pread (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_get" (func $fstat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $resize (param i32 i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory" (func $make (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_remove_directory" (func $remove (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_rename" (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 16) (table 4 funcref) (elem (i32.const 0) $id $id $id $id) (table $big 1024 funcref)
    (data (i32.const 64) "\40\00\00\00\00\00\00\00")
    (data (i32.const 900000) "tmp/./../tmp/../tmp/directory")
    (data (i32.const 900100) "\00\00\0d\00\40\00\00\00") (data (i32.const 900200) "\00\00\00\00\00\00\01\00")
    (data (i32.const 900300) "tmp/f")
    (data $passive "0123456789abcdef") (elem $refs func $id $id $id $id) (elem declare func $id)
    (type $id (func (param i32) (result i32)))
    (global $gi (mut i32) (i32.const 3)) (global $gl (mut i64) (i64.const 3)) (global $gd (mut f64) (f64.const 3))
    (global $seven (mut i32) (i32.const 7)) (global $address (mut i32) (i32.const 64))
    (func $id (type $id) local.get 0)
    (func $return (type $id) local.get 0 return)
    (func $many (param i32 i64 i32 i64 i32 i64 i32 i64 f32 f64 f32 f64 f32 f64 f32 f64) (result i32) local.get 0)
    (func $wide (param I64S))
    (func $results (result i32 i64 i32 i64) i32.const 1 i64.const 2 i32.const 3 i64.const 4)"#;

const LOCALS: &str = r#"(local $n i32) (local $i i32) (local $j i32) (local $p i32) (local $q i32) (local $l i64)
      (local $f f32) (local $d f64) (local $ibig i32) (local $lbig i64) (local $imask i32) (local $lmask i64)
      (local $i0 i32) (local $i1 i32) (local $i2 i32) (local $i3 i32)
      (local $l0 i64) (local $l1 i64) (local $l2 i64) (local $l3 i64)
      (local $f0 f32) (local $f1 f32) (local $f2 f32) (local $f3 f32)
      (local $d0 f64) (local $d1 f64) (local $d2 f64) (local $d3 f64)"#;

/// `$seven` less seven is a zero that no compiler knows.
const SET_UP: &str = r#"
      global.get $address local.tee $p global.get $seven i32.const 7 i32.sub local.tee $j i32.add local.set $q
      local.get $j i32.const 77 i32.add local.set $i       local.get $j i64.extend_i32_s i64.const 1234567 i64.add local.set $l
      local.get $j i32.const 0x7fffffff i32.add local.set $ibig local.get $j i32.const 0x40000001 i32.add local.set $imask
      local.get $j i64.extend_i32_s i64.const 0x7fffffffffffffff i64.add local.set $lbig
      local.get $j i64.extend_i32_s i64.const 0x4000000000000001 i64.add local.set $lmask
      local.get $j i32.const 13 i32.add local.set $i0      local.get $j i32.const 0x7ffffff1 i32.add local.set $i1
      local.get $j i32.const 0x1357 i32.add local.set $i2  local.get $j i32.const 0x7bcdef31 i32.add local.set $i3
      local.get $i0 i64.extend_i32_s local.set $l0 local.get $i1 i64.extend_i32_s local.set $l1
      local.get $i2 i64.extend_i32_s local.set $l2 local.get $i3 i64.extend_i32_s local.set $l3
      local.get $j f64.convert_i32_s f64.const 2.5 f64.add local.tee $d f32.demote_f64 local.set $f
      local.get $j f64.convert_i32_s f64.const 1.25 f64.add local.tee $d0 f32.demote_f64 local.set $f0
      local.get $j f64.convert_i32_s f64.const 0.8 f64.add local.tee $d1 f32.demote_f64 local.set $f1
      local.get $j f64.convert_i32_s f64.const 1.0000001 f64.add local.tee $d2 f32.demote_f64 local.set $f2
      local.get $j f64.convert_i32_s f64.const 0.9999999 f64.add local.tee $d3 f32.demote_f64 local.set $f3
      local.get $j i32.const 5 i32.add local.set $j
      i32.const 3 i32.const 0 i32.const 900300 i32.const 5 i32.const 1 i64.const 0x600066 i64.const 0 i32.const 0 i32.const 0
      call $open drop"#;

const TAIL: &str = "local.get $n i32.const 1 i32.sub local.tee $n br_if $turn end";

/// All of them.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    cases.integers("i32", 'i', "");
    cases.integers("i64", 'l', "i64.extend_i32_u");
    cases.floats("f32", 'f');
    cases.floats("f64", 'd');
    cases.conversions();
    cases.memory();
    for (name, code) in OTHERS {
        cases.add(*name, "", code.replace("PARAMETERS", &"local.get $l ".repeat(128)));
    }
    cases.0
}

struct Cases(Vec<Case>);

impl Cases {
    fn add(&mut self, name: impl Into<String>, frame: &'static str, code: impl Into<String>) {
        self.0.push(Case { name: name.into(), code: code.into() + " ", frame });
    }

    /// Operators of a type whose locals begin with a letter; `widen` makes a truth of the type.
    fn integers(&mut self, ty: &str, v: char, widen: &str) {
        let frame = if v == 'i' {
            "local.get $i local.get $i# i32.xor local.set $i "
        } else {
            "local.get $l local.get $l# i64.xor local.set $l "
        };
        for op in ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"] {
            self.add(format!("{ty}.{op}"), "", format!("local.get ${v} local.get ${v}# {ty}.{op} local.set ${v}"));
            let independent = format!("local.get ${v}# local.get ${v} {ty}.{op} local.set ${v}#");
            self.add(format!("{ty}.{op}, independent"), "", independent);
        }
        for op in ["div_s", "div_u"] {
            self.add(format!("{ty}.{op}"), "", format!("local.get ${v}big local.get ${v} {ty}.{op} local.set ${v}"));
        }
        for op in ["rem_s", "rem_u"] {
            let code = format!("local.get ${v}big local.get ${v} {ty}.{op} local.get ${v}mask {ty}.or local.set ${v}");
            self.add(format!("{ty}.{op}, or"), "", code);
        }
        for op in ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"] {
            let code = format!("local.get ${v} local.get ${v}# {ty}.{op} {widen} local.set ${v}");
            self.add(format!("{ty}.{op} {widen}"), "", code);
        }
        let code = format!("local.get ${v} {ty}.eqz {widen} local.get ${v}# {ty}.xor local.set ${v}");
        self.add(format!("{ty}.eqz {widen}"), frame, code);
        for op in ["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"] {
            if (ty, op) != ("i32", "extend32_s") {
                let code = format!("local.get ${v} {ty}.{op} local.get ${v}# {ty}.xor local.set ${v}");
                self.add(format!("{ty}.{op}"), frame, code);
            }
        }
    }

    fn floats(&mut self, ty: &str, v: char) {
        let frame = if v == 'f' {
            "local.get $f local.get $f# f32.add local.set $f "
        } else {
            "local.get $d local.get $d# f64.add local.set $d "
        };
        for op in ["add", "sub", "mul", "div", "min", "max", "copysign"] {
            self.add(format!("{ty}.{op}"), "", format!("local.get ${v} local.get ${v}# {ty}.{op} local.set ${v}"));
            let independent = format!("local.get ${v}# local.get ${v} {ty}.{op} local.set ${v}#");
            self.add(format!("{ty}.{op}, independent"), "", independent);
        }
        // The local in between makes each result's NaN canonical: an addition would take it as it is.
        for op in ["sqrt", "ceil", "floor", "trunc", "nearest", "abs", "neg"] {
            let add = format!("local.get ${v} local.get ${v}# {ty}.add local.set ${v}");
            self.add(format!("{ty}.{op}"), frame, format!("local.get ${v} {ty}.{op} local.set ${v} {add}"));
        }
        for op in ["eq", "ne", "lt", "gt", "le", "ge"] {
            let code = format!(
                "local.get ${v}1 local.get ${v}2 local.get ${v} local.get ${v}# {ty}.{op} select local.set ${v}"
            );
            self.add(format!("{ty}.{op}, select"), "", code);
        }
        self.add(
            format!("{ty}.mul, add, of what is nearly nothing"),
            "",
            format!("local.get ${v} {ty}.const 1e-40 {ty}.mul {ty}.const 1e-39 {ty}.add local.set ${v}"),
        );
    }

    fn conversions(&mut self) {
        const XOR: &str = "local.get $l local.get $l# i64.xor local.set $l ";
        for sign in ["s", "u"] {
            let code = format!("local.get $l i32.wrap_i64 i64.extend_i32_{sign} local.get $l# i64.xor local.set $l");
            self.add(format!("i32.wrap_i64, i64.extend_i32_{sign}"), XOR, code);
            for (int, v) in [("i32", 'i'), ("i64", 'l')] {
                for float in ["f32", "f64"] {
                    let convert = format!("{float}.convert_{int}_{sign}");
                    for back in ["trunc", "trunc_sat"] {
                        let name = format!("{convert}, {int}.{back}_{float}_{sign}");
                        let code = format!("local.get ${v} {convert} {int}.{back}_{float}_{sign} local.set ${v}");
                        self.add(name, "", code);
                    }
                    let wide =
                        format!("local.get ${v}big {convert} local.get ${v} {float}.convert_{int}_{sign} {float}.add");
                    let code = format!("{wide} {int}.trunc_sat_{float}_{sign} local.set ${v}");
                    self.add(format!("{convert} twice, add, {int}.trunc_sat_{float}_{sign}, out of range"), "", code);
                }
            }
        }
        self.add(
            "f64.promote_f32, f32.demote_f64",
            "",
            "local.get $f f64.promote_f32 local.set $d local.get $d f32.demote_f64 local.set $f",
        );
        for (int, float, v) in [("i32", "f32", 'f'), ("i64", "f64", 'd')] {
            let there = format!("{int}.reinterpret_{float}");
            let (x, back) = (if v == 'f' { "$i0" } else { "$l0" }, format!("{float}.reinterpret_{int}"));
            let code = format!("local.get ${v} {there} local.get {x} {int}.xor {back} local.set ${v}");
            self.add(format!("{there}, xor, {back}"), "", code);
        }
    }

    /// Loads follow a pointer that points to itself; stores are loaded again, or stand alone.
    fn memory(&mut self) {
        let bridge = [
            ("i32", "", ""),
            ("i64", "i32.wrap_i64", "i64.extend_i32_u"),
            ("f32", "i32.reinterpret_f32", "f32.reinterpret_i32"),
            ("f64", "i64.reinterpret_f64 i32.wrap_i64", "i64.extend_i32_u f64.reinterpret_i64"),
        ];
        for (ty, down, up) in bridge {
            let narrow: &[&str] = match ty {
                "i32" => &["", "8_s", "8_u", "16_s", "16_u"],
                "i64" => &["", "8_s", "8_u", "16_s", "16_u", "32_s", "32_u"],
                _ => &[""],
            };
            for width in narrow {
                let load = format!("{ty}.load{width}");
                self.add(format!("{load} {down}"), "", format!("local.get $p {load} {down} local.set $p"));
                if !width.ends_with("_s") {
                    let store = format!("{ty}.store{}", width.trim_end_matches("_u"));
                    let stored = format!("local.get $q local.get $p {up} {store}");
                    let code = format!("{stored} local.get $q {load} {down} local.set $p");
                    self.add(format!("{up} {store}, {load} {down}"), "", code);
                    self.add(format!("{up} {store}, independent"), "", stored + " @");
                }
            }
        }
    }
}

const OTHERS: &[(&str, &str)] = &[
    ("local.get, local.set", "local.get $i local.set $i# "),
    ("local.get, local.tee, drop", "local.get $i local.tee $i# drop "),
    ("i32.const, local.set", "i32.const 5 local.set $i# "),
    ("i64.const, local.set", "i64.const 5 local.set $l# "),
    ("f64.const, local.set", "f64.const 5 local.set $d# "),
    ("select", "local.get $i0 local.get $i1 local.get $i select local.set $i "),
    ("select of f64, f64.lt", "local.get $d1 local.get $d2 local.get $d local.get $d0 f64.lt select local.set $d "),
    ("global.get, i32.add, global.set", "global.get $gi local.get $i i32.add global.set $gi "),
    ("global.get, i64.add, global.set", "global.get $gl local.get $l i64.add global.set $gl "),
    ("global.get, f64.add, global.set", "global.get $gd local.get $d f64.add global.set $gd "),
    ("global.set", "local.get $i global.set $gi "),
    ("nop", "nop "),
    ("block", "block nop end "),
    ("loop", "loop nop end "),
    ("block, br_if not taken", "block local.get $j i32.eqz br_if 0 local.get $i local.set $i# end "),
    ("block, br_if taken", "block local.get $j br_if 0 end "),
    ("block, br", "block br 0 end "),
    ("if, else, taken", "local.get $j if i32.const 1 local.set $i# else i32.const 2 local.set $i# end "),
    ("if, else, not taken", "local.get $j i32.eqz if i32.const 1 local.set $i# else i32.const 2 local.set $i# end "),
    ("if without else, not taken", "local.get $j i32.eqz if i32.const 1 local.set $i# end "),
    ("br_table", "block block local.get $j br_table 0 1 0 1 end end "),
    ("br_table, one of a few", "block block block block local.get $j br_table 0 1 2 3 0 1 2 3 end end end end "),
    ("call", "local.get $i call $id local.set $i "),
    ("call, return", "local.get $i call $return local.set $i "),
    (
        "call, 16 parameters",
        "local.get $i local.get $l local.get $i local.get $l local.get $i local.get $l local.get $i local.get $l
         local.get $f local.get $d local.get $f local.get $d local.get $f local.get $d local.get $f local.get $d
         call $many local.set $i ",
    ),
    ("call, 4 results", "call $results drop drop drop drop "),
    ("call, 128 parameters", "PARAMETERS call $wide "),
    ("call_indirect", "local.get $i i32.const 1 call_indirect (type $id) local.set $i "),
    ("memory.size", "memory.size local.set $i "),
    ("memory.grow 0", "i32.const 0 memory.grow drop "),
    ("memory.fill 0", "local.get $p i32.const 1 i32.const 0 memory.fill "),
    ("memory.fill 16", "i32.const 128 i32.const 1 i32.const 16 memory.fill "),
    ("memory.fill 64k", "i32.const 128 i32.const 1 i32.const 65536 memory.fill "),
    ("memory.copy 0", "local.get $p i32.const 1 i32.const 0 memory.copy "),
    ("memory.copy 7", "i32.const 128 i32.const 256 i32.const 7 memory.copy "),
    ("memory.copy 8k", "i32.const 128 i32.const 16384 i32.const 8192 memory.copy "),
    ("memory.copy 64k", "i32.const 128 i32.const 65792 i32.const 65536 memory.copy "),
    ("memory.copy 64k, one byte on", "i32.const 129 i32.const 128 i32.const 65536 memory.copy "),
    ("memory.init 16", "i32.const 128 i32.const 0 i32.const 16 memory.init $passive "),
    ("data.drop of nothing", "i32.const 128 i32.const 0 i32.const 0 memory.init $passive data.drop 0 "),
    ("table.get, table.set", "i32.const 0 i32.const 1 table.get 0 table.set 0 "),
    ("table.size", "table.size 0 local.set $i "),
    ("table.grow 0", "ref.null func i32.const 0 table.grow 0 drop "),
    ("ref.func, drop", "ref.func $id drop "),
    ("ref.func, table.set", "i32.const 0 ref.func $id table.set 0 "),
    ("ref.null, ref.is_null", "ref.null func ref.is_null local.set $i "),
    ("table.get, ref.is_null", "i32.const 0 table.get 0 ref.is_null local.set $i "),
    ("table.fill 0", "i32.const 0 ref.null func i32.const 0 table.fill 0 "),
    ("table.fill 4", "i32.const 0 ref.func $id i32.const 4 table.fill 0 "),
    ("table.fill 1024", "i32.const 0 ref.null func i32.const 1024 table.fill $big "),
    ("table.copy 4", "i32.const 0 i32.const 0 i32.const 4 table.copy $big 0 "),
    ("table.copy 512", "i32.const 0 i32.const 512 i32.const 512 table.copy $big $big "),
    ("table.init 4", "i32.const 0 i32.const 0 i32.const 4 table.init 0 $refs "),
    ("elem.drop of nothing", "i32.const 0 i32.const 0 i32.const 0 table.init 0 $refs elem.drop 1 "),
    ("sched_yield", "call $yield drop "),
    ("random_get 64", "i32.const 128 i32.const 64 call $random drop "),
    ("clock_time_get", "i32.const 0 i64.const 0 i32.const 128 call $clock drop "),
    ("poll_oneoff", "i32.const 1024 i32.const 2048 i32.const 1 i32.const 4096 call $poll drop "),
    ("args_get", "i32.const 1024 i32.const 2048 call $args drop "),
    ("fd_write 64", "i32.const 1 i32.const 900100 i32.const 1 i32.const 128 call $write drop "),
    ("fd_write of 64 buffers", "i32.const 1 i32.const 131072 i32.const 64 i32.const 128 call $write drop "),
    ("poll_oneoff of 64", "i32.const 131072 i32.const 196608 i32.const 64 i32.const 128 call $poll drop "),
    ("fd_pwrite 64k", "i32.const 4 i32.const 900200 i32.const 1 i64.const 0 i32.const 128 call $pwrite drop "),
    ("fd_pread 64", "i32.const 4 i32.const 900100 i32.const 1 i64.const 0 i32.const 128 call $pread drop "),
    ("fd_pread 64k", "i32.const 4 i32.const 900200 i32.const 1 i64.const 0 i32.const 128 call $pread drop "),
    ("fd_seek", "i32.const 4 i64.const 1 i32.const 0 i32.const 128 call $seek drop "),
    ("fd_filestat_get", "i32.const 4 i32.const 128 call $fstat drop "),
    (
        "fd_filestat_set_size 0, 64k",
        "i32.const 4 i64.const 0 call $resize drop i32.const 4 i64.const 65536 call $resize drop ",
    ),
    ("path_filestat_get", "i32.const 3 i32.const 0 i32.const 900000 i32.const 3 i32.const 128 call $stat drop "),
    (
        "path_filestat_get, longer",
        "i32.const 3 i32.const 0 i32.const 900000 i32.const 19 i32.const 128 call $stat drop ",
    ),
    (
        "path_open, fd_close",
        "i32.const 3 i32.const 0 i32.const 900000 i32.const 3 i32.const 2 i64.const 16384 i64.const 0 i32.const 0
         i32.const 128 call $open drop i32.const 5 call $close drop ",
    ),
    (
        "path_create, path_remove",
        "i32.const 3 i32.const 900000 i32.const 29 call $make drop
         i32.const 3 i32.const 900000 i32.const 29 call $remove drop ",
    ),
    ("fd_readdir", "i32.const 3 i32.const 8192 i32.const 256 i64.const 0 i32.const 128 call $list drop "),
];
