//! What does not open, or what the vault does not do: nothing goes on.

use gateway_filter::{Filter, UpstreamError, VaultError};

use super::{House, JOSE, JSON, refused, rules};
use crate::city::{MemoryVault, jwe};

#[tokio::test]
async fn what_does_not_open_does_not_go_on() {
    let house = House::new();
    let good = jwe("partner", "json", b"{}");
    let sealed = |key: &str, cty: &str| jwe(key, cty, b"{}");
    for (body, status, code) in [
        (sealed("bank", "json"), 422, "jwe-unopened"),
        (format!("{good} "), 422, "jwe-unopened"),
        ("{}".to_owned(), 422, "jwe-unopened"),
        (sealed("partner", ""), 415, "jwe-type-unsupported"),
        (sealed("partner", "text/html"), 415, "jwe-type-unsupported"),
        (
            sealed("partner", "application/json\r\nx: y"),
            415,
            "jwe-type-unsupported",
        ),
    ] {
        refused(house.request("/partner", &[JOSE], body).await, status, code);
    }
    refused(
        house.request("/partner", &[JOSE], b"\xFF".to_vec()).await,
        422,
        "jwe-unopened",
    );
    refused(
        house.request("/partner", &[JSON], good.clone()).await,
        415,
        "media-type-unsupported",
    );
    // What was opened is held to the same rules as what comes in plain.
    let broken = jwe("partner", "json", br#"{"payer":"x","payer":"y"}"#);
    refused(
        house.request("/partner", &[JOSE], broken).await,
        400,
        "json-duplicate-key",
    );

    let answer = house.response("/payload", &[JOSE], good.clone()).await;
    refused(answer, 502, "upstream-jwe-unopened");
    let answer = house
        .response("/payload", &[JOSE], sealed("bank", "text/html"))
        .await;
    refused(answer, 502, "upstream-jwe-type-unsupported");
    let plain = house.response("/payload", &[JSON], "{}").await;
    assert_eq!(plain.err(), Some(UpstreamError::MediaUnsupported.into()));
    let untyped = house.response("/partner", &[], "x").await;
    assert_eq!(untyped.err(), Some(UpstreamError::MediaUnsupported.into()));
}

#[tokio::test]
async fn a_field_does_not_open_to_a_payload_or_to_what_is_no_text() {
    let house = House::new();
    let with = |sealed: String| format!(r#"{{"in":"{sealed}"}}"#);
    let payload = with(jwe("partner", "json", b"{}"));
    refused(
        house.request("/fields/1", &[JSON], payload).await,
        415,
        "jwe-type-unsupported",
    );
    let bytes = with(jwe("partner", "", b"\xFF"));
    refused(
        house.request("/fields/1", &[JSON], bytes).await,
        422,
        "jwe-not-text",
    );
    let answer = format!(r#"{{"card":"{}"}}"#, jwe("partner", "", b"1"));
    refused(
        house.response("/fields/1", &[JSON], answer).await,
        502,
        "upstream-jwe-unopened",
    );
}

#[tokio::test]
async fn no_value_passes_where_the_vault_does_not_do_its_part() {
    let house = House::new();
    for (body, status, code) in [
        (r#"{"card":"too-long"}"#, 413, "jwe-too-long"),
        // Its answer is no JWE, or one is missing.
        (r#"{"card":"leaky"}"#, 502, "vault-answer-mismatch"),
        (
            r#"{"notes":["a","forgotten"]}"#,
            502,
            "vault-answer-mismatch",
        ),
    ] {
        refused(
            house.request("/fields/1", &[JSON], body).await,
            status,
            code,
        );
    }
    let text = ("content-type", "text/plain");
    refused(
        house.request("/opaque", &[text], "leaky").await,
        502,
        "vault-answer-mismatch",
    );
    refused(
        house.request("/opaque", &[text], "forgotten").await,
        502,
        "vault-answer-mismatch",
    );
    for (error, status, code) in [
        (VaultError::Unavailable, 503, "vault-unavailable"),
        (
            VaultError::Denied(gateway_filter::Refusal::default()),
            403,
            "denied",
        ),
    ] {
        let vault = MemoryVault::refusing(error);
        let filter = Filter::new(rules(), vault.clone());
        let house = House { vault, filter };
        let sealed = jwe("partner", "json", b"{}");
        refused(
            house.request("/partner", &[JOSE], sealed).await,
            status,
            code,
        );
        refused(house.request("/opaque", &[text], "x").await, status, code);
        refused(
            house.request("/fields/1", &[JSON], r#"{"card":"1"}"#).await,
            status,
            code,
        );
        // Nor where a denied token would stay as it is.
        let card = format!(r#"{{"card":"{}"}}"#, jwe("bank", "", b"41"));
        refused(
            house.response("/fields/1", &[JSON], card).await,
            status,
            code,
        );
        refused(
            house.response("/partner", &[JSON], "{}").await,
            status,
            code,
        );
    }
}
