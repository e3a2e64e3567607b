//! Keys, notes and checkpoints are those of C2SP: another implementation (`signed_note`) reads them,
//! and every other spelling is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

mod support;

use ledger::{Checkpoint, NoteError, VerifierKey, open_checkpoint, signature_line, signed_note};
use proptest::prelude::*;
use signed_note::{Note, StandardVerifier, VerifierList};
use support::{Log, ORIGIN};

#[test]
fn another_implementation_reads_our_checkpoint() {
    let log = Log::of(5);
    let note = log.note(5);
    let verifier = StandardVerifier::new(&log.key().to_string()).unwrap();
    let read = Note::from_bytes(note.as_bytes()).unwrap();
    let (signed, unknown) = read
        .verify(&VerifierList::new(vec![Box::new(verifier)]))
        .unwrap();
    assert_eq!((signed.len(), unknown.len()), (1, 0));
    assert_eq!(read.text(), log.checkpoint(5).body().as_bytes());
}

#[test]
fn a_checkpoint_opens_with_its_key_only() {
    let log = Log::of(3);
    assert_eq!(
        open_checkpoint(&log.note(3), &log.key()),
        Ok(log.checkpoint(3))
    );
    let mut stranger = log.clone();
    stranger.signer = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    assert_eq!(
        open_checkpoint(&log.note(3), &stranger.key()),
        Err(NoteError::Unsigned)
    );
}

#[test]
fn a_key_is_read_in_its_one_spelling() {
    // The example key of C2SP signed-note and Go's sumdb: name+hash+base64.
    let sumdb = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert_eq!(VerifierKey::parse(sumdb).unwrap().to_string(), sumdb);
    assert_eq!(VerifierKey::parse(sumdb).unwrap().name(), "sum.golang.org");
    let text = Log::of(1).key().to_string();
    for bad in [
        text.replace('+', "-"),
        text.to_uppercase(),
        format!("{text} "),
        text.replacen("bank", "bonk", 1),
        format!("{text}="),
        String::new(),
    ] {
        assert!(VerifierKey::parse(&bad).is_err(), "{bad}");
    }
    assert_eq!(VerifierKey::new(ORIGIN, [0; 32]), Err(NoteError::Key));
}

#[test]
fn witness_lines_are_neither_needed_nor_in_the_way() {
    let log = Log::of(2);
    let body = log.checkpoint(2).body();
    let own = signature_line(&log.key(), &signature(&log, &body));
    let witness = "— https://witness.example/w1 AAAAAAAAAAAAAAAAAAAAAA==".to_owned();
    let note = signed_note(&body, &[witness, own]);
    assert_eq!(open_checkpoint(&note, &log.key()), Ok(log.checkpoint(2)));
}

#[test]
fn a_line_of_the_key_that_does_not_hold_is_refused_even_beside_a_good_one() {
    let log = Log::of(2);
    let body = log.checkpoint(2).body();
    let good = signature_line(&log.key(), &signature(&log, &body));
    let bad = signature_line(&log.key(), &[9; 64]);
    for lines in [
        vec![bad.clone()],
        vec![bad.clone(), good.clone()],
        vec![good, bad],
    ] {
        let note = signed_note(&body, &lines);
        assert_eq!(
            open_checkpoint(&note, &log.key()),
            Err(NoteError::Signature)
        );
    }
}

#[test]
fn a_note_has_one_spelling() {
    let log = Log::of(2);
    let note = log.note(2);
    for bad in [
        note.trim_end().to_owned(),
        note.replace('\n', "\r\n"),
        format!("{note}\n"),
        format!("\n{note}"),
        note.replace("— ", "- "),
        note.replacen("\n\n", "\n", 1),
        format!("{note}— "),
        String::new(),
        "\n\n".to_owned(),
    ] {
        assert!(open_checkpoint(&bad, &log.key()).is_err(), "{bad:?}");
    }
}

#[test]
fn a_signed_body_is_read_in_its_one_spelling() {
    let log = Log::of(2);
    let body = log.checkpoint(2).body();
    let root = body.lines().nth(2).unwrap().to_owned();
    for bad in [
        body.replace("\n2\n", "\n02\n"),
        body.replace("\n2\n", "\n+2\n"),
        body.replace("\n2\n", "\n2 \n"),
        body.replace("\n2\n", "\n9223372036854775808\n"),
        body.replace("\n2\n", "\n18446744073709551616\n"),
        body.replace("\n2\n", "\n0\n"),
        format!("{body}extension\n"),
        body.replace('=', ""),
        body.replace(&root, &root[4..]),
        format!(" {body}"),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        assert!(
            open_checkpoint(&log.sign(&bad), &log.key()).is_err(),
            "{bad:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_changed_note_is_refused_without_panic(
        at in any::<prop::sample::Index>(),
        put in "[\\PC\n\r+=#— ]{0,3}",
        cut in 0_usize..4,
    ) {
        let log = Log::of(2);
        let note: Vec<char> = log.note(2).chars().collect();
        let at = at.index(note.len());
        let rest = note.iter().skip(at + cut);
        let changed: String = note[..at].iter().copied().chain(put.chars()).chain(rest.copied()).collect();
        if changed != log.note(2) {
            prop_assert!(open_checkpoint(&changed, &log.key()).is_err(), "{}", changed);
        }
    }
}

fn signature(log: &Log, body: &str) -> [u8; 64] {
    use ed25519_dalek::Signer as _;
    log.signer.sign(body.as_bytes()).to_bytes()
}
