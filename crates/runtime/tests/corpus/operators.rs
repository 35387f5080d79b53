//! Every kind of operator, in a program that does little else.

/// How often the operators stand in one turn.
pub const COPIES: u32 = 64;

/// A program that runs the operators [`COPIES`] times in each of so many turns.
pub fn program(code: &str, turns: u32) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_filestat_get" (func $stat (param i32 i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_create_directory" (func $make (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_remove_directory" (func $remove (param i32 i32 i32) (result i32)))
        (memory (export "memory") 16) (data (i32.const 900000) "tmp/./../tmp/../tmp/directory")
        (data (i32.const 900100) "\00\00\0d\00\40\00\00\00") (table 4 funcref) (elem (i32.const 0) $id $id $id $id)
        (type $id (func (param i32) (result i32)))
        (global $gi (mut i32) (i32.const 3)) (global $gl (mut i64) (i64.const 3))
        (func $id (type $id) local.get 0)
        (func (export "_start") (local $n i32) (local $i i32) (local $j i32) (local $l i64) (local $f f32) (local $d f64)
          i32.const {turns} local.set $n  i32.const 77 local.set $i i32.const 5 local.set $j i64.const 1234567 local.set $l
          f32.const 1.5 local.set $f f64.const 2.5 local.set $d
          loop $turn
            {}
            local.get $n i32.const 1 i32.sub local.tee $n br_if $turn
          end))"#,
        code.repeat(usize::try_from(COPIES).unwrap_or_default())
    )
}

