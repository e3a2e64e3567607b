//! The recovery file: what a split secret opens, and what each share of it must look like.
//!
//! Text, one spelling; safe to keep beside the vault, for without the shares it opens nothing:
//!
//! ```text
//! jinku-recovery-1
//! set = <set 16 hex>:<threshold>-of-<count>
//! salt = <32 hex>
//! share = <SHA-256 of Binding("jinku/v1 share").field(salt).number(index).field(share)>     one line each
//! secret = <HKDF-SHA-256(secret, info = "jinku/v1 recovery commitment")>
//! root = <hex: the root key, sealed under HKDF-SHA-256(secret, info = "jinku/v1 recovery root")>     or none
//! pin = <hex: the PIN, sealed under HKDF-SHA-256(secret, info = "jinku/v1 recovery pin")>     or none
//! ```
//! Shares and secret have 256 random bits, so that no salted hash of them can be searched.

use std::fmt::Write;

use crate::binding::Binding;
use crate::derive::{self, Recovered, Sealing};
use crate::error::Error;
use crate::scrub::{SHALLOW, scrubbed};
use crate::sealing::{Head, SealingKey};
use crate::secret::{Pin, SecretBytes};
use crate::shares::{Set, Share, ShareError};
use crate::{constant_time_eq, hex, primitives};

const MAGIC: &str = "jinku-recovery-1";
const HEAD: &[u8; 5] = b"JKR1\x01";
const NONE: &str = "none";
const SALT_BYTES: usize = 16;
/// Longest file, in bytes: sixteen shares, a key and a PIN need less than a tenth.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// What the shares of a secret open together.
pub struct RecoveryFile {
    set: Set,
    salt: [u8; SALT_BYTES],
    shares: Vec<[u8; 32]>,
    secret: [u8; 32],
    root: Option<Vec<u8>>,
    pin: Option<Vec<u8>>,
}

impl RecoveryFile {
    /// For all the shares of `secret`, in order; with a root key, an HSM's PIN, or both.
    pub fn new(
        secret: &SecretBytes,
        shares: &[Share],
        root: Option<&SecretBytes>,
        pin: Option<&Pin>,
    ) -> Result<Self, Error> {
        let set = shares.first().ok_or(ShareError::Limits)?.set();
        let whole = shares.len() == usize::from(set.count)
            && (1..)
                .zip(shares)
                .all(|(index, share)| share.index() == index);
        if !whole || shares.iter().any(|share| share.set() != set) {
            return Err(ShareError::Limits.into());
        }
        let mut salt = [0; SALT_BYTES];
        primitives::random(&mut salt)?;
        let seal = |what, bytes: &[u8]| {
            SealingKey::new(
                &*derive::recovered(secret.expose(), what)?,
                Sealing::Recovery,
                Head::new(*HEAD),
            )?
            .seal(&context(set, what), bytes)
        };
        Ok(Self {
            set,
            salt,
            shares: shares
                .iter()
                .map(|share| commitment(&salt, share))
                .collect(),
            secret: *derive::recovered(secret.expose(), Recovered::Commitment)?,
            root: root
                .map(|root| seal(Recovered::Root, root.expose()))
                .transpose()?,
            pin: pin
                .map(|pin| seal(Recovered::Pin, pin.expose().as_bytes()))
                .transpose()?,
        })
    }

    /// Reads the file. Every other spelling of it is refused.
    pub fn parse(text: &str) -> Result<Self, ShareError> {
        let file = Self::read(text).ok_or(ShareError::File)?;
        if file.text() == text {
            Ok(file)
        } else {
            Err(ShareError::File)
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let mut text = String::from(MAGIC);
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = write!(text, "\n{name} = {value}");
        };
        let sealed = |sealed: &Option<Vec<u8>>| {
            sealed
                .as_ref()
                .map_or_else(|| NONE.to_owned(), |sealed| hex::encode(sealed).to_string())
        };
        line("set", &self.set.to_string());
        line("salt", &hex::encode(&self.salt));
        for share in &self.shares {
            line("share", &hex::encode(share));
        }
        line("secret", &hex::encode(&self.secret));
        line("root", &sealed(&self.root));
        line("pin", &sealed(&self.pin));
        text.push('\n');
        text
    }

    /// Which shares open it.
    pub fn set(&self) -> Set {
        self.set
    }

