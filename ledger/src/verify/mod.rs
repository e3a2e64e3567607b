//! The auditor's judgement of a whole archive: every entry, link, tile, root, signature and item,
//! from the files alone. It trusts only what the auditor brings, and does not stop at a first finding.

mod archive;
mod book;
mod bundle;
mod chain;
mod code;
mod compare;
mod epochs;
mod files;
mod finding;
mod head;
mod incarnations;
mod inventory;
mod items;
mod listing;
mod part;
mod past;
mod published;
mod quorum;
mod report;
mod resume;
mod second;
mod signers;
mod stamps;
mod stretch;
mod tiles;
mod walk;

use std::path::Path;

pub use book::{Book, BookError};
pub use code::{Class, Code};
pub use compare::{Comparison, Unproven, compare};
pub use finding::Finding;
pub use head::stated_origin;
pub use incarnations::Incarnation;
pub use listing::{ListError, Listed, Listing};
pub use published::{Published, published};
pub use quorum::{Cosigner, Cosigners, Witnessing};
pub use report::{Counts, REPORT_SCHEMA, Report, Stated};
pub use resume::Resume;
pub use second::{SecondSignature, fault as second_fault};
pub use signers::signers_of;
pub use stamps::{NewestStamp, Stamps, stamp_path};

use crate::checkpoint::Checkpoint;
use crate::note::VerifierKey;
use crate::origin::Origin;
use crate::second::SecondKey;
use crate::signer::Rotation;
use crate::stamp::StampTrust;
use crate::tile::TILE_WIDTH;
use archive::Archive;
use chain::{Before, Chain, Handovers, Root};
use finding::Findings;
use head::Head;
use inventory::Inventory;
use past::Past;
use walk::{Route, Walk};

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
    /// The key of a second signature (ML-DSA-44), which the checkpoint must have then.
    pub second: Option<SecondKey>,
    /// Whose time stamps count, where the archive must have some.
    pub stamps: Option<StampTrust>,
    /// What is asked of witnesses, if anything is.
    pub witnessing: Option<Witnessing>,
}

/// How to verify.
#[derive(Clone, Debug)]
pub struct Options {
    /// More findings than this are counted, not kept.
    pub findings_max: usize,
    /// How many threads read and hash; the report is the same with any number.
    pub threads: usize,
    /// Which entry is the first.
    pub begin: Begin,
}

/// The first entry to be verified.
#[derive(Clone, Debug)]
pub enum Begin {
    /// The log's first.
    First,
    /// The bundle in which [`Trust::pinned`] ends: what is before it rests on that checkpoint. Where
    /// the log is not a continuation of it, all is verified, to say what it is instead.
    Pinned,
    /// Where a verification of this archive was broken off. Where it has changed since, the first.
    Resume(Box<Resume>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            findings_max: 1000,
            threads: 1,
            begin: Begin::First,
        }
    }
}

/// How far a verification has come.
pub struct Progress<'a> {
    /// Entries verified.
    pub entries: u64,
    /// Entries of the log.
    pub size: u64,
    resume: &'a dyn Fn() -> Option<Resume>,
}

impl Progress<'_> {
    /// Where another verification can go on; nothing where something was found, which it would miss.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        (self.resume)()
    }
}

/// Verifies the archive in this folder. Reads one bundle at a time, for each thread a few.
#[must_use]
pub fn verify_archive(dir: &Path, trust: &Trust, options: &Options) -> Report {
    verify_watched(dir, trust, options, &mut |_| {})
}

