//! Sealed answers: who carries them reads nothing, and they say what they are the answer to.

use api::v1::{Delivery, DetokenizeRequest, View};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::json;
use tests::{has_entry, values};

use super::*;

fn token_sha256(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()).as_ref())
}

// Invariant 1, and the gateway's blindness: what it carries holds the value nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_carries_opens_for_the_unit_alone() {
    let mut city = Sealing::open();
    let tokens = city.tokens("name", &[NAME, NAME]).await;
    let house = &city.house;
    let absent = "jk1_00000000000000000000000000".to_owned();
    let asked = [tokens.as_slice(), &[absent]].concat();
    let gateway = house.client(Some("city-gateway"));
    let proof = house.proof("tax-bureau");
    let answer = gateway
        .detokenize(sealed(&asked), Some(&proof))
        .await
        .unwrap();
    assert_eq!(answer.delivery(), Delivery::Sealed);
    assert!(!format!("{answer:?}").contains(NAME));
    let views: Vec<_> = answer.items.iter().map(|item| item.view()).collect();
    assert_eq!(views, [View::Plain, View::Plain, View::NotAvailable]);
    for (item, token) in answer.items.iter().zip(&tokens) {
        let (value, header) = opened(&city.bureau, &item.value);
        assert_eq!(value, NAME);
        assert!(city.treasury.open(&item.value).is_err());
        assert_eq!(header["alg"], "ECDH-ES+A256KW");
        assert_eq!(header["kid"], city.bureau.public().kid());
        assert_eq!(header["jinku"]["unit"], "tax-bureau");
        assert_eq!(header["jinku"]["domain"], "city");
        assert_eq!(header["jinku"]["purpose"], TAX);
        assert_eq!(header["jinku"]["class"], "name");
        assert_eq!(header["jinku"]["view"], "plain");
        assert_eq!(header["jinku"]["token_sha256"], token_sha256(token));
    }
    // Each has keys of its own, though the value is the same.
    let keys: Vec<_> = answer.items[..2]
        .iter()
        .map(|item| opened(&city.bureau, &item.value).1["epk"].clone())
        .collect();
    assert_ne!(keys[0], keys[1]);

    // The same over REST, through the gateway's certificate and with the unit's own program.
    let bearer = format!("authorization: Bearer {}", house.access_token("tax-bureau"));
    let body = json!({ "domain": "city", "purpose": TAX, "tokens": tokens, "delivery": "sealed" });
    let arguments = ["--header", JSON, "--header", &bearer, "--include"];
    let body = body.to_string();
    let reply = house.post(
        Some("city-gateway"),
        "/v1/detokenize",
        &arguments,
        body.as_bytes(),
    );
    assert!(!reply.body.contains(NAME), "{}", reply.body);
    let (head, answer) = reply.body.rsplit_once("\r\n\r\n").unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["delivery"], "sealed");
    let message = answer["items"][0]["value"].as_str().unwrap();
    let key = house.directory().join("tax-bureau.key");
    let arguments = ["open-sealed", "--header", "--key", key.to_str().unwrap()];
    let (done, said) = house.jinku(&arguments, message);
    let (header, value) = said.trim_end().split_once('\n').unwrap();
    assert!(done && value == NAME, "{said}");
    let header: Value = serde_json::from_str(header).unwrap();
    let request = header["jinku"]["request"].as_str().unwrap();
    assert!(head.contains(&format!("x-request-id: {request}")), "{head}");
    let foreign = house.directory().join("treasury.key");
    let arguments = ["open-sealed", "--key", foreign.to_str().unwrap(), message];
    let (done, said) = house.jinku(&arguments, "");
    assert!(!done && said.contains("it does not open"), "{said}");

    let entries = city.house.audited();
    let facts = [
        ("operation", "detokenize"),
        ("outcome", "ok"),
        ("gateway", "city-gateway"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_masked_value_says_that_it_is_masked_and_a_token_stays_a_token() {
    let city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let treasury = city.house.client(Some("treasury"));
    let answer = treasury.detokenize(sealed(&tokens), None).await.unwrap();
    let (value, header) = opened(&city.treasury, &answer.items[0].value);
    assert_eq!(header["jinku"]["view"], "masked");
    assert_ne!(value, NAME);
    let inline = treasury
        .detokenize(detokenize(TAX, &tokens), None)
        .await
        .unwrap();
    assert_eq!(inline.delivery(), Delivery::Inline);
    assert_eq!(inline.items[0].value, value);

    // A diagnosis is not the tax bureau's to see: it keeps the token, which it has.
    let health = city.house.client(Some("health-bureau"));
    let diagnosis = health
        .tokenize(tokenize("diagnosis", &["感冒"]), None)
        .await;
    let tokens = diagnosis.unwrap().tokens;
    let answer = bureau(&city.house)
        .detokenize(sealed(&tokens), None)
        .await
        .unwrap();
    assert_eq!(answer.items[0].view(), View::Token);
    assert_eq!(values(&answer.items), [tokens[0].as_str()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_without_a_key_is_told_so_before_anything_is_opened() {
    let mut city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let request = DetokenizeRequest {
        purpose: "parking-enforcement".to_owned(),
        ..sealed(&tokens)
    };
    let parking = city.house.client(Some("parking-office"));
    assert_eq!(
        code(parking.detokenize(request, None).await),
        "delivery-key-missing"
    );
    let body = json!({ "domain": "city", "purpose": "parking-enforcement", "tokens": tokens, "delivery": "sealed" });
    let reply = ask(&city.house, "parking-office", "/v1/detokenize", &body);
    refused(&reply, 422, "delivery-key-missing");
    let entries = city.house.audited();
    let of_parking: Vec<_> = entries
        .iter()
        .filter(|entry| entry["operation"] == "detokenize")
        .collect();
    assert_eq!(of_parking.len(), 2);
    for entry in of_parking {
        assert_eq!(entry["outcome"], "error");
        assert_eq!(entry["reason"], "delivery-key-missing");
        assert_eq!(entry["unit"], "parking-office");
        assert_eq!(entry["purpose"], "parking-enforcement");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_may_demand_sealed_delivery() {
    let mut city = Sealing::open();
    std::fs::write(
        city.house
            .directory()
            .join("policies/policies/91-sealed.cedar"),
        r#"@id("plain-through-a-gateway-is-sealed") forbid(
            principal, action == Jinku::Action::"DetokenizePlain", resource)
        when { context has gateway && context.delivery != "sealed" };"#,
    )
    .unwrap();
    city.house.hang_up("new policies decide");
    let tokens = city.tokens("name", &[NAME]).await;
    let gateway = city.house.client(Some("city-gateway"));
    let proof = city.house.proof("tax-bureau");
    let view = |request| {
        let (gateway, proof) = (&gateway, &proof);
        async move {
            gateway
                .detokenize(request, Some(proof))
                .await
                .unwrap()
                .items[0]
                .view()
        }
    };
    // Kept decisions of one delivery don't serve another.
    for _ in 0..2 {
        assert_eq!(view(detokenize(TAX, &tokens)).await, View::Masked);
        assert_eq!(view(sealed(&tokens)).await, View::Plain);
    }
    let direct = bureau(&city.house)
        .detokenize(detokenize(TAX, &tokens), None)
        .await;
    assert_eq!(direct.unwrap().items[0].view(), View::Plain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_mean_nothing_are_told_apart_and_change_nothing() {
    let city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let with = |more: Value| {
        let mut body = json!({ "domain": "city", "purpose": TAX, "tokens": tokens });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    let cases = [
        (json!({ "delivery": "Sealed" }), 422, "delivery-unknown"),
        (json!({ "delivery": "none" }), 422, "delivery-unknown"),
        (json!({ "delivery": 1 }), 400, "body-shape"),
        (json!({ "delivery": null }), 400, "body-shape"),
        (
            json!({ "delivery": "inline", "ticket_for": "treasury" }),
            422,
            "delivery-unknown",
        ),
        (json!({ "ticket_ttl_seconds": 5 }), 422, "delivery-unknown"),
        (json!({ "delivery": "ticket" }), 422, "ticket-for-missing"),
        (
            json!({ "delivery": "ticket", "ticket_for": "Nobody!" }),
            422,
            "name-invalid",
        ),
        (
            json!({ "delivery": "ticket", "ticket_for": "nobody" }),
            422,
            "ticket-unit-unknown",
        ),
        (
            json!({ "delivery": "ticket", "ticket_for": "treasury", "ticket_ttl_seconds": 0 }),
            422,
            "ticket-ttl",
        ),
        (
            json!({ "delivery": "ticket", "ticket_for": "treasury", "ticket_ttl_seconds": 301 }),
            422,
            "ticket-ttl",
        ),
        (
            json!({ "delivery": "ticket", "ticket_for": "treasury", "ticket_ttl_seconds": -1 }),
            400,
            "body-shape",
        ),
        (
            json!({ "delivery": "ticket", "ticket_for": "treasury", "tokens": [] }),
            422,
            "batch-empty",
        ),
        (
            json!({ "delivery": "ticket", "ticket_for": "treasury", "tokens": ["x".repeat(257)] }),
            422,
            "token-too-long",
        ),
    ];
    for (more, status, expected) in cases {
        let reply = ask(&city.house, "tax-bureau", "/v1/detokenize", &with(more));
        refused(&reply, status, expected);
    }
    for (body, status, expected) in [
        (
            json!({ "ticket": "", "delivery": "ticket" }),
            422,
            "delivery-unknown",
        ),
        (json!({ "delivery": "sealed" }), 400, "body-shape"),
        (json!({ "ticket": ["a"] }), 400, "body-shape"),
        (json!({ "ticket": "a", "more": 1 }), 400, "body-shape"),
    ] {
        refused(
            &ask(&city.house, "tax-bureau", "/v1/redeem", &body),
            status,
            expected,
        );
    }
    let unknown = DetokenizeRequest {
        delivery: 9,
        ..detokenize(TAX, &tokens)
    };
    let answer = bureau(&city.house).detokenize(unknown, None).await;
    assert_eq!(code(answer), "delivery-unknown");
    assert_eq!(city.house.sql("select count(*) from ticket"), "0");
}

#[test]
fn a_vault_with_a_wrong_public_key_does_not_serve() {
    let house = tests::House::install();
    let subject = "token_subject = \"tax-bureau\"\n";
    let key = r#"public_key = { kty = "OKP", crv = "Ed25519", x = "AAAA" }"#;
    house.edit("policies/units.toml", subject, &format!("{subject}{key}\n"));
    let said = house.refuses_to_serve();
    assert!(
        said.contains("`public_key` of unit `tax-bureau` can't be used"),
        "{said}"
    );
}
