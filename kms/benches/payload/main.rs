//! What a payload costs under a key of the service, beside `ring` alone: `cargo bench -p kms`.
//!
//! Both take turns in one process; a line has the median of many turns, and the median of their ratios.
//! `ring` has a prepared key, the same copies in and out, and, in the first column, one nonce and no
//! context; in the second it draws a nonce for each message and authenticates the context, as one must.

#![expect(
    clippy::unwrap_used,
    reason = "a program that measures has nobody to tell of a failure"
)]

mod screen;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use kms::{Binding, Envelope, Hsm, HsmSettings, KeyId, KeyKind, OpenKey, Pin, SecretBytes};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Bytes of a payload, and how many are worked on in one turn.
const SIZES: [(usize, u32); 3] = [(64, 1_000), (1024, 500), (64 * 1024, 20)];
const TURNS: usize = 301;
/// Set in the child that measures.
const CHILD: &str = "JINKU_BENCH_CHILD";

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    let turns = if std::env::args().any(|word| word == "--bench") {
        TURNS
    } else {
        3
    };
    with_a_token(|envelope| {
        let open = |kind| {
            let id = KeyId::random().unwrap();
            let wrapped = envelope.generate(&id, 1, kind).unwrap();
            envelope.open(&wrapped).unwrap()
        };
        let [act, size, kms, ring, ratio] = ["", "bytes", "kms ns", "ring ns", "ratio"];
        screen::line([act, size, kms, ring, ratio, "ring + ns", ratio]);
        for (bytes, items) in SIZES {
            ciphers(&open(KeyKind::Aes256), bytes, (turns, items));
        }
        let id = KeyId::random().unwrap();
        let wrapped = envelope.generate(&id, 1, KeyKind::Aes256).unwrap();
        let opened = || envelope.open(&wrapped).unwrap();
        for (bytes, items) in SIZES {
            old_messages(&opened, bytes, (turns, items));
        }
        for kind in [KeyKind::HmacSha256, KeyKind::HmacSha512] {
            for (bytes, items) in SIZES {
                macs(&open(kind), bytes, (turns, items));
            }
        }
    });
}

fn ciphers(key: &OpenKey, bytes: usize, turns: (usize, u32)) {
    let cipher = key.cipher().unwrap();
    let context = Binding::new("bench").field(b"the caller's context");
    let payload = vec![7; bytes];
    let gcm = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[9; 32]).unwrap());
    let random = SystemRandom::new();
    let bare_seal = |nonce: [u8; 12], aad: &[u8]| {
        let mut sealed = Vec::with_capacity(bytes + 16);
        sealed.extend_from_slice(&payload);
        let nonce = Nonce::assume_unique_for_key(nonce);
        gcm.seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed)
            .unwrap();
        sealed
    };
    let bare_seal_with_all = || {
        let mut nonce = [0; 12];
        random.fill(&mut nonce).unwrap();
        bare_seal(nonce, context.as_bytes())
    };
    let bare_open = |sealed: &[u8], aad: &[u8]| {
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        gcm.open_in_place(nonce, Aad::from(aad), &mut opened)
            .unwrap();
        opened
    };
    let against = Against {
        bytes,
        turns,
        ring: &|| done(bare_seal([0; 12], &[])),
        alike: &|| done(bare_seal_with_all()),
    };
    let mut batch = cipher.sealer(1 << 16);
    against.line("seal", || done(cipher.seal(&context, &payload)));
    against.line("seal in a batch", || done(batch.seal(&context, &payload)));
    against.line("seal in place, batch", || {
        done(batch.seal_in_place(&context, SecretBytes::roomy(&payload)));
    });

    let sealed = cipher.seal(&context, &payload).unwrap();
    let without = bare_seal([0; 12], &[]);
    let with = bare_seal([0; 12], context.as_bytes());
    let against = Against {
        ring: &|| done(bare_open(&without, &[])),
        alike: &|| done(bare_open(&with, context.as_bytes())),
        ..against
    };
    against.line("open", || done(cipher.open(&context, &sealed)));
    against.line("open in place", || {
        done(cipher.open_in_place(&context, sealed.clone()));
    });
}

