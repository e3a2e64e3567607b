//! What the kernel knows of the process: no core, and no reader of its own user.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tests::{House, binary};

/// A user who is not root, and owns nothing.
const NOBODY: u32 = 65_534;

/// A child that ends with its owner.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program as a user without rights, if we may choose.
fn start(program: &Path, arguments: &[&Path]) -> Ended {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Ended(command.spawn().unwrap())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Who may read a process's memory: its own user, or root alone where it forbids dumps (proc(5)).
fn reader(process: &Ended) -> u32 {
    let memory = format!("/proc/{}/mem", process.0.id());
    std::fs::metadata(memory).unwrap().uid()
}

// Invariant 11
#[test]
fn nobody_but_root_may_read_the_vaults_memory_or_have_it_dumped() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .args(["--mode", "0644"])
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();

    // As any program begins.
    let other = start(Path::new("/bin/cat"), &[&pipe]);
    // Opening it waits for its reader, who then waits for us.
    let held = std::fs::File::options().write(true).open(&pipe).unwrap();
    assert_ne!(reader(&other), 0);
    drop((held, other));

    // Where that user may read it: the kernel lets nobody read a program whose file he may not.
    let program = folder.path().join("jinku");
    std::fs::copy(binary("jinku"), &program).unwrap();
    let arguments = [Path::new("serve"), Path::new("--config"), &pipe];
    let vault = start(&program, &arguments);
    let _held = std::fs::File::options().write(true).open(&pipe).unwrap();
    assert_eq!(reader(&vault), 0, "its memory may be read by its own user");
}

#[test]
fn the_running_vault_may_write_no_core() {
    let house = House::open();
    let limits = format!("/proc/{}/limits", house.vault().id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.unwrap().split_ascii_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{words:?}");
}
