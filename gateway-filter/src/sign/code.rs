//! Owns `SignCode` profiles: a code over a canonical text in a header or a parameter, as many older interfaces
//! have it. A profile is what the text is made of, how the code is spelled and where it stands, and what makes
//! it fresh; the algorithm is its key's.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

use super::encoding::Encoding;
use super::fault::{SigningFault, Unbelieved};
use super::parameters::{self, Pair, Room, Sorted, Source};
use super::{Seen, Start};
use crate::scan::Bounds;

/// One profile.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) name: String,
    pub(crate) source: Source,
    /// `None`: the source's bytes as they are.
    pub(crate) sorted: Option<Sorted>,
    /// What the text is made of, between joiners.
    pub(crate) parts: Vec<Part>,
    pub(crate) joiner: String,
    pub(crate) encoding: Encoding,
    pub(crate) place: Place,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) nonce: Option<Place>,
}

/// A part of the canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Method,
    /// As it stands in the request, without the query.
    Path,
    Timestamp,
    Nonce,
    /// What the source gives.
    Content,
}

/// Where a word of the profile's own stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Header(HeaderName),
    /// Among the source's parameters.
    Parameter(String),
}

/// The time that a code is for.
#[derive(Debug)]
pub(crate) struct Stamp {
    pub(crate) place: Place,
    pub(crate) unit: Unit,
    /// For how long it counts.
    pub(crate) window_seconds: u64,
    /// By how much the signers' clocks may be ahead.
    pub(crate) skew_seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
}

/// A code that came, and what it has to be the code of.
pub(crate) struct Claimed {
    pub(crate) text: Vec<u8>,
    pub(crate) code: Vec<u8>,
    /// The nonce, and the first second at which the code counts no longer.
    pub(crate) once: Option<(String, u64)>,
}

/// A message that waits for its code.
pub(crate) struct Uncoded {
    pub(crate) text: Vec<u8>,
    pub(crate) changes: Changes,
}

/// What a profile's words change in a message.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) target: Option<String>,
    pub(crate) body: Option<Bytes>,
}

/// Words of the profile's own in one message.
#[derive(Default)]
struct Words {
    stamp: Option<String>,
    nonce: Option<String>,
}

impl Code {
    /// For people.
    pub(super) fn freshness(&self) -> &'static str {
        match (&self.stamp, &self.nonce) {
            (Some(_), Some(_)) => "timestamp, nonce",
            (Some(_), None) => "timestamp, may be replayed in its window",
            (None, _) => "no freshness, may be replayed",
        }
    }

    /// The code of a message that came, held against everything but its key.
    pub(crate) fn claimed(
        &self,
        seen: &Seen<'_>,
        bounds: &Bounds,
        now: u64,
    ) -> Result<Claimed, SigningFault> {
        let pairs = self.pairs(seen, bounds)?;
        let word = |place: &Place| word(place, seen, &pairs);
        let claimed = word(&self.place)?.ok_or(SigningFault::Missing)?;
        let mut words = Words::default();
        let mut ends = 0;
        if let Some(stamp) = &self.stamp {
            let text = word(&stamp.place)
                .ok()
                .flatten()
                .ok_or(SigningFault::Stamp)?;
            ends = stamp.ends(&text, now)?;
            words.stamp = Some(text);
        }
        if let Some(place) = &self.nonce {
            let text = word(place).ok().flatten().filter(|text| is_nonce(text));
            words.nonce = Some(text.ok_or(SigningFault::Nonce)?);
        }
        let wrong = SigningFault::Unbelieved(Unbelieved::Spelling);
        let code = self.encoding.bytes(&claimed).ok_or(wrong)?;
        let text = self.text(seen, pairs, &words)?;
        let once = words.nonce.map(|nonce| (nonce, ends));
        Ok(Claimed { text, code, once })
    }

    /// The text of a message that goes, its time and nonce put in.
    pub(crate) fn uncoded(
        &self,
        seen: &Seen<'_>,
        bounds: &Bounds,
        (now, nonce): (u64, [u8; 16]),
    ) -> Result<Uncoded, SigningFault> {
        let mut changes = Changes::default();
        let mut words = Words::default();
        if let Some(stamp) = &self.stamp {
            let text = stamp.unit.text(now);
            self.put(seen, &mut changes, (&stamp.place, &text), bounds)?;
            words.stamp = Some(text);
        }
        if let Some(place) = &self.nonce {
            let text = Encoding::HexLower.text(&nonce);
            self.put(seen, &mut changes, (place, &text), bounds)?;
            words.nonce = Some(text);
        }
        let text = changes.over(seen, |seen| {
            let pairs = self.pairs(seen, bounds)?;
            self.text(seen, pairs, &words)
        })?;
        Ok(Uncoded { text, changes })
    }

    /// Puts the code in its place.
    pub(crate) fn coded(
        &self,
        seen: &Seen<'_>,
        bounds: &Bounds,
        mut changes: Changes,
        code: &[u8],
    ) -> Result<Changes, SigningFault> {
        let text = self.encoding.text(code);
        self.put(seen, &mut changes, (&self.place, &text), bounds)?;
        Ok(changes)
    }

    fn put(
        &self,
        seen: &Seen<'_>,
        changes: &mut Changes,
        (place, text): (&Place, &str),
        bounds: &Bounds,
    ) -> Result<(), SigningFault> {
        let name = match place {
            Place::Header(name) => {
                let value = HeaderValue::from_str(text).map_err(|_| SigningFault::Unplaced)?;
                changes.headers.push((name.clone(), value));
                return Ok(());
            }
            Place::Parameter(name) => name,
        };
        let taken = changes.over(seen, |seen| {
            let pairs = self.pairs(seen, bounds)?;
            Ok(pairs.iter().any(|(known, _)| known == name))
        })?;
        if taken {
            return Err(SigningFault::Unplaced);
        }
        match (self.source.room(seen.start), seen.start) {
            (Room::Query, Start::Request { target, .. }) => {
                let target = changes.target.as_deref().unwrap_or(target);
                changes.target = Some(parameters::target_with(target, name, text));
            }
            (Room::Query, Start::Response(_)) => return Err(SigningFault::Unplaced),
            // A body can't begin where none is: the head may have gone on.
            (Room::Body, _) if seen.body.is_none() => return Err(SigningFault::Unplaced),
            (Room::Body, _) => {
                let body = changes.body.as_deref().unwrap_or(seen.bytes());
                let body = parameters::body_with(seen.media.format, body, (name, text))?;
                changes.body = Some(body.into());
            }
        }
        Ok(())
    }

    /// The parameters, where the profile has to do with any.
    fn pairs(&self, seen: &Seen<'_>, bounds: &Bounds) -> Result<Vec<Pair>, SigningFault> {
        if self.sorted.is_none() {
            return Ok(Vec::new());
        }
        let room = self.source.room(seen.start);
        Ok(parameters::pairs(room, seen, bounds)?)
    }

    fn text(
        &self,
        seen: &Seen<'_>,
        pairs: Vec<Pair>,
        words: &Words,
    ) -> Result<Vec<u8>, SigningFault> {
        let content = match (&self.sorted, self.source.room(seen.start)) {
            (Some(sorted), _) => {
                let own = match &self.place {
                    Place::Parameter(name) => Some(name.as_str()),
                    Place::Header(_) => None,
                };
                sorted.text(pairs, own)?.into_bytes()
            }
            (None, Room::Body) => seen.bytes().to_vec(),
            (None, Room::Query) => parameters::query(seen.start).as_bytes().to_vec(),
        };
        let (method, target) = match seen.start {
            Start::Request { method, target, .. } => (method.as_str(), target),
            Start::Response(_) => ("", ""),
        };
        let mut text = Vec::with_capacity(content.len() + 64);
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                text.extend_from_slice(self.joiner.as_bytes());
            }
            text.extend_from_slice(match part {
                Part::Method => method.as_bytes(),
                Part::Path => target.split('?').next().unwrap_or_default().as_bytes(),
                Part::Timestamp => words.stamp.as_deref().unwrap_or_default().as_bytes(),
                Part::Nonce => words.nonce.as_deref().unwrap_or_default().as_bytes(),
                Part::Content => &content,
            });
        }
        Ok(text)
    }
}

