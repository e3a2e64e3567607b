//! The one corridor: limits, identify, admit, decode, authorize, engine, encode, for every face.
//!
//! [`enter`] runs before a body is read; the handlers of `rest` and `grpc` decode and then call
//! [`tokenize`] or [`detokenize`]. Refusals of those who are known are entries before they are answers.

mod act;
mod arrival;
mod delivery;
mod guard;
mod keys;
pub(super) mod ledger;
mod policy;
pub(super) mod proving;
pub(super) mod tokens;
pub(super) mod units;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ::ledger::{Operation, Outcome};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use rand::TryRng;

use super::Vault;
use super::belief::Belief;
use super::problem::{Face, Problem, REQUEST_ID};
use super::signed::{self, Expected, Head};
use crate::admission::{Admitted, Arrival, Noted, RefusalKind};
use crate::engine::{Issued, Refusal, Revelation, TokenizeItem};
use crate::identity::{Caller, ClientCertificate, Unidentified};
use crate::model::{
    Delivery, DomainName, GrantId, Once, Purpose, Reason, RequestId, RouteGroup, TokenText,
    UnitName,
};
use crate::policy::{DetokenizeScope, Refused, TokenizeScope};

pub(super) use act::closed;
pub(super) use arrival::TOKEN_PATH;
pub(super) use delivery::{issue_ticket, redeem};
pub(super) use guard::{on_classes, on_grant, on_unit};
pub(super) use keys::{on_key, on_keys, on_move, on_wished_key};

pub(super) use policy::on_policies;

use act::{ActBy, Asked, decided, delivered};
use proving::{Believed, Shown};

/// What the connection tells of the caller.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// The client's certificate; its chain was checked.
    pub(super) certificate: Option<Arc<ClientCertificate>>,
    /// Whether it still counts, while its connection stands.
    pub(super) belief: Option<Arc<Belief>>,
}

impl Peer {
    /// Whose certificate counts no longer, where it does not. Nothing else that comes by the connection counts then.
    pub(super) fn disbelieved(&self, vault: &Vault) -> Option<Unidentified> {
        let reason = self.belief.as_ref()?.stands().err()?;
        let certificate = self.certificate.as_deref();
        Some(vault.identity.disbelieved(certificate, reason))
    }

    /// What a request by it tells of itself before it is let in.
    pub(super) fn arrival(&self, headers: &HeaderMap, group: RouteGroup) -> Arrival {
        Arrival {
            source: self.address,
            group,
            patience: arrival::patience(headers),
        }
    }
}

/// An admission on its way to the handler, which takes it once.
#[derive(Clone)]
pub(super) struct Ticket {
    admitted: Arc<Mutex<Option<Admitted>>>,
    request: RequestId,
    /// Whom the act is by, and what it is, for the entry of one that is not done.
    act: Arc<OnceLock<ActBy>>,
    /// Why it is done, in words, where they were given.
    reason: Arc<OnceLock<Arc<Reason>>>,
}

impl Ticket {
    fn take(&self) -> Result<Admitted, Problem> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.take().ok_or_else(Problem::no_ticket)
    }

    pub(super) fn request(&self) -> RequestId {
        self.request
    }

    /// Takes the reason for the request's act, where one is given: to be called before the proof is asked for.
    pub(super) fn because(&self, reason: Option<String>) -> Result<(), Problem> {
        if let Some(reason) = reason {
            let _ = self.reason.set(Arc::new(Reason::parse(reason)?));
        }
        Ok(())
    }
}

