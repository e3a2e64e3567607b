//! `POST /oauth/token`: a unit gets a token for itself, a gateway gets one for the unit that it carries.
//!
//! Every token is bound: to the client certificate of the connection, or to the DPoP key that the unit shows.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use zeroize::Zeroizing;

use super::TokenEndpoint;
use super::asked::{TokenRequest, read};
use super::refused::{Refused, subject_error};
use crate::admission::Admitted;
use crate::engine::{IssuedAccessToken, TokenBinding, TokenWish};
use crate::identity::{Caller, OneUse, Presented, Unidentified, Unproven, Use};
use crate::model::{RequestId, RouteGroup, UnitName};
use crate::server::corridor::{self, proving};
use crate::server::problem::{Face, OauthFault, Problem};
use crate::server::{Vault, rest};

pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// RFC 6749 section 5.1, RFC 8693 section 2.2.1.
#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: u64,
}

/// `POST /oauth/token`.
pub(in crate::server) async fn token(
    State(vault): State<Arc<Vault>>,
    request: Request,
) -> Response {
    let Some(endpoint) = &vault.oauth else {
        return rest::unknown().await;
    };
    let id = corridor::request_id();
    let mut unit = None;
    let answering = answer(&vault, endpoint, request, (id, &mut unit));
    let response = match tokio::time::timeout(vault.limits.request_timeout, answering).await {
        Ok(response) => response,
        Err(_) => OauthFault::new("server_error", Problem::timeout()).response(),
    };
    let group = RouteGroup::AccessTokens;
    vault.metrics.answered(unit.as_ref(), group, &response);
    response
}

/// Another method of a path of these.
pub(in crate::server) async fn method(State(vault): State<Arc<Vault>>) -> Response {
    match &vault.oauth {
        None => rest::unknown().await,
        Some(_) => Problem::method().response(Face::Rest, corridor::request_id()),
    }
}

async fn answer(
    vault: &Vault,
    endpoint: &TokenEndpoint,
    request: Request,
    (id, unit): (RequestId, &mut Option<UnitName>),
) -> Response {
    let granted = match read(endpoint, request, id).await {
        Err(fault) => return fault.response(),
        Ok(asked) => granted(vault, &asked).await,
    };
    match granted {
        Ok((issued, kind)) => {
            *unit = Some(issued.unit.clone());
            endpoint.signed_by(vault, issued.version).await;
            success(&issued, kind)
        }
        Err(refused) => {
            let recorded = refused.record(vault, id).await;
            *unit = refused.unit;
            match recorded {
                Ok(()) => refused.fault.response(),
                Err(problem) => OauthFault::new("server_error", problem).response(),
            }
        }
    }
}

async fn granted(vault: &Vault, asked: &TokenRequest<'_>) -> Outcomes {
    if let Some(disbelieved) = asked.peer.disbelieved(vault) {
        return Err(Refused::unidentified("invalid_client", disbelieved));
    }
    match asked.form.value("grant_type") {
        Some("client_credentials") => own(vault, asked).await,
        Some(EXCHANGE) => exchanged(vault, asked).await,
        Some(_) => Err(OauthFault::of(
            "unsupported_grant_type",
            "ask with grant_type client_credentials or token-exchange",
        )
        .into()),
        None => Err(OauthFault::request("grant_type is missing").into()),
    }
}

/// What a token is bound to, and whether it is another's in exchange.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Certified,
    Possessed,
    Exchanged,
}

/// Who asks, and what of their proofs counts once: it is spent when they are let in.
type Shown = (Caller, Option<OneUse>);

type Outcomes = Result<(IssuedAccessToken, Kind), Refused>;

/// A unit asks for itself, with its certificate (RFC 8705 section 2.1) or an assertion (RFC 7523).
async fn own(vault: &Vault, asked: &TokenRequest<'_>) -> Outcomes {
    let (caller, assertion) = client(vault, asked).await?;
    named(asked, caller.unit().name.as_str(), &caller)?;
    let (binding, kind, proof) = binding(vault, asked, &caller).await?;
    let admitted = let_in(vault, asked, caller, "invalid_client").await?;
    spend(vault, admitted.caller(), assertion, "invalid_client").await?;
    spend(vault, admitted.caller(), proof, "invalid_dpop_proof").await?;
    let issued = issue(vault, asked, &admitted, (binding, None)).await?;
    Ok((issued, kind))
}

