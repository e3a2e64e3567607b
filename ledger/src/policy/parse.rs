//! Reads policy files: octets, a statement a line, names defined before they are used.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{KnownLog, Member, Witness};
use crate::cosignature::WitnessKey;
use crate::error::NoteError;
use crate::note::VerifierKey;
use crate::second::SecondKey;

/// The most bytes of a policy file.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;

/// The most logs, witnesses and groups, together.
const STATEMENTS_MAX: usize = 4_096;

/// Groups in groups in groups.
const DEPTH_MAX: usize = 32;

/// A policy that can't be used: the line, counted from 1, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the policy: {fault}")]
pub struct PolicyError {
    /// The line; one behind the last, where something is missing.
    pub line: usize,
    /// What is wrong with it.
    pub fault: PolicyFault,
}

/// What is wrong with a line of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// More bytes or statements than a policy may have.
    #[error("too long: a policy has at most 1 MiB, 4096 statements, and groups 32 deep")]
    TooLong,
    /// A control character other than tab and line feed.
    #[error("a control character: only tab and line feed are allowed")]
    Control,
    /// The last line has no line feed: the file may have been cut.
    #[error("it does not end with a line feed: the file may be cut short")]
    Unended,
    /// A first word that is none of the four.
    #[error("expected `log`, `witness`, `group` or `quorum`")]
    Keyword,
    /// Too few or too many words.
    #[error(
        "expected `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME K|any|all NAME…` or `quorum NAME`"
    )]
    Shape,
    /// A key that can't be read, or is not of the use that it stands for.
    #[error("the key: {0}")]
    Key(NoteError),
    /// The same public key in a line before.
    #[error("the same key stands in a line before, perhaps under another name: each counts once")]
    Duplicate,
    /// A log's ML-DSA-44 key. Alone it would vouch for a log whose tools ask for both.
    #[error(
        "a log's second key (ML-DSA-44): a policy names its Ed25519 key, and the second is demanded beside it, with --second-key"
    )]
    SecondAsLog,
    /// A witness whose key is a log's.
    #[error("the key is a log's and a witness's: no log witnesses itself")]
    LogAsWitness,
    /// Two witnesses with one name and key id in signature lines.
    #[error("two keys of one name with one id: signature lines can't tell them apart")]
    Collision,
    /// A name that is taken.
    #[error("the name is taken, or is `none`")]
    NameTaken,
    /// A name that no line before defines.
    #[error("no line before defines this name")]
    NameUnknown,
    /// A name that is a member already.
    #[error("a member of two groups, or twice of one: each counts in one way")]
    MemberTwice,
    /// A threshold that the group can't have.
    #[error("the threshold must be `any`, `all`, or a number from 1 to the number of members")]
    Threshold,
    /// Two quorum lines.
    #[error("a second `quorum` line")]
    QuorumTwice,
    /// No quorum line.
    #[error("there is no `quorum` line")]
    QuorumMissing,
}

/// A policy's parts.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) logs: Vec<KnownLog>,
    pub(super) witnesses: Vec<Witness>,
    pub(super) quorum: Option<Member>,
}

/// What has been read of it.
#[derive(Default)]
struct Reader<'a> {
    parsed: Parsed,
    names: BTreeMap<&'a [u8], Member>,
    /// Names that are members of a group.
    taken: BTreeSet<&'a [u8]>,
    ruled: bool,
}