/// Before anything of a body is read: who is it, and may it speak now?
pub(super) async fn enter(
    State(vault): State<Arc<Vault>>,
    mut request: Request,
    next: Next,
) -> Response {
    let face = face(request.headers());
    let id = request_id();
    let peer = request.extensions().get::<Peer>().cloned();
    // Cloned: a request whose body is not read yet can't be held across an await.
    let headers = request.headers().clone();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let group = arrival::group(&path);
    let head = Head::of(&request);
    let shown = Shown {
        headers: &headers,
        method: &method,
        path: &path,
        certificate: peer.as_ref().and_then(|peer| peer.certificate.as_deref()),
    };
    let mut unit = None;
    let admitted = admitted(&vault, peer.as_ref(), (shown, head), (group, id), &mut unit);
    let mut response = match admitted.await {
        Ok((admitted, expected)) => {
            let admitted = Arc::new(Mutex::new(Some(admitted)));
            request.extensions_mut().insert(Ticket {
                admitted,
                request: id,
                act: Arc::default(),
                reason: Arc::default(),
            });
            let run = run(&vault, request, next, (expected, face, id));
            match tokio::time::timeout(vault.limits.request_timeout, run).await {
                Ok(Err(problem)) => problem.response(face, id),
                Ok(Ok(response)) => {
                    match Problem::of_the_wire(&response, vault.limits.body_bytes_max) {
                        Some(problem) => problem.response(face, id),
                        None => response,
                    }
                }
                Err(_) => Problem::timeout().response(face, id),
            }
        }
        Err(problem) => problem.response(face, id),
    };
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    vault.metrics.answered(unit.as_ref(), group, &response);
    response
}

/// The handler, and before it the body of a request that was signed: it is decoded only if it is that one.
async fn run(
    vault: &Vault,
    request: Request,
    next: Next,
    (expected, face, id): (Option<Expected>, Face, RequestId),
) -> Result<Response, Problem> {
    let request = match expected {
        Some(expected) => signed::checked(vault, request, &expected, face, id).await?,
        None => request,
    };
    Ok(next.run(request).await)
}

async fn admitted(
    vault: &Vault,
    peer: Option<&Peer>,
    (shown, head): (Shown<'_>, Option<Head>),
    (group, id): (RouteGroup, RequestId),
    unit: &mut Option<UnitName>,
) -> Result<(Admitted, Option<Expected>), Problem> {
    let peer = peer.ok_or_else(Problem::no_ticket)?;
    if let Some(disbelieved) = peer.disbelieved(vault) {
        return Err(unproven(vault, id, disbelieved).await?);
    }
    let Believed {
        caller,
        once,
        witness,
    } = proving::caller(vault, shown, head.as_ref(), id).await?;
    *unit = Some(caller.unit().name.clone());
    let arrival = peer.arrival(shown.headers, group);
    let admitted = admit(vault, caller, arrival, id).await?;
    proving::carried(vault, admitted.caller(), shown.headers, id).await?;
    proving::spend(vault, admitted.caller(), once, id).await?;
    let expected = signed::take(vault, &admitted, witness, id).await?;
    Ok((admitted, expected))
}

/// Lets a caller in. A refusal is an entry before it is an answer, or is counted.
pub(super) async fn admit(
    vault: &Vault,
    caller: Caller,
    arrival: Arrival,
    id: RequestId,
) -> Result<Admitted, Problem> {
    match vault.admission.admit(caller, arrival).await {
        Ok(admitted) => Ok(admitted),
        Err(refused) => {
            let problem = Problem::from(refused.reason).after(refused.retry_after_seconds);
            let refusal = refusal(Operation::AdmissionRefused, &problem, id, &refused.caller);
            turned_away(vault, refusal).await?;
            Err(problem)
        }
    }
}

/// A refusal at the door. Nothing slows down who is refused: so the first of its kind in a minute is an entry
/// before it is an answer, and the others are counted.
pub(super) async fn turned_away(vault: &Vault, refusal: Refusal<'_>) -> Result<(), Problem> {
    let kind = RefusalKind {
        unit: refusal.unit.cloned(),
        gateway: refusal.gateway.cloned(),
        code: refusal.reason,
    };
    if vault.admission.tally().note(kind) == Noted::First {
        vault.engine.refuse(refusal).await?;
    }
    Ok(())
}

/// Two `Authorization` headers are two claims: neither counts.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Problem::from(crate::identity::Unproven::InvalidToken)),
        },
        (Some(_), Some(_)) => Err(Problem::from(crate::identity::Unproven::InvalidToken)),
    }
}

