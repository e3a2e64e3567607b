//! The server: it listens, greets, and hands each connection to its application's worker process.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hsm_wire::{Channel, Hello, Ticket, Welcome};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::harden::{self, Leak};
use super::{Backing, ServeError};
use crate::token::crypto;

/// Applications at once.
const APPLICATIONS_MAX: usize = 256;
/// Connections that have not said hello yet.
const STRANGERS_MAX: usize = 64;
/// How long a stranger may take for its hello.
const HELLO_WAIT: Duration = Duration::from_secs(10);

/// A server that listens.
pub struct Server {
    listener: UnixListener,
    socket: PathBuf,
    signals: Signals,
    leaks: Vec<Leak>,
    house: Arc<House>,
}

/// What the threads of a server share.
struct House {
    backing: Backing,
    applications: Mutex<BTreeMap<Ticket, Arc<OwnedFd>>>,
    strangers: AtomicUsize,
}

impl Server {
    /// Listens at `socket`, whose directory is made (mode 0700) if it is missing. A socket that a
    /// dead server left is replaced. From now on `SIGTERM` and `SIGINT` end [`Self::run`].
    ///
    /// # Errors
    /// [`ServeError`] if others may enter the directory, a server is there already, or the system
    /// refuses.
    pub fn listen(socket: &Path, backing: Backing) -> Result<Self, ServeError> {
        let leaks = harden::harden();
        if let Backing::Module(path) = &backing
            && !path.is_file()
        {
            return Err(ServeError::NoModule(path.clone()));
        }
        let signals = Signals::new([SIGTERM, SIGINT])?;
        make_way(socket)?;
        let listener = UnixListener::bind(socket)?;
        fs::set_permissions(socket, fs::Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            socket: socket.to_path_buf(),
            signals,
            leaks,
            house: Arc::new(House {
                backing,
                applications: Mutex::default(),
                strangers: AtomicUsize::new(0),
            }),
        })
    }

    /// What could not be kept inside this machine's memory, with a remedy each.
    pub fn warnings(&self) -> Vec<&'static str> {
        self.leaks.iter().map(|leak| leak.remedy()).collect()
    }

    /// Serves until a signal comes, then removes the socket. The workers end with the program.
    ///
    /// # Errors
    /// [`ServeError`] if the system refuses.
    pub fn run(mut self) -> Result<(), ServeError> {
        let house = Arc::clone(&self.house);
        let listener = self.listener.try_clone()?;
        thread::Builder::new().spawn(move || accept_all(&listener, &house))?;
        self.signals.forever().next();
        fs::remove_file(&self.socket)?;
        Ok(())
    }
}

impl House {
    fn applications(&self) -> MutexGuard<'_, BTreeMap<Ticket, Arc<OwnedFd>>> {
        self.applications
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the hello and hands the connection on, or says why not.
    fn greet(self: &Arc<Self>, stream: UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(HELLO_WAIT))?;
        let mut channel = Channel::new(stream);
        let Some(Ok(hello)) = channel.receive()?.map(Hello::read) else {
            return Ok(());
        };
        let Some(hello) = hello else {
            return channel.send(&Welcome::OtherVersion.write());
        };
        let known = match hello.ticket {
            Some(ticket) => self
                .applications()
                .get(&ticket)
                .cloned()
                .map(|control| (ticket, control)),
            None if self.applications().len() >= APPLICATIONS_MAX => {
                return channel.send(&Welcome::Busy.write());
            }
            None => Some(self.start()?),
        };
        let Some((ticket, control)) = known else {
            return channel.send(&Welcome::Unknown.write());
        };
        let stream = channel.into_stream();
        stream.set_read_timeout(None)?;
        if hand_over(&control, &ticket, &stream).is_err() {
            return Channel::new(stream).send(&Welcome::Unknown.write());
        }
        Ok(())
    }

    /// Starts the worker of a new application.
    fn start(self: &Arc<Self>) -> io::Result<(Ticket, Arc<OwnedFd>)> {
        let ticket = *crypto::random_bytes::<16>().map_err(io::Error::other)?;
        let (ours, theirs) = UnixStream::pair()?;
        // Whatever lies at the program's path by now: the worker is of the same build.
        let mut command = Command::new("/proc/self/exe");
        command.arg("serve-one").stdout(Stdio::null());
        match &self.backing {
            Backing::Token(directory) => command.env("JINKU_HSM_DIR", directory),
            Backing::Module(path) => command.arg("--module").arg(path),
        };
        let child = command.stdin(OwnedFd::from(theirs)).spawn()?;
        let control = Arc::new(OwnedFd::from(ours));
        self.applications().insert(ticket, Arc::clone(&control));
        let house = Arc::clone(self);
        thread::Builder::new().spawn(move || house.bury(child, ticket))?;
        Ok((ticket, control))
    }

    /// Waits for a worker's end and forgets its application.
    fn bury(&self, mut child: Child, ticket: Ticket) {
        child.wait().ok();
        self.applications().remove(&ticket);
    }
}

fn accept_all(listener: &UnixListener, house: &Arc<House>) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // pacing: out of descriptors; the next accept may find one again.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let is_crowded = house.strangers.fetch_add(1, Ordering::SeqCst) >= STRANGERS_MAX;
        let guest = Arc::clone(house);
        let greeting = move || {
            if !is_crowded && is_trusted(&stream) {
                guest.greet(stream).ok();
            }
            guest.strangers.fetch_sub(1, Ordering::SeqCst);
        };
        if thread::Builder::new().spawn(greeting).is_err() {
            house.strangers.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Our own user, or root.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

/// Gives a connection to a worker.
fn hand_over(control: &OwnedFd, ticket: &Ticket, stream: &UnixStream) -> io::Result<()> {
    let connections = [stream.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&connections)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    let text = [IoSlice::new(ticket)];
    sendmsg(control, &text, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Makes the socket's directory, and removes the socket of a dead server.
fn make_way(socket: &Path) -> Result<(), ServeError> {
    let directory = match socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    if fs::metadata(directory)?.permissions().mode() & 0o077 != 0 {
        return Err(ServeError::OpenDirectory(directory.to_path_buf()));
    }
    match fs::symlink_metadata(socket) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => {
            Err(ServeError::NoSocket(socket.to_path_buf()))
        }
        Ok(_) if UnixStream::connect(socket).is_ok() => {
            Err(ServeError::Taken(socket.to_path_buf()))
        }
        Ok(_) => Ok(fs::remove_file(socket)?),
    }
}
