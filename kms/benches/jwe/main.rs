//! What one sealed value costs, beside the key agreement that it can't do without: `cargo bench -p kms --bench jwe`.
//!
//! Both take turns in one process; a line has the median of many turns. `ring` alone draws an ephemeral key,
//! computes its public half, and agrees.

#![expect(
    clippy::unwrap_used,
    reason = "a program that measures has nobody to tell of a failure"
)]

#[path = "../payload/screen.rs"]
mod screen;

use std::hint::black_box;
use std::time::Instant;

use kms::jwe::{Labels, RecipientKey};
use ring::agreement::{
    Algorithm, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use ring::rand::SystemRandom;

/// RFC 7518 appendix C: Bob's key.
const P256: &str = r#"{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}"#;
/// RFC 8037 appendix A.6: Bob's key.
const CURVE25519: &str =
    r#"{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}"#;
const TURNS: usize = 2_001;

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    let turns = if std::env::args().any(|word| word == "--bench") {
        TURNS
    } else {
        3
    };
    let [curve, sealed, agreed, ratio] = ["curve", "seal us", "agree us", "ratio"];
    screen::line([curve, sealed, agreed, ratio, "", "", ""]);
    for (name, jwk, algorithm) in [("P-256", P256, &ECDH_P256), ("X25519", CURVE25519, &X25519)] {
        let key = RecipientKey::from_jwk(jwk).unwrap();
        let other = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new());
        let other = other.unwrap().compute_public_key().unwrap();
        let labels = Labels {
            apv: Some(b"tax-bureau"),
            context: Some(("jinku", &[("purpose", "tax-assessment")])),
            ..Labels::default()
        };
        let (mut seals, mut agreements) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            seals.push(micros(|| drop(black_box(key.seal(b"A123456789", &labels)))));
            agreements.push(micros(|| agree(algorithm, other.as_ref())));
        }
        let (sealed, agreed) = (median(&mut seals), median(&mut agreements));
        let numbers = [sealed, agreed, sealed / agreed].map(|number| format!("{number:.2}"));
        screen::line([name, &numbers[0], &numbers[1], &numbers[2], "", "", ""]);
    }
}

fn agree(algorithm: &'static Algorithm, other: &[u8]) {
    let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).unwrap();
    black_box(private.compute_public_key().unwrap());
    let other = UnparsedPublicKey::new(algorithm, other);
    agree_ephemeral(private, &other, |secret| drop(black_box(secret.to_vec()))).unwrap();
}

fn micros(act: impl FnOnce()) -> f64 {
    let started = Instant::now();
    act();
    started.elapsed().as_secs_f64() * 1e6
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
