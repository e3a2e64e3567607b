//! Owns the first moments of a connection: until a request's head has come there is a time, whatever protocol is
//! spoken, and after it the connection is cut off. Whoever says nothing holds no place for longer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tonic::transport::server::Connected;

/// A connection whose first request is to come within a time. hyper's own limits begin only where it knows which
/// protocol is spoken, and HTTP/2 has none for a first request.
pub struct Opening<S> {
    stream: S,
    heard: Heard,
    /// Gone once a request was heard.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Where it is said that a request came.
#[derive(Clone, Default)]
pub struct Heard(Arc<AtomicBool>);

impl Heard {
    /// A request's head has come.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<S> Opening<S> {
    /// From now on the time runs.
    pub fn new(stream: S, within: Duration) -> Self {
        Self {
            stream,
            heard: Heard::default(),
            deadline: Some(Box::pin(tokio::time::sleep(within))),
        }
    }

    /// Where to say that a request came.
    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }

    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let Some(deadline) = &mut self.deadline else {
            return false;
        };
        if self.heard.0.load(Ordering::Relaxed) {
            self.deadline = None;
            return false;
        }
        deadline.as_mut().poll(context).is_ready()
    }
}

/// What a request to a tonic server finds among its extensions.
impl<S> Connected for Opening<S> {
    type ConnectInfo = Heard;

    fn connect_info(&self) -> Heard {
        self.heard()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
