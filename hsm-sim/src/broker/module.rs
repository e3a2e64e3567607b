//! The module behind a worker: our own, or a vendor's `.so`, as tables of functions.
#![expect(unsafe_code, reason = "loads and calls PKCS#11 modules")]

use std::ffi::CStr;
use std::path::Path;
use std::ptr;

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_BBOOL, CK_C_INITIALIZE_ARGS, CK_FUNCTION_LIST, CK_FUNCTION_LIST_3_0, CK_INTERFACE,
    CK_NOTIFY, CK_RV,
};
use hsm_wire::Function;

use crate::functions;

const NAME: &CStr = c"PKCS 11";

/// A loaded module. It stays loaded: nobody knows what a module does when it is unloaded.
pub(super) struct Module {
    list: CK_FUNCTION_LIST,
    /// A module of version 3.0 or later has this too.
    list_3_0: Option<CK_FUNCTION_LIST_3_0>,
}

impl Module {
    /// Our own token.
    pub(super) fn own() -> Self {
        let (list, list_3_0) = functions::lists();
        Self {
            list: *list,
            list_3_0: Some(*list_3_0),
        }
    }

    /// A module of these functions.
    #[cfg(test)]
    pub(super) fn of(list: &CK_FUNCTION_LIST) -> Self {
        let (list, list_3_0) = (*list, None);
        Self { list, list_3_0 }
    }

    /// A vendor's module; `None` if there is none at this path.
    pub(super) fn load(path: &Path) -> Option<Self> {
        // SAFETY: loading runs the module's code, which is what the operator asked for by naming it.
        let library = unsafe { ck::Pkcs11::new(path) }.ok()?;
        let module = Self::tables(&library);
        std::mem::forget(library);
        module
    }

    fn tables(library: &ck::Pkcs11) -> Option<Self> {
        if let Some(list_3_0) = interface(library) {
            let list: *const CK_FUNCTION_LIST_3_0 = &raw const list_3_0;
            return Some(Self {
                // SAFETY: the newer table begins as the older one (PKCS#11 3.0 §3.7).
                list: unsafe { list.cast::<CK_FUNCTION_LIST>().read() },
                list_3_0: Some(list_3_0),
            });
        }
        let ask = library.C_GetFunctionList.as_ref().ok()?;
        let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
        // SAFETY: room for a pointer.
        let value = unsafe { ask(&raw mut list) };
        // SAFETY: a module answers with null or its table.
        let list = unsafe { list.as_ref() }.filter(|_| value == ck::CKR_OK)?;
        Some(Self {
            list: *list,
            list_3_0: None,
        })
    }

    /// `C_Initialize`, with the operating system's locks.
    pub(super) fn initialize(&self) -> CK_RV {
        let mut arguments = CK_C_INITIALIZE_ARGS {
            flags: ck::CKF_OS_LOCKING_OK,
            ..Default::default()
        };
        self.list
            .C_Initialize
            .map_or(ck::CKR_FUNCTION_NOT_SUPPORTED, |initialize| {
                // SAFETY: the arguments outlive the call.
                unsafe { initialize((&raw mut arguments).cast()) }
            })
    }

    /// `C_Finalize`.
    pub(super) fn finalize(&self) {
        if let Some(finalize) = self.list.C_Finalize {
            // SAFETY: it takes null.
            unsafe { finalize(ptr::null_mut()) };
        }
    }

    /// Calls a function.
    ///
    /// # Safety
    /// The arguments are those that PKCS#11 asks of the function's caller.
    pub(super) unsafe fn call(&self, function: Function, arguments: &[u64]) -> CK_RV {
        // SAFETY: the contract of this function.
        let value = unsafe { self.find_and_call(function, arguments) };
        value.unwrap_or(ck::CKR_FUNCTION_NOT_SUPPORTED)
    }
}

/// The table of version 3.0, from a module that has one.
fn interface(library: &ck::Pkcs11) -> Option<CK_FUNCTION_LIST_3_0> {
    let ask = library.C_GetInterface.as_ref().ok()?;
    let mut interface: *mut CK_INTERFACE = ptr::null_mut();
    let name = NAME.as_ptr().cast_mut().cast();
    // SAFETY: a name, any version, room for a pointer.
    let value = unsafe { ask(name, ptr::null_mut(), &raw mut interface, 0) };
    // SAFETY: a module answers with null or its interface.
    let interface = unsafe { interface.as_ref() }.filter(|_| value == ck::CKR_OK)?;
    let list = interface.pFunctionList.cast::<CK_FUNCTION_LIST>();
    // SAFETY: an interface of this name leads to a table, which begins with its version.
    let version = unsafe { list.as_ref() }?.version;
    if version.major < 3 {
        return None;
    }
    // SAFETY: of version 3.0 or later, so it is at least so long.
    Some(unsafe { list.cast::<CK_FUNCTION_LIST_3_0>().read() })
}

