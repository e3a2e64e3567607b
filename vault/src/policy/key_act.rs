//! Acts on keys: each a type of its own, with its word in Cedar and its word in the ledger.

use std::marker::PhantomData;
use std::sync::Arc;

use ledger::Operation;

use crate::model::{KeyRecord, Purpose};

/// One act on a key or on the key service. A closed set: the types below.
pub trait KeyAct: Send + Sync + 'static {
    /// The action's name in the Cedar schema.
    const ACTION: &'static str;
    /// What its entry says was done.
    const OPERATION: Operation;
}

acts! {
    KeyAct:
    /// A key is made. Its record is the one that is wished for.
    Create = "CreateKey" KeyCreate,
    /// Keys are listed.
    List = "ListKeys" KeyList,
    /// A key's record and versions are read.
    Describe = "DescribeKey" KeyRead,
    /// The public half of a key that signs is read.
    ReadPublic = "ReadPublicKey" KeyRead,
    /// Aliases, tags, description, schedule or lowest version are changed.
    Set = "SetKey" KeySet,
    /// A suspended key is switched on.
    Enable = "EnableKey" KeyEnable,
    /// A key is switched off.
    Disable = "DisableKey" KeyDisable,
    /// A key gets a new version.
    Rotate = "RotateKey" KeyRotate,
    /// Stored values are sealed anew under a key's newest version.
    Reseal = "ResealValues" KeyReseal,
    /// A version is declared compromised.
    Compromise = "CompromiseKeyVersion" KeyCompromise,
    /// A key is to be destroyed after a waiting period.
    ScheduleDeletion = "ScheduleKeyDeletion" KeyScheduleDeletion,
    /// That is called off.
    CancelDeletion = "CancelKeyDeletion" KeyCancelDeletion,
    /// A version is destroyed.
    DestroyVersion = "DestroyKeyVersion" KeyDestroy,
    /// Material is brought in.
    Import = "ImportKey" KeyImport,
    /// A key leaves as a wrapped backup.
    Backup = "BackupKey" KeyBackup,
    /// A key comes back from one.
    Restore = "RestoreKey" KeyRestore,
    /// Payloads are encrypted.
    Encrypt = "Encrypt" Encrypt,
    /// Payloads are decrypted.
    Decrypt = "Decrypt" Decrypt,
    /// Ciphertexts leave a key for another key, version or context.
    ReEncryptFrom = "ReEncryptFrom" ReEncrypt,
    /// Ciphertexts come to a key from another key, version or context.
    ReEncryptTo = "ReEncryptTo" ReEncrypt,
    /// Data keys are made, plain and wrapped.
    DataKey = "GenerateDataKey" DataKey,
    /// Data keys are made, wrapped only.
    WrappedDataKey = "GenerateWrappedDataKey" DataKey,
    /// Message authentication codes are made.
    Mac = "GenerateMac" Mac,
    /// Message authentication codes are verified.
    VerifyMac = "VerifyMac" MacVerify,
    /// Messages are signed.
    Sign = "Sign" Sign,
    /// Signatures are verified.
    Verify = "Verify" Verify,
    /// Random bytes are drawn.
    Random = "GenerateRandom" Random,
}

/// Granted: this act, on this key.
///
/// One act's proof does not serve another:
///
/// ```compile_fail,E0308
/// # use vault::policy::{Authorized, OnKey, key_act};
/// fn decrypt(_: Authorized<OnKey<key_act::Decrypt>>) {}
/// fn other(proof: Authorized<OnKey<key_act::Encrypt>>) {
///     decrypt(proof);
/// }
/// ```
///
/// The twin that compiles:
///
/// ```
/// # use vault::policy::{Authorized, OnKey, key_act};
/// fn decrypt(_: Authorized<OnKey<key_act::Decrypt>>) {}
/// fn same(proof: Authorized<OnKey<key_act::Decrypt>>) {
///     decrypt(proof);
/// }
/// ```
pub struct OnKey<A> {
    key: Arc<KeyRecord>,
    purpose: Option<Purpose>,
    act: PhantomData<fn() -> A>,
}

impl<A: KeyAct> OnKey<A> {
    pub(super) fn new(key: Arc<KeyRecord>, purpose: Option<Purpose>) -> Self {
        let act = PhantomData;
        Self { key, purpose, act }
    }

    /// Which key, as it stood when it was decided.
    pub fn key(&self) -> &Arc<KeyRecord> {
        &self.key
    }

    /// Why, where that was stated.
    pub fn purpose(&self) -> Option<&Purpose> {
        self.purpose.as_ref()
    }
}

/// Granted: this act, on the key service as a whole.
pub struct OnKeys<A> {
    act: PhantomData<fn() -> A>,
}

impl<A: KeyAct> OnKeys<A> {
    pub(super) fn new() -> Self {
        Self { act: PhantomData }
    }
}

/// Granted: ciphertexts of one key may become ciphertexts of another, or of the same.
pub struct Move {
    pub(super) from: Arc<KeyRecord>,
    pub(super) to: Arc<KeyRecord>,
    pub(super) purpose: Option<Purpose>,
}

impl Move {
    /// The key they leave.
    pub fn from(&self) -> &Arc<KeyRecord> {
        &self.from
    }

    /// The key they come to.
    pub fn to(&self) -> &Arc<KeyRecord> {
        &self.to
    }

    /// Why, where that was stated.
    pub fn purpose(&self) -> Option<&Purpose> {
        self.purpose.as_ref()
    }
}
