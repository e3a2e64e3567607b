//! How many tokens a format has, and how much of that is used: counted, said, warned of.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::{ClassName, DomainName, SpaceShares};

/// A number of tokens: exact while it fits into 128 bits, and its logarithm always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Space {
    tokens: Option<u128>,
    bits: f64,
}

impl Space {
    /// So many tokens.
    pub(super) fn of(tokens: u128) -> Self {
        Self {
            tokens: Some(tokens),
            bits: log2(tokens),
        }
    }

    /// 2 to the power of `bits`.
    pub(super) fn of_bits(bits: u8) -> Self {
        Self {
            tokens: 1_u128.checked_shl(u32::from(bits)),
            bits: f64::from(bits),
        }
    }

    /// Each token followed by one of `choices`.
    pub(super) fn times(self, choices: u128) -> Self {
        Self {
            tokens: self.tokens.and_then(|tokens| tokens.checked_mul(choices)),
            bits: self.bits + log2(choices),
        }
    }

    /// [`Self::times`], `count` times over.
    pub(super) fn times_each(self, choices: u128, count: usize) -> Self {
        (0..count).fold(self, |space, _| space.times(choices))
    }

    /// Without so many of them. A number that does not fit into 128 bits loses too little to see.
    pub(super) fn without(self, tokens: u128) -> Self {
        match self.tokens {
            Some(all) => Self::of(all.saturating_sub(tokens)),
            None => self,
        }
    }

    /// How many tokens; `None` for 2^128 and more.
    pub fn tokens(&self) -> Option<u128> {
        self.tokens
    }

    /// The number as a power of two.
    pub fn bits(&self) -> f64 {
        self.bits
    }

    /// The number in words, of things other than tokens too.
    pub fn counted(&self, things: &str) -> String {
        match self.tokens {
            Some(number) if number < 1_000_000_000_000_000 => {
                format!("{} {things} ({:.1} bits)", grouped(number), self.bits)
            }
            _ => format!("2^{:.1} {things}", self.bits),
        }
    }

    pub(super) fn is_at_least(&self, tokens: u128) -> bool {
        self.tokens.is_none_or(|own| own >= tokens)
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.counted("tokens"))
    }
}

/// A number with commas between its thousands.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a logarithm to 15 digits is enough"
)]
fn log2(number: u128) -> f64 {
    (number as f64).log2()
}

/// How much of a space is used.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pressure {
    /// Less than the class's `warn_percent`.
    Roomy,
    /// From `warn_percent` on: warn, and keep issuing.
    Tight,
    /// From `full_percent` on: issue no more.
    Full,
}

/// What `used` tokens of a class's `space` mean by its shares.
pub fn pressure(used: u64, space: &Space, shares: SpaceShares) -> Pressure {
    let reaches = |percent: u8| {
        // Used 2^64 at the most: a space that 128 bits don't hold is never used up.
        space.tokens.is_some_and(|tokens| {
            u128::from(used) * 100 >= tokens.saturating_mul(u128::from(percent))
        })
    };
    if reaches(shares.full_percent) {
        Pressure::Full
    } else if reaches(shares.warn_percent) {
        Pressure::Tight
    } else {
        Pressure::Roomy
    }
}

/// Draws of a class before its share is judged: of fewer, chance says more.
const WINDOW_DRAWS_MIN: u64 = 256;
/// Draws after which old ones count half.
const WINDOW_DRAWS_MAX: u64 = 4_096;

/// Watches how often draws meet tokens that stand already: that is the share of the space in use.
///
/// It needs no count of the store's rows, and sees groups of a space too (card tokens with the same
/// ends). Shared by all requests; starts anew with the vault.
#[derive(Debug, Default)]
pub struct SpaceWatch {
    windows: Mutex<HashMap<(DomainName, ClassName), Window>>,
    /// Whose share was reached and of whom nobody was told yet.
    risen: Mutex<BTreeSet<(DomainName, ClassName)>>,
    warnings: AtomicU64,
    refusals: AtomicU64,
}

#[derive(Debug, Default)]
struct Window {
    draws: u64,
    met: u64,
    warned: bool,
}

impl Window {
    fn percent(&self) -> Option<u64> {
        (self.draws >= WINDOW_DRAWS_MIN).then(|| self.met * 100 / self.draws)
    }
}

impl SpaceWatch {
    /// Notes the draws of one token: `met` of them stood already. Warns where the class's share is reached.
    pub fn note(
        &self,
        domain: &DomainName,
        class: &ClassName,
        shares: SpaceShares,
        met: u32,
    ) -> Pressure {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry((domain.clone(), class.clone())).or_default();
        window.draws += u64::from(met) + 1;
        window.met += u64::from(met);
        if window.draws > WINDOW_DRAWS_MAX {
            window.draws /= 2;
            window.met /= 2;
        }
        if window.draws < WINDOW_DRAWS_MIN {
            return Pressure::Roomy;
        }
        let found = pressure(window.met, &Space::of(u128::from(window.draws)), shares);
        let rose = found > Pressure::Roomy && !window.warned;
        // Armed again when half of the share is free: at its edge, chance would warn over and over.
        let half = window.met * 200 < window.draws * u64::from(shares.warn_percent);
        window.warned = rose || (window.warned && !half);
        if rose {
            self.warnings.fetch_add(1, Ordering::Relaxed);
            let mut risen = self.risen.lock().unwrap_or_else(PoisonError::into_inner);
            risen.insert((domain.clone(), class.clone()));
            tracing::warn!(
                %domain,
                %class,
                percent = window.met * 100 / window.draws,
                "the free space of a class's token format is used up beyond its share: give the \
                class another format"
            );
        }
        found
    }

