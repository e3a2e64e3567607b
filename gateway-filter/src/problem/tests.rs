//! The documents that problems become.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_problem_is_an_rfc_9457_document() {
    let refusal = Refusal {
        code: Some("value-invalid".to_owned()),
        detail: None,
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
