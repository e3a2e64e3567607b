//! Witnesses' keys, cosignature lines and policies are those of C2SP; what does not count is not counted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::policy::PolicyFault;
use ledger::{
    ANY_TIME, Cosigned, Policy, VerifierKey, WitnessKey, cosignature_line, cosignature_lines,
    cosigned, cosigned_text, fresh,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use support::Log;

/// A witness of a test.
#[derive(Clone)]
struct Eye {
    signer: SigningKey,
    key: WitnessKey,
}

impl Eye {
    fn named(name: &str, seed: u8) -> Self {
        let signer = SigningKey::from_bytes(&[seed; 32]);
        let key = WitnessKey::new(name, signer.verifying_key().to_bytes()).unwrap();
        Self { signer, key }
    }

    fn line(&self, body: &str, time_s: u64) -> String {
        let signature = self.signer.sign(cosigned_text(body, time_s).as_bytes());
        cosignature_line(&self.key, time_s, &signature.to_bytes())
    }
}

fn three() -> [Eye; 3] {
    [1, 2, 3].map(|seed| Eye::named(&format!("witness.example/w{seed}"), seed))
}

/// The note of a log of five entries with these lines added.
fn note_with(lines: &[String]) -> (Log, String) {
    let log = Log::of(5);
    let note = lines
        .iter()
        .fold(log.note(5), |note, line| note + line + "\n");
    (log, note)
}

fn policy_text(rest: &str) -> String {
    let names = three().map(|eye| {
        let short = eye.key.name().rsplit_once('/').unwrap().1.to_owned();
        format!("witness {short} {}\n", eye.key)
    });
    format!("{}{rest}", names.concat())
}

fn policy(rest: &str) -> Policy {
    Policy::parse(policy_text(rest).as_bytes()).unwrap()
}

fn fault(text: &str) -> PolicyFault {
    Policy::parse(text.as_bytes()).unwrap_err().fault
}

// The examples of C2SP tlog-cosignature, "Format" and "Ed25519 signed message".
#[test]
fn what_is_signed_and_its_line_are_laid_out_as_the_specification_has_them() {
    let body =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let text = cosigned_text(body, 1_679_315_147);
    assert_eq!(text, format!("cosignature/v1\ntime 1679315147\n{body}"));
    let example = "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
    let bytes = STANDARD.decode(example).unwrap();
    let eye = Eye::named("witness.example.com/w1", 9);
    let line = cosignature_line(&eye.key, 1_679_315_147, bytes[12..].try_into().unwrap());
    let ours = line.strip_prefix("— witness.example.com/w1 ").unwrap();
    // The specification publishes no key: all but its id is compared.
    assert_eq!(STANDARD.decode(ours).unwrap()[4..], bytes[4..]);
    // The id, by its definition: SHA-256(name || LF || 0x04 || key), four bytes.
    let key = [b"witness.example.com/w1\n\x04".as_slice(), eye.key.public()].concat();
    assert_eq!(
        STANDARD.decode(ours).unwrap()[..4],
        Sha256::digest(key)[..4]
    );
}

#[test]
fn a_witness_key_is_read_in_its_one_spelling_and_is_no_log_key() {
    let eye = Eye::named("witness.example/w1", 1);
    let text = eye.key.to_string();
    assert_eq!(WitnessKey::parse(&text).unwrap(), eye.key);
    assert!(VerifierKey::parse(&text).is_err());
    assert!(WitnessKey::parse(&Log::of(1).key().to_string()).is_err());
    for bad in [
        text.to_uppercase(),
        format!("{text} "),
        text.replacen("w1", "w2", 1),
        String::new(),
    ] {
        assert!(WitnessKey::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_cosignature_counts_for_its_checkpoint_and_its_time_only() {
    let [one, two, _] = three();
    let body = Log::of(5).checkpoint(5).body();
    let (_, note) = note_with(&[one.line(&body, 100), one.line(&body, 90)]);
    let at = |key: &WitnessKey, times: RangeInclusive<u64>| cosigned(&note, key, &times).unwrap();
    assert_eq!(at(&one.key, ANY_TIME), Cosigned::At(100));
    assert_eq!(at(&two.key, ANY_TIME), Cosigned::Missing);
    assert_eq!(at(&one.key, fresh(200, 99)), Cosigned::OutOfTime(100));
    assert_eq!(at(&one.key, fresh(200, 100)), Cosigned::At(100));
    assert_eq!(at(&one.key, fresh(70, 100)), Cosigned::At(100));
    assert_eq!(at(&one.key, fresh(69, 100)), Cosigned::OutOfTime(100));
    // Of another checkpoint, with another time, under another's name: none of them counts.
    let other = Log::of(4).checkpoint(4).body();
    let moved = one.line(&body, 100);
    let moved = STANDARD.decode(moved.rsplit_once(' ').unwrap().1).unwrap();
    let later = [&moved[..4], &101_u64.to_be_bytes(), &moved[12..]].concat();
    let impostor = Eye::named("witness.example/w1", 7);
    let as_one = impostor.line(&body, 100);
    let as_one = STANDARD.decode(as_one.rsplit_once(' ').unwrap().1).unwrap();
    let forged = [&moved[..4], &as_one[4..]].concat();
    let name = "— witness.example/w1 ";
    for line in [
        one.line(&other, 100),
        format!("{name}{}", STANDARD.encode(later)),
        format!("{name}{}", STANDARD.encode(forged)),
        format!("{name}{}", STANDARD.encode(&moved[..75])),
        format!("{name}{}", STANDARD.encode([&moved[..], &[0]].concat())),
    ] {
        let (_, note) = note_with(&[one.line(&body, 100), line.clone()]);
        let found = cosigned(&note, &one.key, &ANY_TIME);
        assert_eq!(found, Ok(Cosigned::Broken), "{line}");
    }
    // Time 0 states no time, and more than 2^63 - 1 is none.
    for time_s in [0, 1 << 63] {
        let (_, note) = note_with(&[one.line(&body, time_s)]);
        let found = cosigned(&note, &one.key, &(0..=u64::MAX)).unwrap();
        assert_eq!(found, Cosigned::OutOfTime(time_s));
    }
}

#[test]
fn a_log_signature_by_a_witness_key_is_no_cosignature() {
    let log = Log::of(5);
    let body = log.checkpoint(5).body();
    let [one, ..] = three();
    // Type confusion: the same key signs the bare text, as logs do, behind a cosignature's id.
    let bare = one.signer.sign(body.as_bytes()).to_bytes();
    let (_, note) = note_with(&[cosignature_line(&one.key, 100, &bare)]);
    assert_eq!(cosigned(&note, &one.key, &ANY_TIME), Ok(Cosigned::Broken));
}

#[test]
fn of_a_witness_s_answer_only_its_own_lines_are_taken() {
    let [one, two, _] = three();
    let body = Log::of(5).checkpoint(5).body();
    let other = Log::of(4).checkpoint(4).body();
    let answer = [one.line(&body, 7), two.line(&body, 7), one.line(&other, 7)];
    let answer = answer.map(|line| line + "\n").concat();
    let lines = cosignature_lines(&body, &answer, &one.key).unwrap();
    assert_eq!(lines, [one.line(&body, 7)]);
    for bad in ["", "\n", "ok\n", "— a b", "x\n\n— a QUJDREVGRw==\n"] {
        assert!(cosignature_lines(&body, bad, &one.key).is_err(), "{bad:?}");
    }
}

#[test]
fn a_quorum_is_k_of_n_with_groups() {
    let [one, two, three] = three();
    let body = Log::of(5).checkpoint(5).body();
    let all = [&one, &two, &three].map(|eye| eye.line(&body, 100));
    let met = |rest: &str, which: &[usize]| {
        let lines: Vec<String> = which.iter().map(|at| all[*at].clone()).collect();
        let (_, note) = note_with(&lines);
        policy(rest).judge(&note, &ANY_TIME).unwrap().met
    };
    let two_of = "group some 2 w1 w2 w3\nquorum some\n";
    assert!(!met(two_of, &[0]) && !met(two_of, &[1, 1, 1]));
    assert!(met(two_of, &[0, 2]) && met(two_of, &[0, 1, 2]));
    assert_eq!(policy(two_of).cosigners_min(), 2);
    let nested = "group in all w1 w2\ngroup out any in w3\nquorum out\n";
    assert!(met(nested, &[2]) && met(nested, &[0, 1]));
    assert!(!met(nested, &[0]) && !met(nested, &[1]) && !met(nested, &[]));
    assert_eq!(policy(nested).cosigners_min(), 1);
    assert!(met("quorum w2\n", &[1]) && !met("quorum w2\n", &[0, 2]));
    assert!(met("quorum none\n", &[]) && policy("quorum none\n").needs_nobody());
}

#[test]
fn one_key_is_one_witness_whatever_it_is_called() {
    let [one, ..] = three();
    let again = Eye::named("other.example/w9", 1);
    let text = policy_text(&format!("witness w9 {}\nquorum none\n", again.key));
    assert_eq!(fault(&text), PolicyFault::Duplicate);
    let log = VerifierKey::new("witness.example/w1", one.key.public().try_into().unwrap()).unwrap();
    let ruled = |line: &str| fault(&policy_text(&format!("{line}\nquorum none\n")));
    assert_eq!(ruled(&format!("log {log}")), PolicyFault::LogAsWitness);
    let first = format!("log {log}\nwitness w1 {}\nquorum none\n", one.key);
    assert_eq!(fault(&first), PolicyFault::LogAsWitness);
    let twice = format!(
        "log {0}\nlog {0} https://a\nquorum none\n",
        Log::of(1).key()
    );
    assert_eq!(fault(&twice), PolicyFault::Duplicate);
}

#[test]
fn a_policy_is_read_as_the_specification_has_it() {
    let log = Log::of(1).key();
    let keys = three().map(|eye| eye.key.to_string());
    let text = format!(
        "# comment\n\n \t\n  log\t{log}   https://log.example/  \n\
         witness Z\u{212a} {} http://w1.example/\n\t# another\nwitness X2 {}\nwitness X3 {}\n\
         group G 2 Z\u{212a} X2 X3\nquorum G\n",
        keys[0], keys[1], keys[2]
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    assert_eq!(
        policy.logs()[0].url.as_deref(),
        Some("https://log.example/")
    );
    assert_eq!(policy.logs()[0].key, log);
    assert_eq!(policy.witnesses()[0].name, "Z\u{212a}");
    assert_eq!(
        policy.witnesses()[0].url.as_deref(),
        Some("http://w1.example/")
    );
    // Names are octets: a Kelvin sign is no K, and what is no UTF-8 is a name too.
    assert_eq!(
        fault(&text.replacen("quorum G", "quorum ZK", 1)),
        PolicyFault::NameUnknown
    );
    let octets = [
        b"witness \xff\xfe ",
        keys[0].as_bytes(),
        b"\nquorum \xff\xfe\n",
    ]
    .concat();
    assert!(Policy::parse(&octets).is_ok());
}

#[test]
fn a_policy_that_says_something_else_is_refused_with_its_line() {
    use PolicyFault as F;
    let ruled = |rest: &str| Policy::parse(policy_text(rest).as_bytes()).unwrap_err();
    for (rest, line, expected) in [
        ("", 4, F::QuorumMissing),
        ("quorum w1", 4, F::Unended),
        ("quorum w4\n", 4, F::NameUnknown),
        ("quorum g\ngroup g any w1\n", 4, F::NameUnknown),
        ("quorum w1\nquorum w1\n", 5, F::QuorumTwice),
        ("group g 2 w1 w1\nquorum g\n", 4, F::MemberTwice),
        (
            "group g any w1\ngroup h any w1 w2\nquorum h\n",
            5,
            F::MemberTwice,
        ),
        ("group g any g\nquorum g\n", 4, F::NameUnknown),
        ("group g any none\nquorum g\n", 4, F::NameUnknown),
        ("group none any w1\nquorum none\n", 4, F::NameTaken),
        ("group w2 any w1\nquorum w2\n", 4, F::NameTaken),
        ("group g 0 w1\nquorum g\n", 4, F::Threshold),
        ("group g 3 w1 w2\nquorum g\n", 4, F::Threshold),
        ("group g 01 w1\nquorum g\n", 4, F::Threshold),
        ("group g +1 w1\nquorum g\n", 4, F::Threshold),
        ("group g ANY w1\nquorum g\n", 4, F::Threshold),
        ("group g any\nquorum g\n", 4, F::Shape),
        ("quorum\n", 4, F::Shape),
        ("quorum w1 w2\n", 4, F::Shape),
        ("Quorum w1\n", 4, F::Keyword),
        ("quorum w1\r\n", 4, F::Control),
        ("quorum w1 \u{7f}\n", 4, F::Control),
    ] {
        let error = ruled(rest);
        assert_eq!((error.line, error.fault), (line, expected), "{rest:?}");
    }
    let as_log = format!("witness w {}\nquorum w\n", Log::of(1).key());
    assert!(matches!(fault(&as_log), F::Key(_)));
    let deep = (0..33).map(|at| match at {
        0 => "group g0 any w1\n".to_owned(),
        at => format!("group g{at} any g{}\n", at - 1),
    });
    let deep = policy_text(&deep.collect::<String>());
    assert_eq!(fault(&deep), F::TooLong);
    assert_eq!(fault(&"#\n".repeat(1024 * 1024)), F::TooLong);
}

proptest! {
    // Never a panic, and never a quorum out of nothing.
    #[test]
    fn garbage_is_no_policy(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Policy::parse(&bytes);
    }

    #[test]
    fn words_in_any_order_are_judged_without_a_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "group", "quorum", "witness", "log", "w1", "w2", "g", "any", "all", "1", "2", "none", "\n", "\n",
            ]),
            0..60,
        )
    ) {
        let text = policy_text(&words.join(" "));
        if let Ok(policy) = Policy::parse(text.as_bytes()) {
            let (_, bare) = note_with(&[]);
            let quorum = policy.judge(&bare, &ANY_TIME).unwrap();
            prop_assert_eq!(quorum.met, policy.needs_nobody());
            prop_assert_eq!(policy.cosigners_min() == 0, policy.needs_nobody());
        }
    }

    #[test]
    fn a_changed_byte_in_a_line_never_counts(at in 0_usize..76, bit in 0_u8..8) {
        let [one, ..] = three();
        let body = Log::of(5).checkpoint(5).body();
        let line = one.line(&body, 100);
        let (name, text) = line.rsplit_once(' ').unwrap();
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes[at] ^= 1 << bit;
        let (_, note) = note_with(&[format!("{name} {}", STANDARD.encode(bytes))]);
        let found = cosigned(&note, &one.key, &ANY_TIME).unwrap();
        prop_assert!(!matches!(found, Cosigned::At(_)));
    }
}