    /// Notes that no free token could be drawn.
    pub fn refused(&self, domain: &DomainName, class: &ClassName) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%domain, %class, "a class's token format has no free token left to draw");
    }

    /// Classes whose share was reached since this was last asked.
    pub fn take_risen(&self) -> BTreeSet<(DomainName, ClassName)> {
        let mut risen = self.risen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut risen)
    }

    /// How often a class's share was reached since the start.
    pub fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Relaxed)
    }

    /// How often no free token could be drawn since the start.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// The share of a class's space in use, in percent; `None` before enough was drawn.
    pub fn percent(&self, domain: &DomainName, class: &ClassName) -> Option<u64> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&(domain.clone(), class.clone()))?;
        window.percent()
    }

    /// The same, of all classes of which enough was drawn.
    pub fn percents(&self) -> Vec<(DomainName, ClassName, u64)> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let percents = windows.iter().filter_map(|((domain, class), window)| {
            Some((domain.clone(), class.clone(), window.percent()?))
        });
        percents.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: SpaceShares = SpaceShares {
        warn_percent: 50,
        full_percent: 80,
    };

    #[test]
    fn a_space_is_exact_while_it_can_be_and_says_its_bits() {
        let ids = Space::of(26).times(6).times_each(10, 7).times(9);
        assert_eq!(ids.tokens(), Some(14_040_000_000));
        assert_eq!(ids.to_string(), "14,040,000,000 tokens (33.7 bits)");
        assert_eq!(Space::of(900).to_string(), "900 tokens (9.8 bits)");
        let opaque = Space::of_bits(128);
        assert_eq!(opaque.tokens(), None);
        assert_eq!(opaque.to_string(), "2^128.0 tokens");
        assert!(opaque.is_at_least(u128::MAX) && !Space::of(5).is_at_least(6));
        assert!((Space::of(1).times_each(36, 40).bits() - 36_f64.log2() * 40.0).abs() < 1e-9);
        assert_eq!(Space::of(10).without(4).tokens(), Some(6));
        assert_eq!(Space::of(1).without(4).tokens(), Some(0));
    }

    #[test]
    fn pressure_changes_at_the_shares_and_not_before() {
        let space = Space::of(1_000);
        for (used, expected) in [
            (0, Pressure::Roomy),
            (499, Pressure::Roomy),
            (500, Pressure::Tight),
            (799, Pressure::Tight),
            (800, Pressure::Full),
            (u64::MAX, Pressure::Full),
        ] {
            assert_eq!(pressure(used, &space, SHARES), expected, "{used}");
        }
        assert_eq!(
            pressure(u64::MAX, &Space::of_bits(128), SHARES),
            Pressure::Roomy
        );
        assert_eq!(pressure(0, &Space::of(0), SHARES), Pressure::Full);
    }

    #[test]
    fn the_watch_warns_once_when_draws_meet_too_often_and_again_after_room_was_made() {
        let (domain, class) = (
            DomainName::parse("city").unwrap(),
            ClassName::parse("plate").unwrap(),
        );
        let (watch, other) = (SpaceWatch::default(), ClassName::parse("other").unwrap());
        let note = |met, times| {
            (0..times).fold(Pressure::Roomy, |_, _| {
                watch.note(&domain, &class, SHARES, met)
            })
        };
        assert_eq!(note(0, 255), Pressure::Roomy);
        assert_eq!(watch.percent(&domain, &class), None);
        assert_eq!(note(0, 1), Pressure::Roomy);
        assert_eq!(
            (watch.percent(&domain, &class), watch.warnings()),
            (Some(0), 0)
        );
        assert_eq!(note(2, 2_000), Pressure::Tight);
        assert_eq!(watch.warnings(), 1);
        assert_eq!(note(9, 2_000), Pressure::Full);
        // A little under the share, and over it again: the same warning still stands.
        assert!(
            (0..2_000).any(|_| note(0, 1) == Pressure::Roomy && note(2, 900) == Pressure::Tight)
        );
        assert_eq!(watch.warnings(), 1);
        assert_eq!(note(0, 20_000), Pressure::Roomy);
        assert_eq!(note(2, 5_000), Pressure::Tight);
        assert_eq!((watch.warnings(), watch.refusals()), (2, 0));
        watch.refused(&domain, &class);
        assert_eq!(
            (watch.refusals(), watch.percent(&domain, &other)),
            (1, None)
        );
    }
}
