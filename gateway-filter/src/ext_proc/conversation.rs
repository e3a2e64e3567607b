//! Owns one stream's states: which message may come now, and what is answered. What may not come
//! is a gRPC error, so that the gateway fails closed.

use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse,
};
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use tonic::Status;

use super::answer::{self, Head};
use super::modes::Modes;
use crate::error::{FilterError, Side};
use crate::filter::{Filter, Passage, Reading, RequestHead, Rewriting, Vault};
use crate::problem::Problem;

/// Where the message is on its way.
enum Stage {
    /// Nothing came yet.
    Start,
    /// The request's head went on; its body is to come.
    RequestBody(Passage),
    /// The request went on whole; the upstream's answer is to come.
    Upstream(Passage),
    /// The answer's head went on; its body is to come.
    ResponseBody(Passage, Reading),
    /// The gateway answers by itself (our refusal, or its own): nothing of the upstream's in it.
    LocalReply,
    /// Everything went on.
    Done,
}

/// One stream, which is one request and its response.
pub(super) struct Conversation<V> {
    filter: Arc<Filter<V>>,
    modes: Modes,
    stage: Stage,
}

/// What comes of one message: the next stage and the answer, or a refusal of the request.
type Turn = Result<(Stage, ProcessingResponse), FilterError>;

impl<V: Vault> Conversation<V> {
    pub(super) fn new(filter: Arc<Filter<V>>) -> Self {
        Self {
            filter,
            modes: Modes::default(),
            stage: Stage::Start,
        }
    }

    /// Takes one message and answers it.
    pub(super) async fn step(
        &mut self,
        message: ProcessingRequest,
    ) -> Result<ProcessingResponse, Status> {
        if message.observability_mode {
            return Err(Status::failed_precondition(
                "observability_mode ignores the answers",
            ));
        }
        if let Some(protocol) = &message.protocol_config {
            self.modes = Modes::of(Some(protocol));
        }
        let message = message.request.ok_or_else(out_of_order)?;
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        let turn = self.turn(stage, message).await?;
        let (stage, answer) = turn.unwrap_or_else(|error| {
            let problem = Problem::from(&error);
            tracing::info!(
                status = problem.status.as_u16(),
                code = %problem.code,
                "request refused"
            );
            (Stage::LocalReply, answer::refusal(&problem))
        });
        self.stage = stage;
        Ok(answer)
    }

    async fn turn(&self, stage: Stage, message: Message) -> Result<Turn, Status> {
        Ok(match (stage, message) {
            (Stage::Start, Message::RequestHeaders(headers)) => self.request_head(headers)?,
            (Stage::Start, Message::ResponseHeaders(headers)) => unseen_request(headers)?,
            (Stage::RequestBody(passage), Message::RequestBody(body)) => {
                self.request_body(passage, body).await?
            }
            (Stage::RequestBody(passage), Message::RequestTrailers(_))
                if !passage.reads_request() =>
            {
                Ok((
                    Stage::Upstream(passage),
                    answer::trailers_go_on(Side::Request),
                ))
            }
            (Stage::RequestBody(passage), Message::ResponseHeaders(headers)) => {
                self.early_answer(passage, headers)?
            }
            (Stage::Upstream(passage), Message::ResponseHeaders(headers)) => {
                self.response_head(passage, headers)?
            }
            (Stage::ResponseBody(passage, reading), Message::ResponseBody(body)) => {
                self.response_body(passage, reading, body).await?
            }
            (Stage::ResponseBody(_, Reading::Pass), Message::ResponseTrailers(_)) => {
                Ok((Stage::Done, answer::trailers_go_on(Side::Response)))
            }
            (Stage::LocalReply, message) => Ok((Stage::LocalReply, local_reply(&message)?)),
            (
                Stage::Start
                | Stage::RequestBody(_)
                | Stage::Upstream(_)
                | Stage::ResponseBody(..)
                | Stage::Done,
                _,
            ) => return Err(out_of_order()),
        })
    }

