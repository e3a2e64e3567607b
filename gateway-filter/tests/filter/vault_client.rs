//! The gRPC client against a vault of the same contract, over real TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::UnitProof;
use api::v1::vault_server::{Vault as VaultService, VaultServer};
use api::v1::{
    DetokenizeRequest, DetokenizeResponse, ReceiptRequest, ReceiptResponse, RedeemRequest,
    Revealed, TokenizeItem, TokenizeRequest, TokenizeResponse, View,
};
use gateway_filter::{Refusal, Vault as _, VaultClient, VaultError, VaultSettings};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A vault that turns values around, refuses `bad`, and never answers `slow`.
#[derive(Clone, Default)]
pub(crate) struct TurningVault {
    pub(crate) proofs: Arc<Mutex<Vec<Option<String>>>>,
}

#[tonic::async_trait]
impl VaultService for TurningVault {
    async fn tokenize(
        &self,
        request: Request<TokenizeRequest>,
    ) -> Result<Response<TokenizeResponse>, Status> {
        let proof = request.metadata().get("authorization");
        let proof = proof.map(|proof| proof.to_str().unwrap().to_owned());
        self.proofs.lock().unwrap().push(proof);
        let items = request.into_inner().items;
        if items.iter().any(|item| item.value == "bad") {
            let details = ErrorDetails::with_error_info("value-invalid", "jinku", []);
            return Err(Status::with_error_details(
                Code::InvalidArgument,
                "item 0",
                details,
            ));
        }
        if items.iter().any(|item| item.value == "slow") {
            std::future::pending::<()>().await;
        }
        let tokens = items
            .iter()
            .map(|item| item.value.chars().rev().collect())
            .collect();
        Ok(Response::new(TokenizeResponse { tokens, entry: 1 }))
    }

    async fn detokenize(
        &self,
        request: Request<DetokenizeRequest>,
    ) -> Result<Response<DetokenizeResponse>, Status> {
        let reveal = |token: String| Revealed {
            view: View::Plain.into(),
            value: token.chars().rev().collect(),
            class: "c".to_owned(),
        };
        let items = request
            .into_inner()
            .tokens
            .into_iter()
            .map(reveal)
            .collect();
        Ok(Response::new(DetokenizeResponse {
            items,
            entry: 2,
            ..DetokenizeResponse::default()
        }))
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

/// Starts the vault; its own certificate, which is its authority too, is `ca.pem` in `folder`.
pub(crate) async fn start(vault: impl VaultService, folder: &Path) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    std::fs::write(folder.join("ca.pem"), &certificate).unwrap();
    let identity = Identity::from_pem(certificate, made.signing_key.serialize_pem());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))
        .unwrap()
        .add_service(VaultServer::new(vault))
        .serve_with_incoming(TcpListenerStream::new(socket));
    tokio::spawn(server);
    address
}

fn client(address: SocketAddr, folder: &Path, timeout: Duration) -> VaultClient {
    let settings = VaultSettings {
        url: format!("https://{address}"),
        ca: folder.join("ca.pem"),
        identity: None,
        keys: None,
        timeout,
        retries_max: 2,
        circuit_failures_max: 5,
        circuit_pause: Duration::from_secs(1),
    };
    VaultClient::open(&settings).unwrap()
}

fn value(text: &str) -> TokenizeRequest {
    let item = TokenizeItem {
        class: "c".to_owned(),
        value: text.to_owned(),
        ..TokenizeItem::default()
    };
    TokenizeRequest {
        domain: "city".to_owned(),
        items: vec![item],
        ..TokenizeRequest::default()
    }
}

#[tokio::test]
async fn answers_and_refusals_come_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let vault = TurningVault::default();
    let address = start(vault.clone(), folder.path()).await;
    let client = client(address, folder.path(), Duration::from_secs(20));
    let proof = UnitProof::authorization(b"Bearer unit").unwrap();
    let recorded = client.tokenize(value("abc"), Some(&proof)).await.unwrap();
    assert_eq!(recorded.answer, ["cba"]);
    assert_eq!(recorded.entry, 1);
    let refused = client.tokenize(value("bad"), None).await.unwrap_err();
    let words = Refusal {
        code: Some("value-invalid".to_owned()),
        detail: Some("item 0".to_owned()),
        ..Refusal::default()
    };
    assert_eq!(refused, VaultError::Invalid(words));
    // Invariant 10: the unit's proof goes on as it is, and none is made up.
    assert_eq!(
        *vault.proofs.lock().unwrap(),
        [Some("Bearer unit".to_owned()), None]
    );
    let request = DetokenizeRequest {
        domain: "city".to_owned(),
        purpose: "p".to_owned(),
        tokens: vec!["cba".to_owned()],
        ..DetokenizeRequest::default()
    };
    let items = client.detokenize(request, Some(&proof)).await.unwrap();
    assert_eq!((items.answer[0].value.as_str(), items.entry), ("abc", 2));
}

#[tokio::test]
async fn a_vault_that_does_not_answer_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let address = start(TurningVault::default(), folder.path()).await;
    let client = client(address, folder.path(), Duration::from_millis(300));
    let refused = client.tokenize(value("slow"), None).await;
    assert_eq!(refused, Err(VaultError::DeadlineExceeded));
}

#[tokio::test]
async fn a_vault_that_is_away_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    start(TurningVault::default(), folder.path()).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let client = client(address, folder.path(), Duration::from_secs(20));
    assert_eq!(
        client.tokenize(value("a"), None).await,
        Err(VaultError::Unavailable)
    );
}

#[tokio::test]
async fn missing_key_files_are_named() {
    let settings = VaultSettings {
        url: "https://127.0.0.1:1".to_owned(),
        ca: "/nowhere/ca.pem".into(),
        identity: None,
        keys: None,
        timeout: Duration::from_secs(1),
        retries_max: 0,
        circuit_failures_max: 1,
        circuit_pause: Duration::from_secs(1),
    };
    let error = VaultClient::open(&settings).err().unwrap().to_string();
    assert_eq!(
        error,
        "/nowhere/ca.pem: can't be read; check [vault] ca, certificate and key"
    );
}
