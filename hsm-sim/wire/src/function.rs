//! The functions of PKCS#11 3.0 that travel, and their signatures: how many C arguments belong
//! together, and which way they go. What a program needs before it has a connection
//! (`C_Initialize`, `C_GetFunctionList`, …) is answered on its own side.
#![expect(non_camel_case_types, reason = "named as PKCS#11 names them")]

use cryptoki_sys as ck;

/// One or more C arguments that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number: slot, flags, user type.
    Word,
    /// A session's handle.
    Session,
    /// An object's handle.
    Object,
    /// A pointer that stays at home (callbacks, reserved ones).
    Unused,
    /// Bytes and their count.
    Bytes,
    /// A label of 32 bytes.
    Label,
    /// Room for bytes, and how many are wanted.
    Fill,
    /// Room for bytes, and the place of their count.
    Room,
    /// Room for numbers, and the place of their count.
    Numbers,
    /// Room for objects' handles, how many fit, and the place of their count.
    Found,
    /// Room for a structure without pointers, of so many bytes.
    Place(usize),
    /// Room for a new session's handle.
    NewSession,
    /// Room for a new object's handle.
    NewObject,
    /// A mechanism with its parameter.
    Mechanism,
    /// Attributes and their count.
    Template,
    /// Attributes to be answered, and their count.
    Query,
    /// A message's parameter and its length.
    Parameter,
}

impl Kind {
    /// C arguments of this kind.
    pub const fn arguments(self) -> usize {
        match self {
            Self::Bytes
            | Self::Fill
            | Self::Room
            | Self::Numbers
            | Self::Template
            | Self::Query
            | Self::Parameter => 2,
            Self::Found => 3,
            _ => 1,
        }
    }
}

macro_rules! functions {
    ($($name:ident: $($kind:expr),*;)*) => {
        /// A function that travels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Function {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
        }

        impl Function {
            /// All of them; the place is the number on the wire.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// How its arguments travel.
            pub const fn signature(self) -> &'static [Kind] {
                match self {
                    $(Self::$name => { const KINDS: &[Kind] = &[$($kind),*]; KINDS })*
                }
            }
        }
    };
}

use Kind::{
    Bytes, Fill, Found, Label, Mechanism, NewObject, NewSession, Numbers, Object, Parameter, Place,
    Query, Room, Session, Template, Unused, Word,
};