/// Anonymous noise is not chained; a refusal of someone whose certificate is known is.
pub(super) async fn unproven(
    vault: &Vault,
    request: RequestId,
    known: Unidentified,
) -> Result<Problem, Problem> {
    let problem = Problem::from(known.reason);
    if known.unit.is_some() || known.gateway.is_some() {
        let refusal = Refusal {
            operation: Operation::AuthRefused,
            reason: problem.code,
            request,
            unit: known.unit.as_ref(),
            gateway: known.gateway.as_ref(),
            domain: None,
            purpose: None,
            policy: None,
            key: None,
            commitment: None,
            outcome: Outcome::Denied,
        };
        turned_away(vault, refusal).await?;
    }
    tracing::info!(code = problem.code, %request, "nobody was identified");
    Ok(problem)
}

fn refusal<'a>(
    operation: Operation,
    problem: &Problem,
    request: RequestId,
    caller: &'a Caller,
) -> Refusal<'a> {
    Refusal {
        operation,
        reason: problem.code,
        request,
        unit: Some(&caller.unit().name),
        gateway: caller.gateway().map(|gateway| &gateway.name),
        domain: None,
        purpose: None,
        policy: None,
        key: None,
        commitment: None,
        outcome: Outcome::Denied,
    }
}

/// From decoded items to tokens.
pub(super) async fn tokenize(
    vault: &Vault,
    ticket: &Ticket,
    domain: DomainName,
    items: Vec<TokenizeItem>,
    once: Option<Once>,
) -> Result<Issued, Problem> {
    let classes: BTreeSet<_> = items.iter().map(|item| item.class.clone()).collect();
    let scope = TokenizeScope {
        domain: &domain,
        classes: &classes,
    };
    let decision = vault.policies.authorize_tokenize(ticket.take()?, scope);
    let asked = Asked::new(Operation::Tokenize).in_domain(&domain);
    let proof = decided(vault, ticket, asked, decision).await?;
    Ok(vault
        .engine
        .tokenize(proof, items, once, ticket.request)
        .await?)
}

/// From decoded tokens to views.
pub(super) async fn detokenize(
    vault: &Vault,
    ticket: &Ticket,
    (domain, purpose): (DomainName, Purpose),
    tokens: Vec<TokenText>,
    (delivery, grant): (Delivery, Option<GrantId>),
) -> Result<Revelation, Problem> {
    let scope = DetokenizeScope {
        domain: &domain,
        purpose: &purpose,
        delivery,
    };
    let asked = Asked::new(Operation::Detokenize).in_domain(&domain);
    let asked = asked.for_purpose(Some(&purpose));
    let decision = vault.policies.authorize_detokenize(ticket.take()?, scope);
    // Of tokens that were not even looked for, those are told of that nobody has a reason to present.
    if let Err(refused) = &decision {
        return Err(denied_detokenize(vault, ticket, asked, refused, &tokens).await?);
    }
    let proof = decided(vault, ticket, asked, decision).await?;
    let revealing = vault
        .engine
        .detokenize(proof, tokens, grant, ticket.request);
    let revealing = revealing.await;
    delivered(vault, ticket, revealing).await
}

/// From an entry's index to its receipt, for the unit that the entry names.
pub(super) async fn receipt(vault: &Vault, ticket: &Ticket, seq: u64) -> Result<String, Problem> {
    Ok(vault.engine.receipt(ticket.take()?, seq).await?)
}

async fn denied_detokenize(
    vault: &Vault,
    ticket: &Ticket,
    asked: Asked,
    refused: &Refused,
    tokens: &[TokenText],
) -> Result<Problem, Problem> {
    let problem = Problem::from(refused.denial);
    let act = ActBy::new(asked, &refused.admitted, refused.policy);
    let refusal = act.refusal(problem.code, Outcome::Denied, ticket.request);
    vault.engine.refuse_presented(refusal, tokens).await?;
    Ok(problem)
}

fn face(headers: &HeaderMap) -> Face {
    let grpc = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if grpc { Face::Grpc } else { Face::Rest }
}

pub(super) fn request_id() -> RequestId {
    let mut id = [0; 16];
    // An id that is not random is still an id: it proves nothing and guards nothing.
    let _ = rand::rngs::SysRng.try_fill_bytes(&mut id);
    RequestId(id)
}
