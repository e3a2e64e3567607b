//! The vault's own keys: made once, wrapped by the HSM, opened at start.

mod epochs;
mod request;
mod second;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use kms::{AeadKeyring, Binding, Envelope, KeyId, KeyKind, LockState, MacKey, WrappedKey};
use ledger::{Facts, Operation, Outcome, Pseudonym};

use super::policy::PolicyMark;
use super::units::{REGISTRY_KEY, RegistryKey};
use crate::commit::{Committer, NotDurable, Record, Withheld};
use crate::model::{
    Catalogue, Clock, DataClass, Domain, DomainName, KeyRecord, Life, NormalForm, Plaintext,
    Subject, TokenText, VAULT, VersionState,
};
use crate::seal::{self, Place, Shares};
use crate::store::{
    BlindIndex, Change, Fingerprint, Indexed, KeyWrite, Reader, SetState, ShredError, Shreds,
    StoreError, SubjectHandle, TokenRow, VersionRow,
};
use crate::token;

pub(super) use epochs::{Epochs, epoch_told};
pub use epochs::{epoch_erased, epoch_opened};

/// One half of the keys that hash tokens for the ledger.
const PSEUDONYM_KEY: &str = "pseudonym.1";

/// Marks kept policy sets. Made anew, it would know none of them again.
const POLICY_KEY: &str = "policy-mark.1";

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
    /// The shred keys can't be used.
    #[error(transparent)]
    Shreds(#[from] ShredError),
    /// A new key's entry could not be written.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    /// A stored key is of a kind that is not its own, or has no version.
    #[error("key `{0}` is stored as a kind that is not its own: the database was altered")]
    Kind(String),
    /// A key is gone that standing rows need. Making it anew would hide the loss.
    #[error(
        "key `{0}` is missing, and tokens need it: restore the database from its newest backup"
    )]
    Lost(String),
    /// The half of an epoch's key that lies among the shred keys is gone, and no entry says that it was erased.
    #[error(
        "the key of pseudonym epoch {0} is not in the file of shred keys: put the newest file back, or its mirror"
    )]
    LostEpoch(u32),
    /// The key of the registry is gone, and units are registered.
    #[error(
        "key `{REGISTRY_KEY}` is missing, and registered units need it: restore the database from its newest backup"
    )]
    LostRegistry,
}

/// One domain's keys. One purpose each.
pub struct DomainKeys {
    domain: Domain,
    values: RwLock<Values>,
    fingerprints: MacKey,
    indexes: MacKey,
}

/// Seals values and repeatable tokens. Replaced whole when the key is rotated.
#[derive(Clone)]
struct Values {
    keyring: Arc<AeadKeyring>,
    /// Opened in place of a row that does not exist, so that absence takes the same steps.
    decoy: Arc<TokenRow>,
}

impl DomainKeys {
    /// The keyring as it is now. A batch takes it once: a row's two ciphertexts are under one version.
    pub(super) fn values(&self) -> Arc<AeadKeyring> {
        Arc::clone(&self.snapshot().keyring)
    }

    /// The keyring and the decoy that it opens.
    pub(super) fn values_and_decoy(&self) -> (Arc<AeadKeyring>, Arc<TokenRow>) {
        let Values { keyring, decoy } = self.snapshot();
        (keyring, decoy)
    }

    /// Opens the versions that stand now, and works with them from here on. Blocks.
    pub(super) fn reopen_values(
        &self,
        envelope: &Envelope,
        (reader, shreds): (&Reader, &Shreds),
        id: &KeyId,
    ) -> Result<(), KeyError> {
        let versions = standing(reader, id, KeyKind::Aes256)?;
        let values = Values::open((envelope, shreds), &versions, &self.domain, id.as_str())?;
        let mut current = self.values.write().unwrap_or_else(PoisonError::into_inner);
        // Two rotations may end in the other order: the newest version seals.
        if values.keyring.current_version() >= current.keyring.current_version() {
            *current = values;
        }
        Ok(())
    }

