//! Owns one request's way through the proxy: admit, read, rewrite, send on, and back again.
//! Every failure ends in a problem document; the first body never goes on after one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::sync::Semaphore;

use super::headers;
use crate::error::{FilterError, UpstreamError};
use crate::filter::{Filter, Passage, Reading, RequestHead, Rewriting, Vault};
use crate::media::{Media, OF_THE_FIRST_BODY};
use crate::problem::Problem;
use crate::settings::ProxySettings;

/// A body on its way: held whole, or streaming through unread.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// What all requests share.
pub(super) struct Exchange<V> {
    pub(super) filter: Arc<Filter<V>>,
    pub(super) client: Client<HttpConnector, Body>,
    pub(super) settings: ProxySettings,
    pub(super) slots: Arc<Semaphore>,
}

/// Why a body could not be read whole.
enum Unread {
    TooLarge,
    Broken,
    Late,
}

impl<V: Vault> Exchange<V> {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.carry(request).await.unwrap_or_else(|error| {
            let problem = Problem::from(&error);
            tracing::info!(
                status = problem.status.as_u16(),
                code = %problem.code,
                "request refused"
            );
            refusal(&problem)
        })
    }

    async fn carry(&self, mut request: Request<Incoming>) -> Result<Response<Body>, FilterError> {
        let _slot = self
            .slots
            .try_acquire()
            .map_err(|_| FilterError::Overloaded)?;
        let host = headers::host(request.uri(), request.headers())?;
        request.headers_mut().insert(HOST, host.clone());
        let passage = self.filter.admit(&RequestHead {
            host: host
                .to_str()
                .map_err(|_| FilterError::HeaderInvalid("host"))?,
            method: request.method(),
            path: request.uri().path(),
            headers: request.headers(),
        })?;
        let outbound = self.outbound(&passage, request).await?;
        let answer = tokio::time::timeout(
            self.settings.upstream_timeout,
            self.client.request(outbound),
        )
        .await
        .map_err(|_| UpstreamError::Timeout)?
        .map_err(|_| UpstreamError::Unreachable)?;
        self.inbound(&passage, answer).await
    }

    /// The request as the upstream gets it.
    async fn outbound(
        &self,
        passage: &Passage,
        request: Request<Incoming>,
    ) -> Result<Request<Body>, FilterError> {
        let (mut head, body) = request.into_parts();
        head.uri = self.upstream_uri(&head.uri)?;
        head.version = http::Version::HTTP_11;
        headers::strip_hop_by_hop(&mut head.headers);
        headers::strip(&mut head.headers, &passage.stays_here());
        if !passage.reads_request() {
            return Ok(Request::from_parts(head, body.boxed_unsync()));
        }
        passage.check_announced(body.size_hint().lower())?;
        let bytes_max = passage.request_bytes_max();
        let whole = read(body, bytes_max, self.settings.body_timeout)
            .await
            .map_err(|unread| match unread {
                Unread::TooLarge => FilterError::BodyTooLarge { bytes_max },
                Unread::Broken => FilterError::BodyBroken,
                Unread::Late => FilterError::BodyTimeout,
            })?;
        let rewriting = self.filter.request_body(passage, whole).await?;
        let body = settle(&mut head.headers, rewriting);
        Ok(Request::from_parts(head, body))
    }

    /// The answer as the unit gets it.
    async fn inbound(
        &self,
        passage: &Passage,
        answer: Response<Incoming>,
    ) -> Result<Response<Body>, FilterError> {
        let (mut head, body) = answer.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Upgrade.into());
        }
        headers::strip_hop_by_hop(&mut head.headers);
        let reading = passage.response_reading(&head.headers);
        let (Reading::Whole { bytes_max, media }, false) = (reading, body.is_end_stream()) else {
            return Ok(Response::from_parts(head, body.boxed_unsync()));
        };
        let rewriting = self.read_answer(passage, media, bytes_max, body).await?;
        let body = settle(&mut head.headers, rewriting);
        Ok(Response::from_parts(head, body))
    }

    async fn read_answer(
        &self,
        passage: &Passage,
        media: Media,
        bytes_max: usize,
        body: Incoming,
    ) -> Result<Rewriting, FilterError> {
        let whole = read(body, bytes_max, self.settings.body_timeout)
            .await
            .map_err(|unread| match unread {
                Unread::TooLarge => UpstreamError::BodyTooLarge { bytes_max },
                Unread::Broken => UpstreamError::BodyBroken,
                Unread::Late => UpstreamError::Timeout,
            })?;
        self.filter.response_body(passage, media, whole).await
    }

    /// The same path and query at the upstream's authority.
    fn upstream_uri(&self, target: &Uri) -> Result<Uri, FilterError> {
        let authority: Option<&Authority> = self.settings.upstream.authority();
        let path: Option<&PathAndQuery> = target.path_and_query();
        let (Some(authority), Some(path)) = (authority, path) else {
            return Err(FilterError::PathAmbiguous);
        };
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(authority.clone())
            .path_and_query(path.clone())
            .build()
            .map_err(|_| FilterError::PathAmbiguous)
    }
}

async fn read(body: Incoming, bytes_max: usize, within: Duration) -> Result<Bytes, Unread> {
    // The limit holds while reading: what is announced need not be true.
    match tokio::time::timeout(within, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
        Err(_) => Err(Unread::Late),
    }
}

/// The body to send, its head made true again.
fn settle(head: &mut http::HeaderMap, rewriting: Rewriting) -> Body {
    if matches!(rewriting, Rewriting::Rewritten(_)) {
        headers::strip(head, &OF_THE_FIRST_BODY);
    }
    let bytes = rewriting.into_bytes();
    if !bytes.is_empty() {
        head.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    held(bytes)
}

fn held(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn refusal(problem: &Problem) -> Response<Body> {
    let mut response = Response::new(held(problem.body()));
    *response.status_mut() = problem.status;
    for (name, value) in problem.headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
