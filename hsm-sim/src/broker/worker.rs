//! One application's process: it takes the connections that the server hands over, and answers
//! each in a thread of its own. It ends with its last connection, or with the server.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cryptoki_sys::CKR_OK;
use hsm_wire::{Channel, Ticket, Welcome};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::dispatch::Dispatch;
use super::harden;
use super::module::Module;
use super::{Backing, ServeError};

/// Connections of one application.
const CONNECTIONS_MAX: usize = 512;

/// Serves one application, whose connections arrive over the standard input. Ends the program.
///
/// # Errors
/// [`ServeError`] if the module cannot be loaded or the server is gone.
pub fn work(backing: &Backing) -> Result<(), ServeError> {
    harden::harden();
    let module = match backing {
        Backing::Token(_) => Module::own(),
        Backing::Module(path) => {
            Module::load(path).ok_or_else(|| ServeError::NoModule(path.clone()))?
        }
    };
    let refused = Some(module.initialize()).filter(|value| *value != CKR_OK);
    let dispatch = Arc::new(Dispatch::new(module));
    let connections = Arc::new(AtomicUsize::new(0));
    let control = io::stdin();
    while let Some((stream, ticket)) = receive(&control)? {
        let welcome = if let Some(value) = refused {
            Welcome::Refused { value }
        } else if connections.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
            connections.fetch_sub(1, Ordering::SeqCst);
            Welcome::Busy
        } else {
            Welcome::Accepted { ticket }
        };
        let mut channel = Channel::new(stream);
        let is_greeted = channel.send(&welcome.write()).is_ok();
        if !matches!(welcome, Welcome::Accepted { .. }) {
            continue;
        }
        let (dispatch, connections) = (Arc::clone(&dispatch), Arc::clone(&connections));
        thread::Builder::new().spawn(move || {
            if is_greeted {
                serve(&mut channel, &dispatch);
            }
            if connections.fetch_sub(1, Ordering::SeqCst) == 1 {
                dispatch.module().finalize();
                std::process::exit(0);
            }
        })?;
    }
    // The server is gone, and nobody may think that this token is still behind it.
    std::process::exit(0);
}

/// Answers calls until the peer leaves or says something that makes no sense.
fn serve(channel: &mut Channel<UnixStream>, dispatch: &Dispatch) {
    while let Ok(Some(request)) = channel.receive() {
        let Ok(answer) = dispatch.answer(request) else {
            return;
        };
        if channel.send(&answer).is_err() {
            return;
        }
    }
}

/// The next connection and its application's ticket; `None` when the server is gone.
fn receive(control: &impl AsFd) -> io::Result<Option<(UnixStream, Ticket)>> {
    loop {
        let mut ticket = Ticket::default();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut text = [IoSliceMut::new(&mut ticket)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(control, &mut text, &mut ancillary, flags) {
            Err(error) if error == rustix::io::Errno::INTR => continue,
            received => received?.bytes,
        };
        if received != size_of::<Ticket>() {
            return Ok(None);
        }
        let mut handed: Vec<OwnedFd> = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(connections) = message {
                handed.extend(connections);
            }
        }
        if let Some(connection) = handed.pop() {
            return Ok(Some((UnixStream::from(connection), ticket)));
        }
    }
}
