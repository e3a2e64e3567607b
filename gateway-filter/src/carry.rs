//! Owns one message's way through a Rust process: admit, read, rewrite, hand on, and back again. The
//! proxy and the tower layer stand on it. The first body never goes on after a failure.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use crate::error::{FilterError, Side, UpstreamError};
use crate::filter::{
    Filter, HeadRewriting, Passage, Reading, RequestHead, ResponseHead, Rewriting, Vault, Whole,
};
use crate::held::{Charged, Held};
use crate::live::Live;
use crate::media::{self, Media};
use crate::metrics::{Front, Watched};
use crate::problem::Problem;

/// What all messages of one front share.
pub(crate) struct Carrier<V> {
    pub(crate) live: Arc<Live<V>>,
    pub(crate) front: Front,
    /// How long a body that is read may take to arrive, in each direction.
    pub(crate) body_timeout: Duration,
}

/// Why a body could not be read whole.
enum Unread {
    TooLarge,
    Broken,
    Late,
    NoRoom,
}

impl<V: Vault> Carrier<V> {
    /// Carries one message; `hand_on` is whoever answers it. Failures end in a problem document.
    ///
    /// Of a body that passes unread, the trailers are the front's: what may not stand in them is among the
    /// extensions of the request that is handed on, and of the answer ([`RuledNames`](crate::filter::RuledNames)).
    pub(crate) async fn carry<In, Out, Back, Answer, F>(
        &self,
        request: Request<In>,
        hand_on: impl FnOnce(Request<Out>) -> F,
    ) -> Response<Answer>
    where
        In: Body<Data = Bytes>,
        Out: From<Bytes> + From<In>,
        Back: Body<Data = Bytes>,
        Answer: From<Bytes> + From<Back>,
        F: Future<Output = Result<Response<Back>, FilterError>>,
    {
        let mut watched = self.live.metrics().message(self.front);
        match self.through(&mut watched, request, hand_on).await {
            Ok(answer) => {
                watched.passed();
                answer
            }
            Err(error) => refusal(&watched.refused(&error)),
        }
    }

    async fn through<In, Out, Back, Answer, F>(
        &self,
        watched: &mut Watched,
        mut request: Request<In>,
        hand_on: impl FnOnce(Request<Out>) -> F,
    ) -> Result<Response<Answer>, FilterError>
    where
        In: Body<Data = Bytes>,
        Out: From<Bytes> + From<In>,
        Back: Body<Data = Bytes>,
        Answer: From<Bytes> + From<Back>,
        F: Future<Output = Result<Response<Back>, FilterError>>,
    {
        let _slot = self
            .live
            .slots()
            .try_acquire()
            .map_err(|_| FilterError::Overloaded)?;
        let filter = self.live.now();
        let host = host(request.uri(), request.headers())?;
        request.headers_mut().insert(HOST, host.clone());
        let target = request.uri().path_and_query();
        let head = RequestHead {
            host: host
                .to_str()
                .map_err(|_| FilterError::HeaderInvalid("host"))?,
            method: request.method(),
            path: target.map_or("", PathAndQuery::as_str),
            headers: request.headers(),
        };
        let passage = filter.admit(&head)?.within(self.live.store());
        watched.takes(passage.route_name());
        let outbound = if passage.is_sealed(Side::Request) {
            self.outbound_whole(&filter, &passage, request).await?
        } else {
            let rewriting = filter.request_head(&passage, &head).await?;
            rewrite(&mut request, &rewriting)?;
            if let Some(names) = passage.ruled_names(Side::Request) {
                request.extensions_mut().insert(names);
            }
            self.outbound(&filter, &passage, request).await?
        };
        let answer = hand_on(outbound).await?;
        self.inbound(&filter, &passage, answer).await
    }

    /// The request as the one who answers it gets it.
    async fn outbound<In, Out>(
        &self,
        filter: &Filter<V>,
        passage: &Passage,
        request: Request<In>,
    ) -> Result<Request<Out>, FilterError>
    where
        In: Body<Data = Bytes>,
        Out: From<Bytes> + From<In>,
    {
        let (mut head, body) = request.into_parts();
        if !passage.reads_request() && !self.gathers(passage, Side::Request) {
            return Ok(Request::from_parts(head, body.into()));
        }
        let whole = self.read_request(passage, body).await?;
        let rewriting = filter.request_body(passage, whole).await?;
        self.live.metrics().body(Side::Request, rewriting.outcome());
        let body = settle(&mut head.headers, rewriting);
        Ok(Request::from_parts(head, body.into()))
    }

