//! Attacks on what witnesses vouch for: lines stripped, replayed, doubled, forged, and times ahead of them.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger::verify::{Code, Witnessing};
use ledger::{
    ANY_TIME, Policy, Trust, VerifierKey, WitnessKey, cosignature_line, cosigned_text,
    signature_line,
};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::Forged;

const CHECKPOINT: &str = "checkpoint";
/// A minute after the log of the attacks was written.
const SEEN_S: u64 = 1_795_471_976;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T20",
        what: "the lines of witnesses are stripped off",
        make: |scene| judged(scene, &[]),
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T20",
        what: "one witness cosigned where the policy asks for two",
        make: |scene| judged(scene, &[line(1, &body(scene), SEEN_S)?]),
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T21",
        what: "old cosignatures are replayed onto a newer checkpoint",
        make: |scene| {
            let old = scene.log.checkpoint(512).body();
            judged(scene, &[line(1, &old, SEEN_S)?, line(2, &old, SEEN_S)?])
        },
        code: Code::CosignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T21",
        what: "the time of a cosignature is put forward",
        make: |scene| {
            let body = body(scene);
            let signature = eye(1)
                .sign(cosigned_text(&body, SEEN_S).as_bytes())
                .to_bytes();
            let later = cosignature_line(&witness(1)?, SEEN_S + 86_400, &signature);
            judged(scene, &[later, line(2, &body, SEEN_S)?])
        },
        code: Code::CosignatureBad,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T21",
        what: "cosignatures that are older than the auditor asks for",
        make: |scene| {
            let body = body(scene);
            let lines = [line(1, &body, SEEN_S)?, line(2, &body, SEEN_S)?];
            noted(scene, &lines)?;
            let mut trust = trust(scene)?;
            if let Some(asked) = &mut trust.witnessing {
                asked.times = SEEN_S + 1..=*ANY_TIME.end();
            }
            Ok(scene.verify(&trust))
        },
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T24",
        what: "the operator's own witnesses stand in the policy inside the archive",
        make: |scene| {
            let body = body(scene);
            let policy = format!(
                "witness a {}\nwitness b {}\ngroup g all a b\nquorum g\n",
                witness(8)?,
                witness(9)?
            );
            scene.put("policy", policy.as_bytes())?;
            judged(scene, &[line(8, &body, SEEN_S)?, line(9, &body, SEEN_S)?])
        },
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T25",
        what: "one witness cosigns twice, to be counted as two",
        make: |scene| {
            let body = body(scene);
            judged(
                scene,
                &[line(1, &body, SEEN_S)?, line(1, &body, SEEN_S + 1)?],
            )
        },
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T26",
        what: "a witness's plain signature in the place of its cosignature",
        make: |scene| {
            let body = body(scene);
            let plain = VerifierKey::new("witness.example/w1", eye(1).verifying_key().to_bytes())?;
            let signature = eye(1).sign(body.as_bytes()).to_bytes();
            judged(
                scene,
                &[signature_line(&plain, &signature), line(2, &body, SEEN_S)?],
            )
        },
        code: Code::QuorumMissing,
        exit: 3,
        at: At::File(CHECKPOINT),
    },
    Attack {
        id: "T46",
        what: "entries are dated ahead of the time at which witnesses saw them",
        make: |scene| {
            let log = Forged::told(SIZE, &|seq, entry| {
                if seq == SIZE - 1 {
                    entry.time_us += 86_400_000_000;
                }
            })?;
            scene.replace(&log, &SIZES)?;
            let body = log.checkpoint(SIZE).body();
            let lines = format!("{}\n{}\n", line(1, &body, SEEN_S)?, line(2, &body, SEEN_S)?);
            scene.put(CHECKPOINT, format!("{}{lines}", log.note(SIZE)?).as_bytes())?;
            Ok(scene.verify(&trust(scene)?))
        },
        code: Code::TimeForward,
        exit: 2,
        at: At::Seq(SIZE - 1),
    },
];

/// Two of three witnesses.
pub(super) fn trust(scene: &Scene<'_>) -> anyhow::Result<Trust> {
    let mut text = String::new();
    for seed in 1..=3 {
        text.push_str(
            &[
                "witness w",
                &seed.to_string(),
                " ",
                &witness(seed)?.to_string(),
                "\n",
            ]
            .concat(),
        );
    }
    text.push_str("group ours 2 w1 w2 w3\nquorum ours\n");
    Ok(Trust {
        witnessing: Some(Witnessing {
            policy: Policy::parse(text.as_bytes())?,
            times: ANY_TIME,
        }),
        ..scene.log.trust()?
    })
}

/// What the honest archive comes to once two of three witnesses cosigned it.
pub(super) fn honest(scene: &Scene<'_>) -> anyhow::Result<Found> {
    let body = body(scene);
    judged(
        scene,
        &[line(3, &body, SEEN_S)?, line(1, &body, SEEN_S + 1)?],
    )
}

fn judged(scene: &Scene<'_>, lines: &[String]) -> anyhow::Result<Found> {
    noted(scene, lines)?;
    Ok(scene.verify(&trust(scene)?))
}

/// The signed checkpoint with these lines below it.
fn noted(scene: &Scene<'_>, lines: &[String]) -> anyhow::Result<()> {
    let mut note = scene.log.note(SIZE)?;
    for line in lines {
        note.push_str(line);
        note.push('\n');
    }
    scene.put(CHECKPOINT, note.as_bytes())
}

fn body(scene: &Scene<'_>) -> String {
    scene.log.checkpoint(SIZE).body()
}

fn eye(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn witness(seed: u8) -> anyhow::Result<WitnessKey> {
    let name = format!("witness.example/w{seed}");
    Ok(WitnessKey::new(
        &name,
        eye(seed).verifying_key().to_bytes(),
    )?)
}

fn line(seed: u8, body: &str, time_s: u64) -> anyhow::Result<String> {
    let signature = eye(seed).sign(cosigned_text(body, time_s).as_bytes());
    Ok(cosignature_line(
        &witness(seed)?,
        time_s,
        &signature.to_bytes(),
    ))
}
