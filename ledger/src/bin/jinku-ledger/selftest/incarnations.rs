//! Attacks by way of another life of the node's database: a copy that goes on, a restore that is passed over.

use ledger::verify::Code;
use ledger::{Entry, Facts, Hash, Operation, Outcome};

use super::scene::{At, Attack, Found, SIZE, SIZES, Scene};
use crate::forge::Forged;

/// Where the first of a log's lives begins, and the second.
const BEGINNINGS: [u64; 2] = [300, 600];

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T63",
        what: "a life of the node between two others is passed over",
        make: |scene| lived(scene, [1, 3], |_| {}),
        code: Code::IncarnationOrder,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "a life of the node is said to begin behind other entries",
        make: |scene| lived(scene, [1, 2], |root| root.0[0] ^= 1),
        code: Code::IncarnationRoot,
        exit: 2,
        at: At::Seq(BEGINNINGS[1]),
    },
    Attack {
        id: "T63",
        what: "a copy of the node goes on under its name, as a life of its own",
        make: |scene| {
            let root = scene.log.checkpoint(BEGINNINGS[1]).root;
            let copy = Forged::told(SIZE + 100, &|seq, entry| {
                if seq == BEGINNINGS[1] {
                    opened(entry, 2, root);
                }
            })?;
            scene.replace(&copy, &[SIZE + 100])?;
            Ok(scene.verify(&scene.log.pinned(SIZE)?))
        },
        code: Code::Fork,
        exit: 4,
        at: At::Anywhere,
    },
];

/// The operator writes a log of two lives with these numbers, and changes the root behind which the second begins.
fn lived(
    scene: &Scene<'_>,
    [first, second]: [u32; 2],
    change: fn(&mut Hash),
) -> anyhow::Result<Found> {
    let [one, two] = BEGINNINGS;
    let root = scene.log.checkpoint(one).root;
    let begun = move |seq: u64, entry: &mut Entry| {
        if seq == one {
            opened(entry, first, root);
        }
    };
    let mut root = Forged::told(two, &begun)?.checkpoint(two).root;
    change(&mut root);
    let log = Forged::told(SIZE, &|seq, entry| {
        begun(seq, entry);
        if seq == two {
            opened(entry, second, root);
        }
    })?;
    scene.replace(&log, &SIZES)?;
    scene.judged()
}

fn opened(entry: &mut Entry, number: u32, root: Hash) {
    entry.facts = Facts {
        key: Some((format!("incarnation/{number:032x}"), number)),
        commitment: Some(root.0),
        reason: Some("restored".to_owned()),
        ..Facts::new(Operation::IncarnationOpen, Outcome::Ok)
    };
}
