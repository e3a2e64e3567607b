//! Messages under AES-GCM (PKCS#11 v3.0 §5.9, §5.11): the clean way to an IV that the token makes.
#![expect(unsafe_code, reason = "exported C functions")]

use std::ffi::c_void;
use std::{ptr, slice};

use cryptoki_sys as ck;
use cryptoki_sys::{
    CK_BYTE, CK_FLAGS, CK_GCM_MESSAGE_PARAMS, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV,
    CK_SESSION_HANDLE, CK_ULONG,
};

use super::output::Output;
use super::raw;
use super::state::{call, with};
use crate::error::{Error, Result};
use crate::token::message::{self, Generator};
use crate::token::operation::Kind;

/// Bytes of the tag: whole ones only.
const TAG_BYTES: usize = 16;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_MessageEncryptInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe {
        begin(
            "C_MessageEncryptInit",
            session,
            Kind::Encrypt,
            mechanism,
            key,
        )
    }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptMessage(
    session: CK_SESSION_HANDLE,
    parameter: *mut c_void,
    parameter_length: CK_ULONG,
    aad: *mut CK_BYTE,
    aad_length: CK_ULONG,
    plaintext: *mut CK_BYTE,
    plaintext_length: CK_ULONG,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    call("C_EncryptMessage", || {
        // SAFETY: the caller passes inputs of these lengths, a buffer or null, and its length.
        let (aad, plaintext, output) = unsafe {
            (
                raw::bytes(aad, aad_length)?,
                raw::bytes(plaintext, plaintext_length)?,
                Output::new(buffer, length)?,
            )
        };
        let key = with(|module| module.message_key(session, Kind::Encrypt))?;
        if !output.offer(plaintext.len())? {
            return Ok(());
        }
        // SAFETY: the caller passes a parameter of this length, with an IV and room for a tag.
        let params = unsafe { Params::new(parameter, parameter_length) }?;
        let mut iv = params.iv();
        message::complete_iv(&mut iv, params.generator()?)?;
        let (ciphertext, tag) = message::seal(&key, &iv, &aad, &plaintext)?;
        params.fill(&iv, &tag);
        output.write(&ciphertext)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptMessageBegin(
    session: CK_SESSION_HANDLE,
    parameter: *mut c_void,
    parameter_length: CK_ULONG,
    aad: *mut CK_BYTE,
    aad_length: CK_ULONG,
) -> CK_RV {
    call("C_EncryptMessageBegin", || {
        // SAFETY: the caller passes additional bytes of this length.
        let aad = unsafe { raw::bytes(aad, aad_length) }?;
        // SAFETY: the caller passes a parameter of this length, with an IV and room for a tag.
        let params = unsafe { Params::new(parameter, parameter_length) }?;
        let mut iv = params.iv();
        message::complete_iv(&mut iv, params.generator()?)?;
        with(|module| module.begin_message(session, &iv, &aad))?;
        params.fill(&iv, &params.tag());
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_EncryptMessageNext(
    session: CK_SESSION_HANDLE,
    parameter: *mut c_void,
    parameter_length: CK_ULONG,
    part: *mut CK_BYTE,
    part_length: CK_ULONG,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
    flags: CK_FLAGS,
) -> CK_RV {
    call("C_EncryptMessageNext", || {
        // SAFETY: the caller passes a part of this length, a buffer or null, and its length.
        let (part, output) =
            unsafe { (raw::bytes(part, part_length)?, Output::new(buffer, length)?) };
        // SAFETY: the caller passes a parameter of this length, with an IV and room for a tag.
        let params = unsafe { Params::new(parameter, parameter_length) }?;
        with(|module| module.message_key(session, Kind::Encrypt))?;
        if !output.offer(part.len())? {
            return Ok(());
        }
        output.write(&with(|module| module.next_part(session, &part))?)?;
        if flags & ck::CKF_END_OF_MESSAGE != 0 {
            let tag = with(|module| module.end_message(session))?;
            params.fill(&params.iv(), &tag);
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_MessageEncryptFinal(session: CK_SESSION_HANDLE) -> CK_RV {
    call("C_MessageEncryptFinal", || {
        with(|module| module.end_messages(session, Kind::Encrypt))
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_MessageDecryptInit(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    // SAFETY: the same contract.
    unsafe {
        begin(
            "C_MessageDecryptInit",
            session,
            Kind::Decrypt,
            mechanism,
            key,
        )
    }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_DecryptMessage(
    session: CK_SESSION_HANDLE,
    parameter: *mut c_void,
    parameter_length: CK_ULONG,
    aad: *mut CK_BYTE,
    aad_length: CK_ULONG,
    ciphertext: *mut CK_BYTE,
    ciphertext_length: CK_ULONG,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    call("C_DecryptMessage", || {
        // SAFETY: the caller passes inputs of these lengths, a buffer or null, and its length.
        let (aad, ciphertext, output) = unsafe {
            (
                raw::bytes(aad, aad_length)?,
                raw::bytes(ciphertext, ciphertext_length)?,
                Output::new(buffer, length)?,
            )
        };
        let key = with(|module| module.message_key(session, Kind::Decrypt))?;
        if !output.offer(ciphertext.len())? {
            return Ok(());
        }
        // SAFETY: the caller passes a parameter of this length, with an IV and a tag.
        let params = unsafe { Params::new(parameter, parameter_length) }?;
        output.write(&message::open(
            &key,
            &params.iv(),
            &aad,
            &ciphertext,
            &params.tag(),
        )?)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn C_MessageDecryptFinal(session: CK_SESSION_HANDLE) -> CK_RV {
    call("C_MessageDecryptFinal", || {
        with(|module| module.end_messages(session, Kind::Decrypt))
    })
}

/// The parameter comes with each message; that of the mechanism only has to be one.
///
/// # Safety
/// `mechanism` is null or points to a mechanism.
unsafe fn begin(
    function: &'static str,
    session: CK_SESSION_HANDLE,
    kind: Kind,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    call(function, || {
        if mechanism.is_null() {
            return Err(Error::ArgumentsBad);
        }
        // SAFETY: not null.
        let given = unsafe { mechanism.read_unaligned() };
        let number = given.mechanism;
        // Both structures for GCM have one size.
        let fits = usize::try_from(given.ulParameterLen) == Ok(size_of::<CK_GCM_MESSAGE_PARAMS>());
        if number == ck::CKM_AES_GCM && (given.pParameter.is_null() || !fits) {
            return Err(Error::MechanismParamInvalid);
        }
        with(|module| module.begin_messages(session, kind, number, key))
    })
}

/// A message's parameter whose IV and tag have a length that we take.
struct Params(CK_GCM_MESSAGE_PARAMS);

impl Params {
    /// # Safety
    /// `parameter` is null or points to a parameter of its length, whose IV and tag are null or
    /// writable for as long as this value lives.
    unsafe fn new(parameter: *mut c_void, length: CK_ULONG) -> Result<Self> {
        let fits = usize::try_from(length) == Ok(size_of::<CK_GCM_MESSAGE_PARAMS>());
        if parameter.is_null() || !fits {
            return Err(Error::MechanismParamInvalid);
        }
        // SAFETY: not null, of the right size.
        let params = unsafe { parameter.cast::<CK_GCM_MESSAGE_PARAMS>().read_unaligned() };
        let is_whole = !params.pIv.is_null()
            && matches!(params.ulIvLen, 12 | 16)
            && !params.pTag.is_null()
            && params.ulTagBits == 128;
        if is_whole {
            Ok(Self(params))
        } else {
            Err(Error::MechanismParamInvalid)
        }
    }

    fn generator(&self) -> Result<Generator> {
        let fixed = usize::try_from(self.0.ulIvFixedBits).unwrap_or(usize::MAX);
        match self.0.ivGenerator {
            ck::CKG_NO_GENERATE => Ok(Generator::Caller),
            ck::CKG_GENERATE | ck::CKG_GENERATE_RANDOM if fixed.is_multiple_of(8) => {
                Ok(Generator::Random(fixed / 8))
            }
            _ => Err(Error::MechanismParamInvalid),
        }
    }

    fn iv(&self) -> Vec<u8> {
        let length = if self.0.ulIvLen == 12 { 12 } else { 16 };
        // SAFETY: `new` refused null and other lengths, and its caller vouches for the bytes.
        unsafe { slice::from_raw_parts(self.0.pIv, length) }.to_vec()
    }

    fn tag(&self) -> Vec<u8> {
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(self.0.pTag, TAG_BYTES) }.to_vec()
    }

    /// Returns the IV and the tag; both have the lengths that were read.
    fn fill(&self, iv: &[u8], tag: &[u8]) {
        // SAFETY: as above; `iv` and `tag` are our own memory, of just these lengths.
        unsafe {
            ptr::copy_nonoverlapping(iv.as_ptr(), self.0.pIv, iv.len());
            ptr::copy_nonoverlapping(tag.as_ptr(), self.0.pTag, tag.len().min(TAG_BYTES));
        }
    }
}
