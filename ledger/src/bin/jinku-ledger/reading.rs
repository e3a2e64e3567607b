//! Verifies an archive, then reads its entries, and sees to it that the two were the same bytes.

use std::path::Path;

use ledger::verify::{Class, Listed, Listing, Options, verify_archive};
use ledger::{Frontier, Report, Trust};

/// What was read can be built on, or is only what the archive says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// These are the entries that were verified; or the verdict was bad, and says so itself.
    Same,
    /// The verdict was good, and other entries were read.
    Changed,
}

/// Gives each entry with its items, after the verdict over all of them was made.
pub(crate) fn verified(
    dir: &Path,
    trust: &Trust,
    threads: usize,
    mut each: impl FnMut(&Listed),
) -> anyhow::Result<(Report, Reading)> {
    let options = Options {
        threads,
        ..Options::default()
    };
    let report = verify_archive(dir, trust, &options);
    let mut tree = Frontier::new();
    for listed in Listing::open(dir)?.with_items() {
        if let Some(leaf) = listed.leaf {
            tree.append(leaf);
        }
        each(&listed);
    }
    let stated = report
        .checkpoint
        .as_ref()
        .map(|stated| stated.root.as_str());
    let same = stated == Some(tree.root().to_string().as_str());
    let reading = if report.verdict <= Class::Warning && !same {
        Reading::Changed
    } else {
        Reading::Same
    };
    Ok((report, reading))
}
