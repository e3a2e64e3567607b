//! PINs, logins and sessions.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

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

/// Spends two of the user's tries.
fn guess_twice(room: &Room) {
    for _ in 0..2 {
        let session = room.module().open_rw_session(room.slot()).unwrap();
        let wrong = session.login(UserType::User, Some(&pin("wrong-pin")));
        assert_eq!(refusal(wrong), RvError::PinIncorrect);
    }
}

fn restore(path: &std::path::Path, bytes: &[u8]) {
    let aside = path.with_extension("aside");
    std::fs::write(&aside, bytes).unwrap();
    std::fs::rename(aside, path).unwrap();
}

#[test]
fn an_older_token_file_brings_no_tries_back() {
    let mut room = Room::with_token();
    let before = std::fs::read(room.token_file()).unwrap();
    for round in 1..=5 {
        guess_twice(&room);
        restore(&room.token_file(), &before);
        if round % 2 == 0 {
            room.restart();
        }
    }
    assert!(room.token_report().user_pin_locked());
    let session = room.module().open_rw_session(room.slot()).unwrap();
    let right = session.login(UserType::User, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(right), RvError::PinLocked);
}

#[test]
fn counters_kept_elsewhere_outlast_a_restored_directory() {
    let mut room = Room::with_counters_in("elsewhere");
    assert!(!room.counter_file().exists());
    let files = || std::fs::read_dir(room.directory()).unwrap();
    let whole: Vec<_> = files()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    for _ in 0..5 {
        guess_twice(&room);
        for (path, bytes) in &whole {
            restore(path, bytes);
        }
        room.restart();
    }
    assert!(room.token_report().user_pin_locked());
}

#[test]
fn a_counter_that_is_older_or_gone_locks() {
    let mut room = Room::with_token();
    let before = std::fs::read(room.counter_file()).unwrap();
    guess_twice(&room);
    restore(&room.counter_file(), &before);
    room.restart();
    assert!(room.token_report().user_pin_locked());
    std::fs::remove_file(room.counter_file()).unwrap();
    room.restart();
    assert!(room.token_report().so_pin_locked());
}

#[test]
fn a_pin_is_looked_at_while_other_threads_work() {
    let room = Room::with_token();
    let slots = room.module().get_all_slots().unwrap();
    room.module()
        .init_token(slots[1], &pin(room::SO_PIN), "other")
        .unwrap();
    let session = room.user_session();
    let key = session
        .generate_key(&room::generic(), &room::mac_key())
        .unwrap();
    let slow = || {
        let session = room.module().open_rw_session(slots[1]).unwrap();
        let wrong = session.login(UserType::So, Some(&pin("wrong-pin")));
        assert_eq!(refusal(wrong), RvError::PinIncorrect);
    };
    let work = move || drop(session.sign(&room::hmac(), key, b"message").unwrap());
    assert!(room::works_meanwhile(9, slow, work));
}

#[test]
fn threads_that_log_in_at_once_agree_and_lose_no_try() {
    let room = Room::with_token();
    let sessions: Vec<_> = (0..4)
        .map(|_| room.module().open_rw_session(room.slot()).unwrap())
        .collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let logins: Vec<_> = sessions
            .into_iter()
            .map(|session| {
                scope.spawn(move || {
                    let outcome = session.login(UserType::User, Some(&pin(room::USER_PIN)));
                    (session, outcome)
                })
            })
            .collect();
        logins
            .into_iter()
            .map(|login| login.join().unwrap())
            .collect()
    });
    let in_first = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .count();
    assert_eq!(in_first, 1);
    assert!(!room.token_report().user_pin_count_low());
}
