//! Owns the pipeline: message -> route -> fields -> one vault call -> rewritten body. No sockets;
//! both fronts stand on it. Yields the body that goes on, or the reason why none does.

mod exchange;
mod head;
mod jose;
mod sealed;

use std::future::Future;
use std::sync::{Arc, OnceLock};

use api::UnitProof;
use api::v1::{
    DecryptJweRequest, DecryptJweResult, DetokenizeRequest, EncryptJweRequest, EncryptJweResult,
    Revealed, TokenizeRequest,
};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, Method};

use crate::error::{FilterError, Side, UpstreamError, VaultError};
use crate::held::{Held, Store};
use crate::jose::{PayloadAct, is_jose, stated_type};
use crate::media::{Coding, HIDING_THE_ANSWER, Media, OF_THE_FIRST_BODY};
use crate::route::{CleanPath, Plan, ProofBeyond, Route};
use crate::settings::{Rules, Unmatched};
use crate::sign::nonces::Nonces;
use crate::sign::receipt::Entries;
use crate::sign::{KeyUse, Origin};
pub use head::{HeadRewriting, RuledNames};
pub use sealed::{Recorded, ResponseHead, Whole};

/// The header in which a unit says why it wants values back.
pub(crate) const PURPOSE: HeaderName = HeaderName::from_static("jinku-purpose");

