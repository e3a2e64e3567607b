//! Attacks on the second signature (ML-DSA-44) of a log, and on witnesses that cosign with the same algorithm.

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey as FirstKey;
use ledger::verify::{Code, Witnessing};
use ledger::{
    ANY_TIME, Checkpoint, Policy, SecondKey, Trust, WitnessKey, signature_line, signed_note,
};
use ml_dsa::{Keypair as _, MlDsa44, Seed, SigningKey};

use super::scene::{At, Attack, Found, SIZE, Scene};
use crate::forge::{Forged, ORIGIN, write_history};

const CHECKPOINT: &str = "checkpoint";
const HISTORY: &str = "checkpoints/2026/11/23.notes";
const WITNESS: &str = "witness.example/pq";
/// A minute after the log was written.
const SEEN_S: u64 = 1_795_471_976;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T20",
        what: "the second signature, which the auditor demands, is stripped off",
        make: |scene| judged(scene, &[]),
        code: Code::SecondMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T18",
        what: "the second signature is by another key of the same name",
        make: |scene| judged(scene, &[Pair::own(2)?.line(&now(scene))?]),
        code: Code::SecondMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T19",
        what: "another key's second signature under the pinned key's id (a collision of four bytes)",
        make: |scene| {
            let (own, other) = (Pair::own(1)?, Pair::own(2)?);
            let message = own.key.message(&now(scene), SEEN_S);
            judged(scene, &[own.key.line(SEEN_S, &other.signed(&message)?)])
        },
        code: Code::SecondBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T19",
        what: "the log's Ed25519 signature under the second key's id",
        make: |scene| {
            let own = Pair::own(1)?;
            let line = scene.log.line(&now(scene).body())?;
            let bytes = line_bytes(&line)?;
            judged(scene, &[own.key.line(SEEN_S, &bytes)])
        },
        code: Code::SecondBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T19",
        what: "a bad line under the Ed25519 key's id, and the second signature is good",
        make: |scene| {
            let forged = signature_line(&scene.log.key()?, &[1; 64]);
            judged(scene, &[Pair::own(1)?.line(&now(scene))?, forged])
        },
        code: Code::SignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T18",
        what: "the second signature is good, and the first is a stranger's",
        make: |scene| {
            let other = Forged {
                signer: FirstKey::from_bytes(&[9; 32]),
                ..scene.log.clone()
            };
            let body = now(scene).body();
            let lines = [other.line(&body)?, Pair::own(1)?.line(&now(scene))?];
            scene.put(CHECKPOINT, signed_note(&body, &lines).as_bytes())?;
            Ok(scene.verify(&trust(scene)?))
        },
        code: Code::SignatureMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T21",
        what: "the second signature is a copy of an older checkpoint's",
        make: |scene| {
            let old = scene.log.checkpoint(512);
            judged(scene, &[Pair::own(1)?.line(&old)?])
        },
        code: Code::SecondBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T21",
        what: "a bit of the second signature is flipped",
        make: |scene| {
            let own = Pair::own(1)?;
            let mut signature = own.signed(&own.key.message(&now(scene), SEEN_S))?;
            if let Some(byte) = signature.get_mut(1000) {
                *byte ^= 1;
            }
            judged(scene, &[own.key.line(SEEN_S, &signature)])
        },
        code: Code::SecondBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T21",
        what: "the time of a second signature is put forward",
        make: |scene| {
            let own = Pair::own(1)?;
            let signature = own.signed(&own.key.message(&now(scene), SEEN_S))?;
            judged(scene, &[own.key.line(SEEN_S + 86_400, &signature)])
        },
        code: Code::SecondBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T26",
        what: "the second key signed a part of the tree, and it is shown as the whole",
        make: |scene| {
            let own = Pair::own(1)?;
            let part = own.signed(&of_a_part(own.key.message(&now(scene), 0)))?;
            judged(scene, &[own.key.line(0, &part)])
        },
        code: Code::SecondBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T18",
        what: "an archived checkpoint has a second signature that was made for another",
        make: |scene| {
            let own = Pair::own(1)?;
            scene.put(
                CHECKPOINT,
                with(scene, &[own.line(&now(scene))?])?.as_bytes(),
            )?;
            let moved = own.line(&scene.log.checkpoint(512))?;
            let old = format!("{}{moved}\n", scene.log.note(300)?);
            write_history(&scene.dir, &[old, scene.log.note(SIZE)?])?;
            Ok(scene.verify(&trust(scene)?))
        },
        code: Code::HistorySignature,
        exit: 3,
        at: At::File(HISTORY),
    },
    Attack {
        id: "T26",
        what: "a witness's ML-DSA-44 cosignature of a part of the tree, as if of the whole",
        make: |scene| {
            let eye = Pair::named(WITNESS, 3)?;
            let part = eye.signed(&of_a_part(eye.key.message(&now(scene), SEEN_S)))?;
            witnessed(scene, &eye, &eye.key.line(SEEN_S, &part))
        },
        code: Code::CosignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T26",
        what: "a witness's ML-DSA-44 cosignature without a time, where it must be of some time",
        make: |scene| {
            let eye = Pair::named(WITNESS, 3)?;
            let signature = eye.signed(&eye.key.message(&now(scene), 0))?;
            witnessed(scene, &eye, &eye.key.line(0, &signature))
        },
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
];

