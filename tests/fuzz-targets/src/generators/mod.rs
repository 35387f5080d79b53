//! Generators that the runtime's and the content's tests use.

#[path = "../../../../crates/content/tests/it/forge.rs"]
pub mod forge;
#[path = "../../../../crates/runtime/tests/corpus/generated/mod.rs"]
pub mod generated;
#[path = "../../../../crates/runtime/tests/corpus/host_calls.rs"]
pub mod host_calls;
#[path = "../../../../crates/runtime/tests/corpus/request.rs"]
pub mod request;
#[path = "../../../../crates/runtime/tests/corpus/script.rs"]
pub mod script;
