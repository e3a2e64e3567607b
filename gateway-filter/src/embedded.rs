//! Owns one message's way through a host that holds the message itself and asks what to do with it:
//! Envoy's dynamic module. Yields what to take away, what to put in place, or the answer instead.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{FilterError, Side};
use crate::filter::{
    Filter, HeadRewriting, Passage, Reading, RequestHead, ResponseHead, Rewriting, Vault, Whole,
};
use crate::held::Charged;
use crate::live::Live;
use crate::media::{self, Media};
use crate::metrics::{Front, Watched};
use crate::problem::Problem;

/// One message under way.
pub struct Embedded<V> {
    filter: Arc<Filter<V>>,
    live: Arc<Live<V>>,
    watched: Watched,
    passage: Passage,
    media: Option<Media>,
    /// The head of a message that is one step, as it came, until its body is there.
    kept: Option<Kept>,
    _slot: OwnedSemaphorePermit,
}

/// A head that waits for its body.
enum Kept {
    Request {
        host: String,
        method: Method,
        path: String,
        headers: HeaderMap,
    },
    Response(StatusCode, HeaderMap),
}

/// Whether a body comes after a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// One does, an empty one perhaps.
    Body,
    /// None does.
    Nothing,
}

/// What to do with a head.
pub struct HeadAnswer {
    /// What changes in it.
    pub head: HeadRewriting,
    /// The body is to be read whole, at most so many bytes; `None` where it passes unread.
    pub bytes_max: Option<usize>,
}

/// What to do with a body.
pub struct BodyAnswer {
    /// The new body; `None` where it goes on as it came.
    pub body: Option<Bytes>,
    /// What changes of its head; the length is the host's to make true.
    pub head: HeadRewriting,
}

impl<V: Vault> Embedded<V> {
    /// Begins with a request's head. Its problem is the answer.
    ///
    /// The vault is asked only where a rule takes a field of the head.
    pub async fn begin(
        live: &Arc<Live<V>>,
        head: &RequestHead<'_>,
        follows: Follows,
    ) -> Result<(Self, HeadAnswer), Problem> {
        let mut watched = live.metrics().message(Front::Module);
        let Ok(slot) = live.slots().clone().try_acquire_owned() else {
            return Err(watched.refused(&FilterError::Overloaded));
        };
        let filter = live.now();
        let passage = match filter
            .admit(head)
            .and_then(|passage| announced(passage, head))
        {
            Ok(passage) => passage.within(live.store()),
            Err(error) => return Err(watched.refused(&error)),
        };
        watched.takes(passage.route_name());
        let rewriting = match (passage.is_sealed(Side::Request), follows) {
            (false, _) => filter.request_head(&passage, head).await,
            (true, Follows::Nothing) => {
                let whole = filter.request_whole(&passage, head, None).await;
                whole.map(|whole| whole.head)
            }
            (true, Follows::Body) => Ok(HeadRewriting::default()),
        };
        let rewriting = match rewriting {
            Ok(rewriting) => rewriting,
            Err(error) => return Err(watched.refused(&error)),
        };
        let kept = passage
            .is_sealed(Side::Request)
            .then(|| Kept::request(head));
        let answer = HeadAnswer {
            head: rewriting,
            bytes_max: passage.reads_request().then(|| passage.request_bytes_max()),
        };
        let message = Self {
            filter,
            live: live.clone(),
            watched,
            passage,
            media: None,
            kept,
            _slot: slot,
        };
        Ok((message, answer))
    }

    /// The request's body, whole.
    pub async fn request_body(&mut self, body: Vec<u8>) -> Result<BodyAnswer, Problem> {
        self.body(Side::Request, body).await
    }

    /// The answer's head. The vault is asked only where a rule takes a field of it.
    pub async fn response_head(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        follows: Follows,
    ) -> Result<HeadAnswer, Problem> {
        let answer = ResponseHead { status, headers };
        let sealed = self.passage.is_sealed(Side::Response);
        let rewriting = match (sealed, follows) {
            (false, _) => self.filter.response_head(&self.passage, headers).await,
            (true, Follows::Nothing) => {
                let whole = self.filter.response_whole(&self.passage, &answer, None);
                whole.await.map(|whole| whole.head)
            }
            (true, Follows::Body) => Ok(HeadRewriting::default()),
        };
        self.kept = sealed.then(|| Kept::Response(status, headers.clone()));
        let head = rewriting.map_err(|error| self.watched.refused(&error))?;
        let bytes_max = match self.passage.response_reading(headers) {
            Reading::Pass => None,
            Reading::Whole { bytes_max, media } => {
                self.media = Some(media);
                Some(bytes_max)
            }
        };
        Ok(HeadAnswer { head, bytes_max })
    }

