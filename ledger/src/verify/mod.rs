//! The auditor's judgement of a whole archive: every entry, link, tile, root, signature and item,
//! from the files alone. It trusts only what the auditor brings, and does not stop at a first finding.

mod archive;
mod bundle;
mod chain;
mod code;
mod files;
mod finding;
mod head;
mod inventory;
mod items;
mod listing;
mod past;
mod report;
mod signers;
mod tiles;
mod walk;

use std::path::Path;

pub use code::{Class, Code};
pub use finding::Finding;
pub use listing::{ListError, Listed, Listing};
pub use report::{Counts, REPORT_SCHEMA, Report, Stated};
pub use signers::signers_of;

use crate::checkpoint::Checkpoint;
use crate::note::VerifierKey;
use crate::origin::Origin;
use crate::signer::Rotation;
use archive::Archive;
use chain::{Chain, Root};
use finding::Findings;
use head::Head;
use inventory::Inventory;
use past::Past;
use walk::Walk;

/// What the auditor brings. Nothing of it may come from the archive that is judged.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The log's key. Without it the archive can only be checked against itself.
    pub key: Option<VerifierKey>,
    /// The log's name, if it is not the key's name.
    pub origin: Option<Origin>,
    /// The checkpoint verified last time.
    pub pinned: Option<Checkpoint>,
    /// Statements by which the key handed over, as far as they are known; the archive's own are followed too.
    pub rotations: Vec<Rotation>,
}

/// How to verify.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// More findings than this are counted, not kept.
    pub findings_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { findings_max: 1000 }
    }
}

/// Verifies the archive in this folder. Reads one bundle at a time.
pub fn verify_archive(dir: &Path, trust: &Trust, options: Options) -> Report {
    let mut findings = Findings::new(options.findings_max);
    if trust.key.is_none() {
        findings.push(Finding::new(Code::NoKey, "verified against itself only"));
    }
    match Archive::open(dir) {
        Ok(archive) => {
            let trust = signers::followed(&archive, trust, &mut findings);
            verify(&archive, &trust, findings)
        }
        Err(error) => {
            findings.push(error.finding("."));
            report(trust, Head::default(), Counts::default(), findings)
        }
    }
}

fn verify(archive: &Archive, trust: &Trust, mut findings: Findings) -> Report {
    let head = Head::open(archive, trust, &mut findings);
    let stated_size = head.checkpoint.as_ref().map(|stated| stated.size);
    let inventory = Inventory::take(archive, stated_size, &mut findings);
    let stated_origin = head.checkpoint.as_ref().map(|stated| stated.origin.clone());
    let origins = trust
        .expected_origin()
        .into_iter()
        .chain(stated_origin)
        .collect();

    let now = head.checkpoint.clone().filter(|_| head.authentic);
    let mut walk = Walk::new(archive, Chain::new(origins), Past::new(archive, trust, now));
    let size = stated_size.unwrap_or_else(|| inventory.size());
    walk.run(size, inventory.bundles, &mut findings);

    let root = judge_root(&walk, &head, trust, &mut findings);
    walk.chain.finish(root, &mut findings);
    let checkpoints = walk.past.finish(root, &mut findings);
    let (entries, items, tiles) = (walk.entries, walk.items, walk.tiles.read);
    report(
        trust,
        head,
        Counts {
            entries,
            items,
            tiles,
            checkpoints,
        },
        findings,
    )
}

fn judge_root(walk: &Walk<'_>, head: &Head, trust: &Trust, findings: &mut Findings) -> Root {
    let Some(stated) = &head.checkpoint else {
        return Root::Differs;
    };
    let Some(tree) = &walk.tree else {
        findings.push(Finding::new(Code::RootUnchecked, "leaf hashes are missing"));
        return Root::Differs;
    };
    let root = tree.root();
    if root == stated.root {
        return Root::Holds;
    }
    let believed = head.authentic || trust.key.is_none();
    let code = if believed {
        Code::RootMismatch
    } else {
        Code::RootUnauthenticated
    };
    let message = format!("computed {root}, stated {}", stated.root);
    findings.push(Finding::new(code, message).file("checkpoint"));
    Root::Differs
}

fn report(trust: &Trust, head: Head, read: Counts, findings: Findings) -> Report {
    let (findings, findings_omitted, verdict) = findings.into_parts();
    let checkpoint = head.checkpoint.map(|stated| Stated {
        origin: stated.origin.to_string(),
        size: stated.size,
        root: stated.root.to_string(),
    });
    let mut not_checked = vec!["witnesses"];
    if trust.key.is_none() {
        not_checked.push("who signed (no key given)");
    }
    if trust.pinned.is_none() {
        not_checked.push("earlier verifications (nothing pinned)");
    }
    Report {
        schema: REPORT_SCHEMA,
        verdict,
        exit_code: verdict.exit_code(),
        checkpoint,
        key: trust.key.as_ref().map(ToString::to_string),
        later_keys: trust
            .rotations
            .iter()
            .map(|step| step.new.to_string())
            .collect(),
        authenticated: head.authentic,
        pinned_size: trust.pinned.as_ref().map(|pinned| pinned.size),
        read,
        not_checked,
        findings,
        findings_omitted,
        note: head.note.filter(|_| head.authentic),
    }
}
