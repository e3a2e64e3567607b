//! Requests that make sense and such that do not, to a module that is not initialised, and to one
//! that makes its own IV.
#![expect(unsafe_code, reason = "a module in C's clothes")]

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use cryptoki_sys::{CK_BYTE, CK_FUNCTION_LIST, CK_GCM_PARAMS, CK_ULONG};
use proptest::prelude::*;

use super::*;

/// A request with a value for each kind of argument.
fn request(function: Function) -> Writer {
    let mut message = Writer::new();
    message.byte(function as u8);
    for kind in function.signature() {
        match kind {
            Kind::Word | Kind::Session | Kind::Object => message.word(1),
            Kind::Unused => {}
            Kind::Bytes | Kind::Label => {
                message.flag(true);
                message.counted(&[7; 32]);
            }
            Kind::Fill => {
                message.flag(true);
                message.word(16);
            }
            Kind::Room | Kind::Numbers => {
                message.flag(true);
                message.flag(true);
                message.word(64);
            }
            Kind::Found => {
                message.flag(true);
                message.word(4);
                message.flag(true);
            }
            Kind::Place(_) | Kind::NewSession | Kind::NewObject => message.flag(true),
            Kind::Mechanism => {
                message.flag(true);
                message.word(ck::CKM_AES_GCM);
                gcm(&mut message);
            }
            Kind::Template | Kind::Query => {
                message.flag(true);
                message.word(0);
            }
            Kind::Parameter => {
                message.flag(true);
                message.word(5);
                message.flag(false);
            }
        }
    }
    message
}

/// The parameter of AES-GCM: 12 bytes of IV, no AAD.
fn gcm(message: &mut Writer) {
    message.flag(true);
    message.word(48);
    message.flag(true);
    for word in [0, 12, 96, 0, 0, 128] {
        message.word(word);
    }
    message.flag(true);
    message.put(&[0; 12]);
    message.flag(false);
}

#[test]
fn every_function_answers_before_the_module_is_initialised() {
    let dispatch = Dispatch::new(Module::own());
    for function in Function::ALL {
        let answer = dispatch.answer(request(*function).bytes());
        let answer = answer.unwrap_or_else(|_| panic!("{function:?}"));
        let value = Reader::new(answer.bytes()).word().unwrap();
        let known = [
            ck::CKR_CRYPTOKI_NOT_INITIALIZED,
            ck::CKR_FUNCTION_NOT_SUPPORTED,
        ];
        assert!(known.contains(&value), "{function:?}: {value:#x}");
    }
}

#[test]
fn every_shortened_request_is_refused() {
    let dispatch = Dispatch::new(Module::own());
    for function in Function::ALL {
        let message = request(*function);
        for length in 0..message.bytes().len() {
            assert!(dispatch.answer(&message.bytes()[..length]).is_err());
        }
        let mut longer = message.bytes().to_vec();
        longer.push(0);
        assert!(dispatch.answer(&longer).is_err(), "{function:?}");
    }
}

proptest! {
    #[test]
    fn random_requests_are_answered_or_refused(
        function in any::<u8>(),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut message = vec![function];
        message.extend(rest);
        Dispatch::new(Module::own()).answer(&message).ok();
    }

    #[test]
    fn altered_requests_are_answered_or_refused(
        function in 0..Function::ALL.len(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut message = request(Function::ALL[function]).bytes().to_vec();
        let place = place.index(message.len());
        message[place] = byte;
        Dispatch::new(Module::own()).answer(&message).ok();
    }
}

/// Where the module below writes its IV: it keeps the parameter's address, as vendors do.
static KEPT: AtomicPtr<CK_BYTE> = AtomicPtr::new(ptr::null_mut());

unsafe extern "C" fn begin(_: CK_ULONG, mechanism: *mut CK_MECHANISM, _: CK_ULONG) -> CK_RV {
    // SAFETY: the test passes the parameter of AES-GCM with room for an IV.
    unsafe {
        let parameter = (*mechanism).pParameter.cast::<CK_GCM_PARAMS>();
        KEPT.store((*parameter).pIv, Ordering::SeqCst);
        (*parameter).pIv.write_bytes(1, 12);
    }
    ck::CKR_OK
}

unsafe extern "C" fn encrypt(
    _: CK_ULONG,
    _: *mut CK_BYTE,
    _: CK_ULONG,
    buffer: *mut CK_BYTE,
    length: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: the test passes the place of a count, and its parameter of `begin` is still kept.
    unsafe {
        length.write(1);
        if !buffer.is_null() {
            buffer.write(42);
            KEPT.load(Ordering::SeqCst).write_bytes(2, 12);
        }
    }
    ck::CKR_OK
}

/// An encryption of one byte, into a room or as a question.
fn encryption(room: Option<u64>) -> Writer {
    let mut message = Writer::new();
    message.byte(Function::C_Encrypt as u8);
    message.word(1);
    message.flag(true);
    message.counted(b"x");
    message.flag(room.is_some());
    message.flag(true);
    message.word(room.unwrap_or_default());
    message
}

#[test]
fn an_iv_of_the_module_comes_back_whenever_it_is_written() {
    let dispatch = Dispatch::new(Module::of(&CK_FUNCTION_LIST {
        C_EncryptInit: Some(begin),
        C_Encrypt: Some(encrypt),
        ..Default::default()
    }));
    let answer = dispatch.answer(request(Function::C_EncryptInit).bytes());
    let ends_with = |answer: &Writer, iv: u8| answer.bytes().ends_with(&[iv; 12]);
    assert!(ends_with(&answer.unwrap(), 1));
    // A question writes nothing and ends nothing.
    let answer = dispatch.answer(encryption(None).bytes()).unwrap();
    assert!(answer.bytes().ends_with(&0_u64.to_le_bytes()));
    let answer = dispatch.answer(encryption(Some(8)).bytes()).unwrap();
    assert!(ends_with(&answer, 2));
    assert!(dispatch.late().is_empty());
}
