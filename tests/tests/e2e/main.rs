//! From a poster's call to a provider's pay: a real ledger with JSON-RPC and WebSocket, a real content node, the
//! executor as a process of its own. Everything is on loopback and ends by itself.

mod adaptive;
mod ahead;
mod content;
mod court;
mod crashes;
mod disk;
mod disputes;
mod engines;
mod habits;
mod jobs;
mod journals;
mod processes;
mod proxy;
mod rpc;
mod rpc_proxy;
mod sandbox;
mod settle;
mod several;
mod stories;
mod support;
mod verdicts;
