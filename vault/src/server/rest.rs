//! The REST face: JSON in and out under `/v1`, problems after RFC 9457.

mod body;
mod detail;
mod detokenize;
pub(super) mod erase;
pub(super) mod guard;
mod key_carry;
mod key_jwe;
mod key_use;
pub(super) mod keys;
pub(super) mod ledger;
pub(super) mod policy;
pub(super) mod receipt;
mod token_find;
pub(super) mod tokens;
pub(super) mod units;

use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) use detokenize::{detokenize, redeem};

use super::corridor::{self, Ticket};
use super::object::Object;
use super::problem::{Face, Problem};
use super::tls::LiveTls;
use super::{Readiness, Vault};
use crate::engine::{TokenizeItem, Wish};
use crate::model::{
    ClassName, DomainName, GrantId, IdempotencyKey, InvalidIdempotencyKey, Once, Plaintext,
    Purpose, RequestId, Subject, TokenText,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenizeBody {
    domain: String,
    items: Vec<Object<ItemBody>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemBody {
    class: String,
    value: String,
    subject: Option<String>,
    ttl_seconds: Option<u64>,
    uses: Option<u32>,
}

#[derive(Serialize)]
struct TokensBody<'a> {
    tokens: Vec<&'a str>,
    entry: u64,
}

/// `POST /v1/tokenize`
pub(super) async fn tokenize(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    answer(ticket.request(), tokenized(&vault, &ticket, request).await)
}

async fn tokenized(vault: &Vault, ticket: &Ticket, request: Request) -> Result<Response, Problem> {
    let key = idempotency_key(request.headers())?;
    let body: TokenizeBody = decode(request, vault.limits.body_bytes_max).await?;
    let domain = DomainName::parse(&body.domain)?;
    let item = |Object(item): Object<ItemBody>| {
        let value = Plaintext::new(item.value);
        let subject = item.subject.map(Subject::parse).transpose();
        Ok(TokenizeItem {
            class: ClassName::parse(&item.class)?,
            value,
            wish: Wish {
                subject: subject?,
                ttl_seconds: item.ttl_seconds,
                uses: item.uses,
            },
        })
    };
    let items = body
        .items
        .into_iter()
        .map(item)
        .collect::<Result<_, Problem>>()?;
    let keep = vault.limits.idempotency;
    let once = key.map(|key| Once { key, keep });
    let issued = corridor::tokenize(vault, ticket, domain, items, once).await?;
    let tokens = issued.tokens.iter().map(TokenText::expose).collect();
    Ok(Json(TokensBody {
        tokens,
        entry: issued.seq(),
    })
    .into_response())
}

/// `Idempotency-Key`, once. Two of them would name two requests.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| InvalidIdempotencyKey)?;
            Ok(Some(IdempotencyKey::parse_header(text)?))
        }
        (Some(_), Some(_)) => Err(InvalidIdempotencyKey.into()),
    }
}

/// A purpose is mandatory on detokenize, on every face.
pub(super) fn purpose(text: &str) -> Result<Purpose, Problem> {
    if text.is_empty() {
        let detail = "state the purpose: policies decide on it and the ledger keeps it";
        return Err(Problem::invalid("purpose-missing", detail));
    }
    Ok(Purpose::parse(text)?)
}

/// The grant that a detokenize names; none where it names none.
pub(super) fn named_grant(text: &str) -> Result<Option<GrantId>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(GrantId::parse(text)?))
}

/// Reads a bounded JSON body. Errors say where, and never what: `serde_json` would print the value.
async fn decode<T: DeserializeOwned>(request: Request, bytes_max: usize) -> Result<T, Problem> {
    let headers = request.headers();
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") || headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::media_type());
    }
    let bytes = to_bytes(request.into_body(), bytes_max)
        .await
        .map_err(|_| Problem::body_too_large(bytes_max))?;
    let object: Result<Object<T>, _> = serde_json::from_slice(&bytes);
    object.map(|object| object.0).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Data => Problem::invalid(
                "body-shape",
                format!("the body is not of the expected shape at {place}"),
            ),
            _ => Problem::invalid("body-not-json", format!("the body is not JSON at {place}")),
        }
    })
}

fn to_json(body: &impl Serialize) -> Result<Response, Problem> {
    // Maps with text keys, numbers and texts: `serde_json` writes them all.
    Ok(json(
        serde_json::to_vec(body).map_err(|_| Problem::no_ticket())?,
    ))
}

fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

fn answer(request: RequestId, result: Result<Response, Problem>) -> Response {
    result.unwrap_or_else(|problem| problem.response(Face::Rest, request))
}

/// `GET /livez`: the process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can read, can commit, can write the ledger, and the HSM answers. `degraded` while
/// the HSM is away and keys that are open serve on, and while new TLS files can't be used.
pub(super) async fn ready(
    State(vault): State<Arc<Vault>>,
    Extension(tls): Extension<Arc<LiveTls>>,
) -> Response {
    let trouble = move |ready| match (ready, tls.trouble()) {
        (Readiness::Ready, Some(trouble)) => Readiness::Degraded(trouble),
        (ready, _) => ready,
    };
    let check = tokio::task::spawn_blocking(move || vault.ready().map(trouble));
    match check
        .await
        .unwrap_or_else(|_| Err("the check failed".to_owned()))
    {
        Ok(Readiness::Ready) => "ready\n".into_response(),
        Ok(Readiness::Degraded(cause)) => format!("degraded: {cause}\n").into_response(),
        Err(cause) => Problem::not_ready(cause).response(Face::Rest, corridor::request_id()),
    }
}

/// Anything else.
pub(super) async fn unknown() -> Response {
    Problem::no_such_path().response(Face::Rest, corridor::request_id())
}

/// A known path with another method.
pub(super) async fn method() -> Response {
    Problem::method().response(Face::Rest, corridor::request_id())
}