/// The same, saying after each bundle how far it came.
pub fn verify_watched(
    dir: &Path,
    trust: &Trust,
    options: &Options,
    watch: &mut dyn FnMut(&Progress<'_>),
) -> Report {
    let mut findings = Findings::new(options.findings_max);
    if trust.key.is_none() {
        findings.push(Finding::new(Code::NoKey, "verified against itself only"));
    }
    match Archive::open(dir) {
        Ok(archive) => {
            let trust = signers::followed(&archive, trust, &mut findings);
            verify(&archive, &trust, options, findings, watch)
        }
        Err(error) => {
            findings.push(error.finding("."));
            report(trust, Head::default(), &Extent::default(), findings)
        }
    }
}

/// What was gone through.
#[derive(Default)]
struct Extent {
    first_seq: u64,
    resumed_at: Option<u64>,
    read: Counts,
    cosigners: Option<Cosigners>,
    incarnations: Vec<Incarnation>,
    second: Option<SecondSignature>,
    stamps: Option<Stamps>,
}

fn verify(
    archive: &Archive,
    trust: &Trust,
    options: &Options,
    mut findings: Findings,
    watch: &mut dyn FnMut(&Progress<'_>),
) -> Report {
    let head = Head::open(archive, trust, &mut findings);
    let cosigners = quorum::judge(trust, &head, &mut findings);
    let second = second::judge(trust, &head, &mut findings);
    let stated_size = head.checkpoint.as_ref().map(|stated| stated.size);
    let inventory = Inventory::take(archive, stated_size, &mut findings);
    let before_walk = findings.clone();
    let route = Route {
        size: stated_size.unwrap_or_else(|| inventory.size()),
        bundles: inventory.positions(),
        threads: options.threads,
    };
    let (mut walk, mut extent) = begin(archive, trust, &options.begin, &head, &route);
    let before = findings.count();
    walk.run(
        &route,
        &mut findings,
        &mut progress(&route, trust, before, watch),
    );
    if extent.first_seq > 0 && !walk.past.pin_holds() {
        // The tiles before do not lead to the pinned checkpoint: only the entries tell why.
        findings = before_walk;
        (walk, extent) = begin(archive, trust, &Begin::First, &head, &route);
        let before = findings.count();
        walk.run(
            &route,
            &mut findings,
            &mut progress(&route, trust, before, watch),
        );
    }

    let root = judge_root(&walk, &head, trust, &mut findings);
    if let (Some(cosigners), Root::Holds) = (&cosigners, root)
        && let Some((time_us, _)) = walk.chain.before().and_then(|before| before.clock)
    {
        cosigners.check_time(route.size.saturating_sub(1), time_us, &mut findings);
    }
    extent.incarnations = incarnations::judge(archive, &walk.incarnations, &mut findings);
    extent.stamps = stamps::judge(
        archive,
        trust,
        (head.checkpoint.as_ref(), root),
        &mut findings,
    );
    walk.chain.finish(root, &mut findings);
    let checkpoints = walk.past.finish(root, &mut findings);
    extent.read = Counts {
        entries: walk.entries,
        items: walk.items,
        tiles: walk.tiles.read,
        checkpoints,
    };
    (extent.cosigners, extent.second) = (cosigners, second);
    report(trust, head, &extent, findings)
}

/// A walk at its beginning.
fn begin<'a>(
    archive: &'a Archive,
    trust: &'a Trust,
    begin: &Begin,
    head: &Head,
    route: &Route,
) -> (Walk<'a>, Extent) {
    let at_first = || {
        let stated = head.checkpoint.as_ref().map(|stated| stated.origin.clone());
        let origins = trust.expected_origin().into_iter().chain(stated).collect();
        let now = head.checkpoint.clone().filter(|_| head.authentic);
        let chain = Chain::new(origins, handovers(trust, route.size));
        Walk::new(archive, chain, Past::new(archive, trust, now))
    };
    let mut walk = at_first();
    match begin {
        Begin::First => {}
        Begin::Pinned => {
            let pinned = trust.pinned.as_ref().map_or(0, |pinned| pinned.size);
            let first = pinned.saturating_sub(1) / TILE_WIDTH * TILE_WIDTH;
            let known = head.authentic && pinned <= route.size;
            if known && walk.behind((first, None), Before::default(), route.size) {
                let first_seq = first;
                let extent = Extent {
                    first_seq,
                    ..Extent::default()
                };
                return (walk, extent);
            }
        }
        Begin::Resume(place) => {
            if head.authentic && place.take_up(&mut walk, trust, route.size) {
                let resumed_at = Some(place.entries());
                let extent = Extent {
                    resumed_at,
                    ..Extent::default()
                };
                return (walk, extent);
            }
            walk = at_first();
        }
    }
    (walk, Extent::default())
}

/// The handovers that entries are held to. Without a key none is followed.
fn handovers(trust: &Trust, size: u64) -> Option<Handovers> {
    let followed = trust.rotations.iter().map(|step| step.seq);
    let followed = followed.collect();
    trust.key.as_ref().map(|_| Handovers { followed, size })
}

/// Tells the one who watches. `before` is what was found before the walk: another run finds it again.
fn progress<'a>(
    route: &Route,
    trust: &'a Trust,
    before: u64,
    watch: &'a mut dyn FnMut(&Progress<'_>),
) -> impl FnMut(&Walk<'_>, &Findings) + 'a {
    let size = route.size;
    move |walk, findings| {
        let clean = findings.count() == before;
        let resume = || Resume::of(walk, trust).filter(|_| clean);
        watch(&Progress {
            entries: walk
                .tree
                .as_ref()
                .map_or(walk.entries, crate::Frontier::size),
            size,
            resume: &resume,
        });
    }
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

fn report(trust: &Trust, head: Head, extent: &Extent, findings: Findings) -> Report {
    let (findings, findings_omitted, verdict) = findings.into_parts();
    let checkpoint = head.checkpoint.map(|stated| Stated {
        origin: stated.origin.to_string(),
        size: stated.size,
        root: stated.root.to_string(),
    });
    let mut not_checked = Vec::new();
    if extent.cosigners.is_none() {
        not_checked.push("witnesses");
    }
    if extent.second.is_none() {
        not_checked.push("a second signature (no key of it given)");
    }
    if extent.stamps.is_none() {
        not_checked.push("time stamps");
    }
    if trust.key.is_none() {
        not_checked.push("who signed (no key given)");
    }
    if trust.pinned.is_none() {
        not_checked.push("earlier verifications (nothing pinned)");
    }
    if extent.first_seq > 0 {
        not_checked
            .push("what lies before the first entry read (it rests on the pinned checkpoint)");
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
        second: extent.second.clone(),
        cosigners: extent.cosigners.clone(),
        stamps: extent.stamps.clone(),
        first_seq: extent.first_seq,
        resumed_at: extent.resumed_at,
        read: extent.read,
        incarnations: extent.incarnations.clone(),
        not_checked,
        findings,
        findings_omitted,
        note: head.note.filter(|_| head.authentic),
    }
}
