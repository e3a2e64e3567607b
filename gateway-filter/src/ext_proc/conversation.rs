//! Owns one stream's states: which message may come now, and what is answered. What may not come
//! is a gRPC error, so that the gateway fails closed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse,
};
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{Method, StatusCode};
use tokio::time::Instant;
use tonic::Status;

use super::answer::{self, End, Head};
use super::gathered::{Full, Gathered};
use super::modes::Modes;
use crate::error::{FilterError, Side, UpstreamError};
use crate::filter::{
    Filter, HeadRewriting, Passage, Reading, RequestHead, ResponseHead, Rewriting, RuledNames,
    Vault, Whole,
};
use crate::held::{Charged, Held};
use crate::live::Live;
use crate::media::{self, Media};
use crate::metrics::Watched;

/// One side of the message on its way.
enum Way {
    /// Its head is to come.
    Head,
    /// Its head went on; its body is to come in one message, and is read.
    Whole(Media),
    /// Its head waits; its body comes in parts, and is read when it is whole.
    Parts(Gathered, Media),
    /// Its head went on; its body passes unread.
    Unread,
    /// It went on whole.
    Over,
}

/// One stream, which is one request and its response.
pub(super) struct Conversation<V> {
    live: Arc<Live<V>>,
    filter: Arc<Filter<V>>,
    watched: Watched,
    body_timeout: Duration,
    modes: Modes,
    passage: Option<Passage>,
    /// Heads of messages that are one step, as they came, until their bodies are there.
    kept: Kept,
    request: Way,
    response: Way,
    /// The gateway answers by itself (our refusal, or its own): nothing of the upstream's in it.
    local_reply: bool,
    /// What the last answer took: it may be on its way until the gateway's next word.
    answering: Held,
}

/// Heads that wait for their bodies.
#[derive(Default)]
struct Kept {
    request: Option<(Method, Head)>,
    response: Option<(StatusCode, Head)>,
}

type Answers = Vec<ProcessingResponse>;

/// The answers to one message, or a refusal of the request.
type Turn = Result<Answers, FilterError>;

impl<V: Vault> Conversation<V> {
    pub(super) fn new(live: Arc<Live<V>>, watched: Watched, body_timeout: Duration) -> Self {
        Self {
            filter: live.now(),
            live,
            watched,
            body_timeout,
            modes: Modes::default(),
            passage: None,
            kept: Kept::default(),
            request: Way::Head,
            response: Way::Head,
            local_reply: false,
            answering: Held::uncounted(),
        }
    }

