//! Structures with pointers: where those are, what they lead to, and which way it flows. Both
//! sides walk by these tables, so a structure whose parts do not fit together goes nowhere.

use std::mem::offset_of;

use cryptoki_sys as ck;

use crate::codec::Malformed;

/// A C structure.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its size.
    pub bytes: usize,
    /// Its pointers, in the order in which they travel.
    pub pointers: &'static [Pointer],
    /// Where it holds handles of objects.
    pub handles: &'static [usize],
}

/// A pointer in a structure.
#[derive(Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Where it is.
    pub at: usize,
    count: Count,
    target: Target,
    flow: Flow,
}

/// Which way the bytes behind a pointer go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the token.
    In,
    /// To the token, which may change them.
    Both,
    /// From the token, as many as the count says afterwards.
    Out,
}

#[derive(Debug, PartialEq, Eq)]
enum Count {
    /// So many.
    Fixed(usize),
    /// As many as the number there says.
    At(usize),
    /// Bytes, as the number of bits there says.
    Bits(usize),
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    Bytes,
    Items(&'static Layout),
    /// An attribute's value: bytes, or attributes if its type says so.
    Value,
    /// Nothing that can travel: the count must be zero.
    Nothing,
}

/// What memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many bytes without pointers.
    Bytes(usize),
    /// So many structures.
    Items(&'static Layout, usize),
}

/// What is behind a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What the memory holds.
    pub shape: Shape,
    /// Which way it goes.
    pub flow: Flow,
}

impl Pointer {
    /// Which way the bytes behind it go.
    pub fn flow(&self) -> Flow {
        self.flow
    }
}

impl Shape {
    /// Bytes of the memory itself, without what its pointers lead to.
    ///
    /// # Errors
    /// [`Malformed`] if no memory is so large.
    pub fn bytes(self) -> Result<usize, Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Items(layout, items) => layout.bytes.checked_mul(items).ok_or(Malformed),
        }
    }

    /// Whether the token may change something that its pointers lead to.
    pub fn is_written(self) -> bool {
        match self {
            Self::Bytes(_) => false,
            Self::Items(layout, _) => layout
                .pointers
                .iter()
                .any(|pointer| pointer.flow != Flow::In),
        }
    }
}

/// What is behind a pointer of this structure.
///
/// # Errors
/// [`Malformed`] if it cannot travel.
pub fn resolve(item: &[u8], pointer: &Pointer) -> Result<Span, Malformed> {
    let count = match pointer.count {
        Count::Fixed(count) => count,
        Count::At(at) => number(item, at)?,
        Count::Bits(at) => number(item, at)?.div_ceil(8),
    };
    let shape = match pointer.target {
        Target::Bytes => Shape::Bytes(count),
        Target::Items(layout) => Shape::Items(layout, count),
        Target::Value => value(item, count, pointer.flow)?,
        Target::Nothing => return Err(Malformed),
    };
    let flow = pointer.flow;
    Ok(Span { shape, flow })
}

fn value(item: &[u8], bytes: usize, flow: Flow) -> Result<Shape, Malformed> {
    let kind = number(item, offset_of!(ck::CK_ATTRIBUTE, type_))? as u64;
    let is_array = kind & ck::CKF_ARRAY_ATTRIBUTE != 0 && kind != ck::CKA_ALLOWED_MECHANISMS;
    let layout = attributes(flow);
    Ok(if is_array && bytes.is_multiple_of(layout.bytes) {
        Shape::Items(layout, bytes / layout.bytes)
    } else {
        Shape::Bytes(bytes)
    })
}

fn number(item: &[u8], at: usize) -> Result<usize, Malformed> {
    let bytes = item.get(at..).and_then(|rest| rest.first_chunk());
    let number = u64::from_ne_bytes(*bytes.ok_or(Malformed)?);
    usize::try_from(number).map_err(|_| Malformed)
}

/// An attribute, given or to be answered.
pub const fn attributes(flow: Flow) -> &'static Layout {
    match flow {
        Flow::In | Flow::Both => &ATTRIBUTE_IN,
        Flow::Out => &ATTRIBUTE_OUT,
    }
}

