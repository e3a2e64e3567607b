//! How a class's tokens live: whether a value gets the same one again, for how long, for how many uses.

use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::clock::Timestamp;

/// Whether the same value gets the same token, within a domain and class.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Repeatability {
    /// A new token each time.
    #[default]
    Random,
    /// The same token for the same value, found by a keyed blind index. It outlives rotations of keys.
    Repeatable,
    /// A new token each time, and without its text the row does not open: database, shred keys and HSM together
    /// give nothing back.
    Bound,
}

/// How long a class's tokens serve, and how often.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Lifetimes {
    /// Seconds that a token serves where the caller says nothing; `None`: without end.
    pub ttl_seconds: Option<u64>,
    /// The most seconds that a caller may ask for; where it is set, no token is without end.
    pub ttl_max_seconds: Option<u64>,
    /// How often a token shows its value where the caller says nothing; `None`: without end.
    pub uses: Option<u32>,
}

/// Why a class's lifetimes, or what a caller asks for, can't be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LifeFault {
    /// Out of range, or the default is above the maximum.
    #[error("a token's time is 1 to {max} seconds here")]
    Ttl {
        /// The most seconds.
        max: u64,
    },
    /// Out of range.
    #[error("a token's uses are 1 to {} here", Lifetimes::USES_MAX)]
    Uses,
    /// The same token is given for every equal value: a count of uses would be shared among strangers.
    #[error(
        "repeatable tokens have no limited uses: let the class's tokens be `random` or `bound`"
    )]
    UsesOfRepeatable,
}

impl Lifetimes {
    /// Longest time to live, in seconds: a hundred years.
    pub const TTL_SECONDS_MAX: u64 = 100 * 366 * 24 * 3_600;
    /// Most uses that can be counted.
    pub const USES_MAX: u32 = 1_000_000;

    /// Whether they make sense for tokens of this repeatability.
    pub fn check(&self, repeatability: Repeatability) -> Result<(), LifeFault> {
        let max = self.ttl_max();
        if max == 0 || max > Self::TTL_SECONDS_MAX {
            let max = Self::TTL_SECONDS_MAX;
            return Err(LifeFault::Ttl { max });
        }
        self.life(None, None, repeatability, Timestamp(0)).map(drop)
    }

    /// The life of a token that is issued now, with what the caller asks for.
    pub fn life(
        &self,
        ttl_seconds: Option<u64>,
        uses: Option<u32>,
        repeatability: Repeatability,
        now: Timestamp,
    ) -> Result<Life, LifeFault> {
        let max = self.ttl_max();
        let ttl = ttl_seconds.or(self.ttl_seconds).or(self.ttl_max_seconds);
        if ttl.is_some_and(|ttl| ttl == 0 || ttl > max) {
            return Err(LifeFault::Ttl { max });
        }
        let uses = uses.or(self.uses);
        match (uses, repeatability) {
            (Some(0), _) => return Err(LifeFault::Uses),
            (Some(uses), _) if uses > Self::USES_MAX => return Err(LifeFault::Uses),
            (Some(_), Repeatability::Repeatable) => return Err(LifeFault::UsesOfRepeatable),
            _ => {}
        }
        Ok(Life {
            disabled: false,
            expires: ttl.map(|ttl| now.after(Duration::from_secs(ttl))),
            uses_left: uses,
        })
    }

    /// The life of a token that goes on under these lifetimes: as it was, no longer than the maximum from now,
    /// or what is asked for anew.
    pub fn kept(
        &self,
        life: Life,
        (ttl_seconds, uses): (Option<u64>, Option<u32>),
        repeatability: Repeatability,
        now: Timestamp,
    ) -> Result<Life, LifeFault> {
        let fresh = self.life(ttl_seconds, uses, repeatability, now)?;
        let most = |max: u64| now.after(Duration::from_secs(max));
        let most = self.ttl_max_seconds.map(most);
        let within = match (life.expires, most) {
            (Some(expires), Some(most)) => Some(expires.min(most)),
            (expires, most) => expires.or(most),
        };
        let uses_left = uses.map_or(life.uses_left, |_| fresh.uses_left);
        if uses_left.is_some() && repeatability == Repeatability::Repeatable {
            return Err(LifeFault::UsesOfRepeatable);
        }
        Ok(Life {
            disabled: life.disabled,
            expires: ttl_seconds.map_or(within, |_| fresh.expires),
            uses_left,
        })
    }

    fn ttl_max(&self) -> u64 {
        self.ttl_max_seconds.unwrap_or(Self::TTL_SECONDS_MAX)
    }
}

/// How one token lives.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Life {
    /// Switched off, until someone switches it on.
    pub disabled: bool,
    /// First instant at which it serves no longer.
    pub expires: Option<Timestamp>,
    /// How often it still shows its value.
    pub uses_left: Option<u32>,
}

