//! The token file's text: six lines, where line 4 (the private objects) authenticates lines 1 to 3,
//! and line 6 is a checksum over all, so that damage shows before any PIN is known.

use cryptoki_sys::CK_SLOT_ID;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::hash::{self, Hash};
use super::object::Objects;
use super::pin::{self, Binding, Envelope, Kdf, Master, Role};
use super::{crypto, hex};
use crate::error::{Error, Result};

const MAGIC: &str = "jinku-hsm token 1";

/// Wrong tries that a PIN has before it locks.
pub(crate) const TRIES_MAX: u8 = 10;

/// Who the token is, and the envelopes of its master key. Authenticated with the private objects.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) slot: CK_SLOT_ID,
    pub(crate) serial: String,
    pub(crate) label: String,
    pub(crate) next_object: u64,
    /// Under which the counter file is authenticated. It is in clear: it binds, and hides nothing.
    #[serde(with = "hex")]
    counter_key: Zeroizing<Vec<u8>>,
    kdf: Kdf,
    so: Envelope,
    user: Option<Envelope>,
}

/// Tries left. They change when no key is known, so only the checksum covers them; the counter file
/// has them too, and the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tries {
    pub(crate) so: u8,
    pub(crate) user: u8,
    /// How often they changed.
    pub(crate) count: u64,
}

/// A token as it is stored.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) public: Objects,
    pub(crate) tries: Tries,
    /// Lines 1 to 3 just as they are stored.
    authenticated: Vec<u8>,
    sealed: Vec<u8>,
}

impl Header {
    /// A new token's header. `serial` is 16 hexadecimal digits.
    pub(crate) fn new(
        slot: CK_SLOT_ID,
        serial: String,
        label: String,
        so_pin: &[u8],
        master: &Master,
    ) -> Result<Self> {
        let kdf = Kdf::STANDARD;
        let binding = Binding {
            role: Role::SecurityOfficer,
            serial: &serial,
            kdf,
        };
        let so = Envelope::close(so_pin, master, &binding)?;
        Ok(Self {
            slot,
            serial,
            label,
            next_object: 1,
            counter_key: Zeroizing::new(crypto::random_bytes::<32>()?.to_vec()),
            kdf,
            so,
            user: None,
        })
    }

    pub(crate) fn has_user_pin(&self) -> bool {
        self.user.is_some()
    }

    /// Puts the master key into a new envelope.
    pub(crate) fn set_pin(&mut self, role: Role, pin: &[u8], master: &Master) -> Result<()> {
        let envelope = Envelope::close(pin, master, &self.binding(role))?;
        match role {
            Role::SecurityOfficer => self.so = envelope,
            Role::User => self.user = Some(envelope),
        }
        Ok(())
    }

    /// Whether this is the same token with the same PIN of this role.
    pub(super) fn is_same(&self, other: &Self, role: Role) -> bool {
        let salt = |header: &Self| header.envelope(role).map(|one| one.salt().to_vec());
        self.serial == other.serial && salt(self) == salt(other)
    }

    pub(super) fn counter_key(&self) -> &[u8] {
        &self.counter_key
    }

    fn binding(&self, role: Role) -> Binding<'_> {
        Binding {
            role,
            serial: &self.serial,
            kdf: self.kdf,
        }
    }

    fn envelope(&self, role: Role) -> Result<&Envelope> {
        match role {
            Role::SecurityOfficer => Ok(&self.so),
            Role::User => self.user.as_ref().ok_or(Error::UserPinNotInitialized),
        }
    }
}

impl Record {
    /// Closes a token's contents; the AAD is the header and the public objects as stored.
    pub(crate) fn seal(
        header: Header,
        public: Objects,
        private: &Objects,
        master: &Master,
        tries: Tries,
    ) -> Result<Self> {
        let mut authenticated = format!("{MAGIC}\n").into_bytes();
        for line in [to_json(&header)?, to_json(&public)?] {
            authenticated.extend_from_slice(&line);
            authenticated.push(b'\n');
        }
        let plaintext = to_json_of_objects(private)?;
        let sealed = pin::seal(master.bytes(), &authenticated, &plaintext)?;
        Ok(Self {
            header,
            public,
            tries,
            authenticated,
            sealed,
        })
    }

    /// The private objects, or [`Error::DeviceError`] if any authenticated byte was altered.
    pub(crate) fn open(&self, master: &Master) -> Result<Objects> {
        let plaintext = pin::open(master.bytes(), &self.authenticated, &self.sealed)
            .map_err(|_| Error::DeviceError)?;
        serde_json::from_slice(&plaintext).map_err(|_| Error::DeviceError)
    }