    /// Whether it holds a root key.
    pub fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// Whether it holds a PIN.
    pub fn has_pin(&self) -> bool {
        self.pin.is_some()
    }

    /// Whether a share is the one that was given out.
    pub fn check_share(&self, share: &Share) -> Result<(), ShareError> {
        let index = share.index();
        if share.set() != self.set {
            return Err(ShareError::Foreign { index });
        }
        let known = self.shares.get(usize::from(index) - 1);
        let given = commitment(&self.salt, share);
        if known.is_some_and(|known| constant_time_eq(known, &given)) {
            Ok(())
        } else {
            Err(ShareError::Altered { index })
        }
    }

    /// Whether this is the secret that was split.
    pub fn check_secret(&self, secret: &SecretBytes) -> Result<(), ShareError> {
        let given = derive::recovered(secret.expose(), Recovered::Commitment);
        if given.is_ok_and(|given| constant_time_eq(given.as_slice(), &self.secret)) {
            Ok(())
        } else {
            Err(ShareError::AnotherSecret)
        }
    }

    /// The same file with another PIN, for a token that took the old one's place. The shares stay.
    pub fn with_pin(mut self, secret: &SecretBytes, pin: &Pin) -> Result<Self, Error> {
        self.check_secret(secret)?;
        self.pin = Some(
            SealingKey::new(
                &*derive::recovered(secret.expose(), Recovered::Pin)?,
                Sealing::Recovery,
                Head::new(*HEAD),
            )?
            .seal(&context(self.set, Recovered::Pin), pin.expose().as_bytes())?,
        );
        Ok(self)
    }

    /// The root key, if the file holds one.
    pub fn root(&self, secret: &SecretBytes) -> Result<Option<SecretBytes>, Error> {
        self.opened(secret, Recovered::Root, self.root.as_deref())
    }

    /// The PIN, if the file holds one.
    pub fn pin(&self, secret: &SecretBytes) -> Result<Option<Pin>, Error> {
        let Some(pin) = self.opened(secret, Recovered::Pin, self.pin.as_deref())? else {
            return Ok(None);
        };
        let pin = std::str::from_utf8(pin.expose()).map_err(|_| Error::Unopened)?;
        Ok(Some(Pin::new(pin.to_owned())))
    }

    fn opened(
        &self,
        secret: &SecretBytes,
        what: Recovered,
        sealed: Option<&[u8]>,
    ) -> Result<Option<SecretBytes>, Error> {
        self.check_secret(secret)?;
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        SealingKey::new(
            &*derive::recovered(secret.expose(), what)?,
            Sealing::Recovery,
            Head::new(*HEAD),
        )?
        .open(&context(self.set, what), sealed)
        .map(Some)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > FILE_BYTES_MAX {
            return None;
        }
        let mut lines = text.lines();
        if lines.next() != Some(MAGIC) {
            return None;
        }
        let mut field = |name: &str| {
            let (given, value) = lines.next()?.split_once(" = ")?;
            (given == name).then_some(value)
        };
        let (id, sizes) = field("set")?.split_once(':')?;
        let (threshold, count) = sizes.split_once("-of-")?;
        let id = *hex::decode_array(id)?;
        let set = Set::new(id, threshold.parse().ok()?, count.parse().ok()?).ok()?;
        let salt = *hex::decode_array(field("salt")?)?;
        let shares = (0..set.count)
            .map(|_| Some(*hex::decode_array(field("share")?)?))
            .collect::<Option<_>>()?;
        let secret = *hex::decode_array(field("secret")?)?;
        let mut sealed = |name| match field(name)? {
            NONE => Some(None),
            digits => hex::decode(digits).map(|bytes| Some(bytes.to_vec())),
        };
        let (root, pin) = (sealed("root")?, sealed("pin")?);
        Some(Self {
            set,
            salt,
            shares,
            secret,
            root,
            pin,
        })
    }
}

fn commitment(salt: &[u8; SALT_BYTES], share: &Share) -> [u8; 32] {
    scrubbed::<SHALLOW, _>(|| {
        let message = Binding::new("jinku/v1 share")
            .field(salt)
            .number(share.index().into())
            .field(share.bytes());
        let hash = primitives::sha256(message.as_bytes());
        message.wipe();
        hash
    })
}

