//! Every fault, ordered by the command while a session is open: what callers see, and that the
//! device works again afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::session::UserType;

use crate::room::{self, Room, aes, open_gcm, pin, refusal, seal_gcm};

#[test]
fn a_slow_device_answers_late_and_a_slow_call_does_not_stall_others() {
    let room = Room::with_token();
    let session = room.module().open_ro_session(room.slot()).unwrap();
    let slow = ["latency", "--ms", "1500", "--function", "C_GenerateRandom"];
    room.fault(&slow);
    let is_answered = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let start = Instant::now();
            session.generate_random_vec(8).unwrap();
            assert!(start.elapsed() >= Duration::from_millis(1500));
            is_answered.store(true, Ordering::SeqCst);
        });
        let other = room.module().open_ro_session(room.slot()).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            other.digest(&Mechanism::Sha256, b"message").unwrap();
        }
        assert!(!is_answered.load(Ordering::SeqCst));
    });
}

#[test]
fn jitter_makes_each_call_wait_another_while() {
    let room = Room::with_token();
    let session = room.module().open_ro_session(room.slot()).unwrap();
    room.fault(&["latency", "--ms", "5", "--jitter-ms", "40"]);
    let waits: Vec<_> = (0..12)
        .map(|_| {
            let start = Instant::now();
            session.generate_random_vec(8).unwrap();
            start.elapsed()
        })
        .collect();
    assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(5)));
    let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*longest > *shortest + Duration::from_millis(5), "{waits:?}");
}

#[test]
fn a_share_of_calls_fails_with_the_ordered_code() {
    let room = Room::with_token();
    let session = room.module().open_ro_session(room.slot()).unwrap();
    room.fault(&[
        "failures",
        "--percent",
        "50",
        "--code",
        "CKR_FUNCTION_FAILED",
        "--function",
        "C_GenerateRandom",
    ]);
    let outcomes: Vec<_> = (0..200).map(|_| session.generate_random_vec(8)).collect();
    let failed: Vec<_> = outcomes.into_iter().filter(Result::is_err).collect();
    assert!((40..=160).contains(&failed.len()), "{}", failed.len());
    for failure in failed {
        assert_eq!(refusal(failure), RvError::FunctionFailed);
    }
    assert!(session.digest(&Mechanism::Sha256, b"message").is_ok());
}

#[test]
fn a_call_that_fails_ends_its_operation() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    room.fault(&["failures", "--percent", "100", "--function", "C_Encrypt"]);
    let refused = seal_gcm(&session, key, b"", b"x");
    assert_eq!(refusal(refused), RvError::DeviceError);
    room.fault(&["clear"]);
    assert!(seal_gcm(&session, key, b"", b"x").is_ok());
}

#[test]
fn lost_sessions_are_opened_again_and_find_their_keys() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("kept"))
        .unwrap();
    let sealed = seal_gcm(&session, key, b"", b"plaintext").unwrap();
    room.fault(&["lose-sessions"]);
    let refused = open_gcm(&session, key, b"", &sealed);
    assert_eq!(refusal(refused), RvError::SessionHandleInvalid);
    let again = room.user_session();
    let found = again.find_objects(&[]).unwrap();
    assert_eq!(
        open_gcm(&again, found[0], b"", &sealed).unwrap(),
        b"plaintext"
    );
}

#[test]
fn a_lost_login_is_refused_until_somebody_logs_in() {
    let room = Room::with_token();
    let session = room.user_session();
    let other = room.module().open_ro_session(room.slot()).unwrap();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    room.fault(&["lose-logins"]);
    for session in [&session, &other] {
        let refused = seal_gcm(session, key, b"", b"x");
        assert_eq!(refusal(refused), RvError::UserNotLoggedIn);
    }
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    assert!(seal_gcm(&session, key, b"", b"x").is_ok());
    assert!(seal_gcm(&other, key, b"", b"x").is_ok());
}

#[test]
fn a_removed_device_is_away_until_it_is_inserted() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let slots = room.module().get_slots_with_token().unwrap();
    room.fault(&["remove"]);
    assert_eq!(
        refusal(seal_gcm(&session, key, b"", b"x")),
        RvError::DeviceRemoved
    );
    assert_eq!(
        refusal(room.module().get_token_info(room.slot())),
        RvError::TokenNotPresent
    );
    assert_eq!(
        refusal(room.module().open_ro_session(room.slot())),
        RvError::TokenNotPresent
    );
    assert!(room.module().get_slots_with_token().unwrap().is_empty());
    let slot_report = room.module().get_slot_info(room.slot()).unwrap();
    assert!(!slot_report.token_present());

    room.fault(&["insert"]);
    assert_eq!(room.module().get_slots_with_token().unwrap(), slots);
    assert_eq!(
        refusal(seal_gcm(&session, key, b"", b"x")),
        RvError::SessionHandleInvalid
    );
    assert!(seal_gcm(&room.user_session(), key, b"", b"x").is_ok());
}

#[test]
fn a_device_that_came_and_went_between_two_calls_has_lost_its_sessions() {
    let room = Room::with_token();
    let session = room.user_session();
    room.fault(&["remove"]);
    room.fault(&["insert"]);
    assert_eq!(
        refusal(session.find_objects(&[])),
        RvError::SessionHandleInvalid
    );
}

