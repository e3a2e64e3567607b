//! Owns the proxy's bodies: held whole, or passing through unread.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::filter::RuledNames;

/// A body on its way.
pub(super) enum Carried {
    /// In memory.
    Held(Full<Bytes>),
    /// As it comes.
    Passing(Incoming),
    /// As it comes, but for trailers of these names.
    Ruled(Incoming, RuledNames),
}

impl Carried {
    /// A body that passes loses these trailers; one that was read has none.
    pub(super) fn without(self, names: Option<RuledNames>) -> Self {
        match (self, names) {
            (Self::Passing(body), Some(names)) => Self::Ruled(body, names),
            (body, _) => body,
        }
    }
}

fn stripped(frame: Frame<Bytes>, names: &RuledNames) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            for name in names.among(trailers.keys()) {
                trailers.remove(name);
            }
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

impl From<Bytes> for Carried {
    fn from(bytes: Bytes) -> Self {
        Self::Held(Full::new(bytes))
    }
}

impl From<Incoming> for Carried {
    fn from(body: Incoming) -> Self {
        Self::Passing(body)
    }
}

impl Body for Carried {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Held(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::Passing(body) => Pin::new(body).poll_frame(context),
            Self::Ruled(body, names) => Pin::new(body)
                .poll_frame(context)
                .map_ok(|frame| stripped(frame, names)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(body) => body.is_end_stream(),
            Self::Passing(body) | Self::Ruled(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(body) => body.size_hint(),
            Self::Passing(body) | Self::Ruled(body, _) => body.size_hint(),
        }
    }
}
