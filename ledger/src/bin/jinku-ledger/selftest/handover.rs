//! Attacks on a log whose signing key was handed over: on the statements, and with the key that was retired.

use ed25519_dalek::SigningKey;
use ledger::verify::{Book, Code};
use ledger::{
    Facts, Operation, Outcome, Receipt, Rotation, Signers, Trust, VerifierKey, framed_note,
    signed_note, verify_receipt_by,
};

use super::scene::{At, Attack, Found, SIZE, Scene};
use crate::forge::{Forged, write_history};

/// The entry that carries the statement.
const SEQ: u64 = 304;
const SIGNERS: &str = "signers";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T23",
        what: "the statements of a handover are deleted: the new key is a stranger's",
        make: |scene| {
            Handed::publish(scene)?;
            scene.remove(SIGNERS)?;
            scene.judged()
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File("checkpoint"),
    },
    Attack {
        id: "T23",
        what: "a bit of a statement is flipped",
        make: |scene| {
            Handed::publish(scene)?;
            scene.flip(SIGNERS, 60)?;
            scene.judged()
        },
        code: Code::SignerStatement,
        exit: 3,
        at: At::File(SIGNERS),
    },
    Attack {
        id: "T23",
        what: "a statement that only the new key signed",
        make: |scene| {
            let handed = Handed::publish(scene)?;
            let text = handed.rotation.text();
            let note = signed_note(&text, &[handed.new.line(&text)?]);
            scene.put(SIGNERS, framed_note(&note).as_bytes())?;
            scene.judged()
        },
        code: Code::SignerStatement,
        exit: 3,
        at: At::File(SIGNERS),
    },
    Attack {
        id: "T23",
        what: "a handover to a thief's key, signed by both, that no entry carries",
        make: |scene| {
            let handed = Handed::publish(scene)?;
            let thief = with(scene.log, [9; 32]);
            let rotation = Rotation {
                new: thief.key()?,
                ..handed.rotation
            };
            let text = rotation.text();
            let note = signed_note(&text, &[scene.log.line(&text)?, thief.line(&text)?]);
            scene.put(SIGNERS, framed_note(&note).as_bytes())?;
            scene.judged()
        },
        code: Code::SignerEntry,
        exit: 3,
        at: At::File(SIGNERS),
    },
    Attack {
        id: "T22",
        what: "the retired key signs a later checkpoint",
        make: |scene| {
            let handed = Handed::publish(scene)?;
            let retired = handed.log;
            scene.put("checkpoint", retired.note(SIZE)?.as_bytes())?;
            scene.judged()
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File("checkpoint"),
    },
    Attack {
        id: "T22",
        what: "the retired key goes on alone, as if it had never handed over",
        make: |scene| {
            let handed = Handed::publish(scene)?;
            scene.remove(SIGNERS)?;
            let notes = [handed.log.note(300)?, handed.log.note(SIZE)?];
            write_history(&scene.dir, &notes)?;
            scene.put("checkpoint", notes[1].as_bytes())?;
            scene.judged()
        },
        code: Code::SignerStatement,
        exit: 3,
        at: At::Seq(SEQ),
    },
    Attack {
        id: "T58",
        what: "an old checkpoint is signed anew with the newer key (journald, CVE-2023-31439)",
        make: |scene| {
            let handed = Handed::publish(scene)?;
            let notes = [handed.new.note(300)?, handed.new.note(SIZE)?];
            write_history(&scene.dir, &notes)?;
            scene.judged()
        },
        code: Code::HistorySignature,
        exit: 3,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T22",
        what: "a receipt whose checkpoint the retired key signed",
        make: |scene| {
            let handed = Handed::publish(scene)?;
            let mut receipt = handed.receipt(scene)?;
            receipt.note = handed.log.note(SIZE)?;
            handed.judged(&receipt)
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::Anywhere,
    },
];

/// A log that was handed over, and the key that signs it since.
struct Handed {
    /// Under the first key.
    log: Forged,
    new: Forged,
    rotation: Rotation,
    statement: String,
}

impl Handed {
    /// Puts it in the honest archive's place, and sees that it is honest itself.
    fn publish(scene: &Scene<'_>) -> anyhow::Result<Self> {
        let new = with(scene.log, [43; 32]);
        let rotation = Rotation {
            origin: scene.log.origin.clone(),
            seq: SEQ,
            old: scene.log.key()?,
            new: new.key()?,
        };
        let text = rotation.text();
        let statement = signed_note(&text, &[scene.log.line(&text)?, new.line(&text)?]);
        let log = Forged::told_bare(SIZE, &|seq, entry| {
            if seq == SEQ {
                entry.facts = Facts {
                    statement: Some(statement.clone()),
                    ..Facts::new(Operation::SignerRotate, Outcome::Ok)
                };
            }
        })?;
        let new = Forged {
            signer: new.signer,
            ..log.clone()
        };
        scene.replace(&log, &[300, SEQ + 1])?;
        let history = [log.note(300)?, log.note(SEQ + 1)?, new.note(SIZE)?];
        new.publish(&scene.dir, &[SIZE])?;
        write_history(&scene.dir, &history)?;
        scene.put(SIGNERS, framed_note(&statement).as_bytes())?;
        let honest = scene.judged()?;
        anyhow::ensure!(honest.exit == 0, "handed over, honest: {:?}", honest.codes);
        Ok(Self {
            log,
            new,
            rotation,
            statement,
        })
    }

    fn receipt(&self, scene: &Scene<'_>) -> anyhow::Result<Receipt> {
        let trust = Trust {
            key: Some(self.rotation.old.clone()),
            ..Trust::default()
        };
        Ok(Book::open(&scene.dir, &trust)?.receipt(SEQ)?)
    }

    fn judged(&self, receipt: &Receipt) -> anyhow::Result<Found> {
        let pinned: &VerifierKey = &self.rotation.old;
        let signers = Signers::followed(pinned, &framed_note(&self.statement))?;
        Ok(match verify_receipt_by(&receipt.encode()?, &signers) {
            Ok(_) => Found::nothing(),
            Err(error) => Found::of(error.code()),
        })
    }
}

fn with(log: &Forged, seed: [u8; 32]) -> Forged {
    Forged {
        signer: SigningKey::from_bytes(&seed),
        ..log.clone()
    }
}
