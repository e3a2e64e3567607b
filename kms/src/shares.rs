//! A secret of 32 bytes, split so that any `threshold` of `count` shares give it back, and fewer tell nothing.
//!
//! Shamir's scheme over GF(256) (crate `vsss-rs`). A share is one line for one person to keep:
//!
//! ```text
//! jinku-share-1:<set 16 hex>:<threshold>-of-<count>:<index>:<share 64 hex>:<check 8 hex>
//! ```
//! The set is random, one for each splitting. The check finds what was mistyped; that it is the share which was
//! given out, only the recovery file knows.

use std::convert::Infallible;
use std::fmt;

use vsss_rs::Gf256;
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::recovery::RecoveryFile;
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;
use crate::{hex, primitives};

/// Fewest shares that give the secret back.
pub const THRESHOLD_MIN: u8 = 2;
/// Most shares.
pub const COUNT_MAX: u8 = 16;
/// Bytes of the secret, and of each share of it.
pub const SECRET_BYTES: usize = 32;

const PREFIX: &str = "jinku-share-1";
const SET_BYTES: usize = 8;
const CHECK_BYTES: usize = 4;

/// Why a share was not taken, or shares gave no secret. None of these holds anything of a share.
#[derive(Debug, thiserror::Error, Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub enum ShareError {
    /// Not one line in the form of a share.
    #[error("this is no share: it must be the whole line that begins with `jinku-share-1:`")]
    Form,
    /// The check does not fit.
    #[error("the share was mistyped: its check does not fit, compare it with the original")]
    Mistyped,
    /// It belongs to another splitting.
    #[error("share {index} belongs to another set: look for the one of this ceremony")]
    Foreign {
        /// Which share of its own set.
        index: u8,
    },
    /// It was given before.
    #[error("share {index} was given already: another one is needed")]
    Duplicate {
        /// Which.
        index: u8,
    },
    /// Its line is whole, but it is not what was given out.
    #[error("share {index} is not the one that was given out: it was altered")]
    Altered {
        /// Which.
        index: u8,
    },
    /// Too few yet.
    #[error("more shares are needed: {missing}")]
    TooFew {
        /// How many.
        missing: u8,
    },
    /// Outside of 2 to 16, or a threshold above the count.
    #[error("a secret is split into 2 to 16 shares, of which 2 or more are needed")]
    Limits,
    /// Not 32 bytes, or one byte repeated.
    #[error("the secret must be 32 random bytes")]
    Secret,
    /// The shares gave another secret than the recovery file was made with.
    #[error("the shares do not give the secret of this recovery file")]
    AnotherSecret,
    /// The recovery file does not read.
    #[error("the recovery file is not in its one spelling: use the file as it was written")]
    File,
}

/// Which splitting a share belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Set {
    pub(crate) id: [u8; SET_BYTES],
    pub(crate) threshold: u8,
    pub(crate) count: u8,
}

impl Set {
    pub(crate) fn new(id: [u8; SET_BYTES], threshold: u8, count: u8) -> Result<Self, ShareError> {
        if THRESHOLD_MIN <= threshold && threshold <= count && count <= COUNT_MAX {
            Ok(Self {
                id,
                threshold,
                count,
            })
        } else {
            Err(ShareError::Limits)
        }
    }

    /// How many shares give the secret back.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// How many there are.
    pub fn count(&self) -> u8 {
        self.count
    }
}

/// `<set>:<threshold>-of-<count>`, as in a share's line.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = hex::encode(&self.id);
        write!(f, "{}:{}-of-{}", *id, self.threshold, self.count)
    }
}

/// One share. Wiped on drop; no `Debug`, no `Clone`.
pub struct Share {
    set: Set,
    index: u8,
    /// On the heap: a value that moves leaves a copy of itself on the stack.
    bytes: SecretBytes,
}

impl Share {
    /// Reads a share's line. White space around it and upper-case digits are forgiven.
    pub fn parse(line: &str) -> Result<Self, ShareError> {
        scrubbed::<SHALLOW, _>(|| Self::read(line))
    }

