//! Owns the words of ext_proc: Envoy's header maps to ours, and our decisions to its answers.

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{
    HeaderMap as EnvoyMap, HeaderValue, HeaderValueOption,
};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse,
    ProcessingResponse, TrailersResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderName};

use crate::error::Side;
use crate::filter::Rewriting;
use crate::media::OF_THE_FIRST_BODY;
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

/// Go on with the head, without these headers.
pub(super) fn head_goes_on(side: Side, without: &[HeaderName]) -> ProcessingResponse {
    let mutation = HeaderMutation {
        set_headers: Vec::new(),
        remove_headers: names(without),
    };
    let change = CommonResponse {
        header_mutation: Some(mutation),
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

/// Go on with the body, which may be another.
pub(super) fn body_goes_on(side: Side, rewriting: Rewriting) -> ProcessingResponse {
    let change = match rewriting {
        Rewriting::Unchanged(_) => CommonResponse::default(),
        Rewriting::Rewritten(body) => replacing(&body),
    };
    let response = BodyResponse {
        response: Some(change),
    };
    envelope(match side {
        Side::Request => Response::RequestBody(response),
        Side::Response => Response::ResponseBody(response),
    })
}

/// Go on with the trailers as they are.
pub(super) fn trailers_go_on(side: Side) -> ProcessingResponse {
    let response = TrailersResponse::default();
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
fn replacing(body: &Bytes) -> CommonResponse {
    let untrue: Vec<HeaderName> = OF_THE_FIRST_BODY
        .into_iter()
        .filter(|name| *name != CONTENT_LENGTH)
        .collect();
    let mutation = HeaderMutation {
        set_headers: vec![header("content-length", body.len().to_string())],
        remove_headers: names(&untrue),
    };
    CommonResponse {
        header_mutation: Some(mutation),
        body_mutation: Some(BodyMutation {
            mutation: Some(Mutation::Body(body.to_vec())),
        }),
        ..CommonResponse::default()
    }
}

fn header(name: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            raw_value: value.into_bytes(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
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
