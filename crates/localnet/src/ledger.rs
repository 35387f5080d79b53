//! The embedded ledger: a Solana SVM in this process behind real JSON-RPC and WebSocket servers, always offline.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use solana_pubkey::Pubkey;
use surfpool_core::surfnet::{
    locker::SurfnetSvmLocker,
    svm::{SurfnetSvm, SurfnetSvmConfig},
};
use surfpool_types::{BlockProductionMode, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent, SurfpoolConfig};
use thiserror::Error;

/// Longest wait for the servers to listen; 0.3 to 0.8 s were measured.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the ledger's thread to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries to find a free port that is still free when the server binds it.
const PORT_TRIES_MAX: u32 = 16;

/// How to start a [`Ledger`].
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// Milliseconds per slot, 10 or more: 400 as on the public clusters, 50 in tests.
    pub slot_ms: u64,
    /// Port of the JSON-RPC server on 127.0.0.1; 0 picks a free one.
    pub rpc_port: u16,
    /// Port of the WebSocket server on 127.0.0.1; 0 picks a free one.
    pub ws_port: u16,
    /// Programs to load: address and ELF.
    pub programs: Vec<(Pubkey, Arc<[u8]>)>,
    /// Wallets to fund from the start: address and lamports.
    pub wallets: Vec<(Pubkey, u64)>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { slot_ms: 400, rpc_port: 0, ws_port: 0, programs: Vec::new(), wallets: Vec::new() }
    }
}

/// Why the ledger did not start or answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another process listens there.
    #[error("port {port} on 127.0.0.1 is taken ({source}); stop what listens there or choose another port")]
    PortTaken {
        /// The port.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// No free port was found.
    #[error("no free port on 127.0.0.1: {0}")]
    NoFreePort(std::io::Error),
    /// The SVM refused a program.
    #[error("the ledger refused program {program}: {reason}")]
    ProgramRefused {
        /// Its address.
        program: Pubkey,
        /// What the loader said.
        reason: String,
    },
    /// The SVM or its servers failed.
    #[error("the embedded ledger failed: {0}")]
    Failed(String),
    /// The servers did not listen in time.
    #[error("the embedded ledger was not ready within {} s", START_TIMEOUT.as_secs())]
    NotReady,
}