    /// When the part that is waited for must be there, if the filter itself holds something back.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [&self.request, &self.response]
            .into_iter()
            .filter_map(|way| match way {
                Way::Parts(gathered, _) => Some(gathered.deadline),
                Way::Head | Way::Whole(_) | Way::Unread | Way::Over => None,
            })
            .min()
    }

    /// The stream's end, for the metrics.
    pub(super) fn watched(&mut self) -> &mut Watched {
        &mut self.watched
    }

    /// Takes one message and answers it, at once or with a later one.
    pub(super) async fn step(&mut self, message: ProcessingRequest) -> Result<Answers, Status> {
        if message.observability_mode {
            return Err(Status::failed_precondition(
                "observability_mode ignores the answers",
            ));
        }
        if let Some(protocol) = &message.protocol_config {
            self.modes = Modes::of(protocol)?;
        }
        let message = message.request.ok_or_else(out_of_order)?;
        self.answering = Held::uncounted();
        let answers = match self.turn(message).await? {
            Ok(answers) => answers,
            Err(error) => {
                let problem = self.watched.refused(&error);
                self.local_reply = true;
                (self.request, self.response) = (Way::Over, Way::Over);
                vec![answer::refusal(&problem)]
            }
        };
        if !self.local_reply && self.is_over() {
            self.watched.passed();
        }
        Ok(answers)
    }

    /// Whether all went on; an answer that no rule reads need not be shown at all.
    fn is_over(&self) -> bool {
        let unshown = || {
            let unread =
                |passage: &Passage| !passage.reads_response() && !passage.reads_response_head();
            self.passage.as_ref().is_some_and(unread) && matches!(self.response, Way::Head)
        };
        matches!(self.request, Way::Over) && (matches!(self.response, Way::Over) || unshown())
    }

    async fn turn(&mut self, message: Message) -> Result<Turn, Status> {
        if self.local_reply {
            return self.local_reply_goes_on(&message).map(Ok);
        }
        match message {
            Message::RequestHeaders(headers) => self.request_head(headers).await,
            Message::RequestBody(body) => self.body(Side::Request, body).await,
            Message::RequestTrailers(trailers) => self.trailers(Side::Request, trailers).await,
            Message::ResponseHeaders(headers) => self.response_head(headers).await,
            Message::ResponseBody(body) => self.body(Side::Response, body).await,
            Message::ResponseTrailers(trailers) => self.trailers(Side::Response, trailers).await,
        }
    }

    async fn request_head(&mut self, message: HttpHeaders) -> Result<Turn, Status> {
        if !matches!((&self.request, &self.response), (Way::Head, Way::Head)) {
            return Err(out_of_order());
        }
        let head = read_head(message.headers)?;
        let method = Method::from_bytes(head.method.as_bytes()).map_err(|_| out_of_order())?;
        // Attributes (peer certificate, claims) are the gateway's word, and no proof: they are not
        // read. Who the unit is, the vault learns from the unit (invariant 10).
        let request = RequestHead {
            host: &head.authority,
            method: &method,
            path: &head.path,
            headers: &head.headers,
        };
        let admitted = self.filter.admit(&request);
        let passage = match admitted.and_then(|passage| announced(passage, &head)) {
            Ok(passage) => passage.within(self.live.store()),
            Err(error) => return Ok(Err(error)),
        };
        self.watched.takes(passage.route_name());
        self.modes.check(&passage)?;
        let no_body = message.end_of_stream || self.modes.skips(Side::Request);
        let sealed = passage.is_sealed(Side::Request);
        let rewriting = match (sealed, no_body) {
            (false, _) => self.filter.request_head(&passage, &request).await,
            (true, true) => {
                let whole = self.filter.request_whole(&passage, &request, None).await;
                whole.map(|whole| whole.head)
            }
            // The head is settled with the body.
            (true, false) => Ok(HeadRewriting::default()),
        };
        let rewriting = match rewriting {
            Ok(rewriting) => rewriting,
            Err(error) => return Ok(Err(error)),
        };
        let reading = if passage.reads_request() {
            Reading::Whole {
                bytes_max: passage.request_bytes_max(),
                media: Media::of(&head.headers),
            }
        } else {
            Reading::Pass
        };
        self.passage = Some(passage);
        self.kept.request = sealed.then_some((method, head));
        let (way, answers) = self.begins(Side::Request, (!no_body).then_some(reading), rewriting);
        self.request = way;
        Ok(Ok(answers))
    }

    async fn response_head(&mut self, message: HttpHeaders) -> Result<Turn, Status> {
        if !matches!(self.response, Way::Head) {
            return Err(out_of_order());
        }
        let head = read_head(message.headers)?;
        let Some(passage) = &self.passage else {
            return unseen_request(&head);
        };
        if matches!(self.request, Way::Whole(_) | Way::Parts(..)) {
            // A body that must be read has not gone on: the gateway speaks for itself (a 413, say).
            self.local_reply = true;
            (self.request, self.response) = (Way::Over, Way::Over);
            self.watched.failed("gateway-reply");
            return Ok(Ok(vec![answer::head_goes_on(
                Side::Response,
                &HeadRewriting::default(),
            )]));
        }
        let reading = passage.response_reading(&head.headers);
        let no_body = message.end_of_stream || self.modes.skips(Side::Response);
        let sealed = passage.is_sealed(Side::Response);
        let status = StatusCode::from_bytes(head.status.as_bytes()).map_err(|_| out_of_order())?;
        let rewriting = match (sealed, no_body) {
            (false, _) => self.filter.response_head(passage, &head.headers).await,
            (true, true) => {
                let answer = ResponseHead {
                    status,
                    headers: &head.headers,
                };
                let whole = self.filter.response_whole(passage, &answer, None).await;
                whole.map(|whole| whole.head)
            }
            (true, false) => Ok(HeadRewriting::default()),
        };
        let mut rewriting = match rewriting {
            Ok(rewriting) => rewriting,
            Err(error) => return Ok(Err(error)),
        };
        if no_body && !sealed && passage.reads_response() {
            // An answer to HEAD, or a 304: what it tells is of a body that the unit never gets.
            rewriting.without.extend(media::digests());
        }
        let reading = (!no_body).then_some(reading);
        self.kept.response = sealed.then_some((status, head));
        let (way, answers) = self.begins(Side::Response, reading, rewriting);
        self.response = way;
        Ok(Ok(answers))
    }

    /// What comes after a head (`None`: no body), and its answer: at once, unless the body comes in parts and is read.
    fn begins(&self, side: Side, reading: Option<Reading>, head: HeadRewriting) -> (Way, Answers) {
        let at_once = |head| vec![answer::head_goes_on(side, &head)];
        match reading {
            None => (Way::Over, at_once(head)),
            Some(Reading::Pass) => (Way::Unread, at_once(head)),
            Some(Reading::Whole { bytes_max, media }) if self.modes.streams(side) => {
                let deadline = Instant::now() + self.body_timeout;
                let gathered = Gathered::new(head, bytes_max, deadline, self.live.share());
                (Way::Parts(gathered, media), Vec::new())
            }
            Some(Reading::Whole { media, .. }) => (Way::Whole(media), at_once(head)),
        }
    }

    async fn body(&mut self, side: Side, body: HttpBody) -> Result<Turn, Status> {
        match std::mem::replace(self.way(side), Way::Over) {
            Way::Unread => {
                if !body.end_of_stream {
                    *self.way(side) = Way::Unread;
                    let ruled = self.ruled_names(side);
                    self.modes.check_trailers(side, ruled.as_ref())?;
                }
                Ok(Ok(vec![self.unread(side, body)]))
            }
            Way::Whole(media) => self.whole(side, media, body).await,
            Way::Parts(mut gathered, media) => {
                if let Err(full) = gathered.take(&body.body) {
                    return Ok(Err(refusal_of(side, full, gathered.bytes_max())));
                }
                if body.end_of_stream {
                    return Ok(self.gathered(side, gathered, media, None).await);
                }
                *self.way(side) = Way::Parts(gathered, media);
                Ok(Ok(Vec::new()))
            }
            Way::Head | Way::Over => Err(out_of_order()),
        }
    }

    async fn trailers(&mut self, side: Side, trailers: HttpTrailers) -> Result<Turn, Status> {
        let trailers = read_head(Some(trailers.trailers.unwrap_or_default()))?.headers;
        let ruled = self.ruled_names(side);
        let ruled = ruled.map_or_else(Vec::new, |names| names.among(trailers.keys()));
        match std::mem::replace(self.way(side), Way::Over) {
            Way::Unread => Ok(Ok(vec![answer::trailers_go_on(side, &ruled)])),
            Way::Parts(gathered, media) => {
                Ok(self.gathered(side, gathered, media, Some(ruled)).await)
            }
            Way::Head | Way::Whole(_) | Way::Over => Err(out_of_order()),
        }
    }

    /// A body that comes in one message; trailers after it come without the mark that it is whole.
    async fn whole(&mut self, side: Side, media: Media, body: HttpBody) -> Result<Turn, Status> {
        if !body.end_of_stream {
            return Err(Status::failed_precondition(
                "the body came in parts or with trailers: set BUFFERED",
            ));
        }
        let body = match Charged::of(body.body, self.live.share()) {
            Ok(body) => body.into(),
            Err(error) => return Ok(Err(error)),
        };
        let whole = self.rewriting(side, media, body).await;
        Ok(whole.and_then(|whole| {
            if !matches!(whole.body, Rewriting::Unchanged(_)) {
                self.answering = self.charged(&whole.body)?;
            }
            Ok(vec![answer::whole_goes_on(side, whole)])
        }))
    }

    /// The head that waited, the body in parts, and where they end it, the trailers, without these.
    async fn gathered(
        &mut self,
        side: Side,
        mut gathered: Gathered,
        media: Media,
        trailers: Option<Vec<HeaderName>>,
    ) -> Turn {
        let mut head = std::mem::take(&mut gathered.head);
        let whole = self.rewriting(side, media, gathered.whole()).await?;
        self.answering = self.charged(&whole.body)?;
        let untrue = answer::untrue_of(&whole.body);
        head.extend(whole.body.head());
        head.extend(whole.head);
        let end = if trailers.is_some() {
            End::Later
        } else {
            End::Here
        };
        let mut answers = vec![answer::head_goes_on(side, &head)];
        answers.extend(answer::parts_go_on(side, &whole.body.into_bytes(), end));
        if let Some(ruled) = trailers {
            let without = [ruled, untrue].concat();
            answers.push(answer::trailers_go_on(side, &without));
        }
        Ok(answers)
    }

    async fn rewriting(
        &mut self,
        side: Side,
        media: Media,
        body: Bytes,
    ) -> Result<Whole, FilterError> {
        let Some(passage) = &self.passage else {
            return Err(FilterError::BodyBroken);
        };
        let filter = &self.filter;
        let kept = &self.kept;
        let whole = match (side, &kept.request, &kept.response) {
            (Side::Request, Some((method, head)), _) => {
                let head = RequestHead {
                    host: &head.authority,
                    method,
                    path: &head.path,
                    headers: &head.headers,
                };
                filter.request_whole(passage, &head, Some(body)).await?
            }
            (Side::Response, _, Some((status, head))) => {
                let head = ResponseHead {
                    status: *status,
                    headers: &head.headers,
                };
                filter.response_whole(passage, &head, Some(body)).await?
            }
            (Side::Request, ..) => filter.request_body(passage, body).await?.into(),
            (Side::Response, ..) => filter.response_body(passage, media, body).await?.into(),
        };
        self.live.metrics().body(side, whole.body.outcome());
        Ok(whole)
    }

    /// A share for the answer's own copy of a body.
    fn charged(&self, rewriting: &Rewriting) -> Result<Held, FilterError> {
        let mut share = self.live.share();
        share.grow(rewriting.as_bytes().len())?;
        Ok(share)
    }

    /// Our own refusal, or the gateway's, passes the filter once more on its way out.
    fn local_reply_goes_on(&self, message: &Message) -> Result<Answers, Status> {
        match message {
            Message::ResponseHeaders(_) => Ok(vec![answer::head_goes_on(
                Side::Response,
                &HeadRewriting::default(),
            )]),
            Message::ResponseBody(body) => Ok(vec![self.unread(Side::Response, body.clone())]),
            Message::ResponseTrailers(_) => Ok(vec![answer::trailers_go_on(Side::Response, &[])]),
            // In parts, what the unit still sends may have been on its way: it goes nowhere.
            Message::RequestBody(_) | Message::RequestTrailers(_)
                if self.modes.streams(Side::Request) =>
            {
                Ok(Vec::new())
            }
            Message::RequestHeaders(_) | Message::RequestBody(_) | Message::RequestTrailers(_) => {
                Err(out_of_order())
            }
        }
    }

    fn unread(&self, side: Side, body: HttpBody) -> ProcessingResponse {
        if self.modes.streams(side) {
            let end = End::of(&body);
            answer::part_goes_on(side, body.body, end)
        } else {
            answer::body_goes_on(side, Rewriting::Unchanged(Bytes::new()))
        }
    }

    fn ruled_names(&self, side: Side) -> Option<RuledNames> {
        self.passage.as_ref()?.ruled_names(side)
    }

    fn way(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

/// Refuses what the head alone gives away, before the body is sent.
fn announced(passage: Passage, head: &Head) -> Result<Passage, FilterError> {
    let length = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    passage.check_announced(
        length
            .and_then(|length| length.parse().ok())
            .unwrap_or_default(),
    )?;
    Ok(passage)
}

fn refusal_of(side: Side, full: Full, bytes_max: usize) -> FilterError {
    match (full, side) {
        (Full::NoRoom, _) => FilterError::Overloaded,
        (Full::TooLarge, Side::Request) => FilterError::BodyTooLarge { bytes_max },
        (Full::TooLarge, Side::Response) => UpstreamError::BodyTooLarge { bytes_max }.into(),
    }
}

/// An answer to a request that was never shown. Where the gateway refused it (a path it takes for
/// an attack, say), only the status goes on; anything else means that requests pass unseen.
fn unseen_request(head: &Head) -> Result<Turn, Status> {
    StatusCode::from_bytes(head.status.as_bytes())
        .ok()
        .filter(StatusCode::is_client_error)
        .map(|status| Err(FilterError::RefusedByGateway(status)))
        .ok_or_else(|| Status::failed_precondition("set request_header_mode: SEND"))
}

fn read_head(
    map: Option<envoy_types::pb::envoy::config::core::v3::HeaderMap>,
) -> Result<Head, Status> {
    map.and_then(Head::read)
        .ok_or_else(|| Status::invalid_argument("the headers can't be read"))
}

fn out_of_order() -> Status {
    Status::failed_precondition("a message that may not come now")
}