fn context(set: Set, what: Recovered) -> Binding {
    Binding::new("jinku/v1 recovery")
        .field(what.label().as_bytes())
        .field(set.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::RecoveryFile;
    use crate::shares::{Collector, Share, ShareError, split};
    use crate::{Error, Pin, SecretBytes};

    struct Ceremony {
        file: RecoveryFile,
        shares: Vec<Share>,
    }

    fn ceremony() -> Ceremony {
        let secret = SecretBytes::new((1..=32).collect());
        let shares = split(&secret, 2, 3).unwrap();
        let root = SecretBytes::new((50..82).collect());
        let pin = Pin::new("12345678".to_owned());
        let file = RecoveryFile::new(&secret, &shares, Some(&root), Some(&pin)).unwrap();
        Ceremony { file, shares }
    }

    fn copy(share: &Share) -> Share {
        Share::parse(&share.line()).unwrap()
    }

    #[test]
    fn enough_shares_open_root_and_pin() {
        let Ceremony { file, shares } = ceremony();
        let file = RecoveryFile::parse(&file.text()).unwrap();
        let mut collector = Collector::of(&file);
        assert_eq!(collector.missing(), 2);
        assert_eq!(collector.take(copy(&shares[2])), Ok(1));
        assert_eq!(collector.take(copy(&shares[0])), Ok(0));
        let secret = collector.combine().unwrap();
        let root = file.root(&secret).unwrap().unwrap();
        assert_eq!(root.expose(), (50..82).collect::<Vec<u8>>());
        assert_eq!(file.pin(&secret).unwrap().unwrap().expose(), "12345678");
    }

    #[test]
    fn what_the_file_does_not_hold_it_does_not_give() {
        let secret = SecretBytes::new((1..=32).collect());
        let shares = split(&secret, 2, 3).unwrap();
        let file = RecoveryFile::new(&secret, &shares, None, None).unwrap();
        let file = RecoveryFile::parse(&file.text()).unwrap();
        assert!(!file.has_root() && !file.has_pin());
        assert!(file.root(&secret).unwrap().is_none());
        assert!(file.pin(&secret).unwrap().is_none());
    }

    #[test]
    fn a_share_that_was_altered_with_its_check_is_named() {
        let Ceremony { file, shares } = ceremony();
        let forged = Share::forged(shares[1].set(), 2, [9; 32]);
        let mut collector = Collector::of(&file);
        let refused = collector.take(copy(&forged));
        assert_eq!(refused, Err(ShareError::Altered { index: 2 }));
        assert_eq!(collector.missing(), 2);
        let theirs = ceremony().shares;
        let refused = collector.take(copy(&theirs[0]));
        assert_eq!(refused, Err(ShareError::Foreign { index: 1 }));
    }

    #[test]
    fn another_secret_opens_nothing() {
        let Ceremony { file, .. } = ceremony();
        let other = SecretBytes::new((2..=33).collect());
        let refused = file.root(&other);
        assert!(matches!(
            refused,
            Err(Error::Share(ShareError::AnotherSecret))
        ));
        assert!(file.pin(&other).is_err());
    }

    #[test]
    fn root_and_pin_do_not_open_in_each_others_place_or_file() {
        let secret = SecretBytes::new((1..=32).collect());
        let Ceremony { file, .. } = ceremony();
        let swapped = RecoveryFile {
            root: file.pin.clone(),
            pin: file.root.clone(),
            ..ceremony().file
        };
        assert!(matches!(swapped.root(&secret), Err(Error::Unopened)));
        assert!(matches!(swapped.pin(&secret), Err(Error::Unopened)));
        let moved = RecoveryFile {
            root: file.root.clone(),
            ..ceremony().file
        };
        assert!(matches!(moved.root(&secret), Err(Error::Unopened)));
    }

    #[test]
    fn a_file_in_another_spelling_is_refused() {
        let text = ceremony().file.text();
        RecoveryFile::parse(&text).unwrap();
        let others = [
            String::new(),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}more = 1\n"),
            text.replace("jinku-recovery-1", "jinku-recovery-2"),
            text.replace('\n', "\r\n"),
            text.replace(" = ", "="),
            text.replace("2-of-3", "02-of-3"),
            text.replace("2-of-3", "2-of-4"),
            text.replace("2-of-3", "1-of-3"),
            text.replacen("salt", "SALT", 1),
            text.to_uppercase(),
            "x".repeat(100_000),
        ];
        for other in others {
            assert!(
                matches!(RecoveryFile::parse(&other), Err(ShareError::File)),
                "{other}"
            );
        }
    }
}