    fn request_head(&self, message: HttpHeaders) -> Result<Turn, Status> {
        let head = read_head(message.headers)?;
        let method = Method::from_bytes(head.method.as_bytes()).map_err(|_| out_of_order())?;
        let admitted = self.filter.admit(&RequestHead {
            host: &head.authority,
            method: &method,
            path: &head.path,
            headers: &head.headers,
        });
        let passage = match admitted.and_then(|passage| announced(passage, &head)) {
            Ok(passage) => passage,
            Err(error) => return Ok(Err(error)),
        };
        self.modes.check(&passage)?;
        let answer = answer::head_goes_on(Side::Request, &passage.stays_here());
        let no_body = message.end_of_stream || self.modes.skips_request_body();
        let next = if no_body {
            Stage::Upstream
        } else {
            Stage::RequestBody
        };
        Ok(Ok((next(passage), answer)))
    }

    async fn request_body(&self, passage: Passage, body: HttpBody) -> Result<Turn, Status> {
        if !passage.reads_request() {
            let answer = unread(Side::Request);
            let next = if body.end_of_stream {
                Stage::Upstream
            } else {
                Stage::RequestBody
            };
            return Ok(Ok((next(passage), answer)));
        }
        whole(&body)?;
        let rewriting = self
            .filter
            .request_body(&passage, Bytes::from(body.body))
            .await;
        Ok(rewriting.map(|rewriting| {
            (
                Stage::Upstream(passage),
                answer::body_goes_on(Side::Request, rewriting),
            )
        }))
    }

    /// An answer before the request's body was shown. A body that must be read has not gone on, so
    /// the gateway speaks for itself (its own 413, say).
    fn early_answer(&self, passage: Passage, headers: HttpHeaders) -> Result<Turn, Status> {
        if !passage.reads_request() {
            return self.response_head(passage, headers);
        }
        Ok(Ok((
            Stage::LocalReply,
            answer::head_goes_on(Side::Response, &[]),
        )))
    }

    fn response_head(&self, passage: Passage, message: HttpHeaders) -> Result<Turn, Status> {
        let head = read_head(message.headers)?;
        let reading = passage.response_reading(&head.headers);
        let no_body = message.end_of_stream || self.modes.skips_response_body();
        let next = if no_body {
            Stage::Done
        } else {
            Stage::ResponseBody(passage, reading)
        };
        Ok(Ok((next, answer::head_goes_on(Side::Response, &[]))))
    }

    async fn response_body(
        &self,
        passage: Passage,
        reading: Reading,
        body: HttpBody,
    ) -> Result<Turn, Status> {
        let Reading::Whole { media, .. } = reading else {
            let ended = body.end_of_stream;
            let next = if ended {
                Stage::Done
            } else {
                Stage::ResponseBody(passage, reading)
            };
            return Ok(Ok((next, unread(Side::Response))));
        };
        whole(&body)?;
        let rewriting = self
            .filter
            .response_body(&passage, media, Bytes::from(body.body))
            .await;
        Ok(rewriting
            .map(|rewriting| (Stage::Done, answer::body_goes_on(Side::Response, rewriting))))
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

/// An answer to a request that was never shown. Where the gateway refused it (a path it takes for
/// an attack, say), only the status goes on; anything else means that requests pass unseen.
fn unseen_request(message: HttpHeaders) -> Result<Turn, Status> {
    StatusCode::from_bytes(read_head(message.headers)?.status.as_bytes())
        .ok()
        .filter(StatusCode::is_client_error)
        .map(|status| Err(FilterError::RefusedByGateway(status)))
        .ok_or_else(|| Status::failed_precondition("set request_header_mode: SEND"))
}

/// Our own refusal, or the gateway's, passes the filter once more on its way out.
fn local_reply(message: &Message) -> Result<ProcessingResponse, Status> {
    match message {
        Message::ResponseHeaders(_) => Ok(answer::head_goes_on(Side::Response, &[])),
        Message::ResponseBody(_) => Ok(unread(Side::Response)),
        Message::ResponseTrailers(_) => Ok(answer::trailers_go_on(Side::Response)),
        Message::RequestHeaders(_) | Message::RequestBody(_) | Message::RequestTrailers(_) => {
            Err(out_of_order())
        }
    }
}

fn unread(side: Side) -> ProcessingResponse {
    answer::body_goes_on(side, Rewriting::Unchanged(Bytes::new()))
}

/// A body that is to be read comes in one message; trailers after it come without this mark.
fn whole(body: &HttpBody) -> Result<(), Status> {
    if body.end_of_stream {
        return Ok(());
    }
    Err(Status::failed_precondition(
        "the body came in parts or with trailers: set BUFFERED",
    ))
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
