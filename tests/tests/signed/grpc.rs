//! The same over gRPC: the path is the call's, and the digest is of the body with its frame.

use api::v1::vault_client::VaultClient;
use api::v1::{TokenizeItem, TokenizeRequest};
use tests::{House, Signer, Unsigned};
use tonic::metadata::MetadataKey;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::open;

const CALL: &str = "/jinku.v1.Vault/Tokenize";

fn message(value: &str) -> TokenizeRequest {
    let item = TokenizeItem {
        class: "name".to_owned(),
        value: value.to_owned(),
        ..TokenizeItem::default()
    };
    TokenizeRequest {
        domain: "city".to_owned(),
        items: vec![item],
        ..TokenizeRequest::default()
    }
}

/// That message as it stands in the body, by hand: fields in order, and the frame before them.
fn framed(value: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    };
    let item = [field(1, b"name"), field(2, value.as_bytes())].concat();
    let message = [field(1, b"city"), field(2, &item)].concat();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &message].concat()
}

fn unsigned(house: &House) -> Unsigned {
    Unsigned::post(house, CALL, &framed("王測試")).with("content-type", "application/grpc")
}

fn channel(house: &House) -> Channel {
    let ca = std::fs::read(house.tls_file("ca.pem")).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    let url = format!("https://localhost:{}", house.port());
    let endpoint = Channel::from_shared(url).unwrap();
    endpoint.tls_config(tls).unwrap().connect_lazy()
}

/// Calls with what was signed as metadata; the code that says why not.
async fn called(channel: &Channel, lines: &[String], value: &str) -> Result<usize, (Code, String)> {
    let mut request = Request::new(message(value));
    for line in lines {
        let (name, text) = line.split_once(": ").unwrap();
        // The library sends this one itself.
        if name != "content-type" {
            let name = MetadataKey::from_bytes(name.as_bytes()).unwrap();
            request.metadata_mut().insert(name, text.parse().unwrap());
        }
    }
    let answer = VaultClient::new(channel.clone()).tokenize(request).await;
    let why = |status: Status| {
        let reason = status.get_details_error_info().map(|info| info.reason);
        (status.code(), reason.unwrap_or_default())
    };
    answer
        .map(|answer| answer.into_inner().tokens.len())
        .map_err(why)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_call_is_believed_and_an_altered_one_is_not() {
    let (house, signer) = open();
    let channel = channel(&house);
    let parts = [
        "@method",
        "@authority",
        "@path",
        "@query",
        "content-type",
        "content-digest",
    ];
    let whole = unsigned(&house).signed(&signer);
    assert_eq!(called(&channel, &whole, "王測試").await, Ok(1));
    let by_parts = unsigned(&house).covering(&parts).signed(&signer);
    assert_eq!(called(&channel, &by_parts, "王測試").await, Ok(1));
    assert_eq!(house.rows(), 2);

    let refused = |code: &str| Err((Code::Unauthenticated, code.to_owned()));
    let lines = unsigned(&house).signed(&signer);
    let altered = called(&channel, &lines, "王測驗").await;
    assert_eq!(altered, refused("content-digest-mismatch"));
    let mut elsewhere = unsigned(&house);
    elsewhere.target = "/jinku.v1.Vault/Detokenize".to_owned();
    let elsewhere = called(&channel, &elsewhere.signed(&signer), "王測試").await;
    assert_eq!(elsewhere, refused("signature-invalid"));
    let digestless = unsigned(&house).covering(&["@method", "@target-uri", "content-type"]);
    let digestless = called(&channel, &digestless.signed(&signer), "王測試").await;
    assert_eq!(digestless, refused("signature-coverage"));
    let (stranger, _) = Signer::ed25519(&signer.keyid);
    let strange = called(&channel, &unsigned(&house).signed(&stranger), "王測試").await;
    assert_eq!(strange, refused("signature-invalid"));
    let again = called(&channel, &whole, "王測試").await;
    assert_eq!(again, refused("signature-replayed"));
    assert_eq!(house.rows(), 2);
}