    /// The same where the message is one step: its signatures are checked or made.
    async fn outbound_whole<In, Out>(
        &self,
        filter: &Filter<V>,
        passage: &Passage,
        request: Request<In>,
    ) -> Result<Request<Out>, FilterError>
    where
        In: Body<Data = Bytes>,
        Out: From<Bytes> + From<In>,
    {
        let (parts, body) = request.into_parts();
        let empty = body.is_end_stream();
        let bytes = self.read_request(passage, body).await?;
        let host = host(&parts.uri, &parts.headers)?;
        let target = parts.uri.path_and_query();
        let head = RequestHead {
            host: host.to_str().unwrap_or_default(),
            method: &parts.method,
            path: target.map_or("", PathAndQuery::as_str),
            headers: &parts.headers,
        };
        let whole = filter.request_whole(passage, &head, (!empty).then_some(bytes));
        let Whole { head, body } = whole.await?;
        self.live.metrics().body(Side::Request, body.outcome());
        let mut request = Request::from_parts(parts, ());
        let bytes = settle(request.headers_mut(), body);
        rewrite(&mut request, &head)?;
        if let Some(names) = passage.ruled_names(Side::Request) {
            request.extensions_mut().insert(names);
        }
        Ok(request.map(|()| bytes.into()))
    }

    /// A request's body, whole.
    async fn read_request<In: Body<Data = Bytes>>(
        &self,
        passage: &Passage,
        body: In,
    ) -> Result<Bytes, FilterError> {
        passage.check_announced(body.size_hint().lower())?;
        let bytes_max = passage.request_bytes_max();
        let read = self.read(body, bytes_max).await;
        read.map_err(|unread| match unread {
            Unread::TooLarge => FilterError::BodyTooLarge { bytes_max },
            Unread::Broken => FilterError::BodyBroken,
            Unread::Late => FilterError::BodyTimeout,
            Unread::NoRoom => FilterError::Overloaded,
        })
    }

    /// The answer as the unit gets it.
    async fn inbound<Back, Answer>(
        &self,
        filter: &Filter<V>,
        passage: &Passage,
        answer: Response<Back>,
    ) -> Result<Response<Answer>, FilterError>
    where
        Back: Body<Data = Bytes>,
        Answer: From<Bytes> + From<Back>,
    {
        if passage.is_sealed(Side::Response) {
            return self.inbound_whole(filter, passage, answer).await;
        }
        let (mut head, body) = answer.into_parts();
        let rewriting = filter.response_head(passage, &head.headers).await?;
        rewriting.apply(&mut head.headers);
        if let Some(names) = passage.ruled_names(Side::Response) {
            head.extensions.insert(names);
        }
        let reading = passage.response_reading(&head.headers);
        let empty = body.is_end_stream();
        if empty && passage.reads_response() {
            // An answer to HEAD, or a 304: what it tells is of a body that the unit never gets.
            for name in media::digests() {
                head.headers.remove(name);
            }
        }
        let read = match reading {
            Reading::Whole { bytes_max, media } => Some((media, bytes_max)),
            Reading::Pass => self
                .gathers(passage, Side::Response)
                .then(|| (Media::of(&head.headers), passage.request_bytes_max())),
        };
        let Some(read) = read.filter(|_| !empty) else {
            return Ok(Response::from_parts(head, body.into()));
        };
        let rewriting = self.read_answer(filter, passage, read, body).await?;
        let body = settle(&mut head.headers, rewriting);
        Ok(Response::from_parts(head, body.into()))
    }

    async fn read_answer<Back: Body<Data = Bytes>>(
        &self,
        filter: &Filter<V>,
        passage: &Passage,
        (media, bytes_max): (Media, usize),
        body: Back,
    ) -> Result<Rewriting, FilterError> {
        let whole = self.read_response(bytes_max, body).await?;
        let rewriting = filter.response_body(passage, media, whole).await?;
        self.live
            .metrics()
            .body(Side::Response, rewriting.outcome());
        Ok(rewriting)
    }

    /// The same where the message is one step: its signatures are checked or made.
    async fn inbound_whole<Back, Answer>(
        &self,
        filter: &Filter<V>,
        passage: &Passage,
        answer: Response<Back>,
    ) -> Result<Response<Answer>, FilterError>
    where
        Back: Body<Data = Bytes>,
        Answer: From<Bytes> + From<Back>,
    {
        let (mut parts, body) = answer.into_parts();
        let empty = body.is_end_stream();
        let bytes_max = passage.request_bytes_max();
        let bytes = self.read_response(bytes_max, body).await?;
        let head = ResponseHead {
            status: parts.status,
            headers: &parts.headers,
        };
        let whole = filter.response_whole(passage, &head, (!empty).then_some(bytes));
        let Whole { head, body } = whole.await?;
        self.live.metrics().body(Side::Response, body.outcome());
        let bytes = settle(&mut parts.headers, body);
        head.apply(&mut parts.headers);
        Ok(Response::from_parts(parts, bytes.into()))
    }

