//! Power cuts on order, each in a program of its own that does not live to tell.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use cryptoki::session::UserType;

use crate::room::{self, Room, aes, pin};

/// Tells a child of a test what it is.
const CHILD: &str = "JINKU_HSM_TEST_CHILD";

#[test]
#[expect(clippy::disallowed_methods, reason = "a child's one argument")]
fn a_child_makes_a_key_where_it_is_told_to() {
    let Ok(label) = std::env::var(CHILD) else {
        return;
    };
    let module = room::load();
    let slot = module.get_all_slots().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    session
        .generate_key(&aes(), &room::sealing_key(&label))
        .unwrap();
}

fn run_child(room: &Room, label: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "crashes::a_child_makes_a_key_where_it_is_told_to",
        ])
        .env(CHILD, label)
        .env("JINKU_HSM_DIR", room.directory())
        .output()
        .unwrap()
        .status
}

fn labels(room: &Room) -> usize {
    room.user_session().find_objects(&[]).unwrap().len()
}

#[test]
fn a_crash_strikes_once_and_the_token_stays_whole() {
    const ABORT: Option<i32> = Some(6);
    let room = Room::with_token();
    // The first write of the child's is the PIN try, spent before the PIN is looked at.
    for (at, tries_low) in [
        ("call", false),
        ("before-write", false),
        ("after-write", true),
    ] {
        room.fault(&["crash", "--at", at]);
        let struck = run_child(&room, "struck");
        assert_eq!(struck.signal(), ABORT, "{at}");
        assert_eq!(room.token_report().user_pin_count_low(), tries_low, "{at}");
        assert_eq!(labels(&room), 0, "{at}");
        assert_eq!(room.fault(&["show"]), "no fault is in force\n");
    }
    assert!(run_child(&room, "made").success());
    assert_eq!(labels(&room), 1);
}
