//! Signed requests on their way in: the head that was signed, the nonce that is taken once, the body that must hash
//! to what was signed.
//!
//! The order is: signature over the head, admission, nonce, body. So a wrong signature takes no nonce and costs no
//! slot, and of a request that was taken once only its sender knows whether it was also done.

use api::signature::{self, ContentDigest, Message, is_signed};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use http::header::HOST;
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use ring::digest::{Context, SHA256, SHA512};

use super::Vault;
use super::corridor::proving::{self, Shown};
use super::corridor::unproven;
use super::problem::{Face, Problem};
use crate::admission::Admitted;
use crate::engine::NonceFault;
use crate::identity::{Presented, Proven, SignedRequest, Unidentified, Unproven, Witness};
use crate::model::{RequestId, UnitName};

/// What stands before a gRPC message in its body (gRPC over HTTP/2, Length-Prefixed-Message).
const GRPC_FRAME_BYTES: usize = 5;

/// What is signed of a request that claims to be: kept apart from its body, which is not read yet.
pub(super) struct Head {
    method: Method,
    uri: Uri,
    body: signature::Body,
}

impl Head {
    /// Of a request that claims to be signed.
    pub(super) fn of(request: &Request) -> Option<Self> {
        is_signed(request.headers()).then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            body: if request.body().is_end_stream() {
                signature::Body::Absent
            } else {
                signature::Body::Follows
            },
        })
    }

    /// Who signed it. Where the key of a token that came with it is not known, its issuer is asked once for newer ones.
    pub(super) async fn proven(
        &self,
        vault: &Vault,
        presented: &Presented<'_>,
        shown: Shown<'_>,
    ) -> Result<Result<(Proven, Witness), Unidentified>, Problem> {
        let asked = Some(shown.asked()?);
        let message = self.message(shown.headers);
        let message = message.map_err(|reason| Unidentified {
            reason,
            unit: None,
            gateway: None,
        });
        let request = match message {
            Ok(message) => SignedRequest {
                message,
                body: self.body,
            },
            Err(unidentified) => return Ok(Err(unidentified)),
        };
        let identity = &vault.identity;
        let prove = || identity.prove_signed(presented, asked, &request, &vault.engine);
        let proven = match prove().await {
            Err(refused) if proving::keys_renewed(vault, &refused).await => prove().await,
            proven => proven,
        };
        Ok(proven)
    }

    fn message<'a>(&'a self, headers: &'a HeaderMap) -> Result<Message<'a>, Unproven> {
        let authority = authority(&self.uri, headers).ok_or(Unproven::SignedElsewhere)?;
        let target = self.uri.path_and_query();
        let target = target.map_or("/", http::uri::PathAndQuery::as_str);
        // TLS only: there is no other scheme here.
        let message = Message::request(&self.method, "https", authority, target, headers);
        Ok(message?)
    }
}

/// `:authority`, or the `Host` field. Where both are there they are one, and there is one `Host` at most
/// (RFC 9113 section 8.3.1, RFC 9112 section 3.2).
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.to_str().ok()?),
        (Some(_), Some(_)) => return None,
    };
    match (uri.authority().map(http::uri::Authority::as_str), host) {
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => None,
        (Some(one), _) | (None, Some(one)) => Some(one),
        (None, None) => None,
    }
}

/// Takes the nonce of a signed request that was let in, and says what its body must be. A replay of someone who is
/// known is an entry.
pub(super) async fn take(
    vault: &Vault,
    admitted: &Admitted,
    witness: Option<Witness>,
    id: RequestId,
) -> Result<Option<Expected>, Problem> {
    let Some(witness) = witness else {
        return Ok(None);
    };
    let rules = vault.identity.signature_rules();
    let standing_max = rules.map_or(0, |rules| rules.nonces_per_unit_max);
    let caller = admitted.caller();
    let by = caller.unit().name.clone();
    match vault
        .engine
        .take_nonce(caller, &witness, standing_max)
        .await
    {
        Ok(()) => Ok(witness.digest.map(|digest| Expected { digest, by })),
        Err(NonceFault::Engine(error)) => Err(error.into()),
        Err(NonceFault::Unproven(reason)) => Err(refused(vault, by, reason, id).await?),
    }
}

async fn refused(
    vault: &Vault,
    unit: UnitName,
    reason: Unproven,
    id: RequestId,
) -> Result<Problem, Problem> {
    let known = Unidentified {
        reason,
        unit: Some(unit),
        gateway: None,
    };
    unproven(vault, id, known).await
}

/// What is known of a body that was signed, and of its sender.
pub(super) struct Expected {
    pub(super) digest: ContentDigest,
    pub(super) by: UnitName,
}

/// Reads the whole body, hashing it as it comes, and gives the request back if it is the one that was signed.
/// Nothing of it is decoded before.
pub(super) async fn checked(
    vault: &Vault,
    request: Request,
    expected: &Expected,
    face: Face,
    id: RequestId,
) -> Result<Request, Problem> {
    let bytes_max = vault.limits.body_bytes_max;
    let room = match face {
        Face::Rest => bytes_max,
        Face::Grpc => bytes_max.saturating_add(GRPC_FRAME_BYTES),
    };
    let (head, body) = request.into_parts();
    let body = match hashed(body, &expected.digest, room).await {
        Ok(bytes) => bytes,
        Err(Unread::TooLarge) => return Err(Problem::body_too_large(bytes_max)),
        Err(Unread::Another) => {
            let by = expected.by.clone();
            return Err(refused(vault, by, Unproven::ContentDigest, id).await?);
        }
    };
    Ok(Request::from_parts(head, Body::from(body)))
}

enum Unread {
    TooLarge,
    Another,
}

async fn hashed(body: Body, digest: &ContentDigest, bytes_max: usize) -> Result<Bytes, Unread> {
    let mut hashing = Hashing::of(digest);
    let body = Limited::new(body, bytes_max).map_frame(|frame| {
        if let Some(bytes) = frame.data_ref() {
            hashing.add(bytes);
        }
        frame
    });
    let collected = body.collect().await;
    let bytes = match collected {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return Err(Unread::TooLarge);
        }
        // It broke off: this is not the body that was signed.
        Err(_) => return Err(Unread::Another),
    };
    if hashing.ends_as_expected() {
        Ok(bytes)
    } else {
        Err(Unread::Another)
    }
}

/// Digests on their way, and what they must become.
struct Hashing(Vec<(Context, Vec<u8>)>);

impl Hashing {
    fn of(digest: &ContentDigest) -> Self {
        let sha256 = digest
            .sha256
            .map(|bytes| (Context::new(&SHA256), bytes.to_vec()));
        let sha512 = digest
            .sha512
            .map(|bytes| (Context::new(&SHA512), bytes.to_vec()));
        Self(sha256.into_iter().chain(sha512).collect())
    }

    fn add(&mut self, bytes: &[u8]) {
        for (context, _) in &mut self.0 {
            context.update(bytes);
        }
    }

    /// All of them must be right, and there is one at least.
    fn ends_as_expected(self) -> bool {
        let mut all = self.0.into_iter().peekable();
        all.peek().is_some() && all.all(|(context, expected)| context.finish().as_ref() == expected)
    }
}
