//! The HSM's answers, in our words.

use cryptoki::error::{Error as Pkcs11Error, RvError};

use crate::error::HsmError;

/// What is opened anew after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lost {
    /// The session, its login or its handles.
    Session,
    /// The token, or the module's connection to it.
    Token,
}

/// `RvError`'s names hold nothing but the code.
pub(super) fn refused(function: &'static str, error: &Pkcs11Error) -> HsmError {
    let Pkcs11Error::Pkcs11(code, _) = error else {
        return HsmError::Refused {
            code: "an answer that makes no sense".to_owned(),
            function,
        };
    };
    match code {
        RvError::PinIncorrect => HsmError::WrongPin,
        RvError::PinLocked => HsmError::PinLocked,
        RvError::DeviceError => HsmError::Tampered { function },
        RvError::DeviceMemory => HsmError::TokenFull,
        code if lost(code).is_some() || is_passing(code) => HsmError::Unavailable {
            code: format!("{code:?}"),
            function,
        },
        code => HsmError::Refused {
            code: format!("{code:?}"),
            function,
        },
    }
}

/// What an error says was lost. Sessions, logins and handles come and go with the device.
pub(super) fn lost_by(error: &HsmError) -> Option<Lost> {
    const SESSION: [&str; 6] = [
        "SessionHandleInvalid",
        "SessionClosed",
        "UserNotLoggedIn",
        "ObjectHandleInvalid",
        "KeyHandleInvalid",
        "OperationActive",
    ];
    const TOKEN: [&str; 5] = [
        "DeviceRemoved",
        "TokenNotPresent",
        "TokenNotRecognized",
        "SlotIdInvalid",
        "CryptokiNotInitialized",
    ];
    match error {
        HsmError::Unavailable { code, .. } if SESSION.contains(&code.as_str()) => {
            Some(Lost::Session)
        }
        HsmError::NoToken { .. } => Some(Lost::Token),
        HsmError::Unavailable { code, .. } if TOKEN.contains(&code.as_str()) => Some(Lost::Token),
        _ => None,
    }
}

/// `CKR_AEAD_DECRYPT_FAILED` (PKCS#11 v3.0), which the binding does not name.
const AEAD_DECRYPT_FAILED: u64 = 0x42;

/// What HSMs answer to a wrong tag.
pub(super) fn is_altered(error: &Pkcs11Error) -> bool {
    matches!(
        error,
        Pkcs11Error::Pkcs11(
            RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange
                | RvError::UnknownErrorCode(AEAD_DECRYPT_FAILED),
            _
        )
    )
}

/// `SoftHSM2` and others answer so to a wrong tag too, and to any other trouble.
pub(super) fn may_be_altered(error: &Pkcs11Error) -> bool {
    matches!(error, Pkcs11Error::Pkcs11(RvError::GeneralError, _))
}

fn lost(code: &RvError) -> Option<Lost> {
    lost_by(&HsmError::Unavailable {
        code: format!("{code:?}"),
        function: "",
    })
}

/// Trouble that may be over the next time.
fn is_passing(code: &RvError) -> bool {
    matches!(
        code,
        RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::FunctionCanceled
            | RvError::Cancel
            | RvError::HostMemory
            | RvError::SessionCount
            | RvError::OperationNotInitialized
            | RvError::CantLock
            | RvError::RandomNoRng
    )
}