macro_rules! layouts {
    ($($name:ident: $type:ident { $($field:ident[$count:expr] $target:expr, $flow:ident;)* } $([$($handle:ident),*])?)*) => {
        $(static $name: Layout = {
            use ck::$type as This;
            Layout {
                bytes: size_of::<This>(),
                pointers: &[$(Pointer {
                    at: offset_of!(This, $field),
                    count: $count,
                    target: $target,
                    flow: Flow::$flow,
                }),*],
                handles: &[$($(offset_of!(This, $handle)),*)?],
            }
        };)*
    };
}

macro_rules! at {
    ($type:ident.$field:ident) => {
        Count::At(offset_of!(ck::$type, $field))
    };
}

macro_rules! bits {
    ($type:ident.$field:ident) => {
        Count::Bits(offset_of!(ck::$type, $field))
    };
}

layouts! {
    ATTRIBUTE_IN: CK_ATTRIBUTE { pValue[at!(CK_ATTRIBUTE.ulValueLen)] Target::Value, In; }
    ATTRIBUTE_OUT: CK_ATTRIBUTE { pValue[at!(CK_ATTRIBUTE.ulValueLen)] Target::Value, Out; }
    GCM: CK_GCM_PARAMS {
        pIv[at!(CK_GCM_PARAMS.ulIvLen)] Target::Bytes, Both;
        pAAD[at!(CK_GCM_PARAMS.ulAADLen)] Target::Bytes, In;
    }
    GCM_2_20: CK_AES_GCM_PARAMS {
        pIv[at!(CK_AES_GCM_PARAMS.ulIvLen)] Target::Bytes, Both;
        pAAD[at!(CK_AES_GCM_PARAMS.ulAADLen)] Target::Bytes, In;
    }
    CCM: CK_CCM_PARAMS {
        pNonce[at!(CK_CCM_PARAMS.ulNonceLen)] Target::Bytes, Both;
        pAAD[at!(CK_CCM_PARAMS.ulAADLen)] Target::Bytes, In;
    }
    CHACHA20: CK_CHACHA20_PARAMS {
        pBlockCounter[bits!(CK_CHACHA20_PARAMS.blockCounterBits)] Target::Bytes, In;
        pNonce[bits!(CK_CHACHA20_PARAMS.ulNonceBits)] Target::Bytes, In;
    }
    POLY1305: CK_SALSA20_CHACHA20_POLY1305_PARAMS {
        pNonce[at!(CK_SALSA20_CHACHA20_POLY1305_PARAMS.ulNonceLen)] Target::Bytes, In;
        pAAD[at!(CK_SALSA20_CHACHA20_POLY1305_PARAMS.ulAADLen)] Target::Bytes, In;
    }
    OAEP: CK_RSA_PKCS_OAEP_PARAMS {
        pSourceData[at!(CK_RSA_PKCS_OAEP_PARAMS.ulSourceDataLen)] Target::Bytes, In;
    }
    RSA_AES: CK_RSA_AES_KEY_WRAP_PARAMS {
        pOAEPParams[Count::Fixed(1)] Target::Items(&OAEP), In;
    }
    EDDSA: CK_EDDSA_PARAMS {
        pContextData[at!(CK_EDDSA_PARAMS.ulContextDataLen)] Target::Bytes, In;
    }
    ECDH1: CK_ECDH1_DERIVE_PARAMS {
        pSharedData[at!(CK_ECDH1_DERIVE_PARAMS.ulSharedDataLen)] Target::Bytes, In;
        pPublicData[at!(CK_ECDH1_DERIVE_PARAMS.ulPublicDataLen)] Target::Bytes, In;
    }
    ECDH_AES: CK_ECDH_AES_KEY_WRAP_PARAMS {
        pSharedData[at!(CK_ECDH_AES_KEY_WRAP_PARAMS.ulSharedDataLen)] Target::Bytes, In;
    }
    HKDF: CK_HKDF_PARAMS {
        pSalt[at!(CK_HKDF_PARAMS.ulSaltLen)] Target::Bytes, In;
        pInfo[at!(CK_HKDF_PARAMS.ulInfoLen)] Target::Bytes, In;
    } [hSaltKey]
    CBC_DERIVE: CK_AES_CBC_ENCRYPT_DATA_PARAMS {
        pData[at!(CK_AES_CBC_ENCRYPT_DATA_PARAMS.length)] Target::Bytes, In;
    }
    STRING_DERIVE: CK_KEY_DERIVATION_STRING_DATA {
        pData[at!(CK_KEY_DERIVATION_STRING_DATA.ulLen)] Target::Bytes, In;
    }
    PBKDF2: CK_PKCS5_PBKD2_PARAMS2 {
        pSaltSourceData[at!(CK_PKCS5_PBKD2_PARAMS2.ulSaltSourceDataLen)] Target::Bytes, In;
        pPrfData[at!(CK_PKCS5_PBKD2_PARAMS2.ulPrfDataLen)] Target::Bytes, In;
        pPassword[at!(CK_PKCS5_PBKD2_PARAMS2.ulPasswordLen)] Target::Bytes, In;
    }
    PRF: CK_PRF_DATA_PARAM { pValue[at!(CK_PRF_DATA_PARAM.ulValueLen)] Target::Bytes, In; }
    KDF: CK_SP800_108_KDF_PARAMS {
        pDataParams[at!(CK_SP800_108_KDF_PARAMS.ulNumberOfDataParams)] Target::Items(&PRF), In;
        pAdditionalDerivedKeys[Count::Fixed(0)] Target::Nothing, In;
    }
    FEEDBACK_KDF: CK_SP800_108_FEEDBACK_KDF_PARAMS {
        pDataParams[at!(CK_SP800_108_FEEDBACK_KDF_PARAMS.ulNumberOfDataParams)]
            Target::Items(&PRF), In;
        pIV[at!(CK_SP800_108_FEEDBACK_KDF_PARAMS.ulIVLen)] Target::Bytes, In;
        pAdditionalDerivedKeys[Count::Fixed(0)] Target::Nothing, In;
    }
    GCM_MESSAGE: CK_GCM_MESSAGE_PARAMS {
        pIv[at!(CK_GCM_MESSAGE_PARAMS.ulIvLen)] Target::Bytes, Both;
        pTag[bits!(CK_GCM_MESSAGE_PARAMS.ulTagBits)] Target::Bytes, Both;
    }
    CCM_MESSAGE: CK_CCM_MESSAGE_PARAMS {
        pNonce[at!(CK_CCM_MESSAGE_PARAMS.ulNonceLen)] Target::Bytes, Both;
        pMAC[at!(CK_CCM_MESSAGE_PARAMS.ulMACLen)] Target::Bytes, Both;
    }
    POLY1305_MESSAGE: CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS {
        pNonce[at!(CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS.ulNonceLen)] Target::Bytes, Both;
        pTag[Count::Fixed(16)] Target::Bytes, Both;
    }
}