impl Life {
    /// Whether it serves at this instant.
    pub fn serves(&self, now: Timestamp) -> bool {
        !self.disabled && !self.is_over(now) && self.uses_left != Some(0)
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// Whom a value is about, in the caller's words: a number of a register, a customer's code. It is stored and
/// recorded as a keyed hash only. No `Debug`, `Display`, `Clone`.
pub struct Subject(Zeroizing<String>);

/// Why a subject was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a subject is 1 to {} bytes of text", Subject::BYTES_MAX)]
pub struct InvalidSubject;

impl Subject {
    /// Longest, in bytes.
    pub const BYTES_MAX: usize = 256;

    /// Takes a subject over, as it is: two spellings are two subjects.
    pub fn parse(text: String) -> Result<Self, InvalidSubject> {
        let text = Zeroizing::new(text);
        if text.is_empty() || text.len() > Self::BYTES_MAX {
            return Err(InvalidSubject);
        }
        Ok(Self(text))
    }

    /// Its text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn random(
        lifetimes: Lifetimes,
        ttl: Option<u64>,
        uses: Option<u32>,
    ) -> Result<Life, LifeFault> {
        lifetimes.life(ttl, uses, Repeatability::Random, NOW)
    }

    #[test]
    fn what_the_caller_asks_for_comes_before_the_class_s_word_and_within_its_maximum() {
        let lifetimes = Lifetimes {
            ttl_seconds: Some(10),
            ttl_max_seconds: Some(20),
            uses: Some(3),
        };
        let life = random(lifetimes, None, None).unwrap();
        assert_eq!(life.expires, Some(Timestamp(11_000_000)));
        assert_eq!(life.uses_left, Some(3));
        let life = random(lifetimes, Some(20), Some(1)).unwrap();
        assert_eq!(life.expires, Some(Timestamp(21_000_000)));
        assert_eq!(life.uses_left, Some(1));
        for ttl in [0, 21, u64::MAX] {
            let refused = random(lifetimes, Some(ttl), None);
            assert_eq!(refused, Err(LifeFault::Ttl { max: 20 }));
        }
    }

    #[test]
    fn a_maximum_alone_ends_every_token() {
        let lifetimes = Lifetimes {
            ttl_max_seconds: Some(20),
            ..Lifetimes::default()
        };
        let life = random(lifetimes, None, None).unwrap();
        assert_eq!(life.expires, Some(Timestamp(21_000_000)));
        assert_eq!(
            random(Lifetimes::default(), None, None),
            Ok(Life::default())
        );
    }

    #[test]
    fn a_token_that_goes_on_keeps_its_life_within_the_maximum() {
        let lifetimes = Lifetimes {
            ttl_max_seconds: Some(20),
            ..Lifetimes::default()
        };
        let kept =
            |life, ttl, uses, repeatability| lifetimes.kept(life, (ttl, uses), repeatability, NOW);
        let random = Repeatability::Random;
        let life = Life {
            disabled: true,
            expires: Some(Timestamp(5_000_000)),
            uses_left: Some(3),
        };
        assert_eq!(kept(life, None, None, random), Ok(life));
        let long = Life {
            expires: None,
            ..life
        };
        let most = Some(Timestamp(21_000_000));
        assert_eq!(kept(long, None, None, random).unwrap().expires, most);
        let anew = kept(life, Some(10), Some(9), random).unwrap();
        assert_eq!(anew.expires, Some(Timestamp(11_000_000)));
        assert_eq!((anew.uses_left, anew.disabled), (Some(9), true));
        assert!(kept(life, Some(21), None, random).is_err());
        let counted = kept(life, None, None, Repeatability::Repeatable);
        assert_eq!(counted, Err(LifeFault::UsesOfRepeatable));
    }

    #[test]
    fn uses_are_counted_within_bounds_and_not_for_repeatable_tokens() {
        let none = Lifetimes::default();
        for uses in [0, Lifetimes::USES_MAX + 1] {
            assert_eq!(random(none, None, Some(uses)), Err(LifeFault::Uses));
        }
        let repeatable = none.life(None, Some(1), Repeatability::Repeatable, NOW);
        assert_eq!(repeatable, Err(LifeFault::UsesOfRepeatable));
        assert!(none.life(None, Some(1), Repeatability::Bound, NOW).is_ok());
    }

    #[test]
    fn a_token_serves_until_its_instant_and_its_last_use() {
        let mut life = Life {
            expires: Some(NOW),
            ..Life::default()
        };
        assert!(life.serves(Timestamp(NOW.0 - 1)));
        assert!(!life.serves(NOW));
        life = Life {
            uses_left: Some(1),
            ..Life::default()
        };
        assert!(life.serves(NOW));
        life.uses_left = Some(0);
        assert!(!life.serves(NOW));
        life = Life {
            disabled: true,
            ..Life::default()
        };
        assert!(!life.serves(NOW));
    }

    #[test]
    fn a_class_s_lifetimes_make_sense() {
        let check = |ttl_seconds, ttl_max_seconds, uses, repeatability| {
            let lifetimes = Lifetimes {
                ttl_seconds,
                ttl_max_seconds,
                uses,
            };
            lifetimes.check(repeatability)
        };
        let random = Repeatability::Random;
        assert!(check(Some(5), Some(5), Some(1), random).is_ok());
        assert!(check(Some(6), Some(5), None, random).is_err());
        assert!(check(None, Some(0), None, random).is_err());
        assert!(check(None, Some(Lifetimes::TTL_SECONDS_MAX + 1), None, random).is_err());
        assert!(check(None, None, Some(1), Repeatability::Repeatable).is_err());
    }

    #[test]
    fn a_subject_has_a_length() {
        assert!(Subject::parse(String::new()).is_err());
        assert!(Subject::parse("a".repeat(256)).is_ok());
        assert!(Subject::parse("a".repeat(257)).is_err());
    }
}
