//! The programs of examples/corpus: both engines and both variants agree on everything, and print what native builds
//! print, whole and stopped anywhere by a limit (I-08, W-09).

use assay_protocol::Trap;
use assay_runtime::{End, Engine};

use super::corpus::{
    agreement::{self, Subject},
    programs::{Size, program, programs},
};

/// Limits of gas, and of stack, that each program is stopped by.
const ROUNDS: u64 = 2;

macro_rules! agree {
    ($($test:ident: $name:literal),*) => {
        $(#[test]
        fn $test() {
            let (subject, _, counts) = agreement::check(&program($name), Size::Small, ROUNDS, 0);
            assert!(subject.engines.contains(&Engine::Wasmtime), "within the compiler's budget");
            println!("{counts:?}");
        })*

        #[test]
        fn every_program_of_the_list_has_its_test() {
            let listed: Vec<_> = programs().iter().map(|program| program.name).collect();
            assert_eq!(listed, [$($name),*]);
        }
    };
}

agree! {
    w_01_w_02_w_09_compress_agrees_everywhere_at_any_limit: "compress",
    w_01_w_02_w_09_dispatch_agrees_everywhere_at_any_limit: "dispatch",
    w_01_w_02_w_09_json_agrees_everywhere_at_any_limit: "json",
    w_01_w_02_w_09_lua_agrees_everywhere_at_any_limit: "lua",
    w_01_w_02_w_09_matrix_agrees_everywhere_at_any_limit: "matrix",
    w_01_w_02_w_09_nan_agrees_everywhere_at_any_limit: "nan",
    w_01_w_02_w_09_pi_agrees_everywhere_at_any_limit: "pi",
    w_01_w_02_w_09_recursion_agrees_everywhere_at_any_limit: "recursion",
    w_01_w_02_w_09_regex_agrees_everywhere_at_any_limit: "regex",
    w_01_w_02_w_09_sha256_agrees_everywhere_at_any_limit: "sha256",
    w_01_w_02_w_09_sort_agrees_everywhere_at_any_limit: "sort",
    w_01_w_02_w_09_sqlite_agrees_everywhere_at_any_limit: "sqlite",
    w_01_w_02_w_09_store_agrees_everywhere_at_any_limit: "store",
    w_01_w_02_w_09_vm_agrees_everywhere_at_any_limit: "vm"
}

#[test]
fn w_09_a_program_that_panics_agrees_everywhere() {
    let mut request = program("store").request(Size::Small);
    request.args.push("panic".into());
    let run = Subject::new(request).run();
    assert_eq!(run.report.end, End::Trapped(Trap::Unreachable));
    assert_eq!(run.report.stdout, program("store").expected_stdout());
    let said = String::from_utf8(run.report.stderr).unwrap();
    assert!(said.starts_with("hook: ") && said.contains("as asked"), "{said}");
    assert!(run.report.output.is_empty());
}