pub(super) fn policy(text: &[u8]) -> Result<Parsed, PolicyError> {
    let mut reader = Reader::default();
    let at = |line, fault| PolicyError { line, fault };
    if text.len() > POLICY_BYTES_MAX {
        return Err(at(1, PolicyFault::TooLong));
    }
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let rest = lines.pop().unwrap_or_default();
    for (line, bytes) in (1..).zip(&lines) {
        reader.line(bytes).map_err(|fault| at(line, fault))?;
    }
    let last = lines.len() + 1;
    if !rest.is_empty() {
        return Err(at(last, PolicyFault::Unended));
    }
    if reader.ruled {
        Ok(reader.parsed)
    } else {
        Err(at(last, PolicyFault::QuorumMissing))
    }
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), PolicyFault> {
        if line
            .iter()
            .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        {
            return Err(PolicyFault::Control);
        }
        let words = line.split(|byte| matches!(byte, b' ' | b'\t'));
        let words: Vec<&[u8]> = words.filter(|word| !word.is_empty()).collect();
        if self.parsed.logs.len() + self.names.len() > STATEMENTS_MAX {
            return Err(PolicyFault::TooLong);
        }
        match words.as_slice() {
            [] => Ok(()),
            [word, ..] if word.starts_with(b"#") => Ok(()),
            [b"log", key] => self.log(key, None),
            [b"log", key, url] => self.log(key, Some(url)),
            [b"witness", name, key] => self.witness(name, key, None),
            [b"witness", name, key, url] => self.witness(name, key, Some(url)),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] => self.quorum(name),
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err(PolicyFault::Shape),
            _ => Err(PolicyFault::Keyword),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&&[u8]>) -> Result<(), PolicyFault> {
        let vkey = text(key)?;
        let key = VerifierKey::parse(vkey).map_err(|error| match SecondKey::parse(vkey) {
            Ok(_) => PolicyFault::SecondAsLog,
            Err(_) => PolicyFault::Key(error),
        })?;
        if (self.parsed.logs.iter()).any(|log| log.key.public() == key.public()) {
            return Err(PolicyFault::Duplicate);
        }
        if (self.parsed.witnesses.iter()).any(|one| one.key.public() == key.public()) {
            return Err(PolicyFault::LogAsWitness);
        }
        let url = url.map(|url| shown(url));
        self.parsed.logs.push(KnownLog { key, url });
        Ok(())
    }

    fn witness(
        &mut self,
        name: &'a [u8],
        key: &[u8],
        url: Option<&&[u8]>,
    ) -> Result<(), PolicyFault> {
        let key = WitnessKey::parse(text(key)?).map_err(PolicyFault::Key)?;
        let mut others = self.parsed.witnesses.iter();
        if others.any(|other| other.key.public() == key.public()) {
            return Err(PolicyFault::Duplicate);
        }
        if (self.parsed.witnesses.iter()).any(|other| other.key.collides(&key)) {
            return Err(PolicyFault::Collision);
        }
        if (self.parsed.logs.iter()).any(|log| log.key.public() == key.public()) {
            return Err(PolicyFault::LogAsWitness);
        }
        self.define(name, Member::Witness(self.parsed.witnesses.len()))?;
        self.parsed.witnesses.push(Witness {
            name: shown(name),
            key,
            url: url.map(|url| shown(url)),
        });
        Ok(())
    }

    fn group(
        &mut self,
        name: &'a [u8],
        threshold: &[u8],
        members: &[&'a [u8]],
    ) -> Result<(), PolicyFault> {
        let threshold = match threshold {
            b"any" => Some(1),
            b"all" => Some(members.len()),
            digits => number(digits),
        };
        let threshold = threshold.filter(|count| (1..=members.len()).contains(count));
        let threshold = threshold.ok_or(PolicyFault::Threshold)?;
        let mut group = Vec::with_capacity(members.len());
        for member in members {
            let known = self.names.get(member).ok_or(PolicyFault::NameUnknown)?;
            group.push(known.clone());
            if !self.taken.insert(member) {
                return Err(PolicyFault::MemberTwice);
            }
        }
        let group = Member::Group(threshold, group);
        if depth(&group) > DEPTH_MAX {
            return Err(PolicyFault::TooLong);
        }
        self.define(name, group)
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), PolicyFault> {
        if self.ruled {
            return Err(PolicyFault::QuorumTwice);
        }
        self.ruled = true;
        if name != b"none" {
            let known = self.names.get(name).ok_or(PolicyFault::NameUnknown)?;
            self.parsed.quorum = Some(known.clone());
        }
        Ok(())
    }

    fn define(&mut self, name: &'a [u8], member: Member) -> Result<(), PolicyFault> {
        if name == b"none" || self.names.contains_key(name) {
            return Err(PolicyFault::NameTaken);
        }
        self.names.insert(name, member);
        Ok(())
    }
}

fn depth(member: &Member) -> usize {
    match member {
        Member::Witness(_) => 0,
        Member::Group(_, members) => 1 + members.iter().map(depth).max().unwrap_or_default(),
    }
}

/// A number in its one spelling.
fn number(digits: &[u8]) -> Option<usize> {
    let text = str::from_utf8(digits).ok()?;
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Keys are text; other octets may be anything, and mean nothing.
fn text(word: &[u8]) -> Result<&str, PolicyFault> {
    str::from_utf8(word).map_err(|_| PolicyFault::Key(NoteError::Key))
}

fn shown(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}