/// What the filter needs of a vault.
pub trait Vault: Send + Sync + 'static {
    /// One token for each item, in the order asked.
    fn tokenize(
        &self,
        request: TokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> impl Future<Output = Result<Recorded<Vec<String>>, VaultError>> + Send;

    /// One view for each token, in the order asked.
    fn detokenize(
        &self,
        request: DetokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> impl Future<Output = Result<Recorded<Vec<Revealed>>, VaultError>> + Send;

    /// A JWE of each item, or why there is none, in the order asked.
    fn encrypt_jwe(
        &self,
        request: EncryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> impl Future<Output = Result<Vec<EncryptJweResult>, VaultError>> + Send;

    /// What each JWE held, or why it does not open, in the order asked.
    fn decrypt_jwe(
        &self,
        request: DecryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> impl Future<Output = Result<Vec<DecryptJweResult>, VaultError>> + Send;

    /// A code or signature under a key of the vault.
    fn sign(
        &self,
        usage: KeyUse,
        proof: Option<&UnitProof>,
    ) -> impl Future<Output = Result<Vec<u8>, VaultError>> + Send;

    /// Whether a code or signature is this message's under a key of the vault.
    fn verify(
        &self,
        usage: KeyUse,
        signature: Vec<u8>,
        proof: Option<&UnitProof>,
    ) -> impl Future<Output = Result<bool, VaultError>> + Send;
}

/// The head of a request, as the filter needs it.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// The authority that the request names; a port does not matter.
    pub host: &'a str,
    /// Its method.
    pub method: &'a Method,
    /// Its path, with or without a query.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// One request on its way: its route, and what its unit said. It has no `Debug`: it holds a proof.
pub struct Passage {
    route: Option<Arc<Route>>,
    media: Media,
    /// The types that both bodies' heads state; that of the answer once its head was seen.
    request_type: Option<String>,
    response_type: OnceLock<Option<String>>,
    proof: Option<UnitProof>,
    purpose: Option<String>,
    store: Option<Arc<Store>>,
    entries: Entries,
    origin: Origin,
}

/// Shows that the unit has the key that its token is bound to (RFC 9449 section 4.1). It counts for one call.
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// What to do with a response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Let it through unread.
    Pass,
    /// Read it whole, at most so many bytes, and give it to [`Filter::response_body`].
    Whole {
        /// The route's limit.
        bytes_max: usize,
        /// What its headers say.
        media: Media,
    },
}

/// What became of a body.
#[derive(Clone, PartialEq, Eq)]
pub enum Rewriting {
    /// It goes on as it came.
    Unchanged(Bytes),
    /// It goes on with other bytes: its length and digests changed.
    Rewritten(Bytes),
    /// It goes on as another kind of body: so much of its head changes with it.
    Recast(Bytes, HeadRewriting),
}

/// The filter. Cheap to share by `Arc`.
pub struct Filter<V> {
    rules: Rules,
    vault: V,
    nonces: Nonces,
}

impl<V: Vault> Filter<V> {
    /// A filter with these rules, over this vault.
    pub fn new(rules: Rules, vault: V) -> Self {
        let nonces = Nonces::new(rules.nonces_max);
        Self {
            rules,
            vault,
            nonces,
        }
    }

    /// The rules it keeps.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The vault it asks.
    pub fn vault(&self) -> &V {
        &self.vault
    }

    /// Finds the request's route and checks what can be checked before its body is read.
    pub fn admit(&self, head: &RequestHead<'_>) -> Result<Passage, FilterError> {
        let path = CleanPath::parse(head.path).ok_or(FilterError::PathAmbiguous)?;
        let route = self
            .rules
            .routes()
            .iter()
            .find(|route| route.is_meant(head.host, head.method, &path))
            .cloned();
        if route.is_none() && self.rules.unmatched == Unmatched::Refuse {
            return Err(FilterError::RouteUnmatched);
        }
        let media = Media::of(head.headers);
        let mut passage = Passage {
            route,
            media,
            request_type: stated_type(head.headers),
            response_type: OnceLock::new(),
            proof: None,
            purpose: None,
            store: None,
            entries: Entries::default(),
            origin: Origin::default(),
        };
        if passage.route.is_some() {
            passage.origin = passage.origin_of(head);
            passage.proof = proof(head.headers)?;
            passage.purpose = passage.stated_purpose(head.headers)?;
        }
        Ok(passage)
    }

    /// Rewrites the request's body, whole and not over [`Passage::request_bytes_max`].
    pub async fn request_body(
        &self,
        passage: &Passage,
        body: Bytes,
    ) -> Result<Rewriting, FilterError> {
        let Some((route, plan)) = passage.body_plan(Side::Request) else {
            return Ok(Rewriting::Unchanged(body));
        };
        if body.len() > route.body_bytes_max {
            return Err(FilterError::BodyTooLarge {
                bytes_max: route.body_bytes_max,
            });
        }
        if body.is_empty() {
            return Ok(Rewriting::Unchanged(body));
        }
        passage.check_media()?;
        let asked = Asked {
            passage,
            route,
            plan,
            side: Side::Request,
        };
        let rewriting = self.through(&asked, passage.media, body).await?;
        passage.goes_on(&rewriting.head());
        Ok(rewriting)
    }

    /// Rewrites the response's body, whole, as [`Passage::response_reading`] asked for.
    pub async fn response_body(
        &self,
        passage: &Passage,
        media: Media,
        body: Bytes,
    ) -> Result<Rewriting, FilterError> {
        let Some((route, plan)) = passage.body_plan(Side::Response) else {
            return Ok(Rewriting::Unchanged(body));
        };
        if body.len() > route.body_bytes_max {
            return Err(UpstreamError::BodyTooLarge {
                bytes_max: route.body_bytes_max,
            }
            .into());
        }
        if body.is_empty() {
            return Ok(Rewriting::Unchanged(body));
        }
        if !passage.is_readable(plan, Side::Response, media) {
            // Tokens reveal nothing: the unit gets them as they are.
            return if plan.hides_in_body() {
                Err(UpstreamError::MediaUnsupported.into())
            } else {
                Ok(Rewriting::Unchanged(body))
            };
        }
        let asked = Asked {
            passage,
            route,
            plan,
            side: Side::Response,
        };
        self.through(&asked, media, body).await
    }
}

/// What one direction of a message asks for.
struct Asked<'p> {
    passage: &'p Passage,
    route: &'p Route,
    plan: &'p Plan,
    side: Side,
}

impl Passage {
    /// What its bodies become is charged to this memory; without it, nobody counts.
    pub(crate) fn within(mut self, store: &Arc<Store>) -> Self {
        self.store = Some(store.clone());
        self
    }

    /// A share of memory for what a body becomes.
    fn share(&self) -> Held {
        self.store
            .as_ref()
            .map_or_else(Held::uncounted, Store::share)
    }

    /// The request's headers that do not go on to the upstream.
    fn stays_here(&self) -> Vec<HeaderName> {
        let mut names = Vec::new();
        if self.body_plan(Side::Response).is_some() {
            names.extend(HIDING_THE_ANSWER);
        }
        let proof = self.route.as_ref().map(|route| route.proof);
        if proof == Some(ProofBeyond::Withheld) {
            names.push(AUTHORIZATION);
            names.push(DPOP);
        }
        names
    }

    /// Whether the request's body has to be read whole before it may go on.
    pub fn reads_request(&self) -> bool {
        self.body_plan(Side::Request).is_some() || self.is_sealed(Side::Request)
    }

    /// Whether the response may have to be read: it must not be compressed or partial then.
    pub fn reads_response(&self) -> bool {
        self.body_plan(Side::Response).is_some() || self.is_sealed(Side::Response)
    }

    /// The largest request body of this route, in bytes.
    pub fn request_bytes_max(&self) -> usize {
        self.route.as_ref().map_or(0, |route| route.body_bytes_max)
    }

    /// The matched route's name.
    pub fn route_name(&self) -> Option<&str> {
        self.route.as_deref().map(Route::name)
    }

    /// Refuses a body by its announced length and type, before it is read.
    pub fn check_announced(&self, body_bytes: u64) -> Result<(), FilterError> {
        if !self.reads_request() || body_bytes == 0 {
            return Ok(());
        }
        let bytes_max = self.request_bytes_max();
        if usize::try_from(body_bytes).is_ok_and(|bytes| bytes <= bytes_max) {
            return self.check_media();
        }
        Err(FilterError::BodyTooLarge { bytes_max })
    }

    /// Says what to do with the response's body, by its headers.
    pub fn response_reading(&self, headers: &HeaderMap) -> Reading {
        let media = Media::of(headers);
        // One answer has one head.
        let _ = self.response_type.set(stated_type(headers));
        if let (Some(route), true) = (&self.route, self.is_sealed(Side::Response)) {
            let bytes_max = route.body_bytes_max;
            return Reading::Whole { bytes_max, media };
        }
        let Some((route, plan)) = self.body_plan(Side::Response) else {
            return Reading::Pass;
        };
        if self.is_readable(plan, Side::Response, media) || plan.hides_in_body() {
            return Reading::Whole {
                bytes_max: route.body_bytes_max,
                media,
            };
        }
        Reading::Pass
    }

    fn check_media(&self) -> Result<(), FilterError> {
        let Some((_, plan)) = self.body_plan(Side::Request) else {
            return Ok(());
        };
        if self.media.coding == Coding::Unknown {
            return Err(FilterError::EncodingUnsupported);
        }
        if !self.is_readable(plan, Side::Request, self.media) {
            return Err(FilterError::MediaUnsupported);
        }
        Ok(())
    }

    /// Whether a body of which the plan wants something can be read.
    fn is_readable(&self, plan: &Plan, side: Side, media: Media) -> bool {
        let content_type = self.content_type(side);
        let fits = match plan.payload.as_ref().map(|payload| &payload.act) {
            None => plan.takes(media.format),
            Some(PayloadAct::Decrypt { .. }) => is_jose(content_type),
            // Its type goes along, so there must be one.
            Some(PayloadAct::Encrypt) => {
                content_type.is_some() && (!plan.reads_fields() || plan.takes(media.format))
            }
        };
        fits && media.coding != Coding::Unknown
    }

    /// The one type that the head of this side states.
    fn content_type(&self, side: Side) -> Option<&str> {
        match side {
            Side::Request => self.request_type.as_deref(),
            Side::Response => self.response_type.get()?.as_deref(),
        }
    }

    /// The plan of this side, if a rule of it looks into the body.
    fn body_plan(&self, side: Side) -> Option<(&Route, &Plan)> {
        self.plan(side).filter(|(_, plan)| plan.reads_body())
    }

    /// Whether a rule looks into the answer's head: it must be shown to the filter then.
    pub fn reads_response_head(&self) -> bool {
        self.head_plan(Side::Response).is_some()
    }

    /// The plan of this side, if a rule of it looks into the head.
    fn head_plan(&self, side: Side) -> Option<(&Route, &Plan)> {
        self.plan(side).filter(|(_, plan)| plan.reads_head())
    }

    fn plan(&self, side: Side) -> Option<(&Route, &Plan)> {
        let route = self.route.as_deref()?;
        let plan = match side {
            Side::Request => route.request.as_ref()?,
            Side::Response => route.response.as_ref()?,
        };
        Some((route, plan))
    }

    /// The unit's purpose, else the route's. It must be known before the upstream acts.
    fn stated_purpose(&self, headers: &HeaderMap) -> Result<Option<String>, FilterError> {
        let stated = single(headers, &PURPOSE, "jinku-purpose")?
            .map(|value| {
                value
                    .to_str()
                    .map_err(|_| FilterError::HeaderInvalid("jinku-purpose"))
            })
            .transpose()?
            .map(str::trim)
            .filter(|purpose| !purpose.is_empty())
            .map(str::to_owned)
            .or_else(|| self.route.as_ref().and_then(|route| route.purpose.clone()));
        let needed = [Side::Request, Side::Response]
            .into_iter()
            .filter_map(|side| self.plan(side))
            .any(|(_, plan)| plan.needs_purpose());
        if needed && stated.is_none() {
            Err(FilterError::PurposeMissing)
        } else {
            Ok(stated)
        }
    }
}

impl Rewriting {
    /// In a word, for a metric.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Unchanged(_) => "unchanged",
            Self::Rewritten(_) | Self::Recast(..) => "rewritten",
        }
    }

    /// What changes of the head with it; the length is the front's to make true.
    pub(crate) fn head(&self) -> HeadRewriting {
        match self {
            Self::Unchanged(_) => HeadRewriting::default(),
            Self::Rewritten(_) => HeadRewriting {
                without: OF_THE_FIRST_BODY.to_vec(),
                ..HeadRewriting::default()
            },
            Self::Recast(_, head) => head.clone(),
        }
    }

    /// The body that goes on, to look at.
    pub(crate) fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Unchanged(body) | Self::Rewritten(body) | Self::Recast(body, _) => body,
        }
    }

    /// The body that goes on.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Unchanged(body) | Self::Rewritten(body) | Self::Recast(body, _) => body,
        }
    }
}

/// The unit's own proof, as it came (invariant 10).
fn proof(headers: &HeaderMap) -> Result<Option<UnitProof>, FilterError> {
    let proof = single(headers, &AUTHORIZATION, "authorization")?
        .map(|value| UnitProof::authorization(value.as_bytes()))
        .transpose()
        .map_err(|_| FilterError::HeaderInvalid("authorization"))?;
    match (proof, single(headers, &DPOP, "dpop")?) {
        (Some(proof), Some(value)) => proof
            .with_dpop(value.as_bytes())
            .map(Some)
            .map_err(|_| FilterError::HeaderInvalid("dpop")),
        (proof, _) => Ok(proof),
    }
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    text: &'static str,
) -> Result<Option<&'a http::HeaderValue>, FilterError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        Err(FilterError::HeaderRepeated(text))
    } else {
        Ok(first)
    }
}
