//! Why a call is refused: one variant for each return value (`CKR_*`) that this token gives.

use cryptoki_sys as ck;

macro_rules! refusals {
    ($($name:ident = $code:ident, $text:literal;)*) => {
        /// A refused call. Each variant stands for one PKCS#11 return value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[non_exhaustive]
        pub enum Error {
            $(
                #[doc = concat!("`", stringify!($code), "`: ", $text, ".")]
                #[error($text)]
                $name,
            )*
        }

        impl Error {
            /// The PKCS#11 return value.
            pub(crate) const fn code(self) -> ck::CK_RV {
                match self { $(Self::$name => ck::$code,)* }
            }

            /// The refusal with this PKCS#11 name, as `CKR_DEVICE_ERROR`; `None` if this token
            /// never gives it.
            pub fn named(name: &str) -> Option<Self> {
                match name { $(stringify!($code) => Some(Self::$name),)* _ => None }
            }

            /// The PKCS#11 names of all refusals.
            pub const NAMES: &[&str] = &[$(stringify!($code)),*];
        }
    };
}

refusals! {
    ActionProhibited = CKR_ACTION_PROHIBITED, "the object forbids this action";
    AlreadyInitialized = CKR_CRYPTOKI_ALREADY_INITIALIZED, "the module is already initialised";
    ArgumentsBad = CKR_ARGUMENTS_BAD, "an argument is missing or out of range";
    AttributeReadOnly = CKR_ATTRIBUTE_READ_ONLY, "this attribute cannot be set so";
    AttributeSensitive = CKR_ATTRIBUTE_SENSITIVE, "the attribute is sensitive and is never read";
    AttributeTypeInvalid = CKR_ATTRIBUTE_TYPE_INVALID, "the object has no such attribute";
    AttributeValueInvalid = CKR_ATTRIBUTE_VALUE_INVALID, "the attribute has an impossible value";
    BufferTooSmall = CKR_BUFFER_TOO_SMALL, "the output does not fit into the buffer";
    CannotLock = CKR_CANT_LOCK, "only the operating system's locking is supported";
    CiphertextInvalid = CKR_ENCRYPTED_DATA_INVALID, "the ciphertext is not authentic";
    CiphertextLength = CKR_ENCRYPTED_DATA_LEN_RANGE, "the ciphertext has an impossible length";
    CurveNotSupported = CKR_CURVE_NOT_SUPPORTED, "only Ed25519, P-256 and P-384 are supported";
    DeviceError = CKR_DEVICE_ERROR, "the token's store is damaged or cannot be used";
    DeviceMemory = CKR_DEVICE_MEMORY, "the token is full: destroy objects that are not needed";
    DeviceRemoved = CKR_DEVICE_REMOVED, "the device was removed: put it in again";
    DomainParams = CKR_DOMAIN_PARAMS_INVALID, "the curve's parameters are not well formed";
    FunctionFailed = CKR_FUNCTION_FAILED, "the function failed: try again";
    FunctionNotSupported = CKR_FUNCTION_NOT_SUPPORTED, "the function is not supported";
    General = CKR_GENERAL_ERROR, "the module is in an unknown state: restart the program";
    InputLength = CKR_DATA_LEN_RANGE, "the input has an impossible length";
    KeyFunctionNotPermitted = CKR_KEY_FUNCTION_NOT_PERMITTED, "the key may not be used so";
    KeyHandleInvalid = CKR_KEY_HANDLE_INVALID, "no such key is visible";
    KeyIndigestible = CKR_KEY_INDIGESTIBLE, "the key's value is not for hashing";
    KeyNotWrappable = CKR_KEY_NOT_WRAPPABLE, "the key may not be wrapped by this one";
    KeySizeRange = CKR_KEY_SIZE_RANGE, "the key size is not supported";
    KeyTypeInconsistent = CKR_KEY_TYPE_INCONSISTENT, "the mechanism does not fit the key's type";
    KeyUnextractable = CKR_KEY_UNEXTRACTABLE, "the key may not leave the token";
    MechanismInvalid = CKR_MECHANISM_INVALID, "the mechanism cannot do this";
    MechanismParamInvalid = CKR_MECHANISM_PARAM_INVALID, "the mechanism's parameter is wrong";
    NoEvent = CKR_NO_EVENT, "no slot changed";
    NoRandom = CKR_RANDOM_NO_RNG, "the system gives no random numbers";
    NotInitialized = CKR_CRYPTOKI_NOT_INITIALIZED, "call C_Initialize first";
    ObjectHandleInvalid = CKR_OBJECT_HANDLE_INVALID, "no such object is visible";
    OperationActive = CKR_OPERATION_ACTIVE, "the session is already doing this";
    OperationNotInitialized = CKR_OPERATION_NOT_INITIALIZED, "no such operation was begun";
    PinIncorrect = CKR_PIN_INCORRECT, "the PIN is wrong";
    PinInvalid = CKR_PIN_INVALID, "the PIN is not UTF-8";
    PinLength = CKR_PIN_LEN_RANGE, "a PIN has 4 to 255 bytes";
    PinLocked = CKR_PIN_LOCKED, "the PIN is locked after too many wrong tries";
    ProfileUnknown = CKR_ARGUMENTS_BAD, "JINKU_HSM_PROFILE must be strict, softhsm, luna, nshield or cloudhsm";
    RandomSeedNotSupported = CKR_RANDOM_SEED_NOT_SUPPORTED, "the random source takes no seed";
    SessionClosed = CKR_SESSION_CLOSED, "the session was closed meanwhile";
    SessionCount = CKR_SESSION_COUNT, "too many sessions are open";
    SessionExists = CKR_SESSION_EXISTS, "close the token's sessions first";
    SessionHandleInvalid = CKR_SESSION_HANDLE_INVALID, "no such session is open";
    SessionParallel = CKR_SESSION_PARALLEL_NOT_SUPPORTED, "sessions are serial";
    SessionReadOnly = CKR_SESSION_READ_ONLY, "the session is read-only";
    SessionReadOnlyExists = CKR_SESSION_READ_ONLY_EXISTS, "a read-only session bars the SO";
    SessionReadWriteSo = CKR_SESSION_READ_WRITE_SO_EXISTS, "the SO's login bars this session";
    SignatureInvalid = CKR_SIGNATURE_INVALID, "the signature is wrong";
    SignatureLength = CKR_SIGNATURE_LEN_RANGE, "the signature has an impossible length";
    SlotIdInvalid = CKR_SLOT_ID_INVALID, "no such slot exists";
    TemplateIncomplete = CKR_TEMPLATE_INCOMPLETE, "the template lacks an attribute";
    TemplateInconsistent = CKR_TEMPLATE_INCONSISTENT, "the template contradicts itself";
    TokenNotPresent = CKR_TOKEN_NOT_PRESENT, "no token is in the slot: put it in again";
    TokenNotRecognized = CKR_TOKEN_NOT_RECOGNIZED, "the token is not initialised";
    UserAlreadyLoggedIn = CKR_USER_ALREADY_LOGGED_IN, "this user is already logged in";
    UserAnotherLoggedIn = CKR_USER_ANOTHER_ALREADY_LOGGED_IN, "another user is logged in";
    UserNotLoggedIn = CKR_USER_NOT_LOGGED_IN, "log in first";
    UserPinNotInitialized = CKR_USER_PIN_NOT_INITIALIZED, "the user has no PIN yet";
    UserTypeInvalid = CKR_USER_TYPE_INVALID, "no such kind of user exists";
    UnwrappingKeyHandle = CKR_UNWRAPPING_KEY_HANDLE_INVALID, "no such unwrapping key is visible";
    UnwrappingKeyType = CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, "the mechanism does not fit the unwrapping key";
    WrappedKeyInvalid = CKR_WRAPPED_KEY_INVALID, "the wrapped key is not authentic";
    WrappedKeyLength = CKR_WRAPPED_KEY_LEN_RANGE, "the wrapped key has an impossible length";
    WrappingKeyHandle = CKR_WRAPPING_KEY_HANDLE_INVALID, "no such wrapping key is visible";
    WrappingKeyType = CKR_WRAPPING_KEY_TYPE_INCONSISTENT, "the mechanism does not fit the wrapping key";
}

/// What a call yields.
pub type Result<T> = std::result::Result<T, Error>;
