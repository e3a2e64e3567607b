//! Owns the making of `SignCode` profiles: `[[sign_code]]` to [`Code`]. What could be read in two ways, or
//! pretends to be fresh and is not, is refused here.

use std::sync::Arc;

use http::header::HeaderName;

use super::raw_signing::{
    RawCode, RawEmpty, RawEncoding, RawPart, RawPlace, RawProfile, RawSource, RawStamp, RawUnit,
    RawValues,
};
use super::signing::SKEW_SECONDS_CEILING;
use crate::sign::Encoding;
use crate::sign::code::{Code, Part, Place, Stamp, Unit};
use crate::sign::parameters::{Empty, Sorted, Source, Values};

/// Longest time that a timestamp may count: a day.
const WINDOW_SECONDS_CEILING: u64 = 86_400;

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignCodeFault {
    /// A name twice, or none.
    #[error("`name` must be there and differ from all others")]
    Name,
    /// Not one place.
    #[error("`{0}` stands in exactly one of `header` and `parameter`")]
    Place(&'static str),
    /// A parameter of bytes that have none.
    #[error("`{0}` can be a parameter with profile \"sorted-parameters\" alone")]
    NoParameters(&'static str),
    /// Two words in one place.
    #[error("code, timestamp and nonce need places of their own")]
    OnePlace,
    /// A header that can't be one of these.
    #[error("`{0}` is no header's name, or one that means something else")]
    Header(String),
    /// A setting that means nothing there.
    #[error("`{0}` means nothing with this profile, remove it")]
    Unused(&'static str),
    /// The content comes once, others at most once.
    #[error("`parts` must hold \"content\" once, and each of the others at most once")]
    Parts,
    /// A time or nonce that the code does not cover.
    #[error("`{0}` stands in a header and not in `parts`: the code would not cover it")]
    Uncovered(&'static str),
    /// A part that the profile does not have.
    #[error("`parts` holds \"{0}\", and the profile has none")]
    Absent(&'static str),
    /// Two messages with one text.
    #[error(
        "this `joiner` lets two messages have one text: \"\\n\" fits all; \".\", \"|\", \":\" and \",\" fit timestamp, nonce and content; \"\" fits timestamp and content"
    )]
    Joiner,
    /// Joiners of parameters that say nothing.
    #[error("`pair_joiner` and `value_joiner` must not be empty, nor the same")]
    Joiners,
    /// Nothing ends a nonce's time.
    #[error("a `nonce` needs a `timestamp`: it could not be remembered for ever")]
    NonceForever,
    /// A number outside its range.
    #[error("`{key}` must be {min} to {max}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
}

/// Headers that a word of a profile can't take.
const TAKEN: [&str; 9] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "jinku-receipt",
    "te",
    "transfer-encoding",
];

/// What needs a request: a query, a method or a path.
pub(super) fn is_of_requests(code: &Code) -> bool {
    let of_requests = |part: &Part| matches!(part, Part::Method | Part::Path);
    code.source == Source::Query || code.parts.iter().any(of_requests)
}

pub(super) fn code(raw: &RawCode, earlier: &[Arc<Code>]) -> Result<Code, SignCodeFault> {
    let taken = earlier.iter().any(|code| code.name == raw.name);
    if raw.name.trim().is_empty() || taken {
        return Err(SignCodeFault::Name);
    }
    let sorted = sorted(raw)?;
    let placed = |name, header: &Option<String>, parameter: &Option<String>| {
        let place = place(name, header.as_deref(), parameter.as_deref())?;
        if sorted.is_none() && matches!(place, Place::Parameter(_)) {
            return Err(SignCodeFault::NoParameters(name));
        }
        Ok(place)
    };
    let stamp = raw
        .timestamp
        .as_ref()
        .map(|stamp| stamp_of(stamp, placed("timestamp", &stamp.header, &stamp.parameter)?));
    let nonce = |place: &RawPlace| placed("nonce", &place.header, &place.parameter);
    let parts = raw.parts.as_ref().map_or_else(
        || vec![Part::Content],
        |parts| parts.iter().copied().map(part).collect(),
    );
    let code = Code {
        name: raw.name.clone(),
        source: match raw.source {
            Some(RawSource::Body) => Source::Body,
            Some(RawSource::Query) => Source::Query,
            Some(RawSource::BodyOrQuery) | None => Source::BodyOrQuery,
        },
        parts,
        joiner: raw.joiner.clone().unwrap_or_else(|| "\n".to_owned()),
        encoding: match raw.encoding {
            Some(RawEncoding::HexLower) | None => Encoding::HexLower,
            Some(RawEncoding::HexUpper) => Encoding::HexUpper,
            Some(RawEncoding::Base64) => Encoding::Base64,
            Some(RawEncoding::Base64url) => Encoding::Base64Url,
        },
        place: placed("the code", &raw.header, &raw.parameter)?,
        stamp: stamp.transpose()?,
        nonce: raw.nonce.as_ref().map(nonce).transpose()?,
        sorted,
    };
    check(&code)?;
    Ok(code)
}

fn sorted(raw: &RawCode) -> Result<Option<Sorted>, SignCodeFault> {
    if raw.profile == RawProfile::RawBody {
        let unused = [
            ("pair_joiner", raw.pair_joiner.is_some()),
            ("value_joiner", raw.value_joiner.is_some()),
            ("empty", raw.empty.is_some()),
            ("values", raw.values.is_some()),
        ];
        let set = unused.into_iter().find(|(_, set)| *set);
        return set.map_or(Ok(None), |(name, _)| Err(SignCodeFault::Unused(name)));
    }
    let sorted = Sorted {
        pair_joiner: raw.pair_joiner.clone().unwrap_or_else(|| "&".to_owned()),
        value_joiner: raw.value_joiner.clone().unwrap_or_else(|| "=".to_owned()),
        empty: match raw.empty {
            Some(RawEmpty::Skip) | None => Empty::Skip,
            Some(RawEmpty::Keep) => Empty::Keep,
        },
        values: match raw.values {
            Some(RawValues::Plain) | None => Values::Plain,
            Some(RawValues::Percent) => Values::Percent,
        },
    };
    let (pair, value) = (sorted.pair_joiner.as_str(), sorted.value_joiner.as_str());
    // Percent-encoding leaves these as they are, so none of them may join.
    let unescaped = |text: &str| {
        text.bytes()
            .any(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
    };
    if pair.is_empty() || value.is_empty() || pair.contains(value) || value.contains(pair) {
        return Err(SignCodeFault::Joiners);
    }
    if sorted.values == Values::Percent && (unescaped(pair) || unescaped(value)) {
        return Err(SignCodeFault::Joiners);
    }
    Ok(Some(sorted))
}

fn part(raw: RawPart) -> Part {
    match raw {
        RawPart::Method => Part::Method,
        RawPart::Path => Part::Path,
        RawPart::Timestamp => Part::Timestamp,
        RawPart::Nonce => Part::Nonce,
        RawPart::Content => Part::Content,
    }
}

fn place(
    name: &'static str,
    header: Option<&str>,
    parameter: Option<&str>,
) -> Result<Place, SignCodeFault> {
    match (header, parameter) {
        (Some(header), None) => {
            let known: Option<HeaderName> = header.parse().ok();
            let known = known.filter(|name| !TAKEN.contains(&name.as_str()));
            let known = known.ok_or_else(|| SignCodeFault::Header(header.to_owned()))?;
            Ok(Place::Header(known))
        }
        (None, Some(parameter)) if !parameter.is_empty() => {
            Ok(Place::Parameter(parameter.to_owned()))
        }
        _ => Err(SignCodeFault::Place(name)),
    }
}

fn stamp_of(raw: &RawStamp, place: Place) -> Result<Stamp, SignCodeFault> {
    let within = |key, value: u64, (min, max)| {
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(SignCodeFault::OutOfRange { key, min, max })
        }
    };
    Ok(Stamp {
        place,
        unit: match raw.unit {
            RawUnit::Seconds => Unit::Seconds,
            RawUnit::Milliseconds => Unit::Milliseconds,
        },
        window_seconds: within(
            "window_seconds",
            raw.window_seconds,
            (1, WINDOW_SECONDS_CEILING),
        )?,
        skew_seconds: within("skew_seconds", raw.skew_seconds, (0, SKEW_SECONDS_CEILING))?,
    })
}

/// Whether one message has one text, and what is fresh is covered.
fn check(code: &Code) -> Result<(), SignCodeFault> {
    let count = |wanted: Part| code.parts.iter().filter(|part| **part == wanted).count();
    let others = [Part::Method, Part::Path, Part::Timestamp, Part::Nonce];
    if count(Part::Content) != 1 || others.iter().any(|part| count(*part) > 1) {
        return Err(SignCodeFault::Parts);
    }
    let stamp = code.stamp.as_ref().map(|stamp| &stamp.place);
    let words = [
        ("timestamp", Part::Timestamp, stamp),
        ("nonce", Part::Nonce, code.nonce.as_ref()),
    ];
    for (name, part, place) in words {
        match place {
            None if count(part) > 0 => return Err(SignCodeFault::Absent(name)),
            // A parameter is in the content already.
            Some(Place::Header(_)) if count(part) == 0 => {
                return Err(SignCodeFault::Uncovered(name));
            }
            _ => {}
        }
    }
    if code.nonce.is_some() && code.stamp.is_none() {
        return Err(SignCodeFault::NonceForever);
    }
    let mut places: Vec<&Place> = stamp.into_iter().chain(&code.nonce).collect();
    places.push(&code.place);
    if (1..places.len()).any(|at| places[..at].contains(&places[at])) {
        return Err(SignCodeFault::OnePlace);
    }
    let has = |part: Part| count(part) > 0;
    let targets = has(Part::Method) || has(Part::Path);
    let fits = match code.joiner.as_str() {
        "\n" => true,
        "." | "|" | ":" | "," => !(targets || (code.joiner == "." && has(Part::Nonce))),
        "" => !targets && !has(Part::Nonce),
        _ => false,
    };
    if code.parts.len() == 1 || fits {
        Ok(())
    } else {
        Err(SignCodeFault::Joiner)
    }
}
