//! A vault that fails: what is asked again, what never is, and when it is left in peace.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::v1::vault_server::Vault as VaultService;
use api::v1::{
    DetokenizeRequest, DetokenizeResponse, ReceiptRequest, ReceiptResponse, RedeemRequest,
    TokenizeItem, TokenizeRequest, TokenizeResponse,
};
use gateway_filter::{Metrics, Vault as _, VaultClient, VaultError, VaultSettings};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::vault_client::start;

/// A vault whose connection seems lost for the next so many calls.
#[derive(Clone, Default)]
struct FailingVault {
    losses: Arc<Mutex<u32>>,
    /// What it says then instead.
    says: Arc<Mutex<Option<Status>>>,
    /// The name and the deadline of each call.
    calls: Arc<Mutex<Vec<(String, String)>>>,
}

impl FailingVault {
    fn losing(losses: u32) -> Self {
        let vault = Self::default();
        *vault.losses.lock().unwrap() = losses;
        vault
    }

    fn take<T>(&self, name: &str, request: &Request<T>) -> Result<(), Status> {
        let deadline = request.metadata().get("grpc-timeout");
        let deadline = deadline.map_or("", |value| value.to_str().unwrap());
        let call = (name.to_owned(), deadline.to_owned());
        self.calls.lock().unwrap().push(call);
        let mut losses = self.losses.lock().unwrap();
        if *losses == 0 {
            return Ok(());
        }
        *losses -= 1;
        // Without details, as the transport says it.
        let lost = || Status::unavailable("connection lost");
        Err(self.says.lock().unwrap().clone().unwrap_or_else(lost))
    }

    fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

#[tonic::async_trait]
impl VaultService for FailingVault {
    async fn tokenize(
        &self,
        request: Request<TokenizeRequest>,
    ) -> Result<Response<TokenizeResponse>, Status> {
        let name = request.get_ref().idempotency_key.clone();
        // The deadline of the call, and ten seconds.
        let seconds = if name.is_empty() { 0 } else { 30 };
        assert_eq!(request.get_ref().idempotency_seconds, seconds);
        self.take(&name, &request)?;
        let tokens = vec!["t".to_owned()];
        Ok(Response::new(TokenizeResponse { tokens, entry: 1 }))
    }

    async fn detokenize(
        &self,
        request: Request<DetokenizeRequest>,
    ) -> Result<Response<DetokenizeResponse>, Status> {
        self.take("", &request)?;
        Ok(Response::new(DetokenizeResponse::default()))
    }

    async fn redeem(
        &self,
        _: Request<RedeemRequest>,
    ) -> Result<Response<DetokenizeResponse>, Status> {
        Err(Status::unimplemented("no gateway redeems"))
    }

    async fn receipt(
        &self,
        _: Request<ReceiptRequest>,
    ) -> Result<Response<ReceiptResponse>, Status> {
        Err(Status::unimplemented("no filter asks for receipts"))
    }
}

fn settings(folder: &Path, address: std::net::SocketAddr) -> VaultSettings {
    VaultSettings {
        url: format!("https://{address}"),
        ca: folder.join("ca.pem"),
        identity: None,
        keys: None,
        timeout: Duration::from_secs(20),
        retries_max: 2,
        circuit_failures_max: 100,
        circuit_pause: Duration::from_secs(1),
    }
}

fn one() -> TokenizeRequest {
    TokenizeRequest {
        domain: "city".to_owned(),
        items: vec![TokenizeItem::default()],
        ..TokenizeRequest::default()
    }
}

#[tokio::test]
async fn a_lost_tokenization_is_asked_again_under_its_name_within_its_deadline() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), FailingVault::losing(2));
    let address = start(vault.clone(), folder.path()).await;
    let metrics = Arc::new(Metrics::default());
    let client = VaultClient::counted(&settings(folder.path(), address), metrics.clone()).unwrap();
    assert_eq!(client.tokenize(one(), None).await.unwrap().answer, ["t"]);
    client.tokenize(one(), None).await.unwrap();
    let calls = vault.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 4);
    assert!(!calls[0].0.is_empty());
    assert!(calls[0].0 == calls[1].0 && calls[1].0 == calls[2].0);
    assert_ne!(calls[2].0, calls[3].0);
    assert!(calls.iter().all(|(_, deadline)| !deadline.is_empty()));
    let page = metrics.page();
    assert!(page.contains("jinku_filter_vault_retries_total{call=\"tokenize\"} 2"));
    let line = "jinku_filter_vault_calls_total{call=\"tokenize\",outcome=\"ok\"} 2";
    assert!(page.contains(line), "{page}");
}