    fn read(line: &str) -> Result<Self, ShareError> {
        let line = Zeroizing::new(line.trim().to_ascii_lowercase());
        let (body, given) = line.rsplit_once(':').ok_or(ShareError::Form)?;
        let given = hex::decode_array::<CHECK_BYTES>(given).ok_or(ShareError::Form)?;
        let mut fields = body.split(':');
        let mut field = || fields.next().ok_or(ShareError::Form);
        if field()? != PREFIX {
            return Err(ShareError::Form);
        }
        let id = hex::decode_array(field()?).ok_or(ShareError::Form)?;
        let (threshold, count) = field()?.split_once("-of-").ok_or(ShareError::Form)?;
        let index = number(field()?)?;
        let bytes = hex::decode(field()?).ok_or(ShareError::Form)?;
        if bytes.len() != SECRET_BYTES || fields.next().is_some() {
            return Err(ShareError::Form);
        }
        if *given != check(body) {
            return Err(ShareError::Mistyped);
        }
        let set = Set::new(*id, number(threshold)?, number(count)?)?;
        if index == 0 || index > set.count {
            return Err(ShareError::Form);
        }
        let bytes = SecretBytes::new(bytes.to_vec());
        Ok(Self { set, index, bytes })
    }

    /// The share's line. Whoever calls this answers for every copy.
    pub fn line(&self) -> Zeroizing<String> {
        // Nothing of it is left in a smaller buffer that grew.
        let mut line = Zeroizing::new(String::with_capacity(160));
        let bytes = hex::encode(self.bytes.expose());
        for part in [PREFIX, ":", &self.set.to_string(), ":"] {
            line.push_str(part);
        }
        line.push_str(&self.index.to_string());
        line.push(':');
        line.push_str(&bytes);
        let check = hex::encode(&check(&line));
        line.push(':');
        line.push_str(&check);
        line
    }

    /// Which splitting it belongs to.
    pub fn set(&self) -> Set {
        self.set
    }

    /// Which share it is, from 1.
    pub fn index(&self) -> u8 {
        self.index
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.expose()
    }

    #[cfg(test)]
    pub(crate) fn forged(set: Set, index: u8, bytes: [u8; SECRET_BYTES]) -> Self {
        let bytes = SecretBytes::new(bytes.to_vec());
        Self { set, index, bytes }
    }
}

/// Splits a secret of 32 bytes into `count` shares, any `threshold` of which give it back. 2 to 16.
pub fn split(secret: &SecretBytes, threshold: u8, count: u8) -> Result<Vec<Share>, Error> {
    let bytes = secret.expose();
    if bytes.len() != SECRET_BYTES || bytes.windows(2).all(|pair| pair[0] == pair[1]) {
        return Err(ShareError::Secret.into());
    }
    let mut id = [0; SET_BYTES];
    primitives::random(&mut id)?;
    let set = Set::new(id, threshold, count)?;
    let mut random = System { has_failed: false };
    let made = Gf256::split_bytes(threshold.into(), count.into(), bytes, &mut random);
    let made = Zeroizing::new(made.map_err(|_| ShareError::Limits)?);
    if random.has_failed {
        return Err(Error::Random);
    }
    let share = |made: &Vec<u8>| {
        let (index, bytes) = made.split_first().ok_or(ShareError::Limits)?;
        Ok(Share {
            set,
            index: *index,
            bytes: SecretBytes::new(bytes.to_vec()),
        })
    };
    made.iter().map(share).collect()
}

/// Shares, as they are brought one by one.
pub struct Collector<'a> {
    file: Option<&'a RecoveryFile>,
    set: Option<Set>,
    shares: Vec<Share>,
}

impl<'a> Collector<'a> {
    /// Of whatever set the first share is. A share that was altered with its check is not seen.
    pub fn new() -> Self {
        Self {
            file: None,
            set: None,
            shares: Vec::new(),
        }
    }

