//! Owns the words of ext_proc: Envoy's header maps to ours, and our decisions to its answers.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{
    HeaderMap as EnvoyMap, HeaderValue, HeaderValueOption,
};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, HttpBody,
    ImmediateResponse, ProcessingResponse, StreamedBodyResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::BoolValue;
use http::HeaderMap;
use http::header::HeaderName;

use crate::error::Side;
use crate::filter::{HeadRewriting, Rewriting, Whole};
use crate::media::{self, OF_THE_FIRST_BODY};
use crate::problem::Problem;

/// A message's head: pseudo headers apart, the others as a header map.
#[derive(Default)]
pub(super) struct Head {
    pub(super) authority: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: String,
    pub(super) headers: HeaderMap,
}

impl Head {
    /// `None` where a header is none that HTTP allows.
    pub(super) fn read(map: EnvoyMap) -> Option<Self> {
        let mut head = Self::default();
        for line in map.headers {
            let value = if line.raw_value.is_empty() {
                line.value.into_bytes()
            } else {
                line.raw_value
            };
            match line.key.as_str() {
                ":authority" => head.authority = String::from_utf8(value).ok()?,
                ":method" => head.method = String::from_utf8(value).ok()?,
                ":status" => head.status = String::from_utf8(value).ok()?,
                ":path" => head.path = String::from_utf8(value).ok()?,
                pseudo if pseudo.starts_with(':') => {}
                name => {
                    let name: HeaderName = name.parse().ok()?;
                    head.headers
                        .append(name, http::HeaderValue::from_bytes(&value).ok()?);
                }
            }
        }
        Some(head)
    }
}

/// Go on with the head, changed so.
pub(super) fn head_goes_on(side: Side, rewriting: &HeadRewriting) -> ProcessingResponse {
    let change = CommonResponse {
        header_mutation: Some(mutation(rewriting)),
        ..CommonResponse::default()
    };
    let response = HeadersResponse {
        response: Some(change),
    };
    envelope(match side {
        Side::Request => Response::RequestHeaders(response),
        Side::Response => Response::ResponseHeaders(response),
    })
}

fn mutation(rewriting: &HeadRewriting) -> HeaderMutation {
    let path = rewriting.target.iter().cloned();
    let mut set_headers: Vec<_> = path.map(|target| header(":path", target)).collect();
    let mut without = names(&rewriting.without);
    let (set, gone) = lines(rewriting);
    set_headers.extend(set);
    without.extend(gone);
    HeaderMutation {
        set_headers,
        remove_headers: without,
    }
}

/// The headers that are set, and those that go because they have no value any more.
fn lines(rewriting: &HeadRewriting) -> (Vec<HeaderValueOption>, Vec<String>) {
    let (mut set_headers, mut without) = (Vec::new(), Vec::new());
    for (name, values) in &rewriting.headers {
        if values.is_empty() {
            without.push(name.to_string());
        }
        for (at, value) in values.iter().enumerate() {
            let line = HeaderValue {
                key: name.to_string(),
                raw_value: value.as_bytes().to_vec(),
                ..HeaderValue::default()
            };
            let place = if at == 0 { instead } else { beside };
            set_headers.push(place(line));
        }
    }
    (set_headers, without)
}

/// Longest part of a body that is answered in parts, in bytes (`processing_mode.proto` advises it).
const PART_BYTES_MAX: usize = 64 * 1024;

/// Whether a part ends its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It does.
    Here,
    /// More parts follow, or trailers.
    Later,
}

impl End {
    pub(super) fn of(body: &HttpBody) -> Self {
        if body.end_of_stream {
            Self::Here
        } else {
            Self::Later
        }
    }
}

/// Go on with a body in parts, after its head.
pub(super) fn parts_go_on(side: Side, body: &[u8], end: End) -> Vec<ProcessingResponse> {
    let mut parts: Vec<&[u8]> = body.chunks(PART_BYTES_MAX).collect();
    if parts.is_empty() && end == End::Here {
        parts.push(&[]);
    }
    let last = parts.len();
    parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| {
            let end = if at + 1 == last { end } else { End::Later };
            part_goes_on(side, part.to_vec(), end)
        })
        .collect()
}

/// Go on with one part.
pub(super) fn part_goes_on(side: Side, body: Vec<u8>, end: End) -> ProcessingResponse {
    let part = StreamedBodyResponse {
        body,
        end_of_stream: end == End::Here,
        ..StreamedBodyResponse::default()
    };
    body_response(
        side,
        CommonResponse {
            body_mutation: Some(BodyMutation {
                mutation: Some(Mutation::StreamedResponse(part)),
            }),
            ..CommonResponse::default()
        },
    )
}