/// A parameter that is an object's handle.
static HANDLE: Layout = Layout {
    bytes: size_of::<ck::CK_OBJECT_HANDLE>(),
    pointers: &[],
    handles: &[0],
};

/// The parameter of a mechanism; `None` if a parameter of this length does not fit it, or if
/// nobody here knows whether it holds pointers.
pub fn mechanism(kind: u64, length: usize) -> Option<Shape> {
    if length == 0 {
        return Some(Shape::Bytes(0));
    }
    if is_flat(kind) {
        return Some(Shape::Bytes(length));
    }
    let layout = match kind {
        ck::CKM_AES_GCM if length == GCM_2_20.bytes => &GCM_2_20,
        ck::CKM_AES_GCM => &GCM,
        ck::CKM_AES_CCM => &CCM,
        ck::CKM_CHACHA20 => &CHACHA20,
        ck::CKM_CHACHA20_POLY1305 | ck::CKM_SALSA20_POLY1305 => &POLY1305,
        ck::CKM_RSA_PKCS_OAEP => &OAEP,
        ck::CKM_RSA_AES_KEY_WRAP => &RSA_AES,
        ck::CKM_EDDSA => &EDDSA,
        ck::CKM_ECDH1_DERIVE | ck::CKM_ECDH1_COFACTOR_DERIVE => &ECDH1,
        ck::CKM_ECDH_AES_KEY_WRAP => &ECDH_AES,
        ck::CKM_HKDF_DERIVE | ck::CKM_HKDF_DATA => &HKDF,
        ck::CKM_AES_CBC_ENCRYPT_DATA => &CBC_DERIVE,
        ck::CKM_AES_ECB_ENCRYPT_DATA
        | ck::CKM_CONCATENATE_BASE_AND_DATA
        | ck::CKM_CONCATENATE_DATA_AND_BASE
        | ck::CKM_XOR_BASE_AND_DATA => &STRING_DERIVE,
        ck::CKM_CONCATENATE_BASE_AND_KEY => &HANDLE,
        ck::CKM_PKCS5_PBKD2 => &PBKDF2,
        ck::CKM_SP800_108_COUNTER_KDF | ck::CKM_SP800_108_DOUBLE_PIPELINE_KDF => &KDF,
        ck::CKM_SP800_108_FEEDBACK_KDF => &FEEDBACK_KDF,
        _ => return None,
    };
    (layout.bytes == length).then_some(Shape::Items(layout, 1))
}

