//! Signatures that are refused before a key is asked for, each for its reason.

use http::Method;

use super::{DEMANDS, NOW, headers, read};
use crate::signature::{Body, Demands, Message, SignatureFault, signatures};

/// `Signature-Input`, `Signature`, and why they are refused.
const ANOTHER_FORM: &[(&str, &str, SignatureFault)] = &[
    ("", "s=:AA==:", SignatureFault::Syntax),
    ("s=1", "s=:AA==:", SignatureFault::Syntax),
    ("s", "s=:AA==:", SignatureFault::Syntax),
    (
        "s=(\"@method\" );created=1",
        "s=:AA==:",
        SignatureFault::Syntax,
    ),
    (
        "s=(\"@method\"); created=1",
        "s=:AA==:",
        SignatureFault::Syntax,
    ),
    (
        "s=(\"@method\");created=1;created=2",
        "s=:AA==:",
        SignatureFault::Syntax,
    ),
    (
        "s=(\"@method\");created=01",
        "s=:AA==:",
        SignatureFault::Syntax,
    ),
    ("s=(\"@method\"", "s=:AA==:", SignatureFault::Syntax),
    ("s=(\"x\";sf=?1)", "s=:AA==:", SignatureFault::Syntax),
    (
        "s=(\"@method\"), s=(\"@path\")",
        "s=:AA==:",
        SignatureFault::Syntax,
    ),
    ("s=(@method)", "s=:AA==:", SignatureFault::Syntax),
    ("s=(method)", "s=:AA==:", SignatureFault::Component),
    ("s=(1)", "s=:AA==:", SignatureFault::Component),
    (
        "s=(\"@method\");created=1",
        "s=\"AA\"",
        SignatureFault::Syntax,
    ),
    (
        "s=(\"@method\");created=1",
        "s=(:AA==:)",
        SignatureFault::Syntax,
    ),
    (
        "s=(\"@method\");created=1",
        "t=:AA==:",
        SignatureFault::Labels,
    ),
    (
        "s=(\"@method\");created=1",
        "s=:AA==:, t=:AA==:",
        SignatureFault::Labels,
    ),
    (
        "s=(\"@method\");created=1, t=(\"@method\");created=1",
        "s=:AA==:",
        SignatureFault::Labels,
    ),
    (
        "s=(\"@method\");created=\"1\"",
        "s=:AA==:",
        SignatureFault::Parameter("created"),
    ),
    (
        "s=(\"@method\");created=1.5",
        "s=:AA==:",
        SignatureFault::Parameter("created"),
    ),
    (
        "s=(\"@method\");expires",
        "s=:AA==:",
        SignatureFault::Parameter("expires"),
    ),
    (
        "s=(\"@method\");keyid=key",
        "s=:AA==:",
        SignatureFault::Parameter("keyid"),
    ),
    (
        "s=(\"@method\");nonce=:AA==:",
        "s=:AA==:",
        SignatureFault::Parameter("nonce"),
    ),
];

#[test]
fn fields_in_another_form_are_refused() {
    for (input, value, expected) in ANOTHER_FORM {
        let fields = headers(&[("signature-input", input), ("signature", value)]);
        assert_eq!(
            signatures(&fields).err().as_ref(),
            Some(expected),
            "{input} {value}"
        );
    }
    for only in ["signature-input", "signature"] {
        let fields = headers(&[(only, "s=:AA==:")]);
        assert_eq!(signatures(&fields).err(), Some(SignatureFault::Syntax));
    }
}

