//! The exported C functions and their tables: version 2.40, version 3.0, and the interfaces under
//! which 3.0 callers find them (PKCS#11 §5.4). All but the first few pass the call on.
#![expect(unsafe_code, reason = "exported C functions and their tables")]

use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_BBOOL, CK_BYTE, CK_C_INITIALIZE_ARGS, CK_FLAGS, CK_FUNCTION_LIST,
    CK_FUNCTION_LIST_3_0, CK_INFO, CK_INTERFACE, CK_MECHANISM, CK_MECHANISM_INFO,
    CK_MECHANISM_TYPE, CK_NOTIFY, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO,
    CK_SLOT_ID, CK_SLOT_INFO, CK_TOKEN_INFO, CK_ULONG, CK_USER_TYPE, CK_UTF8CHAR, CK_VERSION,
};
use hsm_wire::Function;

use crate::{call, link};

const NAME: &CStr = c"PKCS 11";
const V2_40: CK_VERSION = CK_VERSION {
    major: 2,
    minor: 40,
};
const V3_0: CK_VERSION = CK_VERSION { major: 3, minor: 0 };

/// A C argument as one number.
trait Argument {
    fn number(self) -> u64;
}

impl Argument for u64 {
    fn number(self) -> u64 {
        self
    }
}

impl Argument for CK_BBOOL {
    fn number(self) -> u64 {
        self.into()
    }
}

impl<T> Argument for *mut T {
    fn number(self) -> u64 {
        self.expose_provenance() as u64
    }
}

/// Callbacks stay at home.
impl Argument for CK_NOTIFY {
    fn number(self) -> u64 {
        0
    }
}

/// Functions of one C signature, named by what they take.
macro_rules! pass_on {
    ($($arguments:tt: $($name:ident)*;)*) => {
        $($(pass_on!(@ $name $arguments);)*)*
    };
    (@ $name:ident ($($argument:ident: $type:ty),*)) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            let arguments = [$(Argument::number($argument)),*];
            // SAFETY: the caller keeps the function's contract.
            guard(|| unsafe { call::forward(Function::$name, &arguments) })
        }
    };
}

