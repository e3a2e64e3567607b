//! A signed request counts once: before and after a restart, and of twins at once one.

use std::time::{Duration, Instant};

use tests::{Unsigned, has_entry, now};

use super::{TAX, TOKENIZE, body, done, installed, open, refused, registered, sent};

#[test]
fn a_request_counts_once_before_and_after_a_power_cut() {
    let (mut house, signer) = open();
    let request = Unsigned::post(&house, TOKENIZE, &body());
    let lines = request.signed(&signer);

    // A wrong signature takes no nonce.
    let mut forged = lines.clone();
    let signature = forged.pop().unwrap();
    let at = signature.len() - 10;
    let other = if signature.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    forged.push(format!(
        "{}{other}{}",
        &signature[..at],
        &signature[at + 1..]
    ));
    refused("forged", &sent(&house, &forged), 401, "signature-invalid");
    done(&sent(&house, &lines));
    refused("again", &sent(&house, &lines), 401, "signature-replayed");
    // Another signature under the same nonce is the same request to us.
    let mut later = request.clone();
    later.expires += 1;
    refused(
        "resigned",
        &sent(&house, &later.signed(&signer)),
        401,
        "signature-replayed",
    );
    house.kill();
    house.serve();
    refused(
        "after a restart",
        &sent(&house, &lines),
        401,
        "signature-replayed",
    );
    done(&sent(
        &house,
        &Unsigned::post(&house, TOKENIZE, &body()).signed(&signer),
    ));
    assert_eq!(house.rows(), 2);
    assert_eq!(house.sql("select standing from nonce_count"), "2");
    let entries = house.audited();
    let facts = [
        ("operation", "auth-refused"),
        ("unit", TAX),
        ("reason", "signature-replayed"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[test]
fn of_twins_at_once_one_is_done() {
    let (house, signer) = open();
    for _ in 0..5 {
        let before = house.rows();
        let lines = Unsigned::post(&house, TOKENIZE, &body()).signed(&signer);
        let replies: Vec<_> = std::thread::scope(|scope| {
            let send = || scope.spawn(|| sent(&house, &lines));
            let twins: Vec<_> = (0..6).map(|_| send()).collect();
            twins.into_iter().map(|twin| twin.join().unwrap()).collect()
        });
        let done = replies.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(done, 1);
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            refused("a twin", reply, 401, "signature-replayed");
        }
        assert_eq!(house.rows(), before + 1);
    }
}

#[test]
fn a_unit_has_so_many_nonces_and_gets_room_when_they_expire() {
    let (mut house, signer) = installed();
    let (other, jwk) = tests::Signer::ed25519("parking-2026");
    registered(&house, "parking-office", &format!("signing_jwk = {jwk}"));
    house.edit(
        "jinku.toml",
        "\n[signatures]\n",
        "\n[keys]\nupkeep_interval_ms = 20\n\n[signatures]\nclock_skew_seconds = 0\nnonces_per_unit_max = 3\n",
    );
    house.serve();
    let asked = |signer, seconds: u64| {
        let mut request = Unsigned::post(&house, TOKENIZE, &body());
        request.expires = request.created + seconds;
        sent(&house, &request.signed(signer))
    };
    let first = now();
    for _ in 0..3 {
        done(&asked(&signer, 5));
    }
    let full = asked(&signer, 5);
    if now() < first + 5 {
        refused("full", &full, 429, "signature-nonces-full");
        done(&asked(&other, 5));
    }
    let started = Instant::now();
    while asked(&signer, 5).status != 200 {
        assert!(started.elapsed() < Duration::from_secs(30), "no room came");
        // pacing: nonces expire by the clock
        std::thread::sleep(Duration::from_millis(100));
    }
    let started = Instant::now();
    while house.sql("select count(*) from nonce") != "0" {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "expired nonces stay"
        );
        // pacing: nonces expire by the clock, and go with the upkeep
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(house.sql("select sum(standing) from nonce_count"), "0");
}

#[test]
fn a_restored_backup_believes_no_signature_from_before() {
    let (mut house, signer) = installed();
    house.edit(
        "jinku.toml",
        "\n[signatures]\n",
        "\n[signatures]\nclock_skew_seconds = 0\n",
    );
    house.serve();
    let (good, said) = house.jinku(&["backup", "--to", "backup"], "");
    assert!(good, "{said}");
    let lines = Unsigned::post(&house, TOKENIZE, &body()).signed(&signer);
    done(&sent(&house, &lines));
    house.stop();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(good, "{said}");
    house.serve();
    // Its nonce was taken after the backup.
    assert_eq!(house.sql("select count(*) from nonce"), "0");
    refused("again", &sent(&house, &lines), 401, "signature-expired");
    let restored = now();
    while now() == restored {
        // pacing: signatures count again from the next second on
        std::thread::sleep(Duration::from_millis(20));
    }
    done(&sent(
        &house,
        &Unsigned::post(&house, TOKENIZE, &body()).signed(&signer),
    ));
}
