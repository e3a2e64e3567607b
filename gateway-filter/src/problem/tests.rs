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

/// Every code of the filter's own, as its source spells it.
fn codes() -> Vec<&'static str> {
    let sources = [
        (include_str!("../problem.rs"), "fn meaning("),
        (include_str!("../sign/fault.rs"), "fn code("),
        (
            include_str!("../../../api/src/signature/fault.rs"),
            "fn code(",
        ),
    ];
    let after = |(source, from): &(&'static str, &str)| source.split_once(from).unwrap().1;
    let is_code = |text: &&str| {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty() && text.bytes().all(letters)
    };
    let quoted = |text: &'static str| text.split('"').skip(1).step_by(2);
    let all = sources.iter().map(after).flat_map(quoted);
    all.filter(is_code).collect()
}

#[test]
fn every_code_has_its_line_in_the_table() {
    let table = include_str!("../../PROBLEMS.md");
    let codes = codes();
    assert!(codes.len() > 40, "{codes:?}");
    for code in &codes {
        assert!(
            table.contains(&format!("| `{code}` |")),
            "{code} is not in PROBLEMS.md"
        );
    }
    let named = table.lines().filter_map(|line| line.strip_prefix("| `"));
    for code in named.filter_map(|line| line.split('`').next()) {
        let known = codes.contains(&code) || code == "filter-failed";
        assert!(known, "PROBLEMS.md names {code}, which nobody gives");
    }
}

#[test]
fn a_code_names_json_only_where_the_body_is_json() {
    for fault in [
        Fault::NotUtf8,
        Fault::TooDeep { depth_max: 1 },
        Fault::TooManyNodes { nodes_max: 1 },
    ] {
        let of = |side| {
            let error = ScanError::at(b"", 0, fault.clone());
            own_code(&FilterError::Body(side, error))
        };
        assert!(of(Side::Request).starts_with("body-"), "{fault:?}");
        assert!(
            of(Side::Response).starts_with("upstream-body-"),
            "{fault:?}"
        );
    }
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
