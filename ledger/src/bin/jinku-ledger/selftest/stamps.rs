//! Attacks on time stamps (RFC 3161): on the stamp, on who may stamp, and on the log that was stamped.

use ledger::Trust;
use ledger::verify::{Code, stamp_path};

use super::authority::{
    Authority, EARLY, LATE, SERVERS, TIME_STAMPING, statement, unsigned_attribute,
};
use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::{Forged, START_US};

/// The stamp that is attacked, and how many entries it is over.
const STAMP: &str = "stamps/2026/11/23/300.tsr";
const STAMPED: u64 = 300;
/// A minute after the log was written.
const SEEN_US: u64 = START_US + 60_000_000;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T56",
        what: "the stamp of another checkpoint of the log is put in its place",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let other = desk.authority.stamp(&scene.log.checkpoint(512), SEEN_US)?;
            desk.judged(&other)
        },
        code: Code::StampOther,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "a bit of the authority's signature is flipped",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let mut stamp = desk.genuine()?;
            if let Some(last) = stamp.last_mut() {
                *last ^= 1;
            }
            desk.judged(&stamp)
        },
        code: Code::StampUntrusted,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "the time in a stamp is put back by a year, its signature kept",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let mut stamp = desk.genuine()?;
            let time = stamp.windows(8).position(|part| part == b"20261123");
            if let Some(year) = time.and_then(|at| stamp.get_mut(at + 3)) {
                *year -= 1;
            }
            desk.judged(&stamp)
        },
        code: Code::StampUntrusted,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "stamped by an authority that the auditor does not know, of the same names",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let stranger = Authority::open()?;
            desk.judged(&stranger.stamp(&scene.log.checkpoint(STAMPED), SEEN_US)?)
        },
        code: Code::StampUntrusted,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "stamped with a certificate that had expired then",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let expired = desk.authority.issued(TIME_STAMPING, EARLY)?;
            desk.stamped_with(&expired)
        },
        code: Code::StampUntrusted,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "stamped with a certificate of the same issuer that is for servers",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let other = desk.authority.issued(SERVERS, LATE)?;
            desk.stamped_with(&other)
        },
        code: Code::StampUntrusted,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "another certificate of the authority's key stands in for the one it signed with",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let (expired, good) = (
                desk.authority.issued(TIME_STAMPING, EARLY)?,
                desk.authority.certificate(),
            );
            let stated = statement(&scene.log.checkpoint(STAMPED), SEEN_US);
            desk.judged(&desk.authority.answer(&stated, (&expired, good), &[])?)
        },
        code: Code::StampMalformed,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "something that nobody signed is added to a good stamp",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let good = desk.authority.certificate();
            let stated = statement(&scene.log.checkpoint(STAMPED), SEEN_US);
            let added = unsigned_attribute();
            desk.judged(&desk.authority.answer(&stated, (good, good), &added)?)
        },
        code: Code::StampMalformed,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T56",
        what: "all stamps are taken away, and the auditor asks for them",
        make: |scene| {
            let desk = Desk::open(scene)?;
            desk.judged(&desk.genuine()?)?;
            scene.remove("stamps")?;
            Ok(scene.verify(&desk.trust))
        },
        code: Code::StampMissing,
        exit: 3,
        at: At::File("stamps"),
    },
    Attack {
        id: "T17",
        what: "one old entry is rewritten and everything signed anew, after it was stamped",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let stamp = desk.genuine()?;
            let log = Forged::told(SIZE, &|seq, entry| {
                if seq == 40 {
                    entry.facts.unit = Some("nobody".to_owned());
                }
            })?;
            scene.replace(&log, &SIZES)?;
            desk.judged(&stamp)
        },
        code: Code::StampOther,
        exit: 3,
        at: At::File(STAMP),
    },
    Attack {
        id: "T46",
        what: "entries are dated ahead of the time at which an authority stamped them",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let early = START_US - 3_600_000_000;
            desk.judged(
                &desk
                    .authority
                    .stamp(&scene.log.checkpoint(STAMPED), early)?,
            )
        },
        code: Code::TimeForward,
        exit: 2,
        at: At::Seq(STAMPED - 1),
    },
    Attack {
        id: "T47",
        what: "entries written after a stamp are dated back to before it",
        make: |scene| {
            let desk = Desk::open(scene)?;
            let log = Forged::told(SIZE, &|seq, entry| {
                if seq >= STAMPED {
                    entry.time_us -= 86_400_000_000;
                    entry.boot.id = [2; 8];
                }
            })?;
            scene.replace(&log, &SIZES)?;
            desk.judged(&desk.authority.stamp(&log.checkpoint(STAMPED), SEEN_US)?)
        },
        code: Code::TimeStepBack,
        exit: 1,
        at: At::Seq(STAMPED),
    },
];

/// What the honest archive comes to once it was stamped.
pub(super) fn honest(scene: &Scene<'_>) -> anyhow::Result<Found> {
    let desk = Desk::open(scene)?;
    desk.judged(&desk.genuine()?)
}

/// An authority, an auditor who trusts it, and an archive that it stamps.
struct Desk<'a> {
    scene: &'a Scene<'a>,
    authority: Authority,
    trust: Trust,
}

impl<'a> Desk<'a> {
    fn open(scene: &'a Scene<'a>) -> anyhow::Result<Self> {
        let authority = Authority::open()?;
        let trust = Trust {
            stamps: Some(authority.trust()?),
            ..scene.log.trust()?
        };
        Ok(Self {
            scene,
            authority,
            trust,
        })
    }

    fn genuine(&self) -> anyhow::Result<Vec<u8>> {
        let checkpoint = self.scene.log.checkpoint(STAMPED);
        self.authority.stamp(&checkpoint, SEEN_US)
    }

    /// A stamp that names the certificate it was made with, and carries it.
    fn stamped_with(&self, certificate: &[u8]) -> anyhow::Result<Found> {
        let stated = statement(&self.scene.log.checkpoint(STAMPED), SEEN_US);
        let both = (certificate, certificate);
        self.judged(&self.authority.answer(&stated, both, &[])?)
    }

    /// What the archive comes to with this stamp in it.
    fn judged(&self, stamp: &[u8]) -> anyhow::Result<Found> {
        self.scene.put(&stamp_path(START_US, STAMPED), stamp)?;
        Ok(self.scene.verify(&self.trust))
    }
}
