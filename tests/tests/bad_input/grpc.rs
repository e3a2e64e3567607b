//! gRPC: a status whose details carry the same stable code as the REST problem.

use api::v1::{DetokenizeRequest, TokenizeItem, TokenizeRequest, View};
use api::{Client, ClientError};
use tests::{House, detokenize, has_entry, refusal, tokenize, values};
use tonic::Code;

use super::{ID, NAME, TAX, WRONG_ID, expect_silence};

fn expect_refusal<T>(what: &str, answer: Result<T, ClientError>, code: Code, reason: &str) {
    let error = answer
        .err()
        .unwrap_or_else(|| panic!("{what}: it was answered"));
    assert_eq!(refusal(&error), (code, reason.to_owned()), "{what}");
    let ClientError::Refused(status) = error else {
        panic!("{what}: no answer")
    };
    expect_silence(what, status.message());
    expect_silence(what, &String::from_utf8_lossy(status.details()));
}

async fn refuse_tokenize(client: &Client, house: &House) {
    let request = |domain: &str, class: &str, values: &[&str]| TokenizeRequest {
        domain: domain.to_owned(),
        ..tokenize(class, values)
    };
    let long = NAME.repeat(1_000);
    let mut mixed = request("city", "national-id", &[ID]);
    mixed.items.push(TokenizeItem {
        class: "pan".to_owned(),
        value: "4111111111111112".to_owned(),
        ..TokenizeItem::default()
    });
    let rows = [
        (
            "a wrong check digit",
            request("city", "national-id", &[ID, WRONG_ID]),
            "value-invalid",
        ),
        ("a wrong card after an ID", mixed, "value-invalid"),
        (
            "a long value",
            request("city", "name", &[&long]),
            "value-too-long",
        ),
        (
            "an empty value",
            request("city", "name", &[""]),
            "value-invalid",
        ),
        (
            "an unknown class",
            request("city", "no-such-class", &[NAME]),
            "class-unknown",
        ),
        (
            "an impossible class",
            request("city", NAME, &[NAME]),
            "class-invalid",
        ),
        (
            "an unknown domain",
            request("nowhere", "name", &[NAME]),
            "domain-unknown",
        ),
        ("no domain", request("", "name", &[NAME]), "domain-invalid"),
        (
            "an empty batch",
            request("city", "name", &[]),
            "batch-empty",
        ),
        (
            "an over-long batch",
            request("city", "name", &[NAME; 1_001]),
            "batch-too-long",
        ),
    ];
    for (what, request, reason) in rows {
        expect_refusal(
            what,
            client.tokenize(request, None).await,
            Code::InvalidArgument,
            reason,
        );
        assert_eq!(house.rows(), 1, "{what}: something was stored");
    }
}