/// A gateway asks for the unit whose token it was given: as if it carried a request of the unit's.
async fn exchanged(vault: &Vault, asked: &TokenRequest<'_>) -> Outcomes {
    let form = &asked.form;
    let kind = form.value("subject_token_type");
    let wished = form.value("requested_token_type");
    let subject = form.value("subject_token");
    let (Some(ACCESS_TOKEN | JWT), None | Some(ACCESS_TOKEN | JWT), Some(subject), false) =
        (kind, wished, subject, form.has("actor_token"))
    else {
        return Err(OauthFault::request(
            "an exchange has subject_token and subject_token_type of an access token, and no actor_token",
        )
        .into());
    };
    let shown = asked.asked()?;
    let scheme = if shown.proof.is_some() {
        "DPoP"
    } else {
        "Bearer"
    };
    let authorization = Zeroizing::new(format!("{scheme} {subject}"));
    let presented = Presented {
        authorization: Some(&authorization),
        ..asked.certificate()
    };
    let proven = proving::proven(vault, &presented, shown).await;
    let proven =
        proven.map_err(|refused| Refused::unidentified(subject_error(refused.reason), refused))?;
    let ends_max = proven.ends();
    let (caller, proof) = believed(vault, proven, "invalid_request").await?;
    let (Some(gateway), Some(certificate)) = (caller.gateway(), asked.peer.certificate.as_deref())
    else {
        let fault = OauthFault::of("unauthorized_client", "only a gateway exchanges tokens");
        return Err(Refused::of(fault, &caller));
    };
    let gateway = gateway.name.clone();
    named(asked, gateway.as_str(), &caller)?;
    let binding = TokenBinding::Certificate(certificate.hash());
    let admitted = let_in(vault, asked, caller, "invalid_request").await?;
    let carried = proving::carried(vault, admitted.caller(), &asked.headers, asked.id).await;
    carried.map_err(|problem| {
        let unit = &admitted.caller().unit().name;
        Refused::said(OauthFault::new("unauthorized_client", problem), Some(unit))
    })?;
    spend(vault, admitted.caller(), proof, "invalid_request").await?;
    let issued = issue(vault, asked, &admitted, (binding, ends_max)).await?;
    Ok((issued, Kind::Exchanged))
}

/// Lets whoever asks in, as for any other request.
async fn let_in(
    vault: &Vault,
    asked: &TokenRequest<'_>,
    caller: Caller,
    error: &'static str,
) -> Result<Admitted, Refused> {
    let unit = caller.unit().name.clone();
    let admitted = corridor::admit(vault, caller, asked.arrival(), asked.id).await;
    admitted.map_err(|problem| Refused::said(OauthFault::new(error, problem), Some(&unit)))
}

/// Spends what counts once, of someone who was let in.
async fn spend(
    vault: &Vault,
    caller: &Caller,
    once: Option<OneUse>,
    error: &'static str,
) -> Result<(), Refused> {
    let Some(once) = once else {
        return Ok(());
    };
    let spent = vault.engine.spend(once).await;
    match spent.map_err(|error| Refused::unavailable(&error.into(), caller))? {
        Use::First => Ok(()),
        Use::Again => Err(Refused::unidentified(error, caller.replayed())),
    }
}

/// The token, bound, which ends no later than `ends_max`.
async fn issue(
    vault: &Vault,
    asked: &TokenRequest<'_>,
    admitted: &Admitted,
    (binding, ends_max): (TokenBinding, Option<u64>),
) -> Result<IssuedAccessToken, Refused> {
    let wish = TokenWish {
        binding,
        ends_max,
        policy: vault.policies.digest(),
    };
    let terms = &asked.endpoint.terms;
    let engine = &vault.engine;
    let issued = engine.issue_access_token(admitted, terms, wish, asked.id);
    let issued = issued.await;
    issued.map_err(|error| Refused::unavailable(&error.into(), admitted.caller()))
}

