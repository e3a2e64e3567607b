//! The server and its connections: one state between `C_Initialize` and `C_Finalize`, which finds
//! the server again when it was gone.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cryptoki_sys as ck;
use cryptoki_sys::CK_RV;
use hsm_wire::{Channel, Hello, Node, Ticket, Welcome, Writer};
use rustix::net::SendFlags;

use crate::handles::Life;
use crate::memory::Origin;

/// Calls on their way at once; further ones wait for their turn.
const CONNECTIONS_MAX: usize = 128;
/// A server that starts a vendor's module may need a while for its welcome.
const WELCOME_WAIT: Duration = Duration::from_mins(1);

static LINK: Mutex<Option<Arc<Link>>> = Mutex::new(None);

/// The way to the server.
pub(crate) struct Link {
    socket: PathBuf,
    process_id: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lives: u16,
    current: Option<Arc<Application>>,
}

/// This program's own process on the server, in one of its lives.
pub(crate) struct Application {
    pub(crate) life: Life,
    ticket: Ticket,
    connections: Mutex<Connections>,
    returned: Condvar,
    /// Parameters that a token may still write (its own IV), by session.
    pub(crate) late: Mutex<HashMap<u64, (Node, Origin)>>,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Channel<Stream>>,
    /// All of them, also those in use, to be cut off.
    open: Vec<Arc<UnixStream>>,
    is_lost: bool,
}

/// A socket whose end is an error and no signal.
pub(crate) struct Stream(Arc<UnixStream>);

/// Why there is no connection.
enum Absence {
    /// The server knows no such application: it was started again.
    Unknown,
    /// What the caller hears.
    Value(CK_RV),
}

/// `C_Initialize`: finds the server, or says why there is none.
pub(crate) fn initialize() -> CK_RV {
    let mut place = lock(&LINK);
    if place.as_ref().is_some_and(|link| link.is_of_this_process()) {
        return ck::CKR_CRYPTOKI_ALREADY_INITIALIZED;
    }
    let directory = hsm_wire::token_directory();
    let Some(socket) = hsm_wire::socket_path(directory.as_deref()) else {
        return ck::CKR_GENERAL_ERROR;
    };
    let link = Link {
        socket,
        process_id: std::process::id(),
        state: Mutex::default(),
    };
    if let Err(value) = link.application() {
        return value;
    }
    *place = Some(Arc::new(link));
    ck::CKR_OK
}

/// `C_Finalize`: leaves the server, which ends this application's process.
pub(crate) fn finalize() -> CK_RV {
    let link = lock(&LINK).take();
    match link.filter(|link| link.is_of_this_process()) {
        Some(link) => {
            if let Some(application) = lock(&link.state).current.take() {
                application.cut();
            }
            ck::CKR_OK
        }
        None => ck::CKR_CRYPTOKI_NOT_INITIALIZED,
    }
}

/// The link, if `C_Initialize` made one in this process.
pub(crate) fn current() -> Result<Arc<Link>, CK_RV> {
    let link = lock(&LINK).clone();
    link.filter(|link| link.is_of_this_process())
        .ok_or(ck::CKR_CRYPTOKI_NOT_INITIALIZED)
}

impl Link {
    /// False in a child of `fork`, whose connections are its parent's.
    fn is_of_this_process(&self) -> bool {
        self.process_id == std::process::id()
    }

    /// The application in its present life, or in a new one.
    pub(crate) fn application(&self) -> Result<Arc<Application>, CK_RV> {
        let mut state = lock(&self.state);
        if let Some(application) = &state.current
            && !lock(&application.connections).is_lost
        {
            return Ok(Arc::clone(application));
        }
        let life = Life::after(state.lives).ok_or(ck::CKR_GENERAL_ERROR)?;
        let (channel, ticket) = self.connect(None).map_err(Absence::value)?;
        let mut connections = Connections::default();
        connections.open.push(Arc::clone(&channel.stream().0));
        connections.idle.push(channel);
        let application = Arc::new(Application {
            life,
            ticket,
            connections: Mutex::new(connections),
            returned: Condvar::new(),
            late: Mutex::default(),
        });
        state.lives = life.number();
        state.current = Some(Arc::clone(&application));
        Ok(application)
    }

