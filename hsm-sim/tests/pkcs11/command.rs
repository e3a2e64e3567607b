//! The command `jinku-hsm`, and that the module sees what it did, while both are at work.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use std::process::{Command, Output};

use cryptoki::session::UserType;

use crate::room::{self, Room, pin};

fn run(room: &Room, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"));
    command
        .args(arguments)
        .arg("--dir")
        .arg(room.directory())
        .output()
        .unwrap()
}

fn init(room: &Room, label: &str, user_pin: &str) -> Output {
    let files = [("so.pin", room::SO_PIN), ("user.pin", user_pin)];
    for (name, pin) in files {
        std::fs::write(room.directory().join(name), format!("{pin}\n")).unwrap();
    }
    init_again(room, label)
}

/// With the PIN files that are there already.
fn init_again(room: &Room, label: &str) -> Output {
    let files = ["so.pin", "user.pin"].map(|name| room.directory().join(name));
    let [so_file, user_file] = files.each_ref().map(|path| path.to_str().unwrap());
    run(
        room,
        &[
            "init",
            "--label",
            label,
            "--so-pin-file",
            so_file,
            "--pin-file",
            user_file,
        ],
    )
}

#[test]
fn a_token_made_by_the_command_is_seen_by_a_running_module() {
    let room = Room::with_token();
    let made = init(&room, "by-command", "command-pin");
    assert!(made.status.success());
    let slots = room.module().get_all_slots().unwrap();
    assert_eq!(slots.len(), 3);
    assert_eq!(
        room.module().get_token_info(slots[1]).unwrap().label(),
        "by-command"
    );
    let session = room.module().open_rw_session(slots[1]).unwrap();
    session
        .login(UserType::User, Some(&pin("command-pin")))
        .unwrap();
}

#[test]
fn show_tells_slots_and_pins_but_no_secret() {
    let room = Room::with_token();
    drop(room.user_session());
    let shown = run(&room, &["show"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success());
    assert!(text.contains("jinku") && text.contains("10 tries left"));
    assert!(text.contains("(not initialised)"));
}

#[test]
fn a_short_pin_makes_no_token() {
    let room = Room::with_token();
    let refused = init(&room, "short", "123");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8(refused.stderr)
            .unwrap()
            .contains("4 to 255")
    );
    assert_eq!(room.module().get_all_slots().unwrap().len(), 2);
}

#[test]
fn commands_at_the_same_time_make_tokens_of_their_own() {
    let room = Room::with_token();
    init(&room, "same", "same-pin");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let made = init_again(&room, "same");
                assert!(
                    made.status.success(),
                    "{}",
                    String::from_utf8_lossy(&made.stderr)
                );
            });
        }
    });
    let slots = room.module().get_all_slots().unwrap();
    let label = |slot| {
        room.module()
            .get_token_info(slot)
            .unwrap()
            .label()
            .to_owned()
    };
    assert_eq!(slots.len(), 6);
    assert_eq!(
        slots
            .into_iter()
            .filter(|slot| label(*slot) == "same")
            .count(),
        4
    );
}

#[test]
fn a_profile_that_nobody_knows_is_not_taken_for_another() {
    let room = Room::with_token();
    let refused = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"))
        .args(["show", "--dir"])
        .arg(room.directory())
        .env("JINKU_HSM_PROFILE", "Strict")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("nshield"), "{said}");
}