/// A running ledger. Dropping it stops its servers.
pub struct Ledger {
    rpc_port: u16,
    ws_port: u16,
    svm: SurfnetSvmLocker,
    commands: Sender<SimnetCommand>,
    runloop: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Starts the ledger and returns when its servers listen. Blocks for up to a second; call it from a blocking task.
    ///
    /// # Errors
    /// [`LedgerError`] says which port, program or limit stood in the way.
    pub fn start(config: LedgerConfig) -> Result<Self, LedgerError> {
        let rpc_port = choose_port(config.rpc_port, &[])?;
        let ws_port = choose_port(config.ws_port, &[rpc_port])?;
        let (mut svm, events, geyser) = SurfnetSvm::new(SurfnetSvmConfig {
            slot_time: config.slot_ms,
            instruction_profiling_enabled: false,
            ..Default::default()
        })
        .map_err(|error| LedgerError::Failed(error.to_string()))?;
        for (program, elf) in &config.programs {
            svm.inner
                .svm
                .add_program(*program, elf)
                .map_err(|error| LedgerError::ProgramRefused { program: *program, reason: format!("{error:?}") })?;
        }
        let (commands, command_queue) = crossbeam_channel::unbounded();
        let svm = SurfnetSvmLocker::new(svm);
        let settings = settings(&config, rpc_port, ws_port);
        let (runloop_svm, runloop_commands) = (svm.clone(), commands.clone());
        let runloop = std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                let ended = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
                    runtime
                        .block_on(surfpool_core::runloops::start_local_surfnet_runloop(
                            runloop_svm,
                            settings,
                            runloop_commands,
                            command_queue,
                            geyser,
                        ))
                        .map_err(|error| error.to_string())
                });
                if let Err(reason) = ended {
                    tracing::error!(reason, "ledger_failed");
                }
            })
            .map_err(|error| LedgerError::Failed(error.to_string()))?;
        let ledger = Self { rpc_port, ws_port, svm, commands, runloop: Some(runloop) };
        wait_until_started(&events)?;
        drain(events);
        for (wallet, lamports) in &config.wallets {
            ledger.airdrop(wallet, *lamports)?;
        }
        Ok(ledger)
    }

    /// URL of the JSON-RPC server.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.rpc_port)
    }

    /// URL of the WebSocket server.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.ws_port)
    }

    /// Credits a wallet.
    ///
    /// # Errors
    /// [`LedgerError::Failed`] with what the ledger said.
    pub fn airdrop(&self, wallet: &Pubkey, lamports: u64) -> Result<(), LedgerError> {
        self.svm
            .airdrop(wallet, lamports)
            .map_err(|error| LedgerError::Failed(error.to_string()))?
            .map(|_| ())
            .map_err(|error| LedgerError::Failed(format!("{:?}", error.err)))
    }

    /// Stops the servers and waits for them, a few seconds at most.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        let Some(runloop) = self.runloop.take() else { return };
        if self.commands.send(SimnetCommand::Terminate(None)).is_err() {
            return; // The run loop has ended already.
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !runloop.is_finished() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        if runloop.is_finished() && runloop.join().is_err() {
            tracing::error!("ledger_panicked");
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn settings(config: &LedgerConfig, rpc_port: u16, ws_port: u16) -> SurfpoolConfig {
    SurfpoolConfig {
        simnets: vec![SimnetConfig {
            // Both, always: the library's default copies accounts from a public cluster.
            offline_mode: true,
            remote_rpc_url: None,
            slot_time: config.slot_ms,
            // Never `Transaction`: blockhashes would expire after a few transactions.
            block_production_mode: BlockProductionMode::Clock,
            instruction_profiling_enabled: false,
            ..Default::default()
        }],
        rpc: RpcConfig { bind_host: "127.0.0.1".into(), bind_port: rpc_port, ws_port, ..Default::default() },
        ..Default::default()
    }
}

fn wait_until_started(events: &Receiver<SimnetEvent>) -> Result<(), LedgerError> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(SimnetEvent::CoreStarted(_)) => return Ok(()),
            Ok(SimnetEvent::Aborted(reason)) => return Err(LedgerError::Failed(reason)),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Err(LedgerError::NotReady),
            Err(RecvTimeoutError::Disconnected) => return Err(LedgerError::Failed("it ended while starting".into())),
        }
    }
}

/// The event channel is unbounded: somebody must read it, or it grows for as long as the ledger runs.
fn drain(events: Receiver<SimnetEvent>) {
    let reader = std::thread::Builder::new().name("ledger-events".into()).spawn(move || {
        for event in events {
            match event {
                SimnetEvent::ErrorLog(_, text) => tracing::warn!(text, "ledger_reported_error"),
                SimnetEvent::Aborted(text) => tracing::error!(text, "ledger_aborted"),
                _ => {}
            }
        }
    });
    if let Err(error) = reader {
        tracing::error!(%error, "ledger_events_unread");
    }
}

/// Checks that a port is free, or finds one.
///
/// # Errors
/// [`LedgerError::PortTaken`] for a wanted port, [`LedgerError::NoFreePort`] for 0.
pub fn choose_port(wanted: u16, not: &[u16]) -> Result<u16, LedgerError> {
    let bind = |port| TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    if wanted != 0 {
        return match bind(wanted) {
            Ok(_) => Ok(wanted),
            Err(source) => Err(LedgerError::PortTaken { port: wanted, source }),
        };
    }
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for _ in 0..PORT_TRIES_MAX {
        match bind(0).and_then(|listener| listener.local_addr()) {
            Ok(address) if !not.contains(&address.port()) => return Ok(address.port()),
            Ok(_) => {}
            Err(error) => last = error,
        }
    }
    Err(LedgerError::NoFreePort(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        match choose_port(port, &[]) {
            Err(error @ LedgerError::PortTaken { .. }) => assert!(error.to_string().contains(&port.to_string())),
            other => panic!("expected PortTaken, got {other:?}"),
        }
    }

    #[test]
    fn an_excluded_port_is_not_chosen() {
        let first = choose_port(0, &[]).expect("a free port");
        assert_ne!(choose_port(0, &[first]).expect("another free port"), first);
    }
}
