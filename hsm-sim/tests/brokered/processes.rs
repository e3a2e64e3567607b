//! What only processes go through: the server dies and comes back, a worker dies, two applications
//! live side by side, strangers knock.
#![expect(clippy::unwrap_used, reason = "test fixtures")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;

use crate::room::{self, Room, aes, open_gcm, pin, refusal, seal_gcm};
use crate::shape::{Behind, wait_for_end};

/// Tells a child of a test what it is.
const CHILD: &str = "JINKU_HSM_TEST_CHILD";

fn user_session(module: &Pkcs11, slot: Slot) -> Session {
    let session = module.open_rw_session(slot).unwrap();
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    session
}

#[test]
fn a_server_that_was_killed_is_found_again_and_no_old_handle_means_anything() {
    let mut room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("kept"))
        .unwrap();
    let sealed = seal_gcm(&session, key, b"", b"plaintext").unwrap();

    room.behind.kill();
    for _ in 0..2 {
        let refused = seal_gcm(&session, key, b"", b"x");
        assert_eq!(refusal(refused), RvError::DeviceRemoved);
    }
    let refused = room.module().get_token_info(room.slot());
    assert_eq!(refusal(refused), RvError::DeviceRemoved);

    room.behind = Behind::start(room.directory());
    assert_eq!(room.token_report().label(), "jinku");
    let again = room.user_session();
    let refused = seal_gcm(&session, key, b"", b"x");
    assert_eq!(refusal(refused), RvError::SessionHandleInvalid);
    let refused = seal_gcm(&again, key, b"", b"x");
    assert_eq!(refusal(refused), RvError::ObjectHandleInvalid);
    let found = again.find_objects(&[]).unwrap();
    assert_eq!(
        open_gcm(&again, found[0], b"", &sealed).unwrap(),
        b"plaintext"
    );
}

#[test]
fn questions_about_slots_are_asked_again_after_a_restart_of_the_server() {
    let mut room = Room::with_token();
    room.behind.kill();
    room.behind = Behind::start(room.directory());
    // The connection is of the dead server, and nobody noticed yet.
    assert_eq!(room.token_report().label(), "jinku");
    assert!(room.module().open_ro_session(room.slot()).is_ok());
}

#[test]
fn a_worker_that_crashes_costs_its_application_one_call() {
    let room = Room::with_token();
    for at in ["call", "before-write", "after-write"] {
        let session = room.user_session();
        room.fault(&["crash", "--at", at]);
        let refused = session.generate_key(&aes(), &room::sealing_key(at));
        assert_eq!(refusal(refused), RvError::DeviceRemoved, "{at}");
        let refused = session.find_objects(&[]);
        assert_eq!(refusal(refused), RvError::SessionHandleInvalid, "{at}");
    }
    // The last crash came after the write: the key is there, though nobody was told.
    assert_eq!(room.user_session().find_objects(&[]).unwrap().len(), 1);
}

#[test]
fn an_application_as_a_child_of_a_test() {
    #[expect(clippy::disallowed_methods, reason = "a child's one argument")]
    if std::env::var(CHILD).is_err() {
        return;
    }
    let module = room::load();
    let slot = module.get_all_slots().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let state = session.get_session_info().unwrap().session_state();
    assert_eq!(state, SessionState::RwPublic);
    assert!(session.find_objects(&[]).unwrap().is_empty());
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    // Ready, and waiting for the end of its standard input.
    println!("logged in");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    assert!(!session.find_objects(&[]).unwrap().is_empty());
}

#[test]
fn two_applications_share_the_token_but_no_login_and_no_session() {
    let room = Room::with_token();
    let session = room.user_session();
    let key = session
        .generate_key(&aes(), &room::sealing_key("k"))
        .unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("processes::an_application_as_a_child_of_a_test")
        .env(CHILD, "1")
        .env("JINKU_HSM_DIR", room.directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut output = child.stdout.take().unwrap();
    while !said.ends_with(b"logged in\n") {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    // Its login is not ours to end, nor ours its.
    session.logout().unwrap();
    let refused = seal_gcm(&session, key, b"", b"x");
    assert_eq!(refusal(refused), RvError::KeyHandleInvalid);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    session
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    assert!(seal_gcm(&session, key, b"", b"x").is_ok());
}

#[test]
fn a_worker_ends_with_its_application_and_with_the_server() {
    let mut room = Room::with_token();
    let session = room.user_session();
    let workers = room.behind.workers();
    assert_eq!(workers.len(), 1);
    drop(session);
    room.restart();
    let after = room.behind.workers();
    assert!(after.iter().any(|worker| !workers.contains(worker)));
    wait_for_end(&workers);
    // This waits for the end of `after`.
    room.behind.kill();
}

#[test]
fn slow_calls_of_many_threads_wait_beside_each_other() {
    let room = Room::with_token();
    room.fault(&["latency", "--ms", "200", "--function", "C_GenerateRandom"]);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let session = room.module().open_ro_session(room.slot()).unwrap();
                assert_eq!(session.generate_random_vec(16).unwrap().len(), 16);
            });
        }
    });
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn more_threads_than_connections_wait_for_their_turn() {
    let room = Room::with_token();
    room.fault(&["latency", "--ms", "100", "--function", "C_GenerateRandom"]);
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let session = room.module().open_ro_session(room.slot()).unwrap();
                assert_eq!(session.generate_random_vec(16).unwrap().len(), 16);
            });
        }
    });
}