    /// The master key, if the PIN is right. Counts nothing: the caller did, and stored it.
    pub(crate) fn unlock(&self, role: Role, pin: &[u8]) -> Result<Master> {
        self.header
            .envelope(role)?
            .open(pin, &self.header.binding(role))
    }

    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = self.authenticated.clone();
        bytes.extend_from_slice(hex::encode(&self.sealed).as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(&to_json(&self.tries)?);
        bytes.push(b'\n');
        let sum = hash::digest(Hash::Sha256, &bytes);
        bytes.extend_from_slice(hex::encode(&sum).as_bytes());
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file's bytes; any damage is [`Error::DeviceError`].
    pub(crate) fn from_bytes(slot: CK_SLOT_ID, bytes: &[u8]) -> Result<Self> {
        let record = Self::parse(bytes).ok_or(Error::DeviceError)?;
        let is_sane = record.header.slot == slot && record.header.kdf.is_sane();
        if is_sane {
            Ok(record)
        } else {
            Err(Error::DeviceError)
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (summed, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let (summed, sum) = (text.get(..=summed.len())?, hex::decode(sum)?);
        if *hash::digest(Hash::Sha256, summed.as_bytes()) != **sum {
            return None;
        }
        let lines: Vec<&str> = summed.split_terminator('\n').collect();
        let [magic, header, public, sealed, tries] = lines.try_into().ok()?;
        if magic != MAGIC {
            return None;
        }
        let authenticated = text.get(..magic.len() + header.len() + public.len() + 3)?;
        Some(Self {
            header: serde_json::from_str(header).ok()?,
            public: serde_json::from_str(public).ok()?,
            tries: serde_json::from_str(tries).ok()?,
            authenticated: authenticated.as_bytes().to_vec(),
            sealed: hex::decode(sealed)?.to_vec(),
        })
    }
}

impl Tries {
    pub(crate) const FULL: Self = Self {
        so: TRIES_MAX,
        user: TRIES_MAX,
        count: 0,
    };

    pub(crate) fn left(self, role: Role) -> u8 {
        match role {
            Role::SecurityOfficer => self.so,
            Role::User => self.user,
        }
    }

    pub(crate) fn set(&mut self, role: Role, left: u8) {
        self.count += 1;
        match role {
            Role::SecurityOfficer => self.so = left,
            Role::User => self.user = left,
        }
    }
}

fn to_json<T: Serialize>(part: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(part).map_err(|_| Error::DeviceError)
}

/// Key material is written into a buffer that never grows: growing would leave unwiped copies.
fn to_json_of_objects(objects: &Objects) -> Result<Zeroizing<Vec<u8>>> {
    let room = objects
        .values()
        .map(|object| 64 + object.size_bytes() * 6)
        .sum::<usize>();
    let mut plaintext = Zeroizing::new(Vec::with_capacity(64 + room));
    serde_json::to_writer(&mut *plaintext, objects).map_err(|_| Error::DeviceError)?;
    Ok(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(master: &Master) -> Record {
        let header = Header::new(
            7,
            "00ff".to_owned(),
            "label".to_owned(),
            b"12345678",
            master,
        )
        .unwrap();
        Record::seal(header, Objects::new(), &Objects::new(), master, Tries::FULL).unwrap()
    }

    #[test]
    fn a_record_survives_the_way_there_and_back() {
        let master = Master::draw().unwrap();
        let bytes = record(&master).to_bytes().unwrap();
        let back = Record::from_bytes(7, &bytes).unwrap();
        assert!(back.open(&master).unwrap().is_empty());
        assert_eq!(back.to_bytes().unwrap(), bytes);
        assert_eq!(
            Record::from_bytes(8, &bytes).err(),
            Some(Error::DeviceError)
        );
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let bytes = record(&Master::draw().unwrap()).to_bytes().unwrap();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(Record::from_bytes(7, &damaged).is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_forged_header_with_a_right_checksum_does_not_open() {
        let master = Master::draw().unwrap();
        let mut forged = record(&master);
        let text = String::from_utf8(forged.authenticated.clone()).unwrap();
        forged.authenticated = text
            .replace("label\":\"label", "label\":\"other")
            .into_bytes();
        let forged = Record::from_bytes(7, &forged.to_bytes().unwrap()).unwrap();
        assert_eq!(forged.header.label, "other");
        assert_eq!(forged.open(&master).err(), Some(Error::DeviceError));
    }

    #[test]
    fn a_file_that_makes_guessing_cheap_is_refused() {
        let mut forged = record(&Master::draw().unwrap());
        let text = String::from_utf8(forged.authenticated.clone()).unwrap();
        forged.authenticated = text.replace("\"passes\":2", "\"passes\":1").into_bytes();
        let refused = Record::from_bytes(7, &forged.to_bytes().unwrap());
        assert_eq!(refused.err(), Some(Error::DeviceError));
    }
}
