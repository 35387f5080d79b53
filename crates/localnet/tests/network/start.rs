//! Starting and stopping.

use std::net::{Ipv4Addr, TcpListener};

use assay_localnet::{Ledger, LedgerConfig, LedgerError, Network, NetworkConfig, NetworkError, NetworkInfo, Ports};
use assay_sdk::{ClientError, JobFilter, program::accounts::Provider};
use solana_pubkey::Pubkey;

use super::start;

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_answers_when_it_has_started_and_is_gone_when_it_has_stopped() {
    let ledger = Ledger::start(LedgerConfig::for_tests()).await.unwrap();
    let client = ledger.client().clone();
    client.check_program().await.unwrap();
    let someone = Pubkey::new_unique();
    ledger.airdrop(&someone, 5_000_000_000).await.unwrap();
    assert_eq!(client.balance(&someone).await.unwrap(), 5_000_000_000);
    let ports = [client.config().cluster.rpc_url.port().unwrap(), client.config().cluster.ws_url.port().unwrap()];
    ledger.shutdown().await.unwrap();
    for port in ports {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
    assert!(client.balance(&someone).await.unwrap_err().is_retryable());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_moves_forward_on_request() {
    let ledger = Ledger::start(LedgerConfig::for_tests()).await.unwrap();
    let before = ledger.client().chain_time().await.unwrap();
    ledger.travel_to(before.unix + 86_400).await.unwrap();
    let after = ledger.client().chain_time().await.unwrap();
    assert!(after.unix >= before.unix + 86_400, "{before:?} {after:?}");
    assert!(matches!(ledger.travel_to(before.unix).await, Err(LedgerError::Clock { .. })));
    ledger.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = listener.local_addr().unwrap().port();
    for ports in [Ports { rpc: Some(taken), ws: None }, Ports { rpc: None, ws: Some(taken) }] {
        let error = Ledger::start(LedgerConfig { ports, ..LedgerConfig::for_tests() }).await.unwrap_err();
        assert!(matches!(error, LedgerError::PortTaken { port, .. } if port == taken), "{error}");
        assert!(error.to_string().contains("choose another port"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_comes_up_with_market_and_providers_and_says_where_they_are() {
    let (network, directory) = start().await;
    let info = NetworkInfo::load(directory.path()).unwrap();
    assert_eq!(&info, network.info());
    let market = network.client().market(&network.market()).await.unwrap();
    assert_eq!(market.name_text(), "demo");
    let providers = network.client().list_providers(&Default::default()).await.unwrap();
    assert_eq!(providers.len(), 1);
    assert_eq!(providers[0].address.to_string(), info.providers[0].address);
    assert_eq!(providers[0].account.endpoint_text(), info.gateway_url.as_str());
    assert_eq!((providers[0].account.tickets, market.tickets_total), (100, 100), "its stake takes part in draws");
    assert!(network.client().list_jobs(&JobFilter::default()).await.unwrap().is_empty());
    let nobody = Pubkey::new_unique();
    assert!(matches!(network.client().market(&nobody).await, Err(ClientError::NotFound { kind: "market", .. })));
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_providers_as_were_asked_for_are_on_jury_duty() {
    let directory = tempfile::tempdir().unwrap();
    let base = NetworkConfig::for_tests(directory.path());
    let network = Network::start(NetworkConfig { providers: 2, jurors: 1, ..base }).await.unwrap();
    let market = network.client().market(&network.market()).await.unwrap();
    assert_eq!((market.tickets_total, market.duty_tickets_total), (200, 100));
    let first = network.info().providers[0].address.parse().unwrap();
    let juror: Provider = network.client().fetch(&first).await.unwrap();
    assert!(juror.duty_lock_lamports > 0);
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_network_survive_a_restart() {
    let (network, directory) = start().await;
    let market = network.market();
    network.shutdown().await.unwrap();
    let network = Network::start(NetworkConfig::for_tests(directory.path())).await.unwrap();
    assert_eq!(network.market(), market);
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_content_port_is_named_and_nothing_is_left_running() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = listener.local_addr().unwrap().port();
    let rpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut config = NetworkConfig::for_tests(directory.path());
    config.gateway_port = Some(taken);
    config.ledger.ports.rpc = Some(rpc);
    let error = Network::start(config).await.unwrap_err();
    assert!(matches!(error, NetworkError::Node(_)) && error.to_string().contains(&taken.to_string()), "{error}");
    TcpListener::bind((Ipv4Addr::LOCALHOST, rpc)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_out_of_bounds_are_refused_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let base = NetworkConfig::for_tests(directory.path());
    let no_window = NetworkConfig { challenge_s: 0, ..base.clone() };
    let too_many = NetworkConfig { providers: 33, ..base };
    for config in [no_window, too_many] {
        assert!(matches!(Network::start(config).await, Err(NetworkError::Config { .. })));
    }
}