functions! {
    C_GetInfo: Place(size_of::<ck::CK_INFO>());
    C_GetSlotList: Word, Numbers;
    C_GetSlotInfo: Word, Place(size_of::<ck::CK_SLOT_INFO>());
    C_GetTokenInfo: Word, Place(size_of::<ck::CK_TOKEN_INFO>());
    C_GetMechanismList: Word, Numbers;
    C_GetMechanismInfo: Word, Word, Place(size_of::<ck::CK_MECHANISM_INFO>());
    C_InitToken: Word, Bytes, Label;
    C_InitPIN: Session, Bytes;
    C_SetPIN: Session, Bytes, Bytes;
    C_OpenSession: Word, Word, Unused, Unused, NewSession;
    C_CloseSession: Session;
    C_CloseAllSessions: Word;
    C_GetSessionInfo: Session, Place(size_of::<ck::CK_SESSION_INFO>());
    C_GetOperationState: Session, Room;
    C_SetOperationState: Session, Bytes, Object, Object;
    C_Login: Session, Word, Bytes;
    C_Logout: Session;
    C_CreateObject: Session, Template, NewObject;
    C_CopyObject: Session, Object, Template, NewObject;
    C_DestroyObject: Session, Object;
    C_GetObjectSize: Session, Object, Place(8);
    C_GetAttributeValue: Session, Object, Query;
    C_SetAttributeValue: Session, Object, Template;
    C_FindObjectsInit: Session, Template;
    C_FindObjects: Session, Found;
    C_FindObjectsFinal: Session;
    C_EncryptInit: Session, Mechanism, Object;
    C_Encrypt: Session, Bytes, Room;
    C_EncryptUpdate: Session, Bytes, Room;
    C_EncryptFinal: Session, Room;
    C_DecryptInit: Session, Mechanism, Object;
    C_Decrypt: Session, Bytes, Room;
    C_DecryptUpdate: Session, Bytes, Room;
    C_DecryptFinal: Session, Room;
    C_DigestInit: Session, Mechanism;
    C_Digest: Session, Bytes, Room;
    C_DigestUpdate: Session, Bytes;
    C_DigestKey: Session, Object;
    C_DigestFinal: Session, Room;
    C_SignInit: Session, Mechanism, Object;
    C_Sign: Session, Bytes, Room;
    C_SignUpdate: Session, Bytes;
    C_SignFinal: Session, Room;
    C_SignRecoverInit: Session, Mechanism, Object;
    C_SignRecover: Session, Bytes, Room;
    C_VerifyInit: Session, Mechanism, Object;
    C_Verify: Session, Bytes, Bytes;
    C_VerifyUpdate: Session, Bytes;
    C_VerifyFinal: Session, Bytes;
    C_VerifyRecoverInit: Session, Mechanism, Object;
    C_VerifyRecover: Session, Bytes, Room;
    C_DigestEncryptUpdate: Session, Bytes, Room;
    C_DecryptDigestUpdate: Session, Bytes, Room;
    C_SignEncryptUpdate: Session, Bytes, Room;
    C_DecryptVerifyUpdate: Session, Bytes, Room;
    C_GenerateKey: Session, Mechanism, Template, NewObject;
    C_GenerateKeyPair: Session, Mechanism, Template, Template, NewObject, NewObject;
    C_WrapKey: Session, Mechanism, Object, Object, Room;
    C_UnwrapKey: Session, Mechanism, Object, Bytes, Template, NewObject;
    C_DeriveKey: Session, Mechanism, Object, Template, NewObject;
    C_SeedRandom: Session, Bytes;
    C_GenerateRandom: Session, Fill;
    C_GetFunctionStatus: Session;
    C_CancelFunction: Session;
    C_WaitForSlotEvent: Word, Place(8), Unused;
    C_LoginUser: Session, Word, Bytes, Bytes;
    C_SessionCancel: Session, Word;
    C_MessageEncryptInit: Session, Mechanism, Object;
    C_EncryptMessage: Session, Parameter, Bytes, Bytes, Room;
    C_EncryptMessageBegin: Session, Parameter, Bytes;
    C_EncryptMessageNext: Session, Parameter, Bytes, Room, Word;
    C_MessageEncryptFinal: Session;
    C_MessageDecryptInit: Session, Mechanism, Object;
    C_DecryptMessage: Session, Parameter, Bytes, Bytes, Room;
    C_DecryptMessageBegin: Session, Parameter, Bytes;
    C_DecryptMessageNext: Session, Parameter, Bytes, Room, Word;
    C_MessageDecryptFinal: Session;
    C_MessageSignInit: Session, Mechanism, Object;
    C_SignMessage: Session, Parameter, Bytes, Room;
    C_SignMessageBegin: Session, Parameter;
    C_SignMessageNext: Session, Parameter, Bytes, Room;
    C_MessageSignFinal: Session;
    C_MessageVerifyInit: Session, Mechanism, Object;
    C_VerifyMessage: Session, Parameter, Bytes, Bytes;
    C_VerifyMessageBegin: Session, Parameter;
    C_VerifyMessageNext: Session, Parameter, Bytes, Bytes;
    C_MessageVerifyFinal: Session;
}

impl Function {
    /// The function of a number on the wire.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// C arguments that it takes.
    pub fn arguments(self) -> usize {
        self.signature().iter().map(|kind| kind.arguments()).sum()
    }

    /// Whether a token may still write the parameter of `C_EncryptInit` (its own IV) meanwhile.
    pub fn continues_encryption(self) -> bool {
        matches!(
            self,
            Self::C_Encrypt | Self::C_EncryptUpdate | Self::C_EncryptFinal
        )
    }
}

impl Function {
    /// Whether an encryption goes on after this call of it (PKCS#11 §5.2).
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "null or not, as the caller asks"
    )]
    pub fn keeps_encryption(self, value: u64, is_question: bool) -> bool {
        let goes_on = is_question || self == Self::C_EncryptUpdate;
        self.continues_encryption()
            && (value == ck::CKR_BUFFER_TOO_SMALL || (value == ck::CKR_OK && goes_on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_on_the_wire_means_one_function() {
        for (number, function) in Function::ALL.iter().enumerate() {
            assert_eq!(usize::from(*function as u8), number);
            assert_eq!(Function::of(*function as u8), Some(*function));
        }
        assert_eq!(Function::of(255), None);
    }
}
