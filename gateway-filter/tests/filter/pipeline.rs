//! The pipeline's rules, one by one, over a vault in memory.

use bytes::Bytes;
use gateway_filter::{
    Coding, Fault, FilterError, Format, Media, Passage, Problem, Reading, Refusal, RequestHead,
    Rewriting, Side, UpstreamError, VaultError,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::city::{Call, MemoryVault, filter};

const OTHER: Media = Media {
    format: Format::Other,
    coding: Coding::Identity,
};
const JSON: (&str, &str) = ("content-type", "application/json");
const PROOF: (&str, &str) = ("authorization", "Bearer unit");
const PAYMENT: &str =
    r#"{ "payer":{"national_id":"A1","name":"x"}, "items":[{"pan":"41"},{"pan":"\u0034\u0032"}] }"#;

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

fn admit(
    vault: &MemoryVault,
    limits: &str,
    (method, path): (&str, &str),
    lines: &[(&'static str, &'static str)],
) -> Result<Passage, FilterError> {
    filter(vault, limits).admit(&RequestHead {
        host: "api.example.tw",
        method: &method.parse::<Method>().unwrap(),
        path,
        headers: &headers(lines),
    })
}

async fn payment(
    vault: &MemoryVault,
    body: &str,
    lines: &[(&'static str, &'static str)],
) -> Result<Rewriting, FilterError> {
    let passage = admit(vault, "", ("POST", "/payments/card"), lines)?;
    filter(vault, "")
        .request_body(&passage, Bytes::copy_from_slice(body.as_bytes()))
        .await
}

async fn response(
    vault: &MemoryVault,
    route: (&str, &str),
    media: Media,
    body: &str,
) -> Result<Rewriting, FilterError> {
    let lines = [PROOF, ("jinku-purpose", "audit")];
    let passage = admit(vault, "", route, &lines)?;
    filter(vault, "")
        .response_body(&passage, media, Bytes::copy_from_slice(body.as_bytes()))
        .await
}

fn text(outcome: Result<Rewriting, FilterError>) -> String {
    String::from_utf8(outcome.unwrap().into_bytes().to_vec()).unwrap()
}

fn unchanged(outcome: &Result<Rewriting, FilterError>) -> bool {
    matches!(outcome, Ok(Rewriting::Unchanged(_)))
}

fn status(error: &FilterError) -> u16 {
    Problem::from(error).status.as_u16()
}

#[tokio::test]
async fn all_fields_of_a_message_are_one_vault_call() {
    let vault = MemoryVault::default();
    let rewritten = text(payment(&vault, PAYMENT, &[JSON, PROOF]).await);
    assert_eq!(
        rewritten,
        concat!(
            r#"{ "payer":{"national_id":"tok-national-id-0","name":"x"}, "#,
            r#""items":[{"pan":"tok-pan-1"},{"pan":"tok-pan-2"}] }"#
        )
    );
    let item = |class: &str, value: &str| (class.to_owned(), value.to_owned());
    let call = Call::Tokenize {
        domain: "city".to_owned(),
        items: vec![
            item("national-id", "A1"),
            item("pan", "41"),
            item("pan", "42"),
        ],
        proven: true,
    };
    assert_eq!(vault.calls(), [call]);
}

#[tokio::test]
async fn a_message_without_fields_asks_the_vault_nothing() {
    let vault = MemoryVault::default();
    assert!(unchanged(
        &payment(&vault, r#"{"payer":{"national_id":null}}"#, &[JSON]).await
    ));
    assert!(unchanged(&payment(&vault, "", &[]).await));
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_does_not_go_on() {
    let vault = MemoryVault::default();
    let refused = async |lines: &[_]| payment(&vault, PAYMENT, lines).await.err().unwrap();
    assert_eq!(refused(&[]).await, FilterError::MediaUnsupported);
    assert_eq!(
        refused(&[("content-type", "text/json")]).await,
        FilterError::MediaUnsupported
    );
    assert_eq!(refused(&[JSON, JSON]).await, FilterError::MediaUnsupported);
    let unknown = ("content-encoding", "compress");
    assert_eq!(
        refused(&[JSON, unknown]).await,
        FilterError::EncodingUnsupported
    );
    assert_eq!(status(&FilterError::EncodingUnsupported), 415);
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let vault = MemoryVault::default();
    let fits = format!("{{\"a\":\"{}\"}}", "x".repeat(2000 - 8));
    assert!(unchanged(&payment(&vault, &fits, &[JSON]).await));
    let too_large = FilterError::BodyTooLarge { bytes_max: 2000 };
    let over = format!("{fits} ");
    assert_eq!(
        payment(&vault, &over, &[JSON]).await.err().unwrap(),
        too_large
    );
    let passage = admit(&vault, "", ("POST", "/payments/card"), &[JSON]).unwrap();
    assert_eq!(passage.check_announced(2000), Ok(()));
    assert_eq!(passage.check_announced(2001), Err(too_large));
    assert_eq!(passage.request_bytes_max(), 2000);
    let other = admit(&vault, "", ("POST", "/payments/card"), &[]).unwrap();
    assert_eq!(other.check_announced(1), Err(FilterError::MediaUnsupported));
    assert_eq!(other.check_announced(0), Ok(()));
}

#[tokio::test]
async fn bad_json_is_refused_with_its_place_and_without_its_values() {
    let vault = MemoryVault::default();
    let error = payment(&vault, "{\"payer\":\n secret}", &[JSON])
        .await
        .err()
        .unwrap();
    let problem = Problem::from(&error);
    assert_eq!(
        (problem.status.as_u16(), problem.code.as_ref()),
        (400, "json-invalid")
    );
    assert!(
        problem.detail.contains("line 2, column 2, byte 11"),
        "{}",
        problem.detail
    );
    assert!(!problem.detail.contains("secret"));
}

#[tokio::test]
async fn limits_of_the_document_are_the_settings() {
    let vault = MemoryVault::default();
    let refused = async |limits: &str, body: &'static str| {
        let passage = admit(&vault, limits, ("POST", "/payments/card"), &[JSON, PROOF]).unwrap();
        let outcome = filter(&vault, limits)
            .request_body(&passage, body.into())
            .await;
        match outcome.err().unwrap() {
            FilterError::Body(Side::Request, error) => error.fault,
            other => panic!("{other}"),
        }
    };
    assert_eq!(
        refused("depth_max = 2", "[[[]]]").await,
        Fault::TooDeep { depth_max: 2 }
    );
    assert_eq!(
        refused("nodes_max = 2", "[1,2]").await,
        Fault::TooManyNodes { nodes_max: 2 }
    );
    let fault = refused("fields_max = 2", PAYMENT).await;
    assert_eq!(fault, Fault::TooManyFields { fields_max: 2 });
    let fault = refused("", r#"{"payer":{"national_id":7}}"#).await;
    assert_eq!(
        fault,
        Fault::FieldNotAString {
            path: "$.payer.national_id".to_owned()
        }
    );
}

#[tokio::test]
async fn the_vault_decides_about_a_unit_without_proof() {
    let vault = MemoryVault::default();
    let error = payment(&vault, PAYMENT, &[JSON]).await.err().unwrap();
    assert_eq!(status(&error), 401);
    assert!(matches!(
        vault.calls().as_slice(),
        [Call::Tokenize { proven: false, .. }]
    ));
}

#[test]
fn a_header_that_must_be_single_is_single() {
    let vault = MemoryVault::default();
    let refused = |lines: &[_]| {
        admit(&vault, "", ("POST", "/payments/card"), lines)
            .err()
            .unwrap()
    };
    assert_eq!(
        refused(&[PROOF, PROOF]),
        FilterError::HeaderRepeated("authorization")
    );
    let purpose = ("jinku-purpose", "a");
    assert_eq!(
        refused(&[purpose, purpose]),
        FilterError::HeaderRepeated("jinku-purpose")
    );
    let odd = HeaderValue::from_bytes(b"\xff").unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("jinku-purpose", odd);
    let head = RequestHead {
        host: "a",
        method: &Method::POST,
        path: "/payments/x",
        headers: &headers,
    };
    let error = filter(&vault, "").admit(&head).err().unwrap();
    assert_eq!(error, FilterError::HeaderInvalid("jinku-purpose"));
}

#[test]
fn a_request_that_no_route_means_is_refused_or_passes() {
    let vault = MemoryVault::default();
    let other = ("GET", "/payments/card");
    let refused = admit(&vault, "", other, &[]).err().unwrap();
    assert_eq!(refused, FilterError::RouteUnmatched);
    let passage = admit(&vault, "unmatched = \"pass\"", other, &[])
        .ok()
        .unwrap();
    assert!(!passage.reads_request() && !passage.reads_response());
    assert_eq!(passage.route_name(), None);
    for odd in ["/payments//card", "/payments/%2e%2e/x", "/payments%2Fcard"] {
        let refused = admit(&vault, "unmatched = \"pass\"", ("POST", odd), &[])
            .err()
            .unwrap();
        assert_eq!(refused, FilterError::PathAmbiguous, "{odd}");
    }
    let matched = admit(&vault, "", ("POST", "/p%61yments/card/?q"), &[])
        .ok()
        .unwrap();
    assert_eq!(matched.route_name(), Some("payments"));
}

#[tokio::test]
async fn the_purpose_is_the_units_else_the_routes_else_an_error() {
    let vault = MemoryVault::default();
    let missing = admit(&vault, "", ("GET", "/people/7"), &[PROOF])
        .err()
        .unwrap();
    assert_eq!(missing, FilterError::PurposeMissing);
    let blank = admit(&vault, "", ("GET", "/people/7"), &[("jinku-purpose", " ")])
        .err()
        .unwrap();
    assert_eq!(blank, FilterError::PurposeMissing);

    let purpose_of = async |lines: &[_]| {
        let vault = MemoryVault::default();
        let passage = admit(&vault, "", ("POST", "/payments/card"), lines).unwrap();
        let body = Bytes::from_static(br#"{"national_id":"t"}"#);
        filter(&vault, "")
            .response_body(&passage, Media::JSON, body)
            .await
            .unwrap();
        match vault.calls().remove(0) {
            Call::Detokenize { purpose, .. } => purpose,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(purpose_of(&[PROOF]).await, "case-handling");
    assert_eq!(
        purpose_of(&[PROOF, ("jinku-purpose", "audit")]).await,
        "audit"
    );
}

#[tokio::test]
async fn tokens_become_what_the_vault_grants() {
    let vault = MemoryVault::default();
    vault.keep("t1", "A123\n");
    let body = concat!(
        r#"[{"national_id":"t1"},{"national_id":"mask-2"},"#,
        r#"{"national_id":"view-3"},{"national_id":"none"}]"#
    );
    let rewritten = text(response(&vault, ("GET", "/people/7"), Media::JSON, body).await);
    assert_eq!(
        rewritten,
        concat!(
            r#"[{"national_id":"A123\u000a"},{"national_id":"A\"****"},"#,
            r#"{"national_id":"view-3"},{"national_id":"none"}]"#
        )
    );
    assert_eq!(vault.calls().len(), 1);
    let body = r#"{"national_id":"view-3"}"#;
    assert!(unchanged(
        &response(&vault, ("GET", "/people/7"), Media::JSON, body).await
    ));
}

#[tokio::test]
async fn a_response_that_is_no_json_keeps_its_tokens_but_not_its_values() {
    let vault = MemoryVault::default();
    let person = ("GET", "/people/7");
    assert!(unchanged(&response(&vault, person, OTHER, "t1").await));
    let refused = response(&vault, ("GET", "/import"), OTHER, "name: Li")
        .await
        .err();
    assert_eq!(
        refused,
        Some(FilterError::Upstream(UpstreamError::MediaUnsupported))
    );
    assert!(unchanged(
        &response(&vault, ("GET", "/import"), OTHER, "").await
    ));

    let passage = admit(&vault, "", person, &[("jinku-purpose", "a")]).unwrap();
    assert_eq!(passage.response_reading(&headers(&[])), Reading::Pass);
    assert_eq!(
        passage.response_reading(&headers(&[JSON])),
        Reading::Whole {
            bytes_max: 2000,
            media: Media::JSON
        }
    );
    let import = admit(&vault, "", ("GET", "/import"), &[]).unwrap();
    let reading = import.response_reading(&headers(&[JSON, ("content-encoding", "compress")]));
    assert_eq!(
        reading,
        Reading::Whole {
            bytes_max: 100,
            media: Media {
                format: Format::Json,
                coding: Coding::Unknown
            }
        }
    );
}

#[tokio::test]
async fn a_response_is_tokenized_on_its_way_in() {
    let vault = MemoryVault::default();
    let body = r#"{"name":"Li"}"#;
    let rewritten = text(response(&vault, ("GET", "/import"), Media::JSON, body).await);
    assert_eq!(rewritten, r#"{"name":"tok-name-0"}"#);
}

#[tokio::test]
async fn a_request_is_detokenized_on_its_way_out() {
    let vault = MemoryVault::default();
    vault.keep("t1", "A1");
    let passage = admit(&vault, "", ("POST", "/disclose"), &[JSON, PROOF]).unwrap();
    let body = Bytes::from_static(br#"{"id":"t1"}"#);
    let rewritten = text(
        filter(&vault, "")
            .request_body(&passage, body.clone())
            .await,
    );
    assert_eq!(rewritten, r#"{"id":"A1"}"#);
    let denied = MemoryVault::refusing(VaultError::Denied(Refusal::default()));
    let refused = filter(&denied, "")
        .request_body(&passage, body)
        .await
        .err()
        .unwrap();
    assert_eq!(status(&refused), 403);
}

#[tokio::test]
async fn a_response_fails_closed_on_the_upstreams_side() {
    let vault = MemoryVault::default();
    let person = ("GET", "/people/7");
    let code = async |body: &str| {
        let error = response(&vault, person, Media::JSON, body)
            .await
            .err()
            .unwrap();
        let problem = Problem::from(&error);
        assert_eq!(problem.status.as_u16(), 502);
        problem.code.into_owned()
    };
    assert_eq!(code("{").await, "upstream-json-invalid");
    assert_eq!(code(r#"{"a":1,"a":2}"#).await, "upstream-json-invalid");
    assert_eq!(code(&"[".repeat(99)).await, "upstream-body-exceeds-limits");
    assert_eq!(
        code(r#"{"national_id":1}"#).await,
        "upstream-field-not-a-string"
    );
    assert_eq!(code(&" ".repeat(2001)).await, "upstream-body-too-large");
}

#[tokio::test]
async fn a_denied_response_keeps_its_tokens_any_other_refusal_closes() {
    let body = r#"{"national_id":"t"}"#;
    let outcome = async |error: VaultError| {
        response(
            &MemoryVault::refusing(error),
            ("GET", "/people/7"),
            Media::JSON,
            body,
        )
        .await
    };
    assert!(unchanged(
        &outcome(VaultError::Denied(Refusal::default())).await
    ));
    let closed = async |error| status(&outcome(error).await.err().unwrap());
    assert_eq!(closed(VaultError::Unavailable).await, 503);
    assert_eq!(closed(VaultError::DeadlineExceeded).await, 504);
    assert_eq!(closed(VaultError::Failed).await, 502);
    assert_eq!(
        closed(VaultError::Unauthenticated(Refusal::default())).await,
        401
    );
    assert_eq!(closed(VaultError::Exhausted(Refusal::default())).await, 429);
    // Where values would go out instead of tokens, a denial closes too.
    let denied = MemoryVault::refusing(VaultError::Denied(Refusal::default()));
    let import = response(&denied, ("GET", "/import"), Media::JSON, r#"{"name":"Li"}"#).await;
    assert_eq!(status(&import.err().unwrap()), 403);
}

#[tokio::test]
async fn a_request_fails_closed_whatever_the_vault_says() {
    let words = Refusal {
        code: Some("value-invalid".to_owned()),
        detail: Some("no".to_owned()),
        ..Refusal::default()
    };
    for (error, status, code) in [
        (
            VaultError::Unauthenticated(Refusal::default()),
            401,
            "unauthenticated",
        ),
        (VaultError::Denied(Refusal::default()), 403, "denied"),
        (VaultError::Invalid(words), 422, "value-invalid"),
        (
            VaultError::Invalid(Refusal::default()),
            422,
            "vault-refused",
        ),
        (
            VaultError::Exhausted(Refusal::default()),
            429,
            "quota-exceeded",
        ),
        (VaultError::Unavailable, 503, "vault-unavailable"),
        (VaultError::DeadlineExceeded, 504, "vault-timeout"),
        (VaultError::Failed, 502, "vault-failed"),
    ] {
        let vault = MemoryVault::refusing(error);
        let refused = payment(&vault, PAYMENT, &[JSON, PROOF])
            .await
            .err()
            .unwrap();
        let problem = Problem::from(&refused);
        assert_eq!(
            (problem.status.as_u16(), problem.code.as_ref()),
            (status, code)
        );
        let waits = problem
            .headers()
            .iter()
            .any(|(name, _)| *name == "retry-after");
        assert_eq!(waits, matches!(status, 429 | 503));
    }
}