    /// Of the set that a recovery file was made with, which knows each of its shares.
    pub fn of(file: &'a RecoveryFile) -> Self {
        Self {
            file: Some(file),
            set: Some(file.set()),
            shares: Vec::new(),
        }
    }

    /// Takes a share; how many are missing then. One that is refused changes nothing.
    pub fn take(&mut self, share: Share) -> Result<u8, ShareError> {
        let index = share.index;
        if self.set.is_some_and(|set| set != share.set) {
            return Err(ShareError::Foreign { index });
        }
        if let Some(file) = self.file {
            file.check_share(&share)?;
        }
        if self.shares.iter().any(|known| known.index == index) {
            return Err(ShareError::Duplicate { index });
        }
        self.set = Some(share.set);
        self.shares.push(share);
        Ok(self.missing())
    }

    /// How many are missing; the least possible, before the first one says.
    pub fn missing(&self) -> u8 {
        let needed = self.set.map_or(THRESHOLD_MIN, |set| set.threshold);
        let held = u8::try_from(self.shares.len()).unwrap_or(u8::MAX);
        needed.saturating_sub(held)
    }

    /// The secret. With a recovery file it is checked; without one it is whatever the shares give.
    pub fn combine(self) -> Result<SecretBytes, ShareError> {
        match self.missing() {
            0 => {}
            missing => return Err(ShareError::TooFew { missing }),
        }
        scrubbed::<SHALLOW, _>(|| self.combined())
    }

    fn combined(&self) -> Result<SecretBytes, ShareError> {
        let numbered = |share: &Share| [&[share.index], share.bytes()].concat();
        let numbered: Zeroizing<Vec<Vec<u8>>> =
            Zeroizing::new(self.shares.iter().map(numbered).collect());
        let secret = Gf256::combine_bytes(numbered.as_slice()).map_err(|_| ShareError::Form)?;
        let secret = SecretBytes::new(secret);
        if let Some(file) = self.file {
            file.check_secret(&secret)?;
        }
        Ok(secret)
    }
}

impl Default for Collector<'_> {
    fn default() -> Self {
        Self::new()
    }
}

fn check(body: &str) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    let hash = primitives::sha256(body.as_bytes());
    check.copy_from_slice(&hash[..CHECK_BYTES]);
    check
}

/// One to three digits, no leading zero.
fn number(text: &str) -> Result<u8, ShareError> {
    let number: u8 = text.parse().map_err(|_| ShareError::Form)?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(ShareError::Form)
    }
}

/// The system's random numbers for a crate that expects them never to fail.
struct System {
    has_failed: bool,
}

