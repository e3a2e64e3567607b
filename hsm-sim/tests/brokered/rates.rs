//! What a call costs on its way to another process, beside the same call in this one. Shown by
//! `cargo test --release -p hsm-sim --test brokered rates -- --nocapture`.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::session::UserType;

use crate::room::{self, Room, pin, seal_gcm};

const MEASURED: Duration = Duration::from_millis(400);
/// Far below what any machine does: only a wait that does not belong there is so slow.
const LEAST_PER_SECOND: f64 = 500.0;

fn per_second(mut call: impl FnMut()) -> f64 {
    (0..100).for_each(|_| call());
    let (start, mut calls) = (Instant::now(), 0.0);
    while start.elapsed() < MEASURED {
        (0..50).for_each(|_| call());
        calls += 50.0;
    }
    calls / start.elapsed().as_secs_f64()
}

/// Random bytes, a digest, an encryption (two calls).
fn rates(module: &Pkcs11) -> [f64; 3] {
    let slot = module.get_all_slots().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    let mut template = room::sealing_key("rates");
    template.remove(0);
    let key = session.generate_key(&room::aes(), &template).unwrap();
    let mut bytes = [0; 16];
    [
        per_second(|| session.generate_random_slice(&mut bytes).unwrap()),
        per_second(|| drop(session.digest(&Mechanism::Sha256, &[7; 32]).unwrap())),
        per_second(|| drop(seal_gcm(&session, key, b"aad", &[7; 32]).unwrap())),
    ]
}

#[test]
fn a_call_to_another_process_costs_microseconds() {
    let room = Room::with_token();
    let brokered = rates(room.module());
    let library = std::env::current_exe()
        .unwrap()
        .with_file_name("libhsm_sim.so");
    let own = Pkcs11::new(library).unwrap();
    own.initialize(room::locking()).unwrap();
    let in_process = rates(&own);
    own.finalize().unwrap();
    let names = [
        "C_GenerateRandom(16)",
        "C_Digest 32 B",
        "C_Encrypt GCM 32 B",
    ];
    for ((name, brokered), own) in names.iter().zip(brokered).zip(in_process) {
        println!("{name}: {own:.0}/s in process, {brokered:.0}/s through the server");
        assert!(brokered > LEAST_PER_SECOND, "{name}: {brokered}");
    }
}
