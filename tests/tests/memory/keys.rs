//! Imported keys of every kind, whose bytes the test knows: in guarded pages while they can be used,
//! and gone when they are switched off, retired, destroyed or old.

use kms::{KeyKind, Usage};
use serde_json::{Value, json};
use tests::{House, wrapped};

use super::image::{self, Found, Wanted};
use super::{KEEPER, REVENUE, act, ask, base64, bytes, hex, house_with, secrets, text, wait_until};

struct Brought {
    id: String,
    kind: KeyKind,
    material: Vec<u8>,
    /// Of one of its ciphertexts.
    nonce: Option<String>,
}

impl Brought {
    fn new(house: &House, kind: KeyKind) -> Self {
        let body =
            json!({ "kind": kind.as_str(), "origin": "external", "tags": { "group": "revenue" } });
        let id = text(&ask(house, KEEPER, "/v1/keys", &body)["key"]["id"]);
        let given = act(house, KEEPER, &id, "import-parameters", &json!({}));
        let length = *kind.material_bytes().start();
        let material: Vec<u8> = std::iter::repeat_with(rand::random).take(length).collect();
        let sealed = wrapped(given["public_key"].as_str().unwrap(), &material);
        let body = json!({ "ticket": given["ticket"], "wrapped": base64(sealed) });
        act(house, KEEPER, &id, "import", &body);
        Self {
            id,
            kind,
            material,
            nonce: None,
        }
    }

    /// Uses it in every way, alone and in batches: it is warm then.
    fn used(mut self, house: &House) -> Self {
        let on_key = |name: &str, body: Value| act(house, REVENUE, &self.id, name, &body);
        let both = |name: &str, item: Value| {
            let items = vec![item.clone(); 20];
            on_key(name, json!({ "items": items }));
            on_key(name, item)
        };
        let message = base64("message");
        match self.kind.usage() {
            Usage::Encrypt => {
                let made = both("encrypt", json!({ "plaintext": message }));
                both("decrypt", json!({ "ciphertext": made["ciphertext"] }));
                both("re-encrypt", json!({ "ciphertext": made["ciphertext"] }));
                both("data-key", json!({ "bytes": 32 }));
                let nonce = &bytes(&made["ciphertext"])[25..49];
                self.nonce = Some(hex(nonce));
            }
            Usage::Mac => {
                let made = both("mac", json!({ "message": message }));
                both(
                    "verify-mac",
                    json!({ "message": message, "mac": made["mac"] }),
                );
            }
            Usage::Sign => {
                let made = both("sign", json!({ "message": message }));
                let check = json!({ "message": message, "signature": made["signature"] });
                both("verify", check);
            }
            Usage::Jwe => {
                let made = both("encrypt-jwe", json!({ "plaintext": message }));
                both("decrypt-jwe", json!({ "jwe": made["jwe"] }));
            }
        }
        self
    }

    /// Uses it once.
    fn tagged(&self, house: &House) {
        let body = json!({ "message": base64("message") });
        act(house, REVENUE, &self.id, "mac", &body);
    }

    fn secrets(&self) -> Vec<secrets::Secret> {
        let nonce = self.nonce.as_deref().unwrap_or_default();
        let materials = [(self.kind, self.material.clone())];
        secrets::of(&materials, &format!("{nonce} {nonce}"))
    }

    /// What must not be left of it, and its spellings in texts.
    fn wanted(&self) -> Vec<Wanted> {
        let name = |what: &str| format!("{}, {what}", self.id);
        let secrets = self.secrets().into_iter();
        let mut wanted: Vec<Wanted> = secrets
            .map(|secret| Wanted::raw(name(&secret.name), secret.bytes))
            .collect();
        let hex = hex(&self.material);
        wanted.push(Wanted::spelled(name("hexadecimal"), hex));
        let base64 = base64(&self.material);
        wanted.push(Wanted::spelled(name("base64"), base64));
        wanted
    }

    /// What of it must be in memory as long as it is warm.
    fn is_held_in(&self, found: &Found) -> bool {
        let of_service = |secret: &&secrets::Secret| {
            secret.is_held
                && !secret.name.starts_with("vault's own")
                && (self.kind != KeyKind::Aes256 || secret.name.starts_with("cipher "))
        };
        let secrets = self.secrets();
        let mut held = secrets.iter().filter(of_service).peekable();
        assert!(held.peek().is_some());
        held.all(|secret| found.contains_key(&format!("{}, {}", self.id, secret.name)))
    }
}