/// Name and operators; they leave the stack as it was.
pub const CASES: &[(&str, &str)] = &[
    ("local.set of local.get", "local.get $j local.set $i "),
    ("i32.const, local.set", "i32.const 5 local.set $i "),
    ("i32.add", "local.get $i local.get $j i32.add local.set $i "),
    ("i32.mul", "local.get $i local.get $j i32.mul local.set $i "),
    (
        "i32.shl, xor, rotl chain",
        "local.get $i i32.const 3 i32.shl local.get $j i32.xor i32.const 5 i32.rotl local.set $i ",
    ),
    ("i64.add", "local.get $l local.get $l i64.add local.set $l "),
    ("i32.div_u", "local.get $i local.get $j i32.div_u i32.const 77 i32.add local.set $i "),
    ("i32.rem_s", "local.get $i local.get $j i32.rem_s i32.const 77 i32.add local.set $i "),
    ("i64.div_u", "local.get $l local.get $l i64.div_u i64.const 77 i64.add local.set $l "),
    ("i32.clz", "local.get $i i32.clz local.set $i "),
    ("i32.popcnt", "local.get $i i32.popcnt local.set $i "),
    ("i32.lt_s", "local.get $i local.get $j i32.lt_s local.set $i "),
    ("i32.eqz", "local.get $i i32.eqz local.set $i "),
    ("i32.wrap, extend", "local.get $l i32.wrap_i64 i64.extend_i32_s local.set $l "),
    ("i32.extend8_s", "local.get $i i32.extend8_s local.set $i "),
    ("select", "local.get $i local.get $j local.get $n select local.set $i "),
    ("global.get, global.set i32", "global.get $gi global.set $gi "),
    ("global.get, global.set i64", "global.get $gl global.set $gl "),
    ("i32.load", "local.get $j i32.load offset=64 local.set $i "),
    ("i32.load8_u", "local.get $j i32.load8_u offset=64 local.set $i "),
    ("i64.load", "local.get $j i64.load offset=64 local.set $l "),
    ("i32.store", "local.get $j local.get $i i32.store offset=64 "),
    ("i64.store8", "local.get $j local.get $l i64.store8 offset=64 "),
    ("f32.add", "local.get $f local.get $f f32.add local.set $f "),
    ("f64.add", "local.get $d local.get $d f64.add local.set $d "),
    ("f64.mul", "local.get $d local.get $d f64.mul local.set $d "),
    ("f64.mul, add fused", "local.get $d local.get $d f64.mul local.get $d f64.add local.set $d "),
    ("f64.div", "local.get $d local.get $d f64.div local.set $d "),
    ("f32.div", "local.get $f local.get $f f32.div local.set $f "),
    ("f64.sqrt", "local.get $d f64.sqrt local.set $d "),
    ("f64.abs", "local.get $d f64.abs local.set $d "),
    ("f64.copysign", "local.get $d local.get $d f64.copysign local.set $d "),
    ("f64.min", "local.get $d local.get $d f64.min local.set $d "),
    ("f32.max", "local.get $f local.get $f f32.max local.set $f "),
    ("f64.floor", "local.get $d f64.floor local.set $d "),
    ("f64.nearest", "local.get $d f64.nearest local.set $d "),
    ("f64.lt", "local.get $d local.get $d f64.lt local.set $i "),
    ("f64.promote, demote", "local.get $f f64.promote_f32 f32.demote_f64 local.set $f "),
    ("f64.convert_i32_s", "local.get $i f64.convert_i32_s local.set $d "),
    ("f64.convert_i64_u", "local.get $l f64.convert_i64_u local.set $d "),
    ("i32.trunc_f64_s", "local.get $d i32.trunc_f64_s local.set $i "),
    ("i64.trunc_f64_u", "local.get $d i64.trunc_f64_u local.set $l "),
    ("i32.trunc_sat_f64_s", "local.get $d i32.trunc_sat_f64_s local.set $i "),
    ("i64.reinterpret", "local.get $d i64.reinterpret_f64 f64.reinterpret_i64 local.set $d "),
    ("block, br_if not taken", "block i32.const 0 br_if 0 end "),
    ("block, br_if taken", "block local.get $j br_if 0 end "),
    ("block, br", "block br 0 end "),
    ("if, else", "local.get $j if i32.const 1 local.set $i else i32.const 2 local.set $i end "),
    ("br_table", "block block local.get $j br_table 0 1 0 1 end end "),
    ("call", "local.get $i call $id local.set $i "),
    ("call_indirect", "local.get $i i32.const 1 call_indirect (type $id) local.set $i "),
    ("memory.size", "memory.size local.set $i "),
    ("memory.grow 0", "i32.const 0 memory.grow drop "),
    ("memory.fill 16", "i32.const 0 i32.const 1 i32.const 16 memory.fill "),
    ("memory.fill 64k", "i32.const 0 i32.const 1 i32.const 65536 memory.fill "),
    ("memory.copy 64k", "i32.const 0 i32.const 65536 i32.const 65536 memory.copy "),
    ("table.get, set", "i32.const 0 i32.const 1 table.get 0 table.set 0 "),
    ("ref.func, drop", "ref.func $id drop "),
    ("table.fill 4", "i32.const 0 ref.null func i32.const 4 table.fill 0 "),
    ("sched_yield", "call $yield drop "),
    ("random_get 64", "i32.const 0 i32.const 64 call $random drop "),
    ("clock_time_get", "i32.const 0 i64.const 0 i32.const 0 call $clock drop "),
    ("fd_write 64", "i32.const 1 i32.const 900100 i32.const 1 i32.const 0 call $write drop "),
    ("path_filestat_get", "i32.const 3 i32.const 0 i32.const 900000 i32.const 3 i32.const 0 call $stat drop "),
    ("path_filestat_get, longer", "i32.const 3 i32.const 0 i32.const 900000 i32.const 19 i32.const 0 call $stat drop "),
    (
        "path_open, fd_close",
        "i32.const 3 i32.const 0 i32.const 900000 i32.const 3 i32.const 2 i64.const 16384 i64.const 0 i32.const 0
         i32.const 0 call $open drop i32.const 4 call $close drop ",
    ),
    (
        "path_create, path_remove",
        "i32.const 3 i32.const 900000 i32.const 29 call $make drop
         i32.const 3 i32.const 900000 i32.const 29 call $remove drop ",
    ),
    ("fd_readdir", "i32.const 3 i32.const 0 i32.const 256 i64.const 0 i32.const 256 call $list drop "),
    ("nop", "nop "),
];
