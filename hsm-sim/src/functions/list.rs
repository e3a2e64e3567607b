//! The tables of all functions: the list of version 2.40, the list of version 3.0, and the
//! interfaces under which 3.0 callers find them (PKCS#11 §5.4.4 to §5.4.6).
#![expect(unsafe_code, reason = "exported C functions and their tables")]
#![cfg_attr(
    not(test),
    expect(
        clippy::wildcard_imports,
        reason = "the table names every function, and only here"
    )
)]

use std::ffi::CStr;
use std::ptr;

use cryptoki_sys::{
    CK_FLAGS, CK_FUNCTION_LIST, CK_FUNCTION_LIST_3_0, CK_INTERFACE, CK_RV, CK_ULONG, CK_UTF8CHAR,
    CK_VERSION,
};

use super::digest::*;
use super::encrypt::*;
use super::general::*;
use super::key::*;
use super::message::*;
use super::object::*;
use super::output::{Output, Place};
use super::random::*;
use super::session::*;
use super::sign::*;
use super::slot::*;
use super::state::guard;
use super::unsupported::*;
use crate::error::Error;

const NAME: &CStr = c"PKCS 11";
const V2_40: CK_VERSION = CK_VERSION {
    major: 2,
    minor: 40,
};
const V3_0: CK_VERSION = CK_VERSION { major: 3, minor: 0 };

macro_rules! table {
    ($list:ident, $version:ident: $($name:ident)*) => {
        $list { version: $version, $($name: Some($name)),* }
    };
}

macro_rules! tables {
    (old: { $($old:ident)* } new: { $($new:ident)* }) => {
        static LIST: CK_FUNCTION_LIST = table!(CK_FUNCTION_LIST, V2_40: $($old)*);
        static LIST_3_0: CK_FUNCTION_LIST_3_0 =
            table!(CK_FUNCTION_LIST_3_0, V3_0: $($old)* $($new)*);
    };
}

tables! {
    old: {
        C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo
        C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN
        C_OpenSession C_CloseSession C_CloseAllSessions C_GetSessionInfo C_GetOperationState
        C_SetOperationState C_Login C_Logout C_CreateObject C_CopyObject C_DestroyObject
        C_GetObjectSize C_GetAttributeValue C_SetAttributeValue C_FindObjectsInit C_FindObjects
        C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal C_DecryptInit
        C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest C_DigestUpdate C_DigestKey
        C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover
        C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal C_VerifyRecoverInit C_VerifyRecover
        C_DigestEncryptUpdate C_DecryptDigestUpdate C_SignEncryptUpdate C_DecryptVerifyUpdate
        C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey C_DeriveKey C_SeedRandom
        C_GenerateRandom C_GetFunctionStatus C_CancelFunction C_WaitForSlotEvent
    }
    new: {
        C_GetInterfaceList C_GetInterface C_LoginUser C_SessionCancel C_MessageEncryptInit
        C_EncryptMessage C_EncryptMessageBegin C_EncryptMessageNext C_MessageEncryptFinal
        C_MessageDecryptInit C_DecryptMessage C_DecryptMessageBegin C_DecryptMessageNext
        C_MessageDecryptFinal C_MessageSignInit C_SignMessage C_SignMessageBegin C_SignMessageNext
        C_MessageSignFinal C_MessageVerifyInit C_VerifyMessage C_VerifyMessageBegin
        C_VerifyMessageNext C_MessageVerifyFinal
    }
}

/// The tables, for a caller in this program.
pub(crate) fn lists() -> (&'static CK_FUNCTION_LIST, &'static CK_FUNCTION_LIST_3_0) {
    (&LIST, &LIST_3_0)
}

/// The interfaces, the preferred one first.
struct Interfaces([CK_INTERFACE; 2]);

// SAFETY: the pointers inside lead to statics that nobody writes.
unsafe impl Sync for Interfaces {}

static INTERFACES: Interfaces = Interfaces([
    CK_INTERFACE {
        pInterfaceName: NAME.as_ptr().cast_mut().cast(),
        pFunctionList: (&raw const LIST_3_0).cast_mut().cast(),
        flags: 0,
    },
    CK_INTERFACE {
        pInterfaceName: NAME.as_ptr().cast_mut().cast(),
        pFunctionList: (&raw const LIST).cast_mut().cast(),
        flags: 0,
    },
]);

/// The version of each of [`INTERFACES`].
const VERSIONS: [CK_VERSION; 2] = [V3_0, V2_40];

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetFunctionList(place: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    guard(|| {
        // SAFETY: the caller passes null or room for a pointer.
        unsafe { Place::new(place) }?.write((&raw const LIST).cast_mut());
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetInterfaceList(
    interfaces: *mut CK_INTERFACE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the caller passes a buffer or null, and its length.
    guard(|| unsafe { Output::new(interfaces, length) }?.write(&INTERFACES.0))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_GetInterface(
    name: *mut CK_UTF8CHAR,
    version: *mut CK_VERSION,
    place: *mut *mut CK_INTERFACE,
    flags: CK_FLAGS,
) -> CK_RV {
    guard(|| {
        // SAFETY: the caller passes null or room for a pointer.
        let place = unsafe { Place::new(place) }?;
        // SAFETY: the caller passes null or a text that ends with a zero byte.
        let has_name = name.is_null() || unsafe { CStr::from_ptr(name.cast()) } == NAME;
        // SAFETY: the caller passes null or a version.
        let asked = unsafe { version.as_ref() };
        let fits = |ours: &CK_VERSION| {
            asked.is_none_or(|asked| asked.major == ours.major && asked.minor == ours.minor)
        };
        let found = VERSIONS
            .iter()
            .position(fits)
            .filter(|_| has_name && flags == 0);
        let found = found.and_then(|place| INTERFACES.0.get(place));
        place.write(ptr::from_ref(found.ok_or(Error::ArgumentsBad)?).cast_mut());
        Ok(())
    })
}