#[tokio::test]
async fn attempts_are_bounded_and_a_read_that_the_vault_may_have_seen_is_not_repeated() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), FailingVault::losing(99));
    let address = start(vault.clone(), folder.path()).await;
    let client = VaultClient::open(&settings(folder.path(), address)).unwrap();
    let lost = client.tokenize(one(), None).await;
    assert_eq!(lost, Err(VaultError::Unavailable));
    assert_eq!(vault.count(), 3);
    let read = client.detokenize(DetokenizeRequest::default(), None).await;
    assert_eq!(read, Err(VaultError::Unavailable));
    assert_eq!(vault.count(), 4);
}

#[tokio::test]
async fn without_retries_no_request_has_a_name() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), FailingVault::default());
    let address = start(vault.clone(), folder.path()).await;
    let settings = VaultSettings {
        retries_max: 0,
        ..settings(folder.path(), address)
    };
    let client = VaultClient::open(&settings).unwrap();
    client.tokenize(one(), None).await.unwrap();
    assert_eq!(vault.calls.lock().unwrap()[0].0, "");
}

#[tokio::test]
async fn a_vault_that_failed_too_often_is_not_asked_until_it_had_its_pause() {
    let (folder, vault) = (tempfile::tempdir().unwrap(), FailingVault::losing(2));
    let address = start(vault.clone(), folder.path()).await;
    let settings = VaultSettings {
        retries_max: 0,
        circuit_failures_max: 2,
        circuit_pause: Duration::from_millis(300),
        ..settings(folder.path(), address)
    };
    let metrics = Arc::new(Metrics::default());
    let client = VaultClient::counted(&settings, metrics.clone()).unwrap();
    for _ in 0..2 {
        let lost = client.tokenize(one(), None).await;
        assert_eq!(lost, Err(VaultError::Unavailable));
    }
    let refused = client.tokenize(one(), None).await;
    assert!(
        matches!(refused, Err(VaultError::CircuitOpen { .. })),
        "{refused:?}"
    );
    assert_eq!(vault.count(), 2);
    assert!(metrics.page().contains("jinku_filter_vault_circuit_open 1"));
    let Err(VaultError::CircuitOpen { retry_after }) = refused else {
        panic!()
    };
    // pacing: the pause itself is what is tested
    tokio::time::sleep(retry_after).await;
    client.tokenize(one(), None).await.unwrap();
    assert!(metrics.page().contains("jinku_filter_vault_circuit_open 0"));
}

/// How often a vault that always says this is asked in three calls, where one failure opens the circuit.
async fn asked_of_three(says: Status) -> usize {
    let (folder, vault) = (tempfile::tempdir().unwrap(), FailingVault::losing(99));
    *vault.says.lock().unwrap() = Some(says);
    let address = start(vault.clone(), folder.path()).await;
    let settings = VaultSettings {
        retries_max: 0,
        circuit_failures_max: 1,
        circuit_pause: Duration::from_mins(10),
        ..settings(folder.path(), address)
    };
    let client = VaultClient::open(&settings).unwrap();
    for _ in 0..3 {
        assert!(client.tokenize(one(), None).await.is_err());
    }
    vault.count()
}

#[tokio::test]
async fn what_the_vault_refuses_in_its_own_words_never_opens_the_circuit() {
    for (code, reason) in [
        (Code::NotFound, "key-unknown"),
        (Code::InvalidArgument, "key-usage"),
        (Code::FailedPrecondition, "key-state"),
        (Code::AlreadyExists, "key-stands"),
        (Code::Aborted, "key-changed"),
        (Code::Unimplemented, "path-unknown"),
        (Code::PermissionDenied, "not-permitted"),
        (Code::Unauthenticated, "token-expired"),
        (Code::ResourceExhausted, "rate"),
        // It is there, and says itself when to come again; the reason may be this one key's, or this one unit's.
        (Code::Unavailable, "key-broken"),
    ] {
        let details = ErrorDetails::with_error_info(reason, "jinku", []);
        let says = Status::with_error_details(code, "in its own words", details);
        assert_eq!(asked_of_three(says).await, 3, "{code:?}");
    }
}

#[tokio::test]
async fn a_vault_that_is_away_late_or_broken_opens_the_circuit() {
    for code in [
        Code::Unavailable,
        Code::DeadlineExceeded,
        Code::Internal,
        Code::Unknown,
        // Not the vault's word: something else answers where it should be.
        Code::NotFound,
        Code::Unimplemented,
    ] {
        let says = Status::new(code, "without details");
        assert_eq!(asked_of_three(says).await, 1, "{code:?}");
    }
}