impl Changes {
    /// What becomes of a message with these changes, looked at.
    fn over<T>(
        &self,
        seen: &Seen<'_>,
        look: impl FnOnce(&Seen<'_>) -> Result<T, SigningFault>,
    ) -> Result<T, SigningFault> {
        let start = match (seen.start, self.target.as_deref()) {
            (
                Start::Request {
                    method, authority, ..
                },
                Some(target),
            ) => Start::Request {
                method,
                authority,
                target,
            },
            (start, _) => start,
        };
        look(&Seen {
            start,
            body: self.body.as_ref().or(seen.body),
            ..*seen
        })
    }
}

/// A word that stands once in its place.
fn word(place: &Place, seen: &Seen<'_>, pairs: &[Pair]) -> Result<Option<String>, SigningFault> {
    match place {
        Place::Header(name) => {
            let mut lines = seen.headers.get_all(name).iter();
            match (lines.next(), lines.next()) {
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(SigningFault::Several),
                (Some(line), None) => Ok(line.to_str().ok().map(str::to_owned)),
            }
        }
        // Of equal names there is one: two were refused before.
        Place::Parameter(name) => {
            let found = pairs.iter().find(|(known, _)| known == name);
            Ok(found.map(|(_, value)| value.clone()))
        }
    }
}

fn is_nonce(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (8..=128).contains(&text.len()) && text.bytes().all(plain)
}

impl Stamp {
    /// The first second at which a code for this time counts no longer.
    fn ends(&self, text: &str, now: u64) -> Result<u64, SigningFault> {
        let seconds = self.unit.seconds(text).ok_or(SigningFault::Stamp)?;
        if seconds > now.saturating_add(self.skew_seconds) {
            return Err(SigningFault::Early);
        }
        let ends = seconds.saturating_add(self.window_seconds);
        if ends <= now {
            return Err(SigningFault::Old);
        }
        Ok(ends)
    }
}

impl Unit {
    /// Always as many digits, so that nothing can move between it and what stands beside it.
    fn digits(self) -> usize {
        match self {
            Self::Seconds => 10,
            Self::Milliseconds => 13,
        }
    }

    fn seconds(self, text: &str) -> Option<u64> {
        let plain = text.len() == self.digits() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = text.parse().ok().filter(|_| plain)?;
        Some(match self {
            Self::Seconds => number,
            Self::Milliseconds => number / 1_000,
        })
    }

    fn text(self, now: u64) -> String {
        match self {
            Self::Seconds => format!("{now:010}"),
            Self::Milliseconds => format!("{:013}", now.saturating_mul(1_000)),
        }
    }
}