/// A C argument from a number.
trait Argument {
    fn of(number: u64) -> Self;
}

impl Argument for u64 {
    fn of(number: u64) -> Self {
        number
    }
}

impl Argument for CK_BBOOL {
    fn of(number: u64) -> Self {
        Self::from(number != 0)
    }
}

impl<T> Argument for *mut T {
    fn of(number: u64) -> Self {
        ptr::with_exposed_provenance_mut(usize::try_from(number).unwrap_or_default())
    }
}

/// Callbacks do not travel.
impl Argument for CK_NOTIFY {
    fn of(_: u64) -> Self {
        None
    }
}

/// A C function that takes numbers.
trait Callable {
    /// `None` if it takes more or fewer.
    ///
    /// # Safety
    /// The numbers are right for the function.
    unsafe fn call(self, numbers: &[u64]) -> Option<CK_RV>;
}

macro_rules! callable {
    ($($type:ident $number:ident),*) => {
        impl<$($type: Argument),*> Callable for unsafe extern "C" fn($($type),*) -> CK_RV {
            unsafe fn call(self, numbers: &[u64]) -> Option<CK_RV> {
                let [$($number),*] = numbers else {
                    return None;
                };
                // SAFETY: the contract of this function.
                Some(unsafe { self($(Argument::of(*$number)),*) })
            }
        }
    };
}

callable!(A a);
callable!(A a, B b);
callable!(A a, B b, C c);
callable!(A a, B b, C c, D d);
callable!(A a, B b, C c, D d, E e);
callable!(A a, B b, C c, D d, E e, F f);
callable!(A a, B b, C c, D d, E e, F f, G g);
callable!(A a, B b, C c, D d, E e, F f, G g, H h);
callable!(A a, B b, C c, D d, E e, F f, G g, H h, I i);

macro_rules! functions {
    (old: { $($old:ident)* } new: { $($new:ident)* }) => {
        impl Module {
            /// # Safety
            /// As [`Self::call`].
            unsafe fn find_and_call(&self, function: Function, arguments: &[u64]) -> Option<CK_RV> {
                match function {
                    // SAFETY: the contract of this function.
                    $(Function::$old => unsafe { self.list.$old?.call(arguments) },)*
                    // SAFETY: the contract of this function.
                    $(Function::$new => unsafe { self.list_3_0.as_ref()?.$new?.call(arguments) },)*
                }
            }
        }
    };
}

functions! {
    old: {
        C_GetInfo C_GetSlotList C_GetSlotInfo C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo
        C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession C_CloseAllSessions
        C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout C_CreateObject
        C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue C_SetAttributeValue
        C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt C_EncryptUpdate
        C_EncryptFinal C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit C_Digest
        C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal
        C_SignRecoverInit C_SignRecover C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal
        C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate
        C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey
        C_UnwrapKey C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction
        C_WaitForSlotEvent
    }
    new: {
        C_LoginUser C_SessionCancel C_MessageEncryptInit C_EncryptMessage C_EncryptMessageBegin
        C_EncryptMessageNext C_MessageEncryptFinal C_MessageDecryptInit C_DecryptMessage
        C_DecryptMessageBegin C_DecryptMessageNext C_MessageDecryptFinal C_MessageSignInit
        C_SignMessage C_SignMessageBegin C_SignMessageNext C_MessageSignFinal C_MessageVerifyInit
        C_VerifyMessage C_VerifyMessageBegin C_VerifyMessageNext C_MessageVerifyFinal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Before `C_Initialize` nothing is read or written through the arguments.
    #[test]
    fn every_signature_has_as_many_arguments_as_its_function() {
        let own = Module::own();
        for function in Function::ALL {
            let arguments = vec![0; function.arguments()];
            // SAFETY: null pointers and zeros, to a module that is not initialised.
            let value = unsafe { own.find_and_call(*function, &arguments) };
            assert!(value.is_some(), "{function:?}");
        }
    }
}
