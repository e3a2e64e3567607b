//! The documents that problems become.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_problem_is_an_rfc_9457_document() {
    let refusal = Refusal {
        code: Some("value-invalid".to_owned()),
        detail: None,
        ..Refusal::default()
    };
    let problem = Problem::from(&FilterError::Vault(VaultError::Invalid(refusal)));
    let document: Value = serde_json::from_slice(&problem.body()).unwrap();
    assert_eq!(
        document,
        json!({
            "type": "urn:jinku:problem:value-invalid",
            "title": "Unprocessable Entity",
            "status": 422,
            "code": "value-invalid",
            "detail": "the vault refused what it was given: value-invalid",
        })
    );
}

#[test]
fn a_401_carries_a_challenge() {
    let problem = Problem::from(&FilterError::Vault(VaultError::Unauthenticated(
        Refusal::default(),
    )));
    assert!(
        problem
            .headers()
            .contains(&("www-authenticate", "Bearer".to_owned()))
    );
    let other = Problem::from(&FilterError::PurposeMissing);
    assert!(
        other
            .headers()
            .iter()
            .all(|(name, _)| *name != "www-authenticate")
    );
}

#[test]
fn the_vaults_patience_is_passed_on_in_whole_seconds() {
    let busy = Refusal {
        retry_after: Some(std::time::Duration::from_millis(6_200)),
        ..Refusal::default()
    };
    let problem = Problem::from(&FilterError::Vault(VaultError::Busy(busy)));
    assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(problem.headers().contains(&("retry-after", "7".to_owned())));
    let plain = Problem::from(&FilterError::Vault(VaultError::Exhausted(
        Refusal::default(),
    )));
    assert!(plain.headers().contains(&("retry-after", "1".to_owned())));
}
