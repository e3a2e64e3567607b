//! Bounds, bad input, and that nobody learns which units there are.

use tests::has_entry;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_units_learns_nothing_of_which_exist() {
    let mut house = open();
    registered(&house, &bureau());
    let told = |reply: &Reply| {
        let mut body = reply.json();
        body["instance"] = json!(null);
        (reply.status, body.to_string())
    };
    let get = |unit: &str| told(&house.curl(Some(NOBODY), &format!("/v1/units/{unit}"), &[]));
    let nothing = get("nobody");
    assert_eq!(nothing.0, 403);
    // Registered, of the file, and none.
    assert_eq!(
        [get(TAX), get(GUARD), get("nobody-2")],
        [nothing.clone(), nothing.clone(), nothing.clone()]
    );
    for verb in ["suspend", "resume", "retire", "lock", "unlock"] {
        let answers = [TAX, GUARD, "nobody"].map(|unit| told(&act(&house, NOBODY, unit, verb)));
        assert_eq!(
            answers,
            [nothing.clone(), nothing.clone(), nothing.clone()],
            "{verb}"
        );
    }
    let id = proposed(&set(
        &house,
        REGISTRAR,
        &bureau_with("requests_per_second", 501),
    ));
    for verb in ["approve", "refuse", "withdraw"] {
        let answers = [&id, &"0".repeat(64)].map(|id| told(&decide(&house, NOBODY, id, verb)));
        assert_eq!(answers, [nothing.clone(), nothing.clone()], "{verb}");
    }
    let documents = [
        bureau(),
        bureau_with("contact", "x"),
        bureau_with("name", "none-yet"),
        bureau_with("name", GUARD),
    ];
    for document in documents {
        assert_eq!(told(&set(&house, NOBODY, &document)), nothing);
    }
    for path in [
        "/v1/units",
        "/v1/unit-proposals",
        &format!("/v1/unit-proposals/{id}"),
    ] {
        assert_eq!(
            told(&house.curl(Some(NOBODY), path, &[])),
            nothing,
            "{path}"
        );
    }
    // Who may is told.
    refused(
        &act(&house, REGISTRAR, "nobody", "suspend"),
        404,
        "unit-unknown",
    );
    let gone = decide(&house, GUARD, &"0".repeat(64), "approve");
    refused(&gone, 404, "proposal-unknown");
    let facts = [
        ("operation", "unit-read"),
        ("outcome", "denied"),
        ("unit", NOBODY),
        ("reason", "not-permitted"),
    ];
    assert!(has_entry(&house.audited(), &facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_are_bounded_in_number_and_end() {
    let mut house = installed("[units]\nproposals_max = 1\nproposal_seconds = 2\nunits_max = 13\n");
    house.serve();
    let id = proposed(&set(&house, REGISTRAR, &bureau()));
    let other = json!({
        "name": "other", "title_zh": "", "title_en": "", "clearance": "public", "token_subject": "other",
    });
    refused(&set(&house, REGISTRAR, &other), 409, "proposals-too-many");
    // It ends by itself, and leaves room.
    let shown = |id: &str| house.curl(Some(GUARD), &format!("/v1/unit-proposals/{id}"), &[]);
    while shown(&id).status == 200 {}
    refused(
        &decide(&house, GUARD, &id, "approve"),
        404,
        "proposal-unknown",
    );
    registered(&house, &other);
    // The file has eleven units, and two were registered.
    registered(&house, &bureau());
    let listed = done(&house.curl(Some(GUARD), "/v1/units", &[]));
    let count = listed["units"].as_array().unwrap().len();
    let more = json!({
        "name": "more", "title_zh": "", "title_en": "", "clearance": "public", "token_subject": "more",
    });
    assert_eq!(count, 13);
    refused(&set(&house, REGISTRAR, &more), 409, "units-too-many");
}

#[test]
fn settings_out_of_range_are_refused_by_their_name() {
    for (key, value) in [
        ("approvals", "0"),
        ("approvals", "17"),
        ("proposal_seconds", "0"),
        ("proposal_seconds", "2592001"),
        ("proposals_max", "0"),
        ("proposals_max", "100001"),
        ("units_max", "0"),
        ("units_max", "100001"),
    ] {
        let house = installed(&format!("[units]\n{key} = {value}\n"));
        let said = house.refuses_to_serve();
        assert!(said.contains(&format!("`units.{key}` must be")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_documents_are_told_why_and_change_nothing() {
    let house = open();
    for (document, code) in [
        (json!([]), "unit-document-invalid"),
        (json!({ "name": TAX }), "unit-document-invalid"),
        (bureau_with("name", "NO NAME"), "unit-document-invalid"),
        (bureau_with("no_such_key", 1), "unit-document-invalid"),
        (
            bureau_with("contact", "x".repeat(17_000)),
            "unit-document-invalid",
        ),
        (bureau_with("contact", "x".repeat(257)), "unit-invalid"),
        (bureau_with("title_en", "two\nlines"), "unit-invalid"),
        (bureau_with("clearance", "cosmic"), "unit-invalid"),
        (bureau_with("public_key", "no key"), "unit-invalid"),
        (bureau_with("valid_from", "yesterday"), "unit-invalid"),
        // Another's certificate.
        (
            bureau_with("certificate_uri", "spiffe://jinku.example/unit/treasury"),
            "unit-invalid",
        ),
        (
            bureau_with(
                "certificate_uri",
                "spiffe://jinku.example/gateway/city-gateway",
            ),
            "unit-invalid",
        ),
    ] {
        let reply = set(&house, REGISTRAR, &document);
        refused(&reply, 422, code);
        assert!(
            !reply.body.contains("cosmic") && !reply.body.contains("NO NAME"),
            "{}",
            reply.body
        );
    }
    let twice = format!(r#"{{"document":{{"name":"{TAX}","name":"{TAX}"}}}}"#);
    let reply = house.post(
        Some(REGISTRAR),
        "/v1/units",
        &["--header", JSON],
        twice.as_bytes(),
    );
    refused(&reply, 422, "unit-document-invalid");
    let of_file = bureau_with("name", GUARD);
    refused(&set(&house, REGISTRAR, &of_file), 409, "unit-in-file");
    refused(
        &act(&house, REGISTRAR, GUARD, "suspend"),
        409,
        "unit-in-file",
    );
    // No unit keeps the registry and watches over it too.
    let both = bureau_with("groups", json!(["registrars", "guards"]));
    refused(&set(&house, REGISTRAR, &both), 403, "not-permitted");
    let waiting = done(&house.curl(Some(GUARD), "/v1/unit-proposals", &[]));
    assert_eq!(waiting["proposals"], json!([]));
}