/// What the honest archive comes to, signed a second time, and then cosigned with ML-DSA-44 too.
pub(super) fn honest(scene: &Scene<'_>) -> anyhow::Result<[Found; 2]> {
    let signed = judged(scene, &[Pair::own(1)?.line(&now(scene))?])?;
    let eye = Pair::named(WITNESS, 3)?;
    let cosigned = witnessed(scene, &eye, &eye.line(&now(scene))?)?;
    Ok([signed, cosigned])
}

/// A key pair that is good for nothing else.
struct Pair {
    key: SecondKey,
    signer: SigningKey<MlDsa44>,
}

impl Pair {
    fn own(seed: u8) -> anyhow::Result<Self> {
        Self::named(ORIGIN, seed)
    }

    fn named(name: &str, seed: u8) -> anyhow::Result<Self> {
        let signer = SigningKey::from_seed(&Seed::from([seed; 32]));
        let key = SecondKey::new(name, &signer.verifying_key().encode())?;
        Ok(Self { key, signer })
    }

    fn signed(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let signature = self.signer.expanded_key().sign_deterministic(message, &[]);
        let signature = signature.map_err(|_| anyhow!("ML-DSA-44 does not sign"))?;
        Ok(signature.encode().to_vec())
    }

    fn line(&self, checkpoint: &Checkpoint) -> anyhow::Result<String> {
        let message = self.key.message(checkpoint, SEEN_S);
        Ok(self.key.line(SEEN_S, &self.signed(&message)?))
    }
}

fn now(scene: &Scene<'_>) -> Checkpoint {
    scene.log.checkpoint(SIZE)
}

/// The message with `start` 1 in the place of 0: it stands before size and root (C2SP tlog-cosignature).
fn of_a_part(mut message: Vec<u8>) -> Vec<u8> {
    let start = message.len() - 32 - 8 - 1;
    message[start] = 1;
    message
}

/// What stands in a signature line behind the key's id.
fn line_bytes(line: &str) -> anyhow::Result<Vec<u8>> {
    let text = line.rsplit(' ').next().unwrap_or_default();
    let bytes = STANDARD.decode(text)?;
    Ok(bytes.get(4..).unwrap_or_default().to_vec())
}

fn trust(scene: &Scene<'_>) -> anyhow::Result<Trust> {
    Ok(Trust {
        second: Some(Pair::own(1)?.key),
        ..scene.log.trust()?
    })
}

/// The signed checkpoint with these lines below it.
fn with(scene: &Scene<'_>, lines: &[String]) -> anyhow::Result<String> {
    let body = now(scene).body();
    let first = std::iter::once(scene.log.line(&body)?);
    let lines: Vec<String> = first.chain(lines.iter().cloned()).collect();
    Ok(signed_note(&body, &lines))
}

fn judged(scene: &Scene<'_>, lines: &[String]) -> anyhow::Result<Found> {
    scene.put(CHECKPOINT, with(scene, lines)?.as_bytes())?;
    Ok(scene.verify(&trust(scene)?))
}

/// What the archive comes to with this line, where the auditor asks for this witness.
fn witnessed(scene: &Scene<'_>, eye: &Pair, line: &str) -> anyhow::Result<Found> {
    let key = WitnessKey::from(eye.key.clone());
    let policy = format!("witness w {key}\nquorum w\n");
    let trust = Trust {
        witnessing: Some(Witnessing {
            policy: Policy::parse(policy.as_bytes())?,
            times: ANY_TIME,
        }),
        ..scene.log.trust()?
    };
    scene.put(CHECKPOINT, with(scene, &[line.to_owned()])?.as_bytes())?;
    Ok(scene.verify(&trust))
}