/// The headers that a rewritten body makes untrue; its length goes too, where it comes in parts.
pub(super) fn untrue_of(rewriting: &Rewriting) -> Vec<HeaderName> {
    match rewriting {
        Rewriting::Unchanged(_) => Vec::new(),
        Rewriting::Rewritten(_) | Rewriting::Recast(..) => OF_THE_FIRST_BODY.to_vec(),
    }
}

/// Go on with the body, which may be another.
pub(super) fn body_goes_on(side: Side, rewriting: Rewriting) -> ProcessingResponse {
    let change = match rewriting {
        Rewriting::Unchanged(_) => CommonResponse::default(),
        Rewriting::Rewritten(body) => replacing(&body, &HeadRewriting::default()),
        Rewriting::Recast(body, head) => replacing(&body, &head),
    };
    body_response(side, change)
}

/// Go on with head and body in one answer: Envoy holds the head back while it gathers the body.
pub(super) fn whole_goes_on(side: Side, whole: Whole) -> ProcessingResponse {
    let mut head = whole.body.head();
    head.extend(whole.head);
    let change = match whole.body {
        Rewriting::Unchanged(_) if head == HeadRewriting::default() => CommonResponse::default(),
        Rewriting::Unchanged(_) => CommonResponse {
            header_mutation: Some(mutation(&head)),
            ..CommonResponse::default()
        },
        Rewriting::Rewritten(body) | Rewriting::Recast(body, _) => replacing(&body, &head),
    };
    body_response(side, change)
}

fn body_response(side: Side, change: CommonResponse) -> ProcessingResponse {
    let response = BodyResponse {
        response: Some(change),
    };
    envelope(match side {
        Side::Request => Response::RequestBody(response),
        Side::Response => Response::ResponseBody(response),
    })
}

/// Go on with the trailers, without these.
pub(super) fn trailers_go_on(side: Side, without: &[HeaderName]) -> ProcessingResponse {
    let mutation = (!without.is_empty()).then(|| HeaderMutation {
        set_headers: Vec::new(),
        remove_headers: names(without),
    });
    let response = TrailersResponse {
        header_mutation: mutation,
    };
    envelope(match side {
        Side::Request => Response::RequestTrailers(response),
        Side::Response => Response::ResponseTrailers(response),
    })
}

/// The gateway answers with the problem, whatever came before.
pub(super) fn refusal(problem: &Problem) -> ProcessingResponse {
    let set_headers = problem
        .headers()
        .into_iter()
        .map(|(name, value)| header(name, value))
        .collect();
    envelope(Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus {
            code: i32::from(problem.status.as_u16()),
        }),
        headers: Some(HeaderMutation {
            set_headers,
            remove_headers: Vec::new(),
        }),
        body: problem.body().to_vec(),
        grpc_status: None,
        details: format!("jinku:{}", problem.code),
    }))
}

/// A new body; Envoy answers 500 where its content-length is not exact.
fn replacing(body: &Bytes, head: &HeadRewriting) -> CommonResponse {
    let mut mutation = mutation(head);
    let length = header("content-length", body.len().to_string());
    mutation.set_headers.push(length);
    let untrue: Vec<HeaderName> = media::digests().collect();
    mutation.remove_headers.extend(names(&untrue));
    // What is set anew is not taken away.
    let set = &mutation.set_headers;
    let is_set = |name: &String| {
        let mut headers = set.iter().flat_map(|set| &set.header);
        headers.any(|set| set.key == *name)
    };
    mutation.remove_headers.retain(|name| !is_set(name));
    CommonResponse {
        header_mutation: Some(mutation),
        body_mutation: Some(BodyMutation {
            mutation: Some(Mutation::Body(body.to_vec())),
        }),
        ..CommonResponse::default()
    }
}

fn header(name: &str, value: String) -> HeaderValueOption {
    instead(HeaderValue {
        key: name.to_owned(),
        raw_value: value.into_bytes(),
        ..HeaderValue::default()
    })
}

/// A line in the place of all of its name.
fn instead(line: HeaderValue) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(line),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

/// One more line. Envoy's ext_proc takes `append_action` at its default for nothing said, and overwrites.
#[expect(
    deprecated,
    reason = "the one way in which ext_proc of Envoy 1.40 appends"
)]
fn beside(line: HeaderValue) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(line),
        append: Some(BoolValue { value: true }),
        ..HeaderValueOption::default()
    }
}

fn names(headers: &[HeaderName]) -> Vec<String> {
    headers.iter().map(ToString::to_string).collect()
}

fn envelope(response: Response) -> ProcessingResponse {
    ProcessingResponse {
        response: Some(response),
        ..ProcessingResponse::default()
    }
}