#[test]
fn a_message_has_so_many_signatures_and_each_so_many_components() {
    let good = "(\"@method\");created=1";
    let many = |count: usize| {
        (0..count)
            .map(|place| format!("s{place}={good}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let values = |count: usize| {
        (0..count)
            .map(|place| format!("s{place}=:AA==:"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (count, expected) in [(2, None), (8, None), (9, Some(SignatureFault::TooMany))] {
        let fields = headers(&[
            ("signature-input", &many(count)),
            ("signature", &values(count)),
        ]);
        let read = signatures(&fields);
        assert_eq!(read.as_ref().err(), expected.as_ref());
        assert!(read.is_err() || read.unwrap().len() == count);
    }
    let wide: Vec<String> = (0..33).map(|place| format!("\"x{place}\"")).collect();
    let fields = headers(&[
        ("signature-input", &format!("s=({})", wide.join(" "))),
        ("signature", "s=:AA==:"),
    ]);
    assert_eq!(signatures(&fields).err(), Some(SignatureFault::TooMany));
}

#[test]
fn components_that_mean_nothing_here_are_refused() {
    let extra = [("x", "1"), ("twice", "a"), ("wide", "caf\u{e9}")];
    for (identifier, expected) in [
        ("\"@signature-params\"", SignatureFault::Component),
        ("\"@unknown\"", SignatureFault::Component),
        ("\"@status\"", SignatureFault::Component),
        ("\"@method\";req", SignatureFault::Component),
        ("\"x\";req", SignatureFault::Component),
        ("\"x\";tr", SignatureFault::Component),
        ("\"x\";sf", SignatureFault::Component),
        ("\"x\";bs;key=\"a\"", SignatureFault::Component),
        ("\"x\";key=1", SignatureFault::Component),
        ("\"x\";other", SignatureFault::Component),
        ("\"@query-param\"", SignatureFault::Component),
        ("\"@query-param\";name=1", SignatureFault::Component),
        ("\"@path\";name=\"a\"", SignatureFault::Component),
        ("\"X\"", SignatureFault::Component),
        ("\"\"", SignatureFault::Component),
        ("\"a b\"", SignatureFault::Component),
        ("\"absent\"", SignatureFault::Absent),
        ("\"x\";key=\"a\"", SignatureFault::Absent),
        ("\"@query-param\";name=\"b\"", SignatureFault::Absent),
        ("\"wide\"", SignatureFault::Characters),
        ("\"x\" \"x\"", SignatureFault::Repeated),
        ("\"@method\" \"x\" \"@method\"", SignatureFault::Repeated),
    ] {
        let input = format!("s=({identifier})");
        let signature = [
            ("signature-input", input.as_str()),
            ("signature", "s=:AA==:"),
        ];
        let fields = headers(&[&extra[..2], &signature[..]].concat());
        let mut fields = fields;
        fields.insert(
            "wide",
            http::HeaderValue::from_bytes(extra[2].1.as_bytes()).unwrap(),
        );
        let found = read(&fields).err();
        assert_eq!(found, Some(expected), "{identifier}");
    }
    let fields = headers(&[
        ("signature-input", "s=(\"@query-param\";name=\"a\")"),
        ("signature", "s=:AA==:"),
    ]);
    let message =
        Message::request(&Method::GET, "https", "a.example", "/?a=1&a=2", &fields).unwrap();
    let base = signatures(&fields).unwrap().remove(0).base(&message);
    assert_eq!(base, Err(SignatureFault::Absent));
    for authority in [
        "",
        "a b",
        "user@a.example",
        "a.example:",
        "a.example:x",
        "a.example:99999",
        "a/b",
    ] {
        let message = Message::request(&Method::GET, "https", authority, "/", &fields);
        assert_eq!(message.err(), Some(SignatureFault::Target), "{authority}");
    }
}

#[test]
fn a_signature_counts_in_its_time_only_and_names_key_and_nonce() {
    let fault = |input: &str| {
        let fields = headers(&[
            ("signature-input", &format!("s=(){input}")),
            ("signature", "s=:AA==:"),
        ]);
        let signed = signatures(&fields).unwrap().remove(0);
        DEMANDS.fresh(&signed, NOW).err()
    };
    let said = |created: u64, expires: u64| {
        format!(";created={created};expires={expires};keyid=\"k\";nonce=\"n\"")
    };
    for (created, expires, expected) in [
        (NOW, NOW + 300, None),
        (NOW, NOW + 301, Some(SignatureFault::Lifetime(300))),
        (NOW, NOW, Some(SignatureFault::Lifetime(300))),
        (NOW, NOW - 1, Some(SignatureFault::Lifetime(300))),
        (NOW + 30, NOW + 60, None),
        (NOW + 31, NOW + 60, Some(SignatureFault::Early)),
        (NOW - 100, NOW - 29, None),
        (NOW - 100, NOW - 30, Some(SignatureFault::Expired)),
    ] {
        assert_eq!(
            fault(&said(created, expires)),
            expected,
            "{created} {expires}"
        );
    }
    let good = said(NOW, NOW + 60);
    for name in ["created", "expires", "keyid", "nonce"] {
        let without = good.replacen(&format!(";{name}="), &format!(";x{name}="), 1);
        assert_eq!(fault(&without), Some(SignatureFault::Parameter(name)));
    }
    assert_eq!(
        fault(&good.replace(&format!("created={NOW}"), "created=-1")),
        Some(SignatureFault::Parameter("created"))
    );
    for (nonce, expected) in [
        (String::new(), Some(SignatureFault::Parameter("nonce"))),
        ("n".repeat(128), None),
        ("n".repeat(129), Some(SignatureFault::Parameter("nonce"))),
    ] {
        assert_eq!(
            fault(&good.replace("\"n\"", &format!("\"{nonce}\""))),
            expected
        );
    }
}

#[test]
fn all_that_says_what_a_request_does_must_be_covered() {
    let fault = |covered: &str, more: &[(&str, &str)], body: bool| {
        let input = format!("s=({covered})");
        let signature = [
            ("signature-input", input.as_str()),
            ("signature", "s=:AA==:"),
        ];
        let fields = headers(&[more, &signature[..]].concat());
        let signed = signatures(&fields).unwrap().remove(0);
        let body = if body { Body::Follows } else { Body::Absent };
        Demands::covered(&signed, &fields, body).err()
    };
    let parts = "\"@method\" \"@authority\" \"@path\" \"@query\"";
    assert_eq!(fault(parts, &[], false), None);
    assert_eq!(fault("\"@method\" \"@target-uri\"", &[], false), None);
    for of_a_response in [
        "\"@method\";req \"@target-uri\"",
        "\"@method\" \"@target-uri\" \"@path\";req",
    ] {
        assert_eq!(
            fault(of_a_response, &[], false),
            Some(SignatureFault::Component)
        );
    }
    assert_eq!(
        fault("\"@method\" \"@authority\" \"@request-target\"", &[], false),
        None
    );
    for (covered, missing) in [
        ("\"@target-uri\"", "@method"),
        ("\"@method\"", "@authority"),
        ("\"@method\" \"@authority\"", "@path"),
        ("\"@method\" \"@authority\" \"@path\"", "@query"),
        ("\"@method\" \"@path\" \"@query\"", "@authority"),
        (
            "\"@method\" \"@authority\" \"@path\" \"@query-param\";name=\"a\"",
            "@query",
        ),
    ] {
        assert_eq!(
            fault(covered, &[], false),
            Some(SignatureFault::Uncovered(missing))
        );
    }
    let digest = [("content-digest", "sha-256=:AA==:")];
    assert_eq!(
        fault(parts, &digest, true),
        Some(SignatureFault::Uncovered("content-digest"))
    );
    let whole = format!("{parts} \"content-digest\"");
    assert_eq!(fault(&whole, &digest, true), None);
    let member = format!("{parts} \"content-digest\";key=\"sha-256\"");
    assert_eq!(
        fault(&member, &digest, true),
        Some(SignatureFault::Uncovered("content-digest"))
    );
    for name in [
        "content-type",
        "idempotency-key",
        "authorization",
        "content-encoding",
    ] {
        assert_eq!(
            fault(parts, &[(name, "x")], false),
            Some(SignatureFault::Uncovered(name))
        );
        assert_eq!(
            fault(&format!("{parts} \"{name}\""), &[(name, "x")], false),
            None
        );
    }
}