#[test]
fn strangers_and_nonsense_disturb_nobody() {
    let room = Room::with_token();
    let session = room.user_session();
    let socket = room.directory().join("hsm.sock");
    let hello = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    // No hello, half a frame, a frame without end.
    let mut http = hello(b"GET / HTTP/1.1\r\n\r\n");
    let _half = hello(&[9, 0, 0, 0, b'j']);
    let mut endless = hello(&[255; 64]);
    let mut answer = Vec::new();
    assert!(
        http.read_to_end(&mut answer)
            .is_ok_and(|_| answer.is_empty())
    );
    assert!(endless.read_to_end(&mut answer).is_err() || answer.is_empty());
    // Another version, an application that nobody knows.
    let mut other = hello(b"\x0c\x00\x00\x00jinku-hsm\x63\x40\x00");
    let mut answer = [0; 5];
    other.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [1, 0, 0, 0, 2]);
    let mut unknown = b"\x1c\x00\x00\x00jinku-hsm\x01\x40\x01".to_vec();
    unknown.extend([7; 16]);
    hello(&unknown).read_exact(&mut answer).unwrap();
    assert_eq!(answer, [1, 0, 0, 0, 1]);
    // An application of its own that makes nonsense calls.
    let mut stream = hello(b"\x0c\x00\x00\x00jinku-hsm\x01\x40\x00");
    let mut welcome = [0; 21];
    stream.read_exact(&mut welcome).unwrap();
    assert_eq!(welcome[4], 0);
    stream.write_all(&[3, 0, 0, 0, 27, 255, 255]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    assert!(answer.is_empty());
    assert_eq!(session.generate_random_vec(16).unwrap().len(), 16);
}

#[test]
fn a_socket_is_private_taken_once_and_removed_in_the_end() {
    let turn = room::ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let directory = room::private_directory();
    let socket = directory.path().join("hsm.sock");
    let mut first = Behind::start(directory.path());
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(refused_start(directory.path()).contains("already"));

    // What a dead server leaves is replaced.
    first.kill();
    assert!(socket.exists());
    let mut second = Behind::start(directory.path());
    let stop = Command::new("kill")
        .args(["-TERM", &second.id().to_string()])
        .status();
    assert!(stop.unwrap().success());
    assert!(second.wait().success());
    assert!(!socket.exists());

    std::fs::write(&socket, "").unwrap();
    assert!(refused_start(directory.path()).contains("no socket"));
    std::fs::remove_file(&socket).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open).unwrap();
    assert!(refused_start(directory.path()).contains("chmod 700"));
    drop(turn);
}

fn refused_start(directory: &Path) -> String {
    let refused = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"))
        .args(["serve", "--dir"])
        .arg(directory)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    String::from_utf8(refused.stderr).unwrap()
}

#[test]
fn a_server_with_a_vendors_module_survives_its_crash() {
    let turn = room::ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let directory = room::private_directory();
    room::set_directory(directory.path());
    let binary = std::env::current_exe().unwrap();
    let module = binary.with_file_name("libhsm_sim.so");
    let arguments = ["--module", module.to_str().unwrap()];
    let tokens = directory.path().to_str().unwrap();
    let _behind = Behind::start_with(directory.path(), &arguments, &[("JINKU_HSM_DIR", tokens)]);
    for (name, text) in [("so.pin", room::SO_PIN), ("user.pin", room::USER_PIN)] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let made = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"))
        .current_dir(directory.path())
        .args(["init", "--label", "jinku", "--so-pin-file", "so.pin"])
        .args(["--pin-file", "user.pin", "--dir", "."])
        .output();
    assert!(made.unwrap().status.success());

    let client = room::load();
    let slot = client.get_all_slots().unwrap()[0];
    let session = user_session(&client, slot);
    let crash = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"))
        .args(["fault", "crash", "--dir", tokens])
        .output();
    assert!(crash.unwrap().status.success());
    let refused = session.generate_random_vec(8);
    assert_eq!(refusal(refused), RvError::DeviceRemoved);
    let again = user_session(&client, slot);
    assert_eq!(again.generate_random_vec(8).unwrap().len(), 8);
    drop((session, again));
    client.finalize().unwrap();
    drop(turn);
}
