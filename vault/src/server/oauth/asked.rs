//! A request for a token: its form, and what its connection tells.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};

use super::TokenEndpoint;
use super::form::{Form, FormFault};
use super::refused::Refused;
use crate::admission::Arrival;
use crate::identity::{Asked, Presented};
use crate::model::{RequestId, RouteGroup};
use crate::server::corridor::Peer;
use crate::server::corridor::proving::Shown;
use crate::server::problem::{OauthFault, Problem};

/// Longest body of a token request, in bytes.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// How long the body of a token request may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(5);

/// A request for a token, with what its connection tells.
pub(super) struct TokenRequest<'a> {
    pub(super) endpoint: &'a TokenEndpoint,
    pub(super) peer: Peer,
    pub(super) headers: HeaderMap,
    path: String,
    pub(super) form: Form,
    pub(super) id: RequestId,
}

pub(super) async fn read(
    endpoint: &TokenEndpoint,
    request: Request,
    id: RequestId,
) -> Result<TokenRequest<'_>, OauthFault> {
    let fault = |problem| OauthFault::new("server_error", problem);
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().cloned();
    let peer = peer.ok_or_else(|| fault(Problem::no_ticket()))?;
    let media = parts.headers.get(CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok()).unwrap_or("");
    let essence = media.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OauthFault::request(
            "send content-type: application/x-www-form-urlencoded",
        ));
    }
    let place = endpoint.reading.try_acquire();
    let place = place.map_err(|_| {
        let problem = Problem::not_ready("too many ask for tokens at this moment: ask again");
        OauthFault::new("temporarily_unavailable", problem.after(Some(1)))
    })?;
    let body = tokio::time::timeout(BODY_TIME_MAX, to_bytes(body, BODY_BYTES_MAX)).await;
    drop(place);
    let body = body.map_err(|_| OauthFault::request("the body took longer than 5 seconds"))?;
    let body = body.map_err(|_| OauthFault::request("the body is longer than 32768 bytes"))?;
    let form = Form::parse(&body).map_err(|fault| match fault {
        FormFault::Encoding => {
            OauthFault::request("the body is not a form of at most 32 parameters")
        }
        FormFault::Twice => OauthFault::request("a parameter stands twice"),
    })?;
    // RFC 8693 section 2.1, RFC 8707: there is one place that tokens are for, and no part of it.
    for target in ["resource", "audience"] {
        if form
            .value(target)
            .is_some_and(|name| name != endpoint.terms.audience)
        {
            return Err(OauthFault::of(
                "invalid_target",
                "tokens are for this vault only",
            ));
        }
    }
    if form.has("scope") {
        return Err(OauthFault::of(
            "invalid_scope",
            "tokens have no scopes: policies say what a unit may do",
        ));
    }
    if form.has("client_secret") {
        return Err(OauthFault::of(
            "invalid_client",
            "no secret proves a client here",
        ));
    }
    Ok(TokenRequest {
        endpoint,
        peer,
        headers: parts.headers,
        path: parts.uri.path().to_owned(),
        form,
        id,
    })
}

impl TokenRequest<'_> {
    fn shown(&self) -> Shown<'_> {
        Shown {
            headers: &self.headers,
            method: &Method::POST,
            path: &self.path,
            certificate: self.peer.certificate.as_deref(),
        }
    }

    pub(super) fn asked(&self) -> Result<Asked<'_>, Refused> {
        let asked = self.shown().asked();
        asked.map_err(|problem| OauthFault::new("invalid_dpop_proof", problem).into())
    }

    pub(super) fn arrival(&self) -> Arrival {
        self.peer.arrival(&self.headers, RouteGroup::AccessTokens)
    }

    pub(super) fn certificate(&self) -> Presented<'_> {
        Presented {
            certificate: self.peer.certificate.as_deref(),
            authorization: None,
        }
    }
}
