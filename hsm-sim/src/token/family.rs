//! What PKCS#11 names after a hash: nine hashes, and for each a digest, MACs, signatures, a mask and
//! key types. Whatever takes a hash by number looks it up here.

use cryptoki_sys as ck;
use cryptoki_sys::{CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, CK_ULONG};

use super::hash::Hash;

/// The names of one hash's uses.
pub(crate) struct Family {
    pub(crate) hash: Hash,
    pub(crate) digest: CK_MECHANISM_TYPE,
    pub(crate) hmac: CK_MECHANISM_TYPE,
    pub(crate) hmac_general: CK_MECHANISM_TYPE,
    pub(crate) key_gen: CK_MECHANISM_TYPE,
    pub(crate) key_type: CK_KEY_TYPE,
    pub(crate) pkcs1: CK_MECHANISM_TYPE,
    pub(crate) pss: CK_MECHANISM_TYPE,
    pub(crate) ecdsa: CK_MECHANISM_TYPE,
    pub(crate) mask: CK_RSA_PKCS_MGF_TYPE,
}

macro_rules! family {
    ($hash:ident: $digest:ident $hmac:ident $general:ident $gen:ident $key:ident
     $pkcs1:ident $pss:ident $ecdsa:ident $mask:ident) => {
        Family {
            hash: Hash::$hash,
            digest: ck::$digest,
            hmac: ck::$hmac,
            hmac_general: ck::$general,
            key_gen: ck::$gen,
            key_type: ck::$key,
            pkcs1: ck::$pkcs1,
            pss: ck::$pss,
            ecdsa: ck::$ecdsa,
            mask: ck::$mask,
        }
    };
}

/// All hashes.
pub(crate) const FAMILIES: [Family; 9] = [
    family!(Sha1: CKM_SHA_1 CKM_SHA_1_HMAC CKM_SHA_1_HMAC_GENERAL CKM_SHA_1_KEY_GEN CKK_SHA_1_HMAC
        CKM_SHA1_RSA_PKCS CKM_SHA1_RSA_PKCS_PSS CKM_ECDSA_SHA1 CKG_MGF1_SHA1),
    family!(Sha224: CKM_SHA224 CKM_SHA224_HMAC CKM_SHA224_HMAC_GENERAL CKM_SHA224_KEY_GEN
        CKK_SHA224_HMAC CKM_SHA224_RSA_PKCS CKM_SHA224_RSA_PKCS_PSS CKM_ECDSA_SHA224
        CKG_MGF1_SHA224),
    family!(Sha256: CKM_SHA256 CKM_SHA256_HMAC CKM_SHA256_HMAC_GENERAL CKM_SHA256_KEY_GEN
        CKK_SHA256_HMAC CKM_SHA256_RSA_PKCS CKM_SHA256_RSA_PKCS_PSS CKM_ECDSA_SHA256
        CKG_MGF1_SHA256),
    family!(Sha384: CKM_SHA384 CKM_SHA384_HMAC CKM_SHA384_HMAC_GENERAL CKM_SHA384_KEY_GEN
        CKK_SHA384_HMAC CKM_SHA384_RSA_PKCS CKM_SHA384_RSA_PKCS_PSS CKM_ECDSA_SHA384
        CKG_MGF1_SHA384),
    family!(Sha512: CKM_SHA512 CKM_SHA512_HMAC CKM_SHA512_HMAC_GENERAL CKM_SHA512_KEY_GEN
        CKK_SHA512_HMAC CKM_SHA512_RSA_PKCS CKM_SHA512_RSA_PKCS_PSS CKM_ECDSA_SHA512
        CKG_MGF1_SHA512),
    family!(Sha3_224: CKM_SHA3_224 CKM_SHA3_224_HMAC CKM_SHA3_224_HMAC_GENERAL CKM_SHA3_224_KEY_GEN
        CKK_SHA3_224_HMAC CKM_SHA3_224_RSA_PKCS CKM_SHA3_224_RSA_PKCS_PSS CKM_ECDSA_SHA3_224
        CKG_MGF1_SHA3_224),
    family!(Sha3_256: CKM_SHA3_256 CKM_SHA3_256_HMAC CKM_SHA3_256_HMAC_GENERAL CKM_SHA3_256_KEY_GEN
        CKK_SHA3_256_HMAC CKM_SHA3_256_RSA_PKCS CKM_SHA3_256_RSA_PKCS_PSS CKM_ECDSA_SHA3_256
        CKG_MGF1_SHA3_256),
    family!(Sha3_384: CKM_SHA3_384 CKM_SHA3_384_HMAC CKM_SHA3_384_HMAC_GENERAL CKM_SHA3_384_KEY_GEN
        CKK_SHA3_384_HMAC CKM_SHA3_384_RSA_PKCS CKM_SHA3_384_RSA_PKCS_PSS CKM_ECDSA_SHA3_384
        CKG_MGF1_SHA3_384),
    family!(Sha3_512: CKM_SHA3_512 CKM_SHA3_512_HMAC CKM_SHA3_512_HMAC_GENERAL CKM_SHA3_512_KEY_GEN
        CKK_SHA3_512_HMAC CKM_SHA3_512_RSA_PKCS CKM_SHA3_512_RSA_PKCS_PSS CKM_ECDSA_SHA3_512
        CKG_MGF1_SHA3_512),
];

/// The hash of a use's number, where `use_of` picks the use.
pub(crate) fn hash_by(use_of: impl Fn(&Family) -> CK_ULONG, number: CK_ULONG) -> Option<Hash> {
    let found = FAMILIES.iter().find(|family| use_of(family) == number);
    found.map(|family| family.hash)
}