    /// What goes from the head of an answer that has no body (to HEAD, or a 304): what it tells is of a body
    /// that the unit never gets.
    pub fn bodiless_head(&self) -> HeadRewriting {
        let mut head = HeadRewriting::default();
        if self.passage.reads_response() && !self.passage.is_sealed(Side::Response) {
            head.without.extend(media::digests());
        }
        head
    }

    /// The answer's body, whole.
    pub async fn response_body(&mut self, body: Vec<u8>) -> Result<BodyAnswer, Problem> {
        self.body(Side::Response, body).await
    }

    /// Which of these trailers do not go on.
    pub fn ruled_trailers<'n>(
        &self,
        side: Side,
        names: impl Iterator<Item = &'n HeaderName>,
    ) -> Vec<HeaderName> {
        let ruled = self.passage.ruled_names(side);
        ruled.map_or_else(Vec::new, |ruled| ruled.among(names))
    }

    /// A body that is larger than its head's answer allowed.
    pub fn too_large(&mut self, side: Side, bytes_max: usize) -> Problem {
        self.watched.refused(&match side {
            Side::Request => FilterError::BodyTooLarge { bytes_max },
            Side::Response => crate::error::UpstreamError::BodyTooLarge { bytes_max }.into(),
        })
    }

    /// All went on.
    pub fn passed(&mut self) {
        self.watched.passed();
    }

    async fn body(&mut self, side: Side, body: Vec<u8>) -> Result<BodyAnswer, Problem> {
        let whole = self.rewriting(side, body).await;
        let whole = whole.map_err(|error| self.watched.refused(&error))?;
        self.live.metrics().body(side, whole.body.outcome());
        let mut head = whole.body.head();
        head.extend(whole.head);
        let body = match whole.body {
            Rewriting::Unchanged(_) => None,
            Rewriting::Rewritten(body) | Rewriting::Recast(body, _) => Some(body),
        };
        Ok(BodyAnswer { body, head })
    }

    async fn rewriting(&self, side: Side, body: Vec<u8>) -> Result<Whole, FilterError> {
        // Envoy has its own; this is the copy.
        let body: Bytes = Charged::of(body, self.live.share())?.into();
        let (filter, passage) = (&self.filter, &self.passage);
        match (side, &self.kept) {
            (
                Side::Request,
                Some(Kept::Request {
                    host,
                    method,
                    path,
                    headers,
                }),
            ) => {
                let head = RequestHead {
                    host,
                    method,
                    path,
                    headers,
                };
                filter.request_whole(passage, &head, Some(body)).await
            }
            (Side::Response, Some(Kept::Response(status, headers))) => {
                let status = *status;
                let head = ResponseHead { status, headers };
                filter.response_whole(passage, &head, Some(body)).await
            }
            (Side::Request, _) => Ok(filter.request_body(passage, body).await?.into()),
            (Side::Response, _) => match self.media {
                Some(media) => Ok(filter.response_body(passage, media, body).await?.into()),
                None => Err(crate::error::UpstreamError::BodyBroken.into()),
            },
        }
    }
}

impl Kept {
    fn request(head: &RequestHead<'_>) -> Self {
        Self::Request {
            host: head.host.to_owned(),
            method: head.method.clone(),
            path: head.path.to_owned(),
            headers: head.headers.clone(),
        }
    }
}

/// The answer of a host whose filter failed.
pub fn failure() -> Problem {
    Problem {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "filter-failed".into(),
        detail: "the filter failed; nothing went on".to_owned(),
        retry_after_seconds: None,
    }
}

/// Refuses what the head alone gives away, before the body is sent.
fn announced(passage: Passage, head: &RequestHead<'_>) -> Result<Passage, FilterError> {
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok());
    let bytes = length.and_then(|length| length.parse().ok());
    passage.check_announced(bytes.unwrap_or_default())?;
    Ok(passage)
}
