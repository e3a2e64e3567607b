//! The vault's own keys: made once, wrapped by the HSM, opened at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use kms::{AeadKeyring, Binding, Envelope, KeyId, LockState, MacKey, Usage, WrappedKey};
use ledger::{Facts, Operation, Outcome};

use crate::commit::{Committer, NotDurable, Record, Withheld};
use crate::model::{Catalogue, Clock, DomainName, Plaintext, TokenText};
use crate::seal;
use crate::store::{BlindIndex, Change, Fingerprint, KeyRow, Reader, StoreError, TokenRow};

/// Hashes tokens for the ledger, in its first epoch.
const PSEUDONYM_KEY: &str = "pseudonym.1";

/// Length of the decoy's value: about that of a name or an identifier.
const DECOY_CHARACTERS: usize = 16;

/// Why the keys could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key service or the HSM refused.
    #[error("key `{key}` can't be opened or made: {cause}")]
    Kms {
        /// Which.
        key: String,
        /// The key service's word.
        cause: kms::Error,
    },
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A new key's entry could not be written.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    /// A stored key has a usage this program does not know.
    #[error("key `{0}` is stored with a usage that is not its own: the database was altered")]
    Usage(String),
    /// A key is gone that standing rows need. Making it anew would hide the loss.
    #[error(
        "key `{0}` is missing, and tokens need it: restore the database from its newest backup"
    )]
    Lost(String),
}

/// One domain's keys. One purpose each.
pub struct DomainKeys {
    /// Seals values and repeatable tokens.
    pub(super) values: AeadKeyring,
    fingerprints: MacKey,
    indexes: MacKey,
    /// Opened in place of a row that does not exist, so that absence takes the same steps.
    pub(super) decoy: TokenRow,
}

impl DomainKeys {
    /// The row that a token's text names in this domain.
    // INVARIANT 7: each domain hashes under its own key; without keys, rows of two can't be linked.
    pub(super) fn fingerprint(&self, token: &TokenText) -> Fingerprint {
        let message = Binding::new("jinku/v1 token fingerprint").field(token.expose().as_bytes());
        Fingerprint(cut(self.fingerprints.tag(&message)))
    }

    /// Where a value of a repeatable class would stand.
    pub(super) fn blind_index(&self, class: &str, normal: &Plaintext) -> BlindIndex {
        let message = Binding::new("jinku/v1 blind index")
            .field(class.as_bytes())
            .field(normal.expose().as_bytes());
        BlindIndex(cut(self.indexes.tag(&message)))
    }
}

/// All keys the engine works with.
pub struct Keys {
    domains: BTreeMap<DomainName, DomainKeys>,
    pseudonyms: MacKey,
}

impl Keys {
    /// Opens every key the catalogue needs; makes, wraps and records those that are missing.
    pub async fn open(
        catalogue: &Catalogue,
        envelope: &Envelope,
        reader: &Reader,
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        let shelf = Shelf {
            envelope,
            committer,
            clock,
            reader,
            rows: reader.keys()?,
        };
        let mut domains = BTreeMap::new();
        for domain in catalogue.domains() {
            domains.insert(domain.name.clone(), shelf.domain(domain).await?);
        }
        let pseudonyms = shelf.mac(PSEUDONYM_KEY).await?;
        Ok(Self {
            domains,
            pseudonyms,
        })
    }

    pub(super) fn domain(&self, name: &DomainName) -> Option<&DomainKeys> {
        self.domains.get(name)
    }

    pub(super) fn pseudonym(&self, row: Fingerprint) -> [u8; 16] {
        cut(self
            .pseudonyms
            .tag(&Binding::new("jinku/v1 token pseudonym").field(&row.0)))
    }
}

fn cut(tag: [u8; 32]) -> [u8; 16] {
    let (first, _) = tag.split_at(16);
    first.try_into().unwrap_or_default()
}

struct Shelf<'a> {
    envelope: &'a Envelope,
    committer: &'a Committer,
    clock: &'a Arc<dyn Clock>,
    reader: &'a Reader,
    rows: Vec<KeyRow>,
}

