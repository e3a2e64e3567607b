//! Vendor profiles: the habits of other modules that a caller must live with. `strict` has none and
//! takes no risk; the others imitate what is documented of a vendor, no more than is said here.

use cryptoki_sys as ck;
use cryptoki_sys::CK_MECHANISM_TYPE;

use super::rules::Guard;
use crate::error::{Error, Result};

/// Whose GCM IV it is, and how the caller learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IvMaker {
    /// The caller brings it.
    Caller,
    /// The caller brings 12 zero bytes, which the token's IV replaces.
    TokenOverZeros,
    /// The caller brings a buffer, whatever is in it, which the token's IV replaces.
    TokenOverAnything,
    /// The caller brings none; the token's 16 bytes follow the tag in the ciphertext.
    TokenAppended,
}

/// What the SO's last wrong PIN does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SoLock {
    /// Nobody is the SO any more; the user goes on.
    Locks,
    /// The token is destroyed with all its keys.
    Destroys,
}

/// Whether one key may hold roles that attack each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roles {
    /// No key both wraps and decrypts, or unwraps and encrypts.
    Apart,
    /// Whatever the template says.
    Mixed,
}

/// What one kind of module does otherwise than another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) iv_maker: IvMaker,
    /// Sessions that one token carries.
    pub(crate) sessions_max: usize,
    /// Handles that one `C_FindObjects` yields.
    pub(crate) find_batch: usize,
    /// Whether what PKCS#11 leaves to the caller is refused if it is unwise: GCM tags below 128
    /// bits, keys from outside that wrap, keys unwrapped as readable ones.
    pub(crate) is_strict: bool,
    pub(crate) roles: Roles,
    pub(crate) so_lock: SoLock,
    /// Mechanisms that are neither listed nor done.
    hidden: &'static [CK_MECHANISM_TYPE],
}

/// Unauthenticated, unhashed or worn out: only for callers who cannot do without.
const LEGACY: [CK_MECHANISM_TYPE; 15] = [
    ck::CKM_AES_OFB,
    ck::CKM_AES_CFB8,
    ck::CKM_AES_CFB64,
    ck::CKM_AES_CFB128,
    ck::CKM_AES_ECB_ENCRYPT_DATA,
    ck::CKM_AES_CBC_ENCRYPT_DATA,
    ck::CKM_AES_CBC,
    ck::CKM_AES_CTR,
    ck::CKM_AES_ECB,
    ck::CKM_RSA_PKCS,
    ck::CKM_SHA_1_HMAC,
    ck::CKM_SHA_1_HMAC_GENERAL,
    ck::CKM_SHA1_RSA_PKCS,
    ck::CKM_SHA1_RSA_PKCS_PSS,
    ck::CKM_ECDSA_SHA1,
];

const STRICT: Profile = Profile {
    name: "strict",
    iv_maker: IvMaker::Caller,
    sessions_max: 1024,
    find_batch: usize::MAX,
    is_strict: true,
    roles: Roles::Apart,
    so_lock: SoLock::Locks,
    hidden: &LEGACY,
};

const PROFILES: [Profile; 5] = [
    STRICT,
    Profile {
        name: "softhsm",
        is_strict: false,
        roles: Roles::Mixed,
        hidden: &[],
        ..STRICT
    },
    Profile {
        name: "luna",
        iv_maker: IvMaker::TokenAppended,
        sessions_max: 128,
        find_batch: 64,
        is_strict: false,
        roles: Roles::Apart,
        so_lock: SoLock::Destroys,
        hidden: &[ck::CKM_AES_ECB, ck::CKM_HKDF_DERIVE],
    },
    Profile {
        name: "nshield",
        iv_maker: IvMaker::TokenOverAnything,
        sessions_max: 256,
        find_batch: 64,
        is_strict: false,
        hidden: &[ck::CKM_AES_ECB, ck::CKM_HKDF_DERIVE],
        ..STRICT
    },
    Profile {
        name: "cloudhsm",
        iv_maker: IvMaker::TokenOverZeros,
        sessions_max: 512,
        find_batch: 64,
        is_strict: false,
        hidden: &[
            ck::CKM_AES_KEY_WRAP,
            ck::CKM_AES_KEY_WRAP_PAD,
            ck::CKM_AES_KEY_WRAP_KWP,
            ck::CKM_HKDF_DERIVE,
        ],
        ..STRICT
    },
];

impl Profile {
    /// The profile that the environment names; `strict` if it names none.
    pub(crate) fn chosen() -> Result<Self> {
        match hsm_wire::profile_name() {
            None => Ok(STRICT),
            // A profile that nobody knows must not become another by accident.
            Some(name) => Self::named(&name).ok_or(Error::ProfileUnknown),
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// How keys are kept that were unwrapped, or derived of hidden ones.
    pub(super) fn guard(&self) -> Guard {
        if self.is_strict {
            Guard::Hidden
        } else {
            Guard::AsAsked
        }
    }

    pub(crate) fn lists(&self, mechanism: CK_MECHANISM_TYPE) -> bool {
        !self.hidden.contains(&mechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_found_by_its_name_and_no_other_is() {
        for profile in PROFILES {
            let found = Profile::named(profile.name).unwrap();
            assert_eq!(found.iv_maker, profile.iv_maker);
        }
        assert!(Profile::named("Strict").is_none());
    }

    #[test]
    fn only_the_strict_profile_hides_what_is_unauthenticated() {
        assert!(!Profile::named("strict").unwrap().lists(ck::CKM_RSA_PKCS));
        assert!(Profile::named("softhsm").unwrap().lists(ck::CKM_RSA_PKCS));
    }
}