    fn snapshot(&self) -> Values {
        self.values
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The row that a token's text names in this domain.
    // INVARIANT 7: each domain hashes under its own key; without keys, rows of two can't be linked.
    pub(super) fn fingerprint(&self, token: &TokenText) -> Fingerprint {
        let message = Binding::new("jinku/v1 token fingerprint").field(token.expose().as_bytes());
        Fingerprint(cut(self.fingerprints.tag(&message)))
    }

    /// What says of a row that it is a honeytoken: without the key nobody can tell of which.
    pub(super) fn honeytoken_mark(&self, row: Fingerprint) -> [u8; 16] {
        let message = Binding::new("jinku/v1 honeytoken mark").field(&row.0);
        cut(self.fingerprints.tag(&message))
    }

    /// Where a value of this class, in its normal form, would be found.
    fn blind_index(&self, class: &str, normal: &Plaintext) -> BlindIndex {
        let message = Binding::new("jinku/v1 blind index")
            .field(class.as_bytes())
            .field(normal.expose().as_bytes());
        BlindIndex(cut(self.indexes.tag(&message)))
    }

    /// The same, from a value, in a version of its class's normal form.
    pub(super) fn index_of(
        &self,
        class: &DataClass,
        form: NormalForm,
        value: &Plaintext,
    ) -> BlindIndex {
        self.blind_index(
            class.name.as_str(),
            &token::normalise_as(class, form, value),
        )
    }

    /// What stands for a data subject in this domain.
    // INVARIANT 7: the same person's handles in two domains can't be linked without the vault.
    pub(super) fn subject(&self, subject: &Subject) -> SubjectHandle {
        let message = Binding::new("jinku/v1 data subject").field(subject.expose().as_bytes());
        SubjectHandle(cut(self.indexes.tag(&message)))
    }
}

impl Values {
    fn open(
        (envelope, shreds): (&Envelope, &Shreds),
        versions: &[WrappedKey],
        domain: &Domain,
        id: &str,
    ) -> Result<Self, KeyError> {
        let open = |wrapped: &WrappedKey| {
            let opened = envelope.open_aead(wrapped);
            opened.map_err(|cause| failed(id, cause))
        };
        let mut opened = versions.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        // Versions come in ascending order.
        let current = opened.pop().ok_or_else(|| KeyError::Kind(id.to_owned()))?;
        let keyring = Arc::new(AeadKeyring::new(current, opened));
        let decoy = decoy(&keyring, shreds, domain)?;
        let decoy = decoy.ok_or_else(|| KeyError::Kind(id.to_owned()))?;
        let decoy = Arc::new(decoy);
        Ok(Self { keyring, decoy })
    }
}

/// All keys the engine works with.
pub struct Keys {
    domains: BTreeMap<DomainName, DomainKeys>,
    epochs: Epochs,
    registry: RegistryKey,
}

impl Keys {
    /// Opens every key the catalogue needs; makes, wraps and records those that are missing.
    pub async fn open(
        catalogue: &Catalogue,
        envelope: &Envelope,
        stores: (&Reader, &Shreds),
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        let opening = Opening::of(envelope, stores, committer, clock)?;
        let mut domains = BTreeMap::new();
        for domain in catalogue.domains() {
            domains.insert(domain.name.clone(), opening.domain(domain).await?);
        }
        let epochs = opening.epochs().await?;
        let registry = RegistryKey::new(opening.mac(REGISTRY_KEY).await?);
        Ok(Self {
            domains,
            epochs,
            registry,
        })
    }

    /// What rows of units are authenticated with.
    pub(super) fn registry(&self) -> &RegistryKey {
        &self.registry
    }