impl rand_core::TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = Zeroizing::new([0; 4]);
        self.try_fill_bytes(bytes.as_mut())?;
        Ok(u32::from_ne_bytes(*bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = Zeroizing::new([0; 8]);
        self.try_fill_bytes(bytes.as_mut())?;
        Ok(u64::from_ne_bytes(*bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        if primitives::random(out).is_err() {
            // What is made of this is thrown away.
            self.has_failed = true;
            out.zeroize();
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for System {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Collector, Share, ShareError, split};
    use crate::{Error, SecretBytes, random_bytes};

    fn refused(line: &str) -> ShareError {
        Share::parse(line).err().unwrap()
    }

    fn secret() -> SecretBytes {
        SecretBytes::new((1..=32).collect())
    }

    #[test]
    fn every_choice_of_enough_shares_gives_the_secret_back() {
        for (threshold, count) in [(2, 2), (2, 3), (3, 5), (5, 5)] {
            for chosen in 0_u32..1 << count {
                let shares = split(&secret(), threshold, count).unwrap();
                let mut collector = Collector::new();
                for share in shares {
                    if chosen & (1 << (share.index() - 1)) != 0 {
                        collector.take(share).unwrap();
                    }
                }
                let combined = collector.combine();
                if chosen.count_ones() >= threshold.into() {
                    assert_eq!(combined.unwrap().expose(), secret().expose());
                } else {
                    assert!(matches!(combined, Err(ShareError::TooFew { .. })));
                }
            }
        }
    }

    #[test]
    fn the_collector_says_how_many_are_missing() {
        let mut collector = Collector::new();
        let shares = split(&secret(), 3, 4).unwrap();
        let missing: Vec<u8> = shares
            .into_iter()
            .map(|share| collector.take(share).unwrap())
            .collect();
        assert_eq!(missing, [2, 1, 0, 0]);
    }

    #[test]
    fn a_foreign_share_and_a_second_copy_are_named() {
        let (ours, theirs) = (
            split(&secret(), 2, 3).unwrap(),
            split(&secret(), 2, 3).unwrap(),
        );
        let mut collector = Collector::new();
        let copy = Share::parse(&ours[0].line()).unwrap();
        collector.take(copy).unwrap();
        let mut take = |share: &Share| collector.take(Share::parse(&share.line()).unwrap());
        assert_eq!(take(&ours[0]), Err(ShareError::Duplicate { index: 1 }));
        assert_eq!(take(&theirs[1]), Err(ShareError::Foreign { index: 2 }));
        assert_eq!(take(&ours[1]), Ok(0));
    }

    #[test]
    fn every_single_mistyped_character_is_found() {
        let line = split(&secret(), 2, 3).unwrap().remove(1).line();
        for place in 0..line.len() {
            for typed in ["0", "1", "f", "x", ":", "é", ""] {
                let mut other = line.to_string();
                other.replace_range(place..=place, typed);
                if other != *line {
                    let error = refused(&other);
                    let known = matches!(error, ShareError::Form | ShareError::Mistyped);
                    assert!(known, "{place}: {error}");
                }
            }
        }
        assert_eq!(refused(""), ShareError::Form);
        assert_eq!(refused(&format!("{}:00", *line)), ShareError::Form);
    }

    #[test]
    fn white_space_and_upper_case_are_forgiven() {
        let line = split(&secret(), 2, 3).unwrap().remove(1).line();
        let typed = format!("  {}\r\n", line.to_ascii_uppercase());
        assert_eq!(*Share::parse(&typed).unwrap().line(), *line);
    }

    #[test]
    fn the_limits_hold() {
        for (threshold, count) in [(0, 0), (1, 1), (1, 5), (3, 2), (2, 17), (17, 17), (0, 5)] {
            let refused = split(&secret(), threshold, count);
            assert!(matches!(refused, Err(Error::Share(ShareError::Limits))));
        }
        assert_eq!(split(&secret(), 16, 16).unwrap().len(), 16);
        for length in [0, 16, 31, 33] {
            let refused = split(&random_bytes(length).unwrap(), 2, 3);
            assert!(matches!(refused, Err(Error::Share(ShareError::Secret))));
        }
    }

    #[test]
    fn a_share_is_as_random_as_the_scheme_demands() {
        // Of 2 shares with threshold 2, each byte of one alone must take every value over many splittings.
        let mut seen = [false; 256];
        for _ in 0..200 {
            let shares = split(&secret(), 2, 2).unwrap();
            shares[0]
                .bytes()
                .iter()
                .for_each(|byte| seen[usize::from(*byte)] = true);
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    proptest! {
        #[test]
        fn a_line_reads_back(secret: [u8; 32]) {
            prop_assume!(secret.windows(2).any(|pair| pair[0] != pair[1]));
            for share in split(&SecretBytes::new(secret.to_vec()), 3, 16).unwrap() {
                let again = Share::parse(&share.line()).unwrap();
                prop_assert_eq!(again.bytes(), share.bytes());
                prop_assert_eq!((again.set(), again.index()), (share.set(), share.index()));
            }
        }

        #[test]
        fn no_line_makes_the_reader_stumble(line: String) {
            prop_assert!(Share::parse(&line).is_err());
        }
    }
}