impl Shelf<'_> {
    async fn domain(&self, domain: &crate::model::Domain) -> Result<DomainKeys, KeyError> {
        let name = &domain.name;
        let values = self.aead(&format!("value.{name}")).await?;
        if values.lock_state() == LockState::NotLocked {
            tracing::warn!(
                "keys can't be locked into memory: raise RLIMIT_MEMLOCK, or forbid swapping"
            );
        }
        let fingerprints = self.mac(&format!("fingerprint.{name}")).await?;
        let indexes = self.mac(&format!("index.{name}")).await?;
        let decoy =
            decoy(&values, domain).ok_or_else(|| KeyError::Usage(format!("value.{name}")))?;
        Ok(DomainKeys {
            values,
            fingerprints,
            indexes,
            decoy,
        })
    }

    async fn aead(&self, id: &str) -> Result<AeadKeyring, KeyError> {
        let mut opened = Vec::new();
        for wrapped in self.versions(id, Usage::Encrypt).await? {
            opened.push(
                self.envelope
                    .open_aead(&wrapped)
                    .map_err(|cause| failed(id, cause))?,
            );
        }
        // `versions` never yields an empty list; rows come in ascending version.
        let current = opened.pop().ok_or_else(|| KeyError::Usage(id.to_owned()))?;
        Ok(AeadKeyring::new(current, opened))
    }

    async fn mac(&self, id: &str) -> Result<MacKey, KeyError> {
        let wrapped = self.versions(id, Usage::Mac).await?;
        let newest = wrapped
            .last()
            .ok_or_else(|| KeyError::Usage(id.to_owned()))?;
        self.envelope
            .open_mac(newest)
            .map_err(|cause| failed(id, cause))
    }

    async fn versions(&self, id: &str, usage: Usage) -> Result<Vec<WrappedKey>, KeyError> {
        let key_id = KeyId::parse(id).map_err(|cause| failed(id, cause))?;
        let known: Vec<&KeyRow> = self.rows.iter().filter(|row| row.id == id).collect();
        if known.is_empty() && self.is_needed(id)? {
            return Err(KeyError::Lost(id.to_owned()));
        }
        if known.is_empty() {
            return Ok(vec![self.make(&key_id, usage).await?]);
        }
        if known.iter().any(|row| row.usage != usage.as_str()) {
            return Err(KeyError::Usage(id.to_owned()));
        }
        let wrap = |row: &&KeyRow| {
            WrappedKey::from_parts(key_id.clone(), row.version, usage, row.wrapped.clone())
        };
        Ok(known.iter().map(wrap).collect())
    }

    /// A key's id ends in its domain; a key of no domain serves them all.
    // INVARIANT 15: a key that a row still needs is never replaced by a new one.
    fn is_needed(&self, id: &str) -> Result<bool, StoreError> {
        let domain = id
            .split_once('.')
            .and_then(|(_, name)| DomainName::parse(name).ok());
        match domain {
            Some(domain) if id != PSEUDONYM_KEY => self.reader.has_tokens(&domain),
            _ => Ok(self.reader.token_count()? > 0),
        }
    }

    async fn make(&self, id: &KeyId, usage: Usage) -> Result<WrappedKey, KeyError> {
        const FIRST: u32 = 1;
        let wrapped = self
            .envelope
            .generate(id, FIRST, usage)
            .map_err(|cause| failed(id.as_str(), cause))?;
        let row = KeyRow {
            id: id.as_str().to_owned(),
            version: FIRST,
            usage: usage.as_str().to_owned(),
            wrapped: wrapped.blob().to_vec(),
            created_us: self.clock.now().0,
        };
        let mut facts = Facts::new(Operation::KeyCreate, Outcome::Ok);
        facts.key = Some((row.id.clone(), FIRST));
        let change = Change {
            keys: vec![row],
            ..Change::none()
        };
        self.committer
            .record(Record::single(change, facts), Withheld::nothing())
            .await?;
        Ok(wrapped)
    }
}

fn failed(key: &str, cause: kms::Error) -> KeyError {
    KeyError::Kms {
        key: key.to_owned(),
        cause,
    }
}

/// A row that stands nowhere: sealed like a real one, of a class of the domain.
fn decoy(values: &AeadKeyring, domain: &crate::model::Domain) -> Option<TokenRow> {
    const ROW: Fingerprint = Fingerprint([0; 16]);
    let class = domain.classes.first()?.clone();
    let value = Plaintext::new("0".repeat(DECOY_CHARACTERS));
    let sealed = seal::close(values, &domain.name, &class, ROW, &value).ok()?;
    Some(TokenRow {
        fingerprint: ROW,
        domain: domain.name.clone(),
        class,
        created_us: 0,
        sealed,
        repeatable: None,
    })
}