fn warm(house: &House, kinds: &[KeyKind]) -> Vec<Brought> {
    let brought = |kind: &KeyKind| Brought::new(house, *kind).used(house);
    kinds.iter().map(brought).collect()
}

fn searched(house: &House, sets: &[&[Brought]]) -> Option<Found> {
    let keys = sets.iter().copied().flatten();
    let wanted: Vec<Wanted> = keys.flat_map(Brought::wanted).collect();
    image::search(house.vault(), &wanted)
}

/// All of them are there, and only where a key may be.
#[track_caller]
fn assert_guarded(found: &Found, sets: &[&[Brought]]) {
    for key in sets.iter().copied().flatten() {
        assert!(
            key.is_held_in(found),
            "a warm {} is not found",
            key.kind.as_str()
        );
    }
    let elsewhere = |places: &std::collections::BTreeSet<image::Place>| {
        places.iter().any(|place| !place.is_guarded)
    };
    let stray: Vec<_> = found
        .iter()
        .filter(|(_, places)| elsewhere(places))
        .collect();
    assert!(stray.is_empty(), "outside of guarded memory: {stray:#?}");
}

/// Nothing is left of any of them.
#[track_caller]
fn assert_gone(found: &Found, sets: &[&[Brought]]) {
    let ids: Vec<&str> = sets
        .iter()
        .copied()
        .flatten()
        .map(|key| key.id.as_str())
        .collect();
    let left: Vec<_> = found
        .iter()
        .filter(|(name, _)| ids.iter().any(|id| name.starts_with(id)))
        .collect();
    assert!(left.is_empty(), "left in memory: {left:#?}");
}

// Invariants 11 and 12
#[test]
fn a_warm_key_lies_in_guarded_memory_alone_and_one_that_ended_lies_nowhere() {
    let house = house_with("[keys]\nupkeep_interval_ms = 20\ndeletion_wait_seconds_min = 0\n");
    let off = warm(&house, &KeyKind::ALL);
    let retired = warm(&house, &[KeyKind::Aes256, KeyKind::Ed25519]);
    let destroyed = warm(&house, &[KeyKind::HmacSha256, KeyKind::EcdsaP256]);
    // Beside them, so that their memory is wiped and not only unmapped.
    let stays = warm(&house, &[KeyKind::HmacSha512]);
    let Some(found) = searched(&house, &[&off, &retired, &destroyed, &stays]) else {
        return;
    };
    assert_guarded(&found, &[&off, &retired, &destroyed, &stays]);

    for key in &off {
        act(&house, KEEPER, &key.id, "disable", &json!({}));
    }
    let later = json!({ "waiting_seconds": 3600 });
    for key in &retired {
        act(&house, KEEPER, &key.id, "schedule-deletion", &later);
    }
    let now = json!({ "waiting_seconds": 0 });
    for key in &destroyed {
        act(&house, KEEPER, &key.id, "schedule-deletion", &now);
        let gone = format!("select state from key where id = '{}'", key.id);
        wait_until(|| house.sql(&gone) == "destroyed");
    }
    let found = searched(&house, &[&off, &retired, &destroyed, &stays]).unwrap();
    assert_gone(&found, &[&off, &retired, &destroyed]);
    assert_guarded(&found, &[&stays]);
}

#[test]
fn a_key_that_nobody_asked_for_in_its_time_lies_nowhere() {
    let house =
        house_with("[keys]\nupkeep_interval_ms = 20\ncache_ttl_ms = 1500\noutage_grace_ms = 0\n");
    let key = [Brought::new(&house, KeyKind::HmacSha256)];
    let mut is_refused = false;
    wait_until(|| {
        key[0].tagged(&house);
        let Some(found) = searched(&house, &[&key]) else {
            is_refused = true;
            return true;
        };
        // On a slow machine its time may be over before it is looked for.
        if !found.is_empty() {
            assert_guarded(&found, &[&key]);
        }
        !found.is_empty()
    });
    if !is_refused {
        // Nobody asks: the sweep alone lets it go.
        wait_until(|| searched(&house, &[&key]).unwrap().is_empty());
    }
}
