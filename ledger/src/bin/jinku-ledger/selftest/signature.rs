//! Attacks on who says so: signatures, keys, names, and the spelling of signed notes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::verify::Code;
use ledger::{Origin, Trust, VerifierKey, signature_line, signed_note};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::{Forged, ORIGIN, write_history};

const CHECKPOINT: &str = "checkpoint";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T18",
        what: "signed by another key of the same name",
        make: |scene| signed_by_a_stranger(scene, ORIGIN),
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T19",
        what: "a stranger's signature under the pinned key's id (a collision of four bytes)",
        make: |scene| {
            let body = scene.log.checkpoint(SIZE).body();
            let signature = stranger().sign(body.as_bytes()).to_bytes();
            let line = signature_line(&scene.log.key()?, &signature);
            noted(scene, &signed_note(&body, &[line]))
        },
        code: Code::SignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T19",
        what: "a good signature with a bad one of the same key beside it",
        make: |scene| {
            let bad = signature_line(&scene.log.key()?, &[1; 64]);
            noted(scene, &format!("{}{bad}\n", scene.log.note(SIZE)?))
        },
        code: Code::SignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T57",
        what: "no signature at all, and a key was given (journald 15425)",
        make: |scene| noted(scene, &scene.log.checkpoint(SIZE).body()),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T57",
        what: "only a stranger's line stands below the checkpoint",
        make: |scene| {
            let line = "— witness.example/w AAAAAAAAAAAAAAAAAAAAAA==".to_owned();
            noted(
                scene,
                &signed_note(&scene.log.checkpoint(SIZE).body(), &[line]),
            )
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T57",
        what: "the auditor has the wrong key (journald 11524)",
        make: |scene| {
            let public = stranger().verifying_key().to_bytes();
            Ok(scene.verify(&Trust {
                key: Some(VerifierKey::new(ORIGIN, public)?),
                ..Trust::default()
            }))
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T57",
        what: "no key was given: consistent with itself is not verified",
        make: |scene| Ok(scene.verify(&Trust::default())),
        code: Code::NoKey,
        exit: 3,
        at: At::Anywhere,
    },
    Attack {
        id: "T26",
        what: "a witness's cosignature in the place of the log's signature",
        make: |scene| {
            let body = scene.log.checkpoint(SIZE).body();
            let cosigned = format!("cosignature/v1\ntime 1795471916\n{body}");
            let signature = scene.log.signer.sign(cosigned.as_bytes()).to_bytes();
            let line = signature_line(&scene.log.key()?, &signature);
            noted(scene, &signed_note(&body, &[line]))
        },
        code: Code::SignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T27",
        what: "the archive of another node, signed with its own right key",
        make: |scene| {
            let trust = Trust {
                origin: Some(Origin::parse("selftest.example/vault/node-2")?),
                ..scene.log.trust()?
            };
            Ok(scene.verify(&trust))
        },
        code: Code::OriginOther,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T28",
        what: "the checkpoint of another incarnation, signed with the same key",
        make: |scene| {
            let mut checkpoint = scene.log.checkpoint(SIZE);
            checkpoint.origin = Origin::parse("selftest.example/vault/node-1/2")?;
            noted(scene, &scene.log.sign(&checkpoint.body())?)
        },
        code: Code::OriginOther,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T29",
        what: "a signed extension line, in which two copies can differ",
        make: |scene| signed_body(scene, |body| format!("{body}note for you\n")),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T30",
        what: "the signed size has a leading zero",
        make: |scene| signed_body(scene, |body| body.replace("\n700\n", "\n0700\n")),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T30",
        what: "the signed size has a sign",
        make: |scene| signed_body(scene, |body| body.replace("\n700\n", "\n+700\n")),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T30",
        what: "lines end with carriage return and line feed",
        make: |scene| noted(scene, &scene.log.note(SIZE)?.replace('\n', "\r\n")),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T30",
        what: "the signed root is in base64 that other bits can spell",
        make: |scene| signed_body(scene, |body| body.replace("=\n", "\n")),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T30",
        what: "the note does not end with a line feed",
        make: |scene| noted(scene, scene.log.note(SIZE)?.trim_end()),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T31",
        what: "the signed size is 2^63",
        make: |scene| {
            signed_body(scene, |body| {
                body.replace("\n700\n", "\n9223372036854775808\n")
            })
        },
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T31",
        what: "the signed size is 2^63-1: it must not be believed, nor waited for",
        make: |scene| {
            signed_body(scene, |body| {
                body.replace("\n700\n", "\n9223372036854775807\n")
            })
        },
        code: Code::FileMissing,
        exit: 5,
        at: At::Anywhere,
    },
    Attack {
        id: "T32",
        what: "a signed empty log with another root than the empty one",
        make: |scene| signed_body(scene, |body| body.replace("\n700\n", "\n0\n")),
        code: Code::CheckpointMalformed,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T44",
        what: "a checkpoint with a hundred thousand signature lines",
        make: |scene| {
            let line = format!("— witness.example/w {}\n", STANDARD.encode([7; 68]));
            noted(
                scene,
                &format!("{}{}", scene.log.note(SIZE)?, line.repeat(100_000)),
            )
        },
        code: Code::FileTooLarge,
        exit: 5,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T18",
        what: "an archived checkpoint is signed by a stranger",
        make: |scene| {
            let other = Forged {
                signer: stranger(),
                ..scene.log.clone()
            };
            write_history(&scene.dir, &[other.note(300)?, scene.log.note(SIZE)?])?;
            scene.judged()
        },
        code: Code::HistorySignature,
        exit: 3,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T48",
        what: "the archive of checkpoints cannot be cut apart: the rest is hidden",
        make: |scene| {
            scene.change("checkpoints/2026/11/23.notes", |bytes| bytes[1] = b'x')?;
            scene.judged()
        },
        code: Code::HistoryMalformed,
        exit: 3,
        at: At::File("checkpoints/2026/11/23.notes"),
    },
    Attack {
        id: "T24",
        what: "a key and a policy of the operator lie in the archive: nothing of it is believed",
        make: |scene| {
            let other = Forged {
                signer: stranger(),
                ..scene.log.clone()
            };
            let key = other.key()?.to_string();
            scene.replace(&other, &SIZES)?;
            scene.put("policy", format!("log {key}\nquorum none\n").as_bytes())?;
            scene.judged()
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
];

fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn noted(scene: &Scene<'_>, note: &str) -> anyhow::Result<Found> {
    scene.put(CHECKPOINT, note.as_bytes())?;
    scene.judged()
}

/// The operator signs another body.
fn signed_body(scene: &Scene<'_>, change: fn(&str) -> String) -> anyhow::Result<Found> {
    let body = change(&scene.log.checkpoint(SIZE).body());
    noted(scene, &scene.log.sign(&body)?)
}

fn signed_by_a_stranger(scene: &Scene<'_>, name: &str) -> anyhow::Result<Found> {
    let key = stranger();
    let body = scene.log.checkpoint(SIZE).body();
    let named = VerifierKey::new(name, key.verifying_key().to_bytes())?;
    let signature = key.sign(body.as_bytes()).to_bytes();
    noted(
        scene,
        &signed_note(&body, &[signature_line(&named, &signature)]),
    )
}