/// Each was sealed under a prefix of its own, as if in a thousand other processes: nothing derived is found.
fn old_messages(opened: &dyn Fn() -> OpenKey, bytes: usize, turns: (usize, u32)) {
    let context = Binding::new("bench");
    let payload = vec![7; bytes];
    let sealed = |_| opened().cipher().unwrap().seal(&context, &payload);
    let sealed: Vec<Vec<u8>> = (0..1_000).map(sealed).collect::<Result<_, _>>().unwrap();
    let (key, mut turn) = (opened(), sealed.iter().cycle());
    let key = key.cipher().unwrap();
    let again = sealed[0].clone();
    // Beside it, in both columns: the same where it is found.
    let found = || done(key.open(&context, &again));
    let (ring, alike): (&dyn Fn(), &dyn Fn()) = (&found, &found);
    let against = Against {
        bytes,
        turns,
        ring,
        alike,
    };
    against.line("open, kms with nothing derived", || {
        done(key.open(&context, turn.next().unwrap()));
    });
}

fn macs(key: &OpenKey, bytes: usize, turns: (usize, u32)) {
    let mac = key.mac().unwrap();
    let algorithm = match key.kind() {
        KeyKind::HmacSha512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let bare = hmac::Key::new(algorithm, &[9; 32]);
    let message = vec![7; bytes];
    let tag = mac.tag(&message).unwrap();
    let bare_tag = hmac::sign(&bare, &message);
    let sign = || done(hmac::sign(&bare, &message).as_ref().to_vec());
    let verify = || done(hmac::verify(&bare, &message, bare_tag.as_ref()));
    let name = |act| format!("{} {act}", key.kind());
    let against = |bare| Against {
        bytes,
        turns,
        ring: bare,
        alike: bare,
    };
    against(&sign).line(&name("tag"), || done(mac.tag(&message)));
    against(&verify).line(&name("verify"), || done(mac.verify(&message, &tag)));
}

fn done<T>(result: T) {
    drop(black_box(result));
}

/// What is measured beside.
#[derive(Clone, Copy)]
struct Against<'acts> {
    bytes: usize,
    /// How many turns, and how often it is done in each.
    turns: (usize, u32),
    ring: &'acts dyn Fn(),
    alike: &'acts dyn Fn(),
}

impl Against<'_> {
    fn line(&self, name: &str, mut kms: impl FnMut()) {
        // Words after `--` choose lines, as in `cargo bench -p kms -- open`.
        let mut words = std::env::args()
            .skip(1)
            .filter(|word| !word.starts_with("--"));
        let line = format!("{name} {}", self.bytes);
        if !words.all(|word| line.contains(&word)) {
            return;
        }
        let (turns, items) = self.turns;
        let turn = |_| {
            [
                nanoseconds(items, &mut kms),
                nanoseconds(items, self.ring),
                nanoseconds(items, self.alike),
            ]
        };
        let times: Vec<[f64; 3]> = (0..turns).map(turn).collect();
        let median = |of: &dyn Fn(&[f64; 3]) -> f64| {
            let mut values: Vec<f64> = times.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let ratio = |other: usize| {
            let percent = 100.0 * median(&|times| times[other] / times[0]);
            format!("{percent:.0} %")
        };
        let [kms, ring, alike] = [0, 1, 2].map(|place| median(&|times| times[place]));
        let (bytes, bare, fair) = (self.bytes, ratio(1), ratio(2));
        let [kms, ring, alike] = [kms, ring, alike].map(|time| format!("{time:.0}"));
        screen::line([name, &bytes.to_string(), &kms, &ring, &bare, &alike, &fair]);
    }
}

fn nanoseconds(items: u32, mut act: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..items {
        act();
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(items)
}

/// In a child, because `SoftHSM2` reads where its tokens are from the environment.
fn with_a_token(act: impl FnOnce(&Envelope)) {
    if std::env::var_os(CHILD).is_some() {
        let pin = || Pin::new("12345678".to_owned());
        Hsm::initialize_token(Path::new(MODULE), "bench", &pin(), &pin()).unwrap();
        let settings = HsmSettings::new(MODULE.into(), "bench".to_owned(), pin());
        let hsm = Arc::new(Hsm::open(&settings).unwrap());
        let root = hsm.generate_root("root").unwrap();
        act(&Envelope::new(hsm, root));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("softhsm2.conf");
    let tokens = format!("directories.tokendir = {}\n", folder.path().display());
    std::fs::write(&settings, tokens).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .env(CHILD, "1")
        .env("SOFTHSM2_CONF", &settings)
        .status()
        .unwrap();
    assert!(status.success(), "the measuring process ended early");
}
