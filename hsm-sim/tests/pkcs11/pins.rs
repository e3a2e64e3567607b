//! PINs, logins and sessions.

use cryptoki::error::RvError;
use cryptoki::session::UserType;

use crate::room::{self, Room, aes, pin, refusal};

#[test]
fn wrong_pins_count_lock_and_only_the_so_unlocks() {
    let room = Room::with_token();
    let wrong = pin("wrong-pin");
    for tried in 1..=10 {
        let session = room.module().open_rw_session(room.slot()).unwrap();
        assert_eq!(
            refusal(session.login(UserType::User, Some(&wrong))),
            RvError::PinIncorrect
        );
        let report = room.token_report();
        assert!(report.user_pin_count_low() || tried == 10);
        assert_eq!(report.user_pin_final_try(), tried == 9);
        assert_eq!(report.user_pin_locked(), tried == 10);
    }
    let session = room.module().open_rw_session(room.slot()).unwrap();
    let right = session.login(UserType::User, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(right), RvError::PinLocked);

    session
        .login(UserType::So, Some(&pin(room::SO_PIN)))
        .unwrap();
    session.init_pin(&pin("new-user-pin")).unwrap();
    session.logout().unwrap();
    session
        .login(UserType::User, Some(&pin("new-user-pin")))
        .unwrap();
    assert!(!room.token_report().user_pin_count_low());
}

#[test]
fn the_count_of_wrong_pins_survives_a_restart_and_a_right_pin_resets_it() {
    let mut room = Room::with_token();
    let session = room.module().open_ro_session(room.slot()).unwrap();
    let wrong = session.login(UserType::User, Some(&pin("wrong-pin")));
    assert_eq!(refusal(wrong), RvError::PinIncorrect);
    drop(session);
    room.restart();
    assert!(room.token_report().user_pin_count_low());
    drop(room.user_session());
    assert!(!room.token_report().user_pin_count_low());
}

#[test]
fn session_rules_hold() {
    let room = Room::with_token();
    let reading = room.module().open_ro_session(room.slot()).unwrap();
    let so = reading.login(UserType::So, Some(&pin(room::SO_PIN)));
    assert_eq!(refusal(so), RvError::SessionReadOnlyExists);
    reading
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    let again = reading.login(UserType::User, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(again), RvError::UserAlreadyLoggedIn);
    let refused = reading.generate_key(&aes(), &room::sealing_key("k"));
    assert_eq!(refusal(refused), RvError::SessionReadOnly);
    let refused = room
        .module()
        .init_token(room.slot(), &pin(room::SO_PIN), "again");
    assert_eq!(refusal(refused), RvError::SessionExists);
    drop(reading);

    let writing = room.module().open_rw_session(room.slot()).unwrap();
    assert!(writing.find_objects(&[]).is_ok());
    assert_eq!(refusal(writing.logout()), RvError::UserNotLoggedIn);
    writing
        .login(UserType::So, Some(&pin(room::SO_PIN)))
        .unwrap();
    let refused = room.module().open_ro_session(room.slot());
    assert_eq!(refusal(refused), RvError::SessionReadWriteSoExists);
    let refused = writing.generate_key(&aes(), &room::sealing_key("k"));
    assert_eq!(refusal(refused), RvError::UserNotLoggedIn);
}

#[test]
fn a_user_changes_the_pin_and_the_old_one_is_gone() {
    let room = Room::with_token();
    let session = room.user_session();
    session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let wrong = session.set_pin(&pin("wrong-pin"), &pin("another-pin"));
    assert_eq!(refusal(wrong), RvError::PinIncorrect);
    session
        .set_pin(&pin(room::USER_PIN), &pin("another-pin"))
        .unwrap();
    session.logout().unwrap();
    let old = session.login(UserType::User, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(old), RvError::PinIncorrect);
    session
        .login(UserType::User, Some(&pin("another-pin")))
        .unwrap();
    assert_eq!(session.find_objects(&[]).unwrap().len(), 1);
}

#[test]
fn initialising_again_needs_the_so_pin_and_destroys_the_keys() {
    let room = Room::with_token();
    let session = room.user_session();
    session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    drop(session);
    let refused = room
        .module()
        .init_token(room.slot(), &pin("wrong-pin"), "again");
    assert_eq!(refusal(refused), RvError::PinIncorrect);
    room.module()
        .init_token(room.slot(), &pin(room::SO_PIN), "again")
        .unwrap();
    assert_eq!(room.token_report().label(), "again");
    let session = room.module().open_rw_session(room.slot()).unwrap();
    let refused = session.login(UserType::User, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(refused), RvError::UserPinNotInitialized);
}

#[test]
fn a_module_is_initialised_once() {
    let room = Room::with_token();
    let again = room.module().initialize(room::locking());
    assert_eq!(refusal(again), RvError::CryptokiAlreadyInitialized);
    assert_eq!(
        room.module().get_library_info().unwrap().manufacturer_id(),
        "Jinku"
    );
    let session = room.module().open_ro_session(room.slot()).unwrap();
    let (one, two) = (
        session.generate_random_vec(32),
        session.generate_random_vec(32),
    );
    assert_ne!(one.unwrap(), two.unwrap());
}

#[test]
fn a_pin_is_not_looked_at_while_its_try_cannot_be_stored() {
    let room = Room::with_token();
    let session = room.module().open_rw_session(room.slot()).unwrap();
    let obstacle = room.token_file().with_extension("new");
    std::fs::create_dir(&obstacle).unwrap();
    for text in [room::USER_PIN, "wrong-pin"] {
        let refused = session.login(UserType::User, Some(&pin(text)));
        assert_eq!(refusal(refused), RvError::DeviceError);
    }
    std::fs::remove_dir(obstacle).unwrap();
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
}
