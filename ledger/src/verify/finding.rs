//! What the verifier found, and where: file, offset, seq. Runs of the same finding are one finding.

use std::collections::HashMap;

use serde::Serialize;

use super::code::{Class, Code};

/// One thing found, or a run of the same thing over entries that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// How bad.
    pub class: Class,
    /// The file, relative to the archive.
    pub file: Option<String>,
    /// The byte in that file.
    pub offset: Option<u64>,
    /// The first entry concerned.
    pub seq: Option<u64>,
    /// The last entry concerned, if the finding is a run.
    pub seq_last: Option<u64>,
    /// In words. Never holds a value from the archive but hashes, sizes and names of logs.
    pub message: String,
}

impl Finding {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let (class, message) = (code.class(), message.into());
        Self {
            code,
            class,
            file: None,
            offset: None,
            seq: None,
            seq_last: None,
            message,
        }
    }

    pub(super) fn file(self, file: &str) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..self
        }
    }

    pub(super) fn offset(self, offset: usize) -> Self {
        Self {
            offset: Some(offset as u64),
            ..self
        }
    }

    pub(super) fn seq(self, seq: u64) -> Self {
        Self {
            seq: Some(seq),
            ..self
        }
    }

    pub(super) fn seqs(self, first: u64, last: u64) -> Self {
        let seq_last = (last > first).then_some(last);
        Self {
            seq: Some(first),
            seq_last,
            ..self
        }
    }

    fn continues(&self, before: &Self) -> bool {
        let next = before
            .seq_last
            .or(before.seq)
            .and_then(|seq| seq.checked_add(1));
        self.file == before.file && self.seq.is_some() && self.seq == next
    }
}

/// Collects findings up to a limit; the verdict counts those beyond it too.
#[derive(Clone)]
pub(super) struct Findings {
    limit: usize,
    found: Vec<Finding>,
    last_of: HashMap<Code, usize>,
    omitted: u64,
    /// How many were pushed, runs counted one by one.
    count: u64,
    worst: Class,
}

impl Findings {
    pub(super) fn new(limit: usize) -> Self {
        let (found, last_of) = (Vec::new(), HashMap::new());
        Self {
            limit,
            found,
            last_of,
            omitted: 0,
            count: 0,
            worst: Class::Verified,
        }
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.worst = self.worst.max(finding.class);
        self.count += 1;
        let last = self
            .last_of
            .get(&finding.code)
            .and_then(|last| self.found.get_mut(*last));
        if let Some(last) = last.filter(|last| finding.continues(last)) {
            last.seq_last = finding.seq_last.or(finding.seq);
        } else if self.found.len() < self.limit {
            self.last_of.insert(finding.code, self.found.len());
            self.found.push(finding);
        } else {
            self.omitted += 1;
        }
    }

    /// Whether nothing was found yet.
    pub(super) fn is_clean(&self) -> bool {
        self.worst == Class::Verified
    }

    /// How many times something was found.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The findings in the order found.
    pub(super) fn into_found(self) -> Vec<Finding> {
        self.found
    }

    /// The findings (worst first, then in the order found), how many were left out, the verdict.
    pub(super) fn into_parts(mut self) -> (Vec<Finding>, u64, Class) {
        self.found
            .sort_by_key(|finding| std::cmp::Reverse(finding.class));
        (self.found, self.omitted, self.worst)
    }
}