    /// Sends a request and yields what `read` makes of the answer.
    pub(crate) fn exchange<T>(
        &self,
        application: &Application,
        request: &Writer,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, CK_RV> {
        let mut channel = self.channel(application)?;
        let answer = send_and_receive(&mut channel, request).map(|answer| answer.and_then(read));
        // A key may have come: it must not wait here for the next call.
        channel.wipe();
        match answer {
            Ok(Some(answer)) => {
                application.give_back(channel);
                Ok(answer)
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                application.give_back(channel);
                Err(ck::CKR_DATA_LEN_RANGE)
            }
            Ok(None) | Err(_) => {
                application.cut();
                Err(ck::CKR_DEVICE_REMOVED)
            }
        }
    }

    /// A connection that nobody uses, or a further one.
    fn channel(&self, application: &Application) -> Result<Channel<Stream>, CK_RV> {
        let mut connections = lock(&application.connections);
        loop {
            if connections.is_lost {
                return Err(ck::CKR_DEVICE_REMOVED);
            }
            if let Some(channel) = connections.idle.pop() {
                return Ok(channel);
            }
            if connections.open.len() < CONNECTIONS_MAX {
                break;
            }
            let waited = application.returned.wait(connections);
            connections = waited.unwrap_or_else(PoisonError::into_inner);
        }
        drop(connections);
        let (channel, _) =
            self.connect(Some(application.ticket))
                .map_err(|absence| match absence {
                    Absence::Unknown => {
                        application.cut();
                        ck::CKR_DEVICE_REMOVED
                    }
                    Absence::Value(value) => value,
                })?;
        lock(&application.connections)
            .open
            .push(Arc::clone(&channel.stream().0));
        Ok(channel)
    }

    fn connect(&self, ticket: Option<Ticket>) -> Result<(Channel<Stream>, Ticket), Absence> {
        let gone = |_| Absence::Value(ck::CKR_DEVICE_REMOVED);
        let stream = UnixStream::connect(&self.socket).map_err(gone)?;
        if !is_trusted(&stream) {
            return Err(Absence::Value(ck::CKR_DEVICE_ERROR));
        }
        stream.set_read_timeout(Some(WELCOME_WAIT)).map_err(gone)?;
        let mut channel = Channel::new(Stream(Arc::new(stream)));
        let hello = Hello { ticket }.write();
        let welcome = send_and_receive(&mut channel, &hello).map_err(gone)?;
        let welcome = welcome.and_then(|message| Welcome::read(message).ok());
        let ticket = match welcome {
            Some(Welcome::Accepted { ticket }) => ticket,
            Some(Welcome::Unknown) => return Err(Absence::Unknown),
            Some(Welcome::Refused { value }) => return Err(Absence::Value(value)),
            Some(Welcome::Busy) => return Err(Absence::Value(ck::CKR_HOST_MEMORY)),
            Some(Welcome::OtherVersion) => return Err(Absence::Value(ck::CKR_GENERAL_ERROR)),
            None => return Err(Absence::Value(ck::CKR_DEVICE_REMOVED)),
        };
        // Calls take as long as the token takes.
        channel.stream().0.set_read_timeout(None).map_err(gone)?;
        Ok((channel, ticket))
    }
}

impl Application {
    fn give_back(&self, channel: Channel<Stream>) {
        lock(&self.connections).idle.push(channel);
        self.returned.notify_one();
    }

    /// Ends this life: all its calls fail, and all its handles are of the past.
    pub(crate) fn cut(&self) {
        let mut connections = lock(&self.connections);
        connections.is_lost = true;
        connections.idle.clear();
        for stream in connections.open.drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
        drop(connections);
        lock(&self.late).clear();
        self.returned.notify_all();
    }
}

impl Absence {
    fn value(self) -> CK_RV {
        match self {
            Self::Unknown => ck::CKR_DEVICE_REMOVED,
            Self::Value(value) => value,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, buffer, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn send_and_receive<'a>(
    channel: &'a mut Channel<Stream>,
    message: &Writer,
) -> io::Result<Option<&'a [u8]>> {
    channel.send(message)?;
    channel.receive()
}

/// PINs go to our own user's server, or to root's.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| own.is_root() || peer.uid.is_root() || peer.uid == own)
}

/// What a panic left behind is still whole: nothing here panics halfway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
