//! Witnesses that cosign with the same algorithm, and policies that name them.

use ledger::policy::{PolicyError, PolicyFault};
use ledger::{ANY_TIME, Policy, WitnessKey, cosignature_lines, cosigned, fresh};

use super::*;

/// A witness that cosigns with ML-DSA-44.
struct Eye {
    pair: Pair,
    key: SecondKey,
}

impl Eye {
    fn named(name: &str, seed: u8) -> Self {
        let pair = Pair::of(seed);
        let key = SecondKey::new(name, &pair.0.verifying_key().encode()).unwrap();
        Self { pair, key }
    }

    fn line(&self, checkpoint: &Checkpoint, time_s: u64) -> String {
        let message = self.key.message(checkpoint, time_s);
        let signature = self.pair.0.expanded_key().sign_deterministic(&message, &[]);
        self.key.line(time_s, &signature.unwrap().encode())
    }
}

// C2SP tlog-policy, "Public key representation": a witness's key is of a type of tlog-cosignature, which has this one.
#[test]
fn a_witness_may_cosign_with_it() {
    let (log, eye) = (Log::of(9), Eye::named("witness.example/pq", 3));
    let checkpoint = log.checkpoint(9);
    let key = WitnessKey::parse(&eye.key.to_string()).unwrap();
    assert_eq!(key, WitnessKey::from(eye.key.clone()));
    assert_eq!(key.to_string(), eye.key.to_string());
    assert_eq!(
        (key.name(), key.public()),
        (eye.key.name(), eye.key.public())
    );
    let with = |line: &str| format!("{}{line}\n", log.note(9));
    let said = |note: &str| cosigned(note, &key, &ANY_TIME).unwrap();
    assert_eq!(
        said(&with(&eye.line(&checkpoint, TIME_S))),
        Cosigned::At(TIME_S)
    );
    assert_eq!(said(&log.note(9)), Cosigned::Missing);
    assert_eq!(
        said(&with(&Pair::of(3).line(&checkpoint, TIME_S))),
        Cosigned::Missing
    );
    // Of another checkpoint; without a time, which says nothing of when; too old.
    let moved = eye.line(&log.checkpoint(8), TIME_S);
    assert_eq!(said(&with(&moved)), Cosigned::Broken);
    assert_eq!(
        said(&with(&eye.line(&checkpoint, 0))),
        Cosigned::OutOfTime(0)
    );
    let any = cosigned(&with(&eye.line(&checkpoint, 0)), &key, &(0..=u64::MAX));
    assert_eq!(any, Ok(Cosigned::OutOfTime(0)));
    let old = cosigned(&with(&eye.line(&checkpoint, 100)), &key, &fresh(200, 99));
    assert_eq!(old, Ok(Cosigned::OutOfTime(100)));
    // Lines that a log adds to its checkpoint are not signed: a text with some is none that the witness saw.
    let body = format!("{}extension\n", checkpoint.body());
    let extended = format!("{body}\n{}\n", eye.line(&checkpoint, TIME_S));
    assert_eq!(said(&extended), Cosigned::Broken);
    // A vault takes its lines out of a witness's answer.
    let (own, other) = (
        eye.line(&checkpoint, 7),
        Eye::named("witness.example/other", 4),
    );
    let answer = format!("{own}\n{}\n{moved}\n", other.line(&checkpoint, 7));
    let lines = cosignature_lines(&checkpoint.body(), &answer, &key);
    assert_eq!(lines, Ok(vec![own]));
}

#[test]
fn policies_name_witnesses_of_both_kinds() {
    let (log, eye) = (Log::of(9), Eye::named("witness.example/pq", 3));
    let pair = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let first = WitnessKey::new("witness.example/ed", pair.verifying_key().to_bytes()).unwrap();
    let text = format!(
        "log {}\nwitness a {first}\nwitness b {}\ngroup g any a b\nquorum g\n",
        log.key(),
        eye.key
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    let note = format!("{}{}\n", log.note(9), eye.line(&log.checkpoint(9), TIME_S));
    let quorum = policy.judge(&note, &ANY_TIME).unwrap();
    assert!(quorum.met && quorum.count() == 1 && quorum.newest_s() == Some(TIME_S));
    assert!(!policy.judge(&log.note(9), &ANY_TIME).unwrap().met);
    // One key under two names is one witness, though this signature holds the name.
    let twice = Eye::named("witness.example/again", 3).key;
    let fault = |text: String| Policy::parse(text.as_bytes()).unwrap_err();
    let expected = |fault| PolicyError { line: 2, fault };
    assert_eq!(
        fault(format!(
            "witness a {}\nwitness b {twice}\nquorum a\n",
            eye.key
        )),
        expected(PolicyFault::Duplicate)
    );
    // A log is named by its Ed25519 key; its second one is demanded beside it.
    let second = fault(format!("\nlog {}\nquorum none\n", Pair::of(1).key()));
    assert_eq!(second, expected(PolicyFault::SecondAsLog));
    assert!(second.to_string().contains("--second-key"), "{second}");

    let desk = Desk::open();
    let own = tempdir().unwrap();
    let verify = |policy: &str, more: &[&str]| {
        let file = own.path().join("policy");
        fs::write(&file, policy).unwrap();
        let archive = desk.archive.path().to_str().unwrap();
        let arguments = ["verify", archive, "--policy", file.to_str().unwrap()];
        desk.run(&[&arguments[..], more].concat())
    };
    let asks = format!("witness w {}\nquorum w\n", eye.key);
    let (exit, said) = verify(&asks, &[]);
    assert!(exit == 3 && said.contains("quorum-missing"), "{said}");
    let checkpoint = desk.log.checkpoint(300);
    desk.publish(&format!(
        "{}{}\n",
        desk.log.note(300),
        eye.line(&checkpoint, TIME_S)
    ));
    let (exit, said) = verify(&asks, &[]);
    assert!(
        exit == 0 && said.contains("cosigned by 1 of 1 witnesses"),
        "{said}"
    );
    // The log's own second key is no witness's.
    let as_witness = format!("witness w {}\nquorum w\n", desk.one.key());
    let (exit, said) = verify(&as_witness, &["--second-key", &desk.one.key().to_string()]);
    assert!(
        exit == 64 && said.contains("no log witnesses itself"),
        "{said}"
    );
}
