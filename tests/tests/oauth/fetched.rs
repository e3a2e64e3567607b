//! Keys that are fetched: rotation, unknown names, outage, and sets that are no sets.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::House;

use super::desk::{Desk, wish};
use super::{accepted, bearer, probe, refused};

/// Asks until the answer is this one: the vault looks at the keys by itself.
fn in_the_end(house: &House, token: &str, status: u16) {
    let started = Instant::now();
    loop {
        let reply = probe(house, None, &bearer(token));
        if reply.status == status {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{reply:?}");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_new_key_is_fetched_when_it_is_named_and_a_removed_ones_tokens_end() {
    let mut desk = Desk::open(&["ed-1", "ed-2"]);
    desk.publish(&["ed-1"]);
    desk.serve();
    let house = desk.house("refresh_seconds = 86400\ncool_down_seconds = 1");
    let (first, second) = (desk.token("ed-1", json!({})), desk.token("ed-2", json!({})));
    accepted("the first key", &probe(&house, None, &bearer(&first)));
    desk.publish(&["ed-2"]);
    // It was verified before, and the vault does not know better yet.
    accepted("the first key, kept", &probe(&house, None, &bearer(&first)));
    in_the_end(&house, &second, 200);
    let reply = probe(&house, None, &bearer(&first));
    refused("the removed key", &reply, 401, "token-invalid");
}

#[test]
fn unknown_names_cause_one_fetch_in_a_cool_down() {
    let mut desk = Desk::open(&["ed"]);
    desk.serve();
    let house = desk.house("refresh_seconds = 86400\ncool_down_seconds = 3600");
    let wanted: Vec<_> = (0..12)
        .map(|number| {
            wish(
                "pyjwt",
                "ed",
                json!({ "kid": format!("no-{number}") }),
                json!({}),
            )
        })
        .collect();
    let before = desk.requests();
    assert_eq!(before, 1);
    for token in desk.made(&wanted) {
        let reply = probe(&house, None, &bearer(&token));
        refused("an unknown name", &reply, 401, "token-invalid");
    }
    assert_eq!(desk.requests(), before);
}

#[test]
fn the_last_good_keys_serve_through_an_outage_for_their_time() {
    let mut desk = Desk::open(&["ed"]);
    desk.serve();
    let house = desk.house("refresh_seconds = 1\ncool_down_seconds = 1\nkeys_age_seconds_max = 4");
    let token = desk.token("ed", json!({}));
    accepted("a good key", &probe(&house, None, &bearer(&token)));
    desk.stop();
    accepted("the last good key", &probe(&house, None, &bearer(&token)));
    in_the_end(&house, &token, 503);
    let reply = probe(&house, None, &bearer(&token));
    refused("too old a key", &reply, 503, "issuer-keys-stale");
    desk.serve();
    in_the_end(&house, &token, 200);
}

#[test]
fn a_vault_serves_before_its_issuer_does() {
    let mut desk = Desk::open(&["ed"]);
    let house = desk.house("cool_down_seconds = 1");
    let token = desk.token("ed", json!({}));
    let reply = probe(&house, None, &bearer(&token));
    refused("never fetched", &reply, 503, "issuer-keys-stale");
    accepted("a certificate", &probe(&house, Some(super::UNIT), &[]));
    desk.serve();
    in_the_end(&house, &token, 200);
}

#[test]
fn what_is_no_key_set_changes_nothing() {
    let mut desk = Desk::open(&["ed", "ed-2"]);
    desk.publish(&["ed"]);
    desk.serve();
    let mut house = desk.house("refresh_seconds = 1\ncool_down_seconds = 1");
    let token = desk.token("ed", json!({}));
    let public = desk.public("ed").to_string();
    let mut spoil = |text: String, status: u16, said: &str| {
        desk.publish_text(&text);
        desk.answers(status);
        house.wait_until_it_said(said);
        accepted(said, &probe(&house, None, &bearer(&token)));
    };
    let other = desk_set(&desk.public("ed-2").to_string());
    spoil(other.clone(), 302, "the host answered 302");
    spoil(other.clone(), 500, "the host answered 500");
    spoil("{}".to_owned(), 200, "it is not a JWK set");
    spoil(
        r#"{"keys":[]}"#.to_owned(),
        200,
        "it has no key that can be used",
    );
    spoil(
        desk_set(&format!("{public},{public}")),
        200,
        "have the same `kid`",
    );
    spoil(
        desk_set(&vec![public; 65].join(",")),
        200,
        "more than 64 keys",
    );
    spoil(
        format!("{other}{}", " ".repeat(300_000)),
        200,
        "does not answer as HTTP/1.1 has it",
    );
}

fn desk_set(keys: &str) -> String {
    format!(r#"{{"keys":[{keys}]}}"#)
}

#[test]
fn settings_that_lead_elsewhere_are_refused() {
    let house = House::install();
    let issuer = |more: &str| {
        format!(
            "[[issuer]]\nissuer = \"https://idp.example\"\naudience = \"a\"\n{more}\n[ledger]\n"
        )
    };
    let mut before = "[ledger]\n".to_owned();
    for (more, expected) in [
        ("", "`issuer.jwks` must be given"),
        (
            "jwks = \"x\"\njwks_uri = \"http://127.0.0.1/\"",
            "`issuer.jwks` must be given",
        ),
        (
            "jwks_uri = \"http://idp.example/jwks\"",
            "must be `https://",
        ),
        (
            "jwks_uri = \"https://idp.example/jwks\"",
            "no usable certificate authority",
        ),
        (
            "jwks_uri = \"http://127.0.0.1/\"\nrefresh_seconds = 0",
            "`issuer.refresh_seconds`",
        ),
        (
            "jwks_uri = \"http://127.0.0.1/\"\ncool_down_seconds = 0",
            "`issuer.cool_down_seconds`",
        ),
        (
            "jwks_uri = \"http://127.0.0.1/\"\nrefresh_seconds = 60\nkeys_age_seconds_max = 59",
            "`issuer.keys_age_seconds_max`",
        ),
        (
            "jwks_uri = \"http://127.0.0.1/\"\nsender_constraint = \"some\"",
            "`issuer.sender_constraint`",
        ),
    ] {
        let text = issuer(more);
        house.edit("jinku.toml", &before, &text);
        let said = house.refuses_to_serve();
        assert!(said.contains(expected), "{more}: {said}");
        before = text;
    }
}