    /// Opens the key that marks kept policy sets, or makes it.
    pub async fn policy_mark(
        envelope: &Envelope,
        stores: (&Reader, &Shreds),
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Result<PolicyMark, KeyError> {
        let opening = Opening::of(envelope, stores, committer, clock)?;
        Ok(PolicyMark::new(opening.mac(POLICY_KEY).await?))
    }

    pub(super) fn domain(&self, name: &DomainName) -> Option<&DomainKeys> {
        self.domains.get(name)
    }

    /// Epochs of pseudonyms.
    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    pub(super) fn pseudonym(&self, row: Fingerprint) -> Pseudonym {
        let present = self.epochs.present();
        present.named(present.of_token(row))
    }

    /// The same in every epoch whose key stands, by number.
    pub(super) fn pseudonyms(&self, row: Fingerprint) -> Vec<Pseudonym> {
        let named = |epoch: Arc<epochs::Pseudonyms>| epoch.named(epoch.of_token(row));
        self.epochs.living().into_iter().map(named).collect()
    }

    /// What a value counts as in budgets: its pseudonym of when the vault started, whatever epoch is opened meanwhile.
    pub(super) fn counted_as(&self, row: Fingerprint, pseudonym: Pseudonym) -> [u8; 16] {
        let at_start = self.epochs.at_start();
        if u64::from(at_start.epoch()) == pseudonym.epoch {
            return pseudonym.id;
        }
        at_start.of_token(row)
    }

    pub(super) fn subject_commitment(&self, subject: SubjectHandle) -> [u8; 32] {
        self.epochs.present().of_subject(subject)
    }

    /// What stands for a value that was searched for: the same value, the same commitment.
    pub(super) fn search_commitment(&self, index: BlindIndex) -> [u8; 32] {
        self.epochs.present().of_search(index)
    }

    /// What stands for a honeytoken in the entry of its planting, and in no other.
    pub(super) fn planted_pseudonym(&self, mark: [u8; 16]) -> Pseudonym {
        let present = self.epochs.present();
        present.named(present.of_planted(mark))
    }

    /// What stands for the context of one key act: the same context, the same commitment.
    pub(super) fn context_commitment(&self, context: &Binding) -> [u8; 32] {
        self.epochs.present().of_context(context)
    }

    /// The same, cut to an item's pseudonym.
    pub(super) fn context_pseudonym(&self, context: &Binding) -> Pseudonym {
        let present = self.epochs.present();
        present.named(cut(present.of_context(context)))
    }
}

fn cut(tag: [u8; 32]) -> [u8; 16] {
    let (first, _) = tag.split_at(16);
    first.try_into().unwrap_or_default()
}

struct Opening<'a> {
    envelope: &'a Envelope,
    shreds: &'a Shreds,
    committer: &'a Committer,
    clock: &'a Arc<dyn Clock>,
    reader: &'a Reader,
    records: Vec<KeyRecord>,
}

impl<'a> Opening<'a> {
    fn of(
        envelope: &'a Envelope,
        (reader, shreds): (&'a Reader, &'a Shreds),
        committer: &'a Committer,
        clock: &'a Arc<dyn Clock>,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            envelope,
            shreds,
            committer,
            clock,
            reader,
            records: reader.own_keys()?,
        })
    }

    async fn domain(&self, domain: &Domain) -> Result<DomainKeys, KeyError> {
        let name = &domain.name;
        let id = format!("value.{name}");
        let versions = self.versions(&id, KeyKind::Aes256).await?;
        let values = Values::open((self.envelope, self.shreds), &versions, domain, &id)?;
        if values.keyring.lock_state() == LockState::NotLocked {
            tracing::warn!(
                "keys can't be locked into memory: raise RLIMIT_MEMLOCK, or forbid swapping"
            );
        }
        Ok(DomainKeys {
            domain: domain.clone(),
            values: RwLock::new(values),
            fingerprints: self.mac(&format!("fingerprint.{name}")).await?,
            indexes: self.mac(&format!("index.{name}")).await?,
        })
    }

    async fn mac(&self, id: &str) -> Result<MacKey, KeyError> {
        let wrapped = self.versions(id, KeyKind::HmacSha256).await?;
        let newest = wrapped
            .last()
            .ok_or_else(|| KeyError::Kind(id.to_owned()))?;
        self.envelope
            .open_mac(newest)
            .map_err(|cause| failed(id, cause))
    }

    async fn versions(&self, id: &str, kind: KeyKind) -> Result<Vec<WrappedKey>, KeyError> {
        let key_id = KeyId::parse(id).map_err(|cause| failed(id, cause))?;
        match self.records.iter().find(|record| record.id == key_id) {
            Some(record) if record.kind != kind => Err(KeyError::Kind(id.to_owned())),
            Some(_) => standing(self.reader, &key_id, kind),
            None if self.is_needed(id)? && id == REGISTRY_KEY => Err(KeyError::LostRegistry),
            None if self.is_needed(id)? => Err(KeyError::Lost(id.to_owned())),
            None => Ok(vec![self.make(&key_id, kind).await?]),
        }
    }

    /// A key's id ends in its domain; a key of no domain serves them all.
    // INVARIANT 15: a key that a row still needs is never replaced by a new one.
    fn is_needed(&self, id: &str) -> Result<bool, StoreError> {
        if id == POLICY_KEY {
            return Ok(self.reader.policy_set(SetState::Active)?.is_some());
        }
        if id == second::SECOND_KEY {
            return Ok(false);
        }
        let domain = id
            .split_once('.')
            .and_then(|(_, name)| DomainName::parse(name).ok());
        match domain {
            _ if id == REGISTRY_KEY => self.reader.any_registered_unit(),
            Some(domain) if id != PSEUDONYM_KEY => self.reader.has_tokens(&domain),
            _ => self.reader.any_token(),
        }
    }

    async fn make(&self, id: &KeyId, kind: KeyKind) -> Result<WrappedKey, KeyError> {
        const FIRST: u32 = 1;
        let wrapped = self.envelope.generate(id, FIRST, kind);
        let wrapped = wrapped.map_err(|cause| failed(id.as_str(), cause))?;
        let created = self.clock.now();
        let mut record = KeyRecord::wished(id.clone(), kind, VAULT.to_owned());
        record.current = FIRST;
        record.created = created;
        record.revision = 1;
        let version = VersionRow {
            key: id.clone(),
            number: FIRST,
            state: VersionState::Active,
            wrapped: Some(wrapped.blob().to_vec()),
            created,
        };
        let mut facts = Facts::new(Operation::KeyCreate, Outcome::Ok);
        facts.key = Some((id.as_str().to_owned(), FIRST));
        let change = Change {
            keys: vec![KeyWrite::Add(record), KeyWrite::AddVersion(version)],
            ..Change::none()
        };
        self.committer
            .record(Record::single(change, facts), Withheld::nothing())
            .await?;
        Ok(wrapped)
    }
}