/// The parameter of one message, told apart by its length; `None` if no structure is so long.
pub fn message(length: usize) -> Option<Shape> {
    if length == 0 {
        return Some(Shape::Bytes(0));
    }
    let known = [&GCM_MESSAGE, &CCM_MESSAGE, &POLY1305_MESSAGE];
    let fitting = known.into_iter().find(|layout| layout.bytes == length)?;
    Some(Shape::Items(fitting, 1))
}

/// Whether the mechanism's parameter is bytes or numbers only: IVs, counters, tag lengths.
fn is_flat(kind: u64) -> bool {
    FLAT.contains(&kind)
}

const FLAT: &[u64] = &[
    ck::CKM_AES_CBC,
    ck::CKM_AES_CBC_PAD,
    ck::CKM_AES_CTR,
    ck::CKM_AES_CTS,
    ck::CKM_AES_OFB,
    ck::CKM_AES_CFB8,
    ck::CKM_AES_CFB128,
    ck::CKM_AES_CFB64,
    ck::CKM_AES_CFB1,
    ck::CKM_AES_GMAC,
    ck::CKM_AES_XTS,
    ck::CKM_AES_MAC_GENERAL,
    ck::CKM_AES_CMAC_GENERAL,
    ck::CKM_AES_KEY_WRAP,
    ck::CKM_AES_KEY_WRAP_PAD,
    ck::CKM_AES_KEY_WRAP_KWP,
    ck::CKM_AES_KEY_WRAP_PKCS7,
    ck::CKM_DES3_CBC,
    ck::CKM_DES3_CBC_PAD,
    ck::CKM_DES3_MAC_GENERAL,
    ck::CKM_DES3_CMAC_GENERAL,
    ck::CKM_DES_CBC,
    ck::CKM_DES_CBC_PAD,
    ck::CKM_DES_MAC_GENERAL,
    ck::CKM_MD5_HMAC_GENERAL,
    ck::CKM_SHA_1_HMAC_GENERAL,
    ck::CKM_SHA224_HMAC_GENERAL,
    ck::CKM_SHA256_HMAC_GENERAL,
    ck::CKM_SHA384_HMAC_GENERAL,
    ck::CKM_SHA512_HMAC_GENERAL,
    ck::CKM_SHA3_224_HMAC_GENERAL,
    ck::CKM_SHA3_256_HMAC_GENERAL,
    ck::CKM_SHA3_384_HMAC_GENERAL,
    ck::CKM_SHA3_512_HMAC_GENERAL,
    ck::CKM_RSA_PKCS_PSS,
    ck::CKM_SHA1_RSA_PKCS_PSS,
    ck::CKM_SHA224_RSA_PKCS_PSS,
    ck::CKM_SHA256_RSA_PKCS_PSS,
    ck::CKM_SHA384_RSA_PKCS_PSS,
    ck::CKM_SHA512_RSA_PKCS_PSS,
    ck::CKM_SHA3_224_RSA_PKCS_PSS,
    ck::CKM_SHA3_256_RSA_PKCS_PSS,
    ck::CKM_SHA3_384_RSA_PKCS_PSS,
    ck::CKM_SHA3_512_RSA_PKCS_PSS,
    ck::CKM_XEDDSA,
    ck::CKM_EXTRACT_KEY_FROM_KEY,
];