pass_on! {
    (place: *mut CK_INFO): C_GetInfo;
    (present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG): C_GetSlotList;
    (slot: CK_SLOT_ID, place: *mut CK_SLOT_INFO): C_GetSlotInfo;
    (slot: CK_SLOT_ID, place: *mut CK_TOKEN_INFO): C_GetTokenInfo;
    (slot: CK_SLOT_ID, mechanisms: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG):
        C_GetMechanismList;
    (slot: CK_SLOT_ID, kind: CK_MECHANISM_TYPE, place: *mut CK_MECHANISM_INFO): C_GetMechanismInfo;
    (slot: CK_SLOT_ID, pin: *mut CK_UTF8CHAR, length: CK_ULONG, label: *mut CK_UTF8CHAR):
        C_InitToken;
    (slot: CK_SLOT_ID, flags: CK_FLAGS, application: *mut c_void, notify: CK_NOTIFY,
        place: *mut CK_SESSION_HANDLE): C_OpenSession;
    (slot: CK_SLOT_ID): C_CloseAllSessions;
    (flags: CK_FLAGS, place: *mut CK_SLOT_ID, reserved: *mut c_void): C_WaitForSlotEvent;
    (session: CK_SESSION_HANDLE):
        C_CloseSession C_Logout C_FindObjectsFinal C_GetFunctionStatus C_CancelFunction
        C_MessageEncryptFinal C_MessageDecryptFinal C_MessageSignFinal C_MessageVerifyFinal;
    (session: CK_SESSION_HANDLE, flags: CK_FLAGS): C_SessionCancel;
    (session: CK_SESSION_HANDLE, place: *mut CK_SESSION_INFO): C_GetSessionInfo;
    (session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, length: CK_ULONG):
        C_Login;
    (session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, length: CK_ULONG,
        name: *mut CK_UTF8CHAR, name_length: CK_ULONG): C_LoginUser;
    (session: CK_SESSION_HANDLE, input: *mut CK_BYTE, length: CK_ULONG):
        C_InitPIN C_DigestUpdate C_SignUpdate C_VerifyUpdate C_VerifyFinal C_SeedRandom
        C_GenerateRandom;
    (session: CK_SESSION_HANDLE, input: *mut CK_BYTE, length: CK_ULONG, other: *mut CK_BYTE,
        other_length: CK_ULONG): C_SetPIN C_Verify;
    (session: CK_SESSION_HANDLE, buffer: *mut CK_BYTE, length: *mut CK_ULONG):
        C_GetOperationState C_EncryptFinal C_DecryptFinal C_DigestFinal C_SignFinal;
    (session: CK_SESSION_HANDLE, input: *mut CK_BYTE, input_length: CK_ULONG,
        buffer: *mut CK_BYTE, length: *mut CK_ULONG):
        C_Encrypt C_EncryptUpdate C_Decrypt C_DecryptUpdate C_Digest C_Sign C_SignRecover
        C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate C_SignEncryptUpdate
        C_DecryptVerifyUpdate;
    (session: CK_SESSION_HANDLE, state: *mut CK_BYTE, length: CK_ULONG, sealing: CK_OBJECT_HANDLE,
        signing: CK_OBJECT_HANDLE): C_SetOperationState;
    (session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE): C_DestroyObject C_DigestKey;
    (session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, place: *mut CK_ULONG): C_GetObjectSize;
    (session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG): C_FindObjectsInit;
    (session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG,
        place: *mut CK_OBJECT_HANDLE): C_CreateObject;
    (session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE,
        count: CK_ULONG): C_GetAttributeValue C_SetAttributeValue;
    (session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE,
        count: CK_ULONG, place: *mut CK_OBJECT_HANDLE): C_CopyObject;
    (session: CK_SESSION_HANDLE, objects: *mut CK_OBJECT_HANDLE, limit: CK_ULONG,
        count: *mut CK_ULONG): C_FindObjects;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM): C_DigestInit;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE):
        C_EncryptInit C_DecryptInit C_SignInit C_SignRecoverInit C_VerifyInit C_VerifyRecoverInit
        C_MessageEncryptInit C_MessageDecryptInit C_MessageSignInit C_MessageVerifyInit;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, template: *mut CK_ATTRIBUTE,
        count: CK_ULONG, place: *mut CK_OBJECT_HANDLE): C_GenerateKey;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, public: *mut CK_ATTRIBUTE,
        public_count: CK_ULONG, private: *mut CK_ATTRIBUTE, private_count: CK_ULONG,
        public_place: *mut CK_OBJECT_HANDLE, private_place: *mut CK_OBJECT_HANDLE):
        C_GenerateKeyPair;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE, buffer: *mut CK_BYTE, length: *mut CK_ULONG): C_WrapKey;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, unwrapping: CK_OBJECT_HANDLE,
        wrapped: *mut CK_BYTE, length: CK_ULONG, template: *mut CK_ATTRIBUTE, count: CK_ULONG,
        place: *mut CK_OBJECT_HANDLE): C_UnwrapKey;
    (session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE, count: CK_ULONG, place: *mut CK_OBJECT_HANDLE): C_DeriveKey;
    (session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_length: CK_ULONG,
        aad: *mut CK_BYTE, aad_length: CK_ULONG, input: *mut CK_BYTE, input_length: CK_ULONG,
        buffer: *mut CK_BYTE, length: *mut CK_ULONG): C_EncryptMessage C_DecryptMessage;
    (session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_length: CK_ULONG,
        aad: *mut CK_BYTE, aad_length: CK_ULONG): C_EncryptMessageBegin C_DecryptMessageBegin;
    (session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_length: CK_ULONG,
        input: *mut CK_BYTE, input_length: CK_ULONG, buffer: *mut CK_BYTE, length: *mut CK_ULONG,
        flags: CK_FLAGS): C_EncryptMessageNext C_DecryptMessageNext;
    (session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_length: CK_ULONG,
        input: *mut CK_BYTE, input_length: CK_ULONG, buffer: *mut CK_BYTE, length: *mut CK_ULONG):
        C_SignMessage C_SignMessageNext;
    (session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_length: CK_ULONG):
        C_SignMessageBegin C_VerifyMessageBegin;
    (session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_length: CK_ULONG,
        input: *mut CK_BYTE, input_length: CK_ULONG, signature: *mut CK_BYTE, length: CK_ULONG):
        C_VerifyMessage C_VerifyMessageNext;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn C_Initialize(arguments: *mut c_void) -> CK_RV {
    guard(|| {
        let arguments = arguments.cast::<CK_C_INITIALIZE_ARGS>();
        // SAFETY: the caller passes null or a CK_C_INITIALIZE_ARGS.
        match unsafe { arguments.as_ref() }.map_or(ck::CKR_OK, check) {
            ck::CKR_OK => link::initialize(),
            refused => refused,
        }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    guard(|| {
        if reserved.is_null() {
            link::finalize()
        } else {
            ck::CKR_ARGUMENTS_BAD
        }
    })
}

/// We lock by the operating system's means; callbacks alone cannot be served.
fn check(arguments: &CK_C_INITIALIZE_ARGS) -> CK_RV {
    let given = [
        arguments.CreateMutex.is_some(),
        arguments.DestroyMutex.is_some(),
        arguments.LockMutex.is_some(),
        arguments.UnlockMutex.is_some(),
    ];
    let is_mixed = given.contains(&true) && given.contains(&false);
    if is_mixed || !arguments.pReserved.is_null() {
        ck::CKR_ARGUMENTS_BAD
    } else if given.contains(&true) && arguments.flags & ck::CKF_OS_LOCKING_OK == 0 {
        ck::CKR_CANT_LOCK
    } else {
        ck::CKR_OK
    }
}

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
unsafe extern "C" fn C_GetFunctionList(place: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if place.is_null() {
        return ck::CKR_ARGUMENTS_BAD;
    }
    // SAFETY: not null, so the caller passes room for a pointer.
    unsafe { place.write((&raw const LIST).cast_mut()) };
    ck::CKR_OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn C_GetInterfaceList(
    interfaces: *mut CK_INTERFACE,
    length: *mut CK_ULONG,
) -> CK_RV {
    if length.is_null() {
        return ck::CKR_ARGUMENTS_BAD;
    }
    let known = INTERFACES.0.len();
    // SAFETY: not null, so the caller passes the place of a count.
    let room = unsafe { length.replace(known as CK_ULONG) };
    if interfaces.is_null() {
        return ck::CKR_OK;
    }
    if room < known as CK_ULONG {
        return ck::CKR_BUFFER_TOO_SMALL;
    }
    // SAFETY: the caller passes room for so many; the source is our own memory.
    unsafe { ptr::copy_nonoverlapping(INTERFACES.0.as_ptr(), interfaces, known) };
    ck::CKR_OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn C_GetInterface(
    name: *mut CK_UTF8CHAR,
    version: *mut CK_VERSION,
    place: *mut *mut CK_INTERFACE,
    flags: CK_FLAGS,
) -> CK_RV {
    if place.is_null() {
        return ck::CKR_ARGUMENTS_BAD;
    }
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
    let Some(interface) = found.and_then(|at| INTERFACES.0.get(at)) else {
        return ck::CKR_ARGUMENTS_BAD;
    };
    // SAFETY: not null, so the caller passes room for a pointer.
    unsafe { place.write(ptr::from_ref(interface).cast_mut()) };
    ck::CKR_OK
}

/// The wall that no panic passes.
fn guard(call: impl FnOnce() -> CK_RV) -> CK_RV {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(ck::CKR_GENERAL_ERROR)
}