/// The newest version of one of the vault's own HMAC keys, in a database that stands; none where it has no such key.
pub(super) fn opened_mac(
    envelope: &Envelope,
    reader: &Reader,
    id: &str,
) -> Result<Option<MacKey>, KeyError> {
    let key_id = KeyId::parse(id).map_err(|cause| failed(id, cause))?;
    let wrapped = standing(reader, &key_id, KeyKind::HmacSha256)?;
    let opened = wrapped.last().map(|newest| envelope.open_mac(newest));
    opened.transpose().map_err(|cause| failed(id, cause))
}

/// The versions of a key that are not destroyed, in ascending order.
fn standing(reader: &Reader, id: &KeyId, kind: KeyKind) -> Result<Vec<WrappedKey>, KeyError> {
    let mut versions = Vec::new();
    for version in reader.key_versions(id)? {
        let row = reader.key_version(id, version.number)?;
        if let Some(blob) = row.and_then(|row| row.wrapped) {
            versions.push(WrappedKey::from_parts(
                id.clone(),
                version.number,
                kind,
                blob,
            ));
        }
    }
    Ok(versions)
}

fn failed(key: &str, cause: kms::Error) -> KeyError {
    KeyError::Kms {
        key: key.to_owned(),
        cause,
    }
}

/// A row that stands nowhere: sealed like a real one, of a class of the domain, with a shred key of its own.
fn decoy(
    values: &AeadKeyring,
    shreds: &Shreds,
    domain: &Domain,
) -> Result<Option<TokenRow>, KeyError> {
    const ROW: Fingerprint = Fingerprint([0; 16]);
    let Some(class) = domain.classes.first().cloned() else {
        return Ok(None);
    };
    let value = Plaintext::new("0".repeat(DECOY_CHARACTERS));
    let (slot, shred) = shreds.take()?;
    let place = Place {
        domain: &domain.name,
        class: &class,
        row: ROW,
    };
    let shares = Shares {
        shred: &shred,
        token: None,
    };
    let token = TokenText::new("0".repeat(DECOY_CHARACTERS));
    let sealed = seal::close(values, place, shares, &value);
    let sealed_token = seal::close_token(values, place, shares, &token);
    let (Ok(sealed), Ok(token)) = (sealed, sealed_token) else {
        return Ok(None);
    };
    Ok(Some(TokenRow {
        fingerprint: ROW,
        domain: domain.name.clone(),
        class,
        created_us: 0,
        shred: slot,
        sealed,
        bound: false,
        life: Life::default(),
        indexed: Some(Indexed {
            index: BlindIndex([0; 16]),
            form: NormalForm::First,
            nth: 0,
            token,
        }),
    }))
}
