//! A log whose signing key is handed over, twice.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger::verify::Options;
use ledger::{
    Facts, Operation, Origin, Outcome, Rotation, Trust, VerifierKey, framed_note, notes_path,
    signature_line, signed_note, verify_archive,
};

use super::{Log, ORIGIN, START_US, put};

#[derive(Clone)]
pub(crate) struct Pair(pub(crate) SigningKey);

impl Pair {
    pub(crate) fn of(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    pub(crate) fn key(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, self.0.verifying_key().to_bytes()).unwrap()
    }

    pub(crate) fn line(&self, text: &str) -> String {
        signature_line(&self.key(), &self.0.sign(text.as_bytes()).to_bytes())
    }

    pub(crate) fn note(&self, log: &Log, size: u64) -> String {
        let body = log.checkpoint(size).body();
        signed_note(&body, &[self.line(&body)])
    }
}

pub(crate) fn rotation(seq: u64, old: &Pair, new: &Pair) -> Rotation {
    Rotation {
        origin: Origin::parse(ORIGIN).unwrap(),
        seq,
        old: old.key(),
        new: new.key(),
    }
}

pub(crate) fn stated(seq: u64, old: &Pair, new: &Pair) -> String {
    let text = rotation(seq, old, new).text();
    signed_note(&text, &[old.line(&text), new.line(&text)])
}

/// A log whose entries 3 and 6 hand over, published by each key in its turn.
pub(crate) struct Handed {
    pub(crate) log: Log,
    pub(crate) keys: [Pair; 3],
    pub(crate) statements: String,
    pub(crate) archive: tempfile::TempDir,
}

impl Handed {
    pub(crate) fn published(size: u64) -> Self {
        let keys = [1, 2, 3].map(Pair::of);
        let [one, two, three] = &keys;
        let notes = [(3, stated(3, one, two)), (6, stated(6, two, three))];
        let log = Log::told(9, |seq, entry| {
            if let Some((_, note)) = notes.iter().find(|(at, _)| *at == seq) {
                let statement = Some(note.clone());
                entry.facts = Facts {
                    statement,
                    ..Facts::new(Operation::SignerRotate, Outcome::Ok)
                };
            }
        });
        let mut log = log;
        // The items of entry 3, which it no longer names.
        log.items[3].clear();
        let statements = notes.iter().map(|(_, note)| framed_note(note)).collect();
        let archive = tempfile::tempdir().unwrap();
        let handed = Self {
            log,
            keys,
            statements,
            archive,
        };
        let mut history = String::new();
        for size in 1..=size {
            handed.log.write_tiles(handed.dir(), size);
            handed.log.write_bundles(handed.dir(), size);
            let note = handed.signer(size).note(&handed.log, size);
            put(handed.dir(), "checkpoint", note.as_bytes());
            history += &framed_note(&note);
        }
        put(handed.dir(), &notes_path(START_US), history.as_bytes());
        put(handed.dir(), "signers", handed.statements.as_bytes());
        handed
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        self.archive.path()
    }

    pub(crate) fn signer(&self, size: u64) -> &Pair {
        &self.keys[match size {
            0..=4 => 0,
            5..=7 => 1,
            _ => 2,
        }]
    }

    pub(crate) fn codes(&self, pinned: usize) -> (u8, Vec<&'static str>) {
        let trust = Trust {
            key: Some(self.keys[pinned].key()),
            ..Trust::default()
        };
        let report = verify_archive(self.dir(), &trust, &Options::default());
        let codes = report.findings.iter().map(|finding| finding.code.as_str());
        (report.exit_code, codes.collect())
    }
}