async fn refuse_detokenize(client: &Client, token: &str) {
    let good = detokenize(TAX, &[token.to_owned()]);
    let tokens = |tokens: Vec<String>| DetokenizeRequest {
        tokens,
        ..good.clone()
    };
    let purpose = |purpose: &str| DetokenizeRequest {
        purpose: purpose.to_owned(),
        ..good.clone()
    };
    let nowhere = DetokenizeRequest {
        domain: "nowhere".to_owned(),
        ..good.clone()
    };
    let invalid = Code::InvalidArgument;
    let rows = [
        ("no purpose", purpose(""), invalid, "purpose-missing"),
        (
            "an impossible purpose",
            purpose("Tax"),
            invalid,
            "purpose-invalid",
        ),
        (
            "nobody's purpose",
            purpose("curiosity"),
            Code::PermissionDenied,
            "not-permitted",
        ),
        ("an unknown domain", nowhere, invalid, "domain-unknown"),
        ("an empty batch", tokens(vec![]), invalid, "batch-empty"),
        (
            "an over-long batch",
            tokens(vec![token.to_owned(); 1_001]),
            invalid,
            "batch-too-long",
        ),
        (
            "an over-long token",
            tokens(vec!["x".repeat(257)]),
            invalid,
            "token-too-long",
        ),
    ];
    for (what, request, code, reason) in rows {
        expect_refusal(what, client.detokenize(request, None).await, code, reason);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_message_is_a_status_with_its_code_and_stores_nothing() {
    let mut house = House::open();
    let client = house.client(Some("tax-bureau"));
    let token = client
        .tokenize(tokenize("name", &[NAME]), None)
        .await
        .unwrap()
        .tokens
        .remove(0);
    refuse_tokenize(&client, &house).await;
    refuse_detokenize(&client, &token).await;
    let other = DetokenizeRequest {
        domain: "bank".to_owned(),
        ..detokenize(TAX, &[token.clone(), "none".to_owned()])
    };
    let strangers = client.detokenize(other, None).await.unwrap();
    assert_eq!(strangers.items[0], strangers.items[1]);
    assert_eq!(strangers.items[0].view(), View::NotAvailable);
    let answer = client
        .detokenize(detokenize(TAX, &[token]), None)
        .await
        .unwrap();
    assert_eq!(values(&answer.items), [NAME]);
    drop(client);
    let entries = house.audited();
    for reason in ["class-unknown", "domain-unknown", "not-permitted"] {
        let facts = [
            ("outcome", "denied"),
            ("unit", "tax-bureau"),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "no entry says {reason}");
    }
}

/// A call by hand: `message` after its prefix, or nothing at all; head and body of the answer.
fn raw(house: &House, method: &str, message: Option<&[u8]>) -> String {
    let path = format!("/jinku.v1.Vault/{method}");
    let arguments = [
        "--http2",
        "--include",
        "--header",
        "content-type: application/grpc",
    ];
    let unit = Some("tax-bureau");
    let Some(message) = message else {
        return house
            .curl(
                unit,
                &path,
                &[&arguments[..], &["--request", "POST"]].concat(),
            )
            .body;
    };
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0], &length[..], message].concat();
    house.post(unit, &path, &arguments, &body).body
}

fn status_of(answer: &str) -> Option<i32> {
    let mut lines = answer.lines();
    let code = lines.find_map(|line| line.strip_prefix("grpc-status:"));
    code.and_then(|code| code.trim().parse().ok())
}

/// Messages that are none, and the status that each deserves.
fn no_messages(house: &House) -> [(&'static str, String, Code); 4] {
    let cut = [&[0x12, 0x7f], NAME.as_bytes()].concat();
    let invalid = Code::InvalidArgument;
    [
        ("cut off", raw(house, "Tokenize", Some(&cut)), invalid),
        (
            "invalid UTF-8",
            raw(house, "Tokenize", Some(&[0x0a, 0x02, 0xff, 0xfe])),
            invalid,
        ),
        ("no message", raw(house, "Tokenize", None), invalid),
        (
            "an unknown method",
            raw(house, "Reveal", None),
            Code::Unimplemented,
        ),
    ]
}

/// A request of more bytes than `limits.body_bytes_max`.
fn too_large() -> TokenizeRequest {
    tokenize("name", &[NAME.repeat(400).as_str(); 400])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_refused_and_stores_nothing() {
    let house = House::open();
    for (what, answer, _) in no_messages(&house) {
        assert!(
            status_of(&answer).is_some_and(|code| code != 0),
            "{what}: {answer}"
        );
        expect_silence(what, &answer);
    }
    let client = house.client(Some("tax-bureau"));
    assert!(client.tokenize(too_large(), None).await.is_err());
    assert_eq!(house.rows(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_a_status_with_details() {
    let house = House::open();
    for (what, answer, code) in no_messages(&house) {
        assert_eq!(status_of(&answer), Some(code as i32), "{what}: {answer}");
        assert!(
            answer.contains("grpc-status-details-bin"),
            "{what}: {answer}"
        );
    }
    let client = house.client(Some("tax-bureau"));
    let large = client.tokenize(too_large(), None).await;
    expect_refusal(
        "over the limit",
        large,
        Code::ResourceExhausted,
        "body-too-large",
    );
}