/// Which unit asks. An assertion over another's certificate is two clients at once.
async fn client(vault: &Vault, asked: &TokenRequest<'_>) -> Result<Shown, Refused> {
    let form = &asked.form;
    let refused = |refused: Unidentified| {
        let error = match refused.reason {
            Unproven::GatewayAlone => "unauthorized_client",
            _ => "invalid_client",
        };
        Refused::unidentified(error, refused)
    };
    let assertion = match (
        form.value("client_assertion_type"),
        form.value("client_assertion"),
    ) {
        (None, None) => None,
        (Some(ASSERTION_TYPE), Some(assertion)) => Some(assertion),
        _ => {
            let fault = "client_assertion and client_assertion_type jwt-bearer come together";
            return Err(OauthFault::of("invalid_client", fault).into());
        }
    };
    let certified = vault.identity.identify(&asked.certificate());
    let Some(assertion) = assertion else {
        return Ok((certified.map_err(refused)?, None));
    };
    let audiences = [asked.endpoint.url.as_str(), &asked.endpoint.terms.issuer];
    let proven = vault.identity.asserted(assertion, &audiences);
    let (caller, once) = believed(vault, proven.map_err(refused)?, "invalid_client").await?;
    match certified {
        Ok(holder) if holder.unit().name != caller.unit().name => {
            let problem = Problem::from(Unproven::Contradiction);
            Err(Refused::of(
                OauthFault::new("invalid_client", problem),
                &caller,
            ))
        }
        Err(other) if asked.peer.certificate.is_some() => Err(refused(other)),
        _ => Ok((caller, once)),
    }
}

/// What the token is bound to: a DPoP key where one is shown, else the connection's certificate.
async fn binding(
    vault: &Vault,
    asked: &TokenRequest<'_>,
    caller: &Caller,
) -> Result<(TokenBinding, Kind, Option<OneUse>), Refused> {
    let shown = asked.asked()?;
    if shown.proof.is_some() {
        let invalid = |reason: Unproven| {
            Refused::of(OauthFault::new("invalid_dpop_proof", reason.into()), caller)
        };
        let (key, once) = vault.identity.key_shown(shown).map_err(invalid)?;
        let used = vault.engine.use_of(once).await;
        return match used.map_err(|error| Refused::unavailable(&error.into(), caller))? {
            Use::First => Ok((TokenBinding::Key(key), Kind::Possessed, Some(once))),
            Use::Again => Err(invalid(Unproven::ProofReplayed)),
        };
    }
    let Some(certificate) = asked.peer.certificate.as_deref() else {
        let fault = "a token is bound: come with a client certificate or send a DPoP proof";
        return Err(Refused::of(OauthFault::request(fault), caller));
    };
    Ok((
        TokenBinding::Certificate(certificate.hash()),
        Kind::Certified,
        None,
    ))
}

async fn believed(
    vault: &Vault,
    proven: crate::identity::Proven,
    error: &'static str,
) -> Result<Shown, Refused> {
    let believed = proving::believed(vault, proven).await;
    let believed =
        believed.map_err(|problem| Refused::said(OauthFault::new(error, problem), None))?;
    believed.map_err(|refused| Refused::unidentified(error, refused))
}

/// `client_id`, where it is sent, is the client's own.
fn named(asked: &TokenRequest<'_>, name: &str, caller: &Caller) -> Result<(), Refused> {
    match asked.form.value("client_id") {
        Some(id) if id != name => {
            let fault = OauthFault::of(
                "invalid_client",
                "client_id is not the client that proved itself",
            );
            Err(Refused::of(fault, caller))
        }
        _ => Ok(()),
    }
}

fn success(issued: &IssuedAccessToken, kind: Kind) -> Response {
    let granted = Granted {
        access_token: issued.token.expose(),
        issued_token_type: (kind == Kind::Exchanged).then_some(ACCESS_TOKEN),
        token_type: match kind {
            Kind::Possessed => "DPoP",
            Kind::Certified | Kind::Exchanged => "Bearer",
        },
        expires_in: issued.seconds,
    };
    let mut response = Json(granted).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
