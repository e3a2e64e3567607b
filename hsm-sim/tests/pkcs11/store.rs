//! What is stored: it survives, damage shows, secrets stay sealed, threads and processes share it.

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;

use crate::room::{self, Room, aes, open_gcm, pin, refusal, seal_gcm};

#[test]
fn objects_survive_a_restart_and_are_invisible_before_login() {
    let mut room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("kept"))
        .unwrap();
    let sealed = seal_gcm(&session, key, b"", b"plaintext").unwrap();
    let passing = [
        Attribute::ValueLen(32.into()),
        Attribute::Label(b"passing".to_vec()),
    ];
    session.generate_key(&aes(), &passing).unwrap();
    drop(session);
    room.restart();

    let session = room.module().open_rw_session(room.slot()).unwrap();
    assert!(session.find_objects(&[]).unwrap().is_empty());
    assert_eq!(
        refusal(seal_gcm(&session, key, b"", b"x")),
        RvError::KeyHandleInvalid
    );
    let refused = session.generate_key(&aes(), &room::sealing_key("early"));
    assert_eq!(refusal(refused), RvError::UserNotLoggedIn);

    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    let found = session
        .find_objects(&[Attribute::Label(b"kept".to_vec())])
        .unwrap();
    assert_eq!(
        open_gcm(&session, found[0], b"", &sealed).unwrap(),
        b"plaintext"
    );
    assert_eq!(session.find_objects(&[]).unwrap().len(), 1);
    session.logout().unwrap();
    assert!(session.find_objects(&[]).unwrap().is_empty());
}

#[test]
fn a_flipped_byte_in_the_store_is_detected() {
    let mut room = Room::with_token();
    let session = room.user_session();
    session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    drop(session);
    let path = room.token_file();
    let whole = std::fs::read(&path).unwrap();
    for place in [30, whole.len() / 2, whole.len() - 10] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        room.restart();
        let refused = room.module().get_token_info(room.slot());
        assert_eq!(refusal(refused), RvError::DeviceError);
        let refused = room.module().open_ro_session(room.slot());
        assert_eq!(refusal(refused), RvError::DeviceError);
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(room.user_session().find_objects(&[]).unwrap().len(), 1);
}

#[test]
fn the_store_holds_no_label_or_value_of_a_private_object_in_clear() {
    let room = Room::with_token();
    let session = room.user_session();
    let mut template = room::sealing_key("sekrit-label");
    template.extend(room::imported_aes(&[0x5a; 32]));
    session.create_object(&template).unwrap();
    let text = std::fs::read_to_string(room.token_file()).unwrap();
    assert!(!text.contains("sekrit") && !text.contains("73656b726974"));
    assert!(!text.contains("5a5a5a5a"));
}

#[test]
fn destroyed_objects_are_gone_for_good() {
    let mut room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    session.destroy_object(key).unwrap();
    assert_eq!(
        refusal(session.destroy_object(key)),
        RvError::ObjectHandleInvalid
    );
    drop(session);
    room.restart();
    assert!(room.user_session().find_objects(&[]).unwrap().is_empty());
}

#[test]
fn slots_are_stable_and_one_is_always_empty() {
    let mut room = Room::with_token();
    let slots = room.module().get_all_slots().unwrap();
    assert_eq!(slots.len(), 2);
    room.module()
        .init_token(slots[1], &pin(room::SO_PIN), "second")
        .unwrap();
    assert_eq!(room.module().get_all_slots().unwrap().len(), 3);
    room.restart();
    assert_eq!(room.module().get_all_slots().unwrap()[..2], slots);
    assert_eq!(
        room.module().get_token_info(slots[1]).unwrap().label(),
        "second"
    );
    let refused = room
        .module()
        .open_rw_session(room.module().get_all_slots().unwrap()[2]);
    assert_eq!(refusal(refused), RvError::TokenNotRecognized);
}

#[test]
fn a_change_by_another_process_is_seen() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let before = std::fs::read(room.token_file()).unwrap();
    session.destroy_object(key).unwrap();
    // Another process restores the file: atomically, as it would.
    let other = room.token_file().with_extension("other");
    std::fs::write(&other, before).unwrap();
    std::fs::rename(other, room.token_file()).unwrap();
    assert!(seal_gcm(&session, key, b"", b"x").is_ok());
}

#[test]
fn many_threads_work_at_once() {
    let room = Room::with_token();
    let login = room.user_session();
    let key = login.generate_key(&aes(), &room::sealing_key("k")).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (room, aad) = (&room, [thread]);
            scope.spawn(move || {
                let session = room.module().open_rw_session(room.slot()).unwrap();
                for _ in 0..25 {
                    let sealed = seal_gcm(&session, key, &aad, b"plaintext").unwrap();
                    let opened = open_gcm(&session, key, &aad, &sealed).unwrap();
                    assert_eq!(opened, b"plaintext");
                }
                session
                    .generate_key(&aes(), &room::sealing_key("thread"))
                    .unwrap();
            });
        }
    });
    assert_eq!(
        login
            .find_objects(&[Attribute::Label(b"thread".to_vec())])
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn many_threads_make_use_and_destroy_keys_of_every_kind() {
    let room = Room::with_token();
    let login = room.user_session();
    let guard = [
        Attribute::Token(true),
        Attribute::ValueLen(32.into()),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
    ];
    let guard = login.generate_key(&aes(), &guard).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let session = room.module().open_rw_session(room.slot()).unwrap();
                for _ in 0..2 {
                    let (public, private) = room::signing_pair(&session, room::ED25519_OID);
                    let signed = session.sign(&room::ed25519(), private, b"message").unwrap();
                    session
                        .verify(&room::ed25519(), public, b"message", &signed)
                        .unwrap();
                    let mut travelling = room::sealing_key("travelling");
                    travelling.push(Attribute::Extractable(true));
                    let key = session.generate_key(&aes(), &travelling).unwrap();
                    let sealed = seal_gcm(&session, key, b"", b"plaintext").unwrap();
                    let kwp = Mechanism::AesKeyWrapPad;
                    let wrapped = session.wrap_key(&kwp, guard, key).unwrap();
                    let template = [
                        Attribute::Class(ObjectClass::SECRET_KEY),
                        Attribute::KeyType(KeyType::AES),
                        Attribute::Decrypt(true),
                    ];
                    let back = session
                        .unwrap_key(&kwp, guard, &wrapped, &template)
                        .unwrap();
                    let opened = open_gcm(&session, back, b"", &sealed).unwrap();
                    assert_eq!(opened, b"plaintext");
                    for object in [public, private, key, back] {
                        session.destroy_object(object).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(login.find_objects(&[]).unwrap(), [guard]);
}
