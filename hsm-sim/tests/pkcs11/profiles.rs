//! Vendors' habits: whose GCM IV it is, how many handles and sessions there are, what is listed.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki_sys as ck;

use crate::raw::{Raw, gcm, with};
use crate::room::{self, Room, aes, pin, refusal};

fn sealing_key(session: &Session) -> ObjectHandle {
    session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap()
}

/// Seals with this IV buffer; the ciphertext, and the buffer afterwards.
fn seal(room: &Room, iv: &[u8]) -> Result<(Vec<u8>, Vec<u8>), ck::CK_RV> {
    let session = room.user_session();
    let key = sealing_key(&session);
    let mut buffer = iv.to_vec();
    let mut params = gcm(&mut buffer);
    let mechanism = with(ck::CKM_AES_GCM, &mut params);
    let sealed = Raw::load().encrypt(&session, mechanism, key, b"plaintext")?;
    let (given, bare) = match sealed.len() {
        25 => (buffer.clone(), sealed.clone()),
        _ => (sealed[25..].to_vec(), sealed[..25].to_vec()),
    };
    let mut given = given;
    let opened = session.decrypt(&room::gcm(&mut given, b""), key, &bare);
    assert_eq!(opened.unwrap(), b"plaintext");
    Ok((sealed, buffer))
}

#[test]
fn strict_and_softhsm_take_the_callers_iv() {
    for profile in ["strict", "softhsm"] {
        let room = Room::of_profile(profile);
        let (sealed, buffer) = seal(&room, &room::IV).unwrap();
        assert_eq!(buffer, room::IV);
        assert_eq!(sealed.len(), 25);
    }
}

#[test]
fn cloudhsm_puts_its_iv_over_twelve_zeros_and_refuses_others() {
    let room = Room::of_profile("cloudhsm");
    let (_, buffer) = seal(&room, &[0; 12]).unwrap();
    assert_ne!(buffer, [0; 12]);
    drop(room);
    let room = Room::of_profile("cloudhsm");
    assert_eq!(
        seal(&room, &room::IV).err(),
        Some(ck::CKR_MECHANISM_PARAM_INVALID)
    );
}

#[test]
fn nshield_puts_its_iv_over_whatever_is_there() {
    let room = Room::of_profile("nshield");
    let (_, buffer) = seal(&room, &room::IV).unwrap();
    assert_ne!(buffer, room::IV);
}

#[test]
fn luna_appends_its_iv_and_refuses_the_callers() {
    let room = Room::of_profile("luna");
    let (sealed, _) = seal(&room, &[]).unwrap();
    assert_eq!(sealed.len(), 9 + 16 + 16);
    drop(room);
    let room = Room::of_profile("luna");
    assert_eq!(
        seal(&room, &room::IV).err(),
        Some(ck::CKR_MECHANISM_PARAM_INVALID)
    );
}

#[test]
fn what_a_profile_hides_is_neither_listed_nor_done() {
    let lists = |profile, mechanism| {
        let room = Room::of_profile(profile);
        let listed = room.module().get_mechanism_list(room.slot()).unwrap();
        listed.contains(&mechanism)
    };
    assert!(lists("softhsm", MechanismType::AES_ECB));
    assert!(!lists("strict", MechanismType::AES_ECB));
    let room = Room::with_token();
    let session = room.user_session();
    let key = sealing_key(&session);
    let refused = session.encrypt(&cryptoki::mechanism::Mechanism::AesEcb, key, &[0; 16]);
    assert_eq!(refusal(refused), RvError::MechanismInvalid);
}

#[test]
fn a_search_comes_in_batches_and_sessions_come_to_an_end() {
    let room = Room::of_profile("luna");
    let session = room.user_session();
    for _ in 0..70 {
        let mut passing = room::sealing_key("many");
        passing.remove(0);
        session.generate_key(&aes(), &passing).unwrap();
    }
    assert_eq!(session.find_objects(&[]).unwrap().len(), 70);
    let mut open = vec![session];
    let refused = loop {
        match room.module().open_rw_session(room.slot()) {
            Ok(more) => open.push(more),
            Err(error) => break refusal::<()>(Err(error)),
        }
    };
    assert_eq!(refused, RvError::SessionCount);
    assert_eq!(open.len(), 128);
}

#[test]
fn luna_destroys_the_token_at_the_last_wrong_so_pin_and_strict_keeps_it() {
    for (profile, is_left) in [("luna", false), ("strict", true)] {
        let room = Room::of_profile(profile);
        for _ in 0..10 {
            let session = room.module().open_rw_session(room.slot()).unwrap();
            let wrong = session.login(UserType::So, Some(&pin("wrong-pin")));
            assert_eq!(refusal(wrong), RvError::PinIncorrect);
        }
        assert_eq!(room.token_report().token_initialized(), is_left);
        assert_eq!(room.token_file().exists(), is_left);
        if is_left {
            assert!(room.token_report().so_pin_locked());
            drop(room.user_session());
        }
    }
}