    async fn read_response<Back: Body<Data = Bytes>>(
        &self,
        bytes_max: usize,
        body: Back,
    ) -> Result<Bytes, FilterError> {
        let read = self.read(body, bytes_max).await;
        read.map_err(|unread| match unread {
            Unread::TooLarge => UpstreamError::BodyTooLarge { bytes_max }.into(),
            Unread::Broken => UpstreamError::BodyBroken.into(),
            Unread::Late => UpstreamError::Timeout.into(),
            Unread::NoRoom => FilterError::Overloaded,
        })
    }

    /// Whether a body that no rule reads is gathered none the less: nobody between the layer and its service, or its
    /// server, takes trailers away, and one of a ruled name may not go on.
    fn gathers(&self, passage: &Passage, side: Side) -> bool {
        match self.front {
            Front::Layer => passage.ruled_names(side).is_some(),
            Front::Proxy | Front::ExtProc | Front::Module => false,
        }
    }

    /// A body whole, charged to the memory that all bodies have as long as it is there.
    async fn read<B: Body<Data = Bytes>>(
        &self,
        body: B,
        bytes_max: usize,
    ) -> Result<Bytes, Unread> {
        // The limit holds while reading: what is announced need not be true.
        let body = std::pin::pin!(body);
        let gather = gather(body, bytes_max, self.live.share());
        tokio::time::timeout(self.body_timeout, gather)
            .await
            .unwrap_or(Err(Unread::Late))
    }
}

async fn gather<B: Body<Data = Bytes>>(
    mut body: Pin<&mut B>,
    bytes_max: usize,
    held: Held,
) -> Result<Bytes, Unread> {
    let mut whole = Charged::new(held);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    whole
        .expect(announced.min(bytes_max))
        .map_err(|_| Unread::NoRoom)?;
    while let Some(frame) = body.as_mut().frame().await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if part.len() > bytes_max - whole.len() {
            return Err(Unread::TooLarge);
        }
        whole.push(&part, bytes_max).map_err(|_| Unread::NoRoom)?;
    }
    Ok(whole.into())
}

/// The body to send, its head made true again.
fn settle(head: &mut HeaderMap, rewriting: Rewriting) -> Bytes {
    rewriting.head().apply(head);
    let bytes = rewriting.into_bytes();
    if !bytes.is_empty() {
        head.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    bytes
}

/// The problem as a response.
pub(crate) fn refusal<Answer: From<Bytes>>(problem: &Problem) -> Response<Answer> {
    let mut response = Response::new(problem.body().into());
    *response.status_mut() = problem.status;
    for (name, value) in problem.headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Changes a head, the path and query of its target too.
fn rewrite<B>(request: &mut Request<B>, rewriting: &HeadRewriting) -> Result<(), FilterError> {
    rewriting.apply(request.headers_mut());
    let Some(target) = &rewriting.target else {
        return Ok(());
    };
    let unfit = || FilterError::PathAmbiguous;
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(target.parse().map_err(|_| unfit())?);
    *request.uri_mut() = http::Uri::from_parts(parts).map_err(|_| unfit())?;
    // A router before the filter keeps what it took from the first target here, segments among it.
    request.extensions_mut().clear();
    Ok(())
}

/// The authority a request names: `:authority` or an absolute target, else its one `Host`.
fn host(target: &http::Uri, headers: &HeaderMap) -> Result<HeaderValue, FilterError> {
    let mut lines = headers.get_all(HOST).iter();
    let (first, second) = (lines.next(), lines.next());
    if second.is_some() {
        return Err(FilterError::HeaderRepeated("host"));
    }
    if let Some(authority) = target.authority() {
        return HeaderValue::from_str(authority.as_str())
            .map_err(|_| FilterError::HeaderInvalid("host"));
    }
    first.cloned().ok_or(FilterError::HeaderInvalid("host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in lines {
            headers.append(HOST, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_host_is_the_targets_else_the_only_header() {
        let plain: http::Uri = "/a".parse().unwrap();
        let absolute: http::Uri = "http://b:1/a".parse().unwrap();
        assert_eq!(host(&plain, &hosts(&["a"])).unwrap(), "a");
        assert_eq!(host(&absolute, &hosts(&["a"])).unwrap(), "b:1");
        assert_eq!(
            host(&plain, &hosts(&[])),
            Err(FilterError::HeaderInvalid("host"))
        );
        assert_eq!(
            host(&plain, &hosts(&["a", "b"])),
            Err(FilterError::HeaderRepeated("host"))
        );
    }
}