#[test]
fn a_locked_pin_bars_the_next_login_and_the_so_unlocks_it() {
    let room = Room::with_token();
    let session = room.user_session();
    room.fault(&["lock-pin"]);
    assert!(session.find_objects(&[]).is_ok());
    session.logout().unwrap();
    let refused = session.login(UserType::User, Some(&pin(room::USER_PIN)));
    assert_eq!(refusal(refused), RvError::PinLocked);
    assert!(room.token_report().user_pin_locked());
    session
        .login(UserType::So, Some(&pin(room::SO_PIN)))
        .unwrap();
    session.init_pin(&pin(room::USER_PIN)).unwrap();
    session.logout().unwrap();
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
}

#[test]
fn a_tampered_token_has_no_keys_until_it_is_initialised_again() {
    let mut room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    session
        .encrypt_init(&room::gcm(&mut room::IV.clone(), b""), key)
        .unwrap();
    let stored = std::fs::read(room.token_file()).unwrap();
    // Another name for the bytes where they lie.
    let lying = room.directory().join("lying");
    std::fs::hard_link(room.token_file(), &lying).unwrap();
    room.fault(&["tamper", "--yes"]);
    let overwritten = std::fs::read(lying).unwrap();
    assert_eq!(overwritten, vec![0; stored.len()]);
    // An operation that had its key is over too.
    assert_eq!(refusal(session.encrypt_update(b"x")), RvError::DeviceError);
    assert_eq!(refusal(session.find_objects(&[])), RvError::DeviceError);
    assert_eq!(
        refusal(room.module().get_token_info(room.slot())),
        RvError::DeviceError
    );
    let left = std::fs::read(room.token_file()).unwrap();
    assert!(left.len() < 64 && !stored.starts_with(&left));
    drop(session);
    room.restart();
    let refused = room.module().open_rw_session(room.slot());
    assert_eq!(refusal(refused), RvError::DeviceError);

    room.fault(&["clear"]);
    let refused = room.module().open_rw_session(room.slot());
    assert_eq!(refusal(refused), RvError::DeviceError);
    room.module()
        .init_token(room.slot(), &pin(room::SO_PIN), "again")
        .unwrap();
    assert_eq!(room.token_report().label(), "again");
    let session = room.module().open_rw_session(room.slot()).unwrap();
    session
        .login(UserType::So, Some(&pin(room::SO_PIN)))
        .unwrap();
    assert!(session.find_objects(&[]).unwrap().is_empty());
}

#[test]
fn a_full_token_makes_no_object_but_works_with_those_it_has() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    room.fault(&["fill"]);
    let refused = session.generate_key(&aes(), &room::sealing_key("more"));
    assert_eq!(refusal(refused), RvError::DeviceMemory);
    let mut template = room::sealing_key("imported");
    template.extend(room::imported_aes(&[7; 32]));
    let refused = session.create_object(&template);
    assert_eq!(refusal(refused), RvError::DeviceMemory);
    assert!(seal_gcm(&session, key, b"", b"x").is_ok());
    room.fault(&["clear"]);
    assert!(session.create_object(&template).is_ok());
}

#[test]
fn without_a_random_source_nothing_is_drawn() {
    let room = Room::with_token();
    let session = room.user_session();
    room.fault(&["fail-random"]);
    assert_eq!(
        refusal(session.generate_random_vec(16)),
        RvError::RandomNoRng
    );
    let refused = session.generate_key(&aes(), &room::sealing_key("k"));
    assert_eq!(refusal(refused), RvError::RandomNoRng);
    room.fault(&["clear"]);
    assert_eq!(session.generate_random_vec(16).unwrap().len(), 16);
    assert!(session.find_objects(&[]).unwrap().is_empty());
}

#[test]
fn what_happened_before_a_module_started_does_not_strike_it() {
    let mut room = Room::with_token();
    room.fault(&["lose-sessions"]);
    room.restart();
    let session = room.user_session();
    assert!(session.find_objects(&[]).is_ok());
}

#[test]
fn show_lists_what_is_in_force_and_clear_ends_it() {
    let room = Room::with_token();
    room.fault(&["latency", "--ms", "1"]);
    room.fault(&["failures", "--percent", "0.5", "--function", "C_Sign"]);
    room.fault(&["fill"]);
    room.fault(&["crash", "--at", "before-write"]);
    let shown = room.fault(&["show"]);
    for text in ["1 ms", "0.5 % CKR_DEVICE_ERROR, C_Sign", "full", "crash"] {
        assert!(shown.contains(text), "{shown}");
    }
    room.fault(&["clear"]);
    assert_eq!(room.fault(&["show"]), "no fault is in force\n");
}

#[test]
fn an_order_that_means_nothing_is_refused_with_a_remedy() {
    let room = Room::with_token();
    let rows: [(&[&str], &str); 4] = [
        (&["failures", "--percent", "101"], "0 to 100"),
        (
            &["failures", "--percent", "1", "--code", "CKR_NONE"],
            "CKR_DEVICE_ERROR",
        ),
        (&["latency", "--ms", "1", "--function", "Encrypt"], "C_"),
        (&["tamper"], "--yes"),
    ];
    for (order, remedy) in rows {
        let said = room.refused_fault(order);
        assert!(said.contains(remedy), "{said}");
    }
}
