//! How revealed values leave: in clear, or each sealed to the asking unit's own key while it is withheld.

use kms::jwe::{Labels, RecipientKey};
use ring::digest::{SHA256, digest};

use super::{EngineError, Revealed};
use crate::commit::{Spoiled, Withheld};
use crate::model::{
    Delivery, DomainName, Plaintext, Purpose, RequestId, TokenText, UnitName, View,
};
use crate::policy::{Authorized, Detokenize};

/// Why values can't leave in the form that was asked for. Nothing was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryFault {
    /// The unit has no key to seal to.
    #[error(
        "no public key is registered for this unit, so nothing can be sealed to it: give it `public_key` in units.toml"
    )]
    KeyMissing,
    /// No unit has the name that a ticket was asked for.
    #[error("no unit has the name that the ticket is asked for")]
    TicketUnit,
    /// A ticket was asked for too long a time.
    #[error("a ticket counts for 1 to {seconds_max} seconds")]
    TicketSeconds {
        /// The most.
        seconds_max: u64,
    },
    /// The ticket is absent, expired, used, or another unit's: not told apart.
    #[error("there is no such ticket for this unit: it was used, has expired, or never was")]
    TicketUnknown,
}

/// What the values of one answer are sealed with, taken before anything is opened.
pub(super) struct Wrapping {
    key: RecipientKey,
    unit: UnitName,
    domain: DomainName,
    purpose: Purpose,
    request: RequestId,
    /// SHA-256 of each token, in base64url: the unit knows which value is whose. A carrier reads no token in it;
    /// one of a small format it can find by trying all.
    tokens: Vec<String>,
}

impl Wrapping {
    /// For a sealed answer; nothing for one in clear.
    pub(super) fn of(
        proof: &Authorized<Detokenize>,
        tokens: &[TokenText],
        request: RequestId,
    ) -> Result<Option<Self>, DeliveryFault> {
        let (grant, unit) = (proof.grant(), proof.admitted().caller().unit());
        match grant.delivery() {
            Delivery::Inline => Ok(None),
            Delivery::Sealed => Ok(Some(Self {
                key: unit.public_key.clone().ok_or(DeliveryFault::KeyMissing)?,
                unit: unit.name.clone(),
                domain: grant.domain().clone(),
                purpose: grant.purpose().clone(),
                request,
                tokens: tokens.iter().map(token_name).collect(),
            })),
        }
    }

    /// A value as a message to the unit. The header is authenticated: the message can't be taken for the
    /// answer to another request, for another purpose or token, nor a masked value for a plain one.
    fn sealed(
        &self,
        place: usize,
        view: View,
        class: &str,
        value: &Plaintext,
    ) -> Option<Plaintext> {
        let request = self.request.to_string();
        let context = [
            ("unit", self.unit.as_str()),
            ("domain", self.domain.as_str()),
            ("purpose", self.purpose.as_str()),
            ("request", request.as_str()),
            ("token_sha256", self.tokens.get(place)?),
            ("class", class),
            ("view", view.as_str()),
        ];
        let labels = Labels {
            typ: Some("jinku-value"),
            cty: Some("text/plain"),
            apv: Some(self.unit.as_str().as_bytes()),
            context: Some(("jinku", &context)),
            ..Labels::default()
        };
        let message = self.key.seal(value.expose().as_bytes(), &labels);
        message.ok().map(Plaintext::new)
    }
}

/// Gives the items the form that was asked for.
// INVARIANT 1: they are withheld before, meanwhile and after.
pub(super) fn wrapped(
    items: Withheld<Vec<Revealed>>,
    wrapping: Option<Wrapping>,
) -> Result<Withheld<Vec<Revealed>>, EngineError> {
    match wrapping {
        None => Ok(items),
        Some(wrapping) => {
            let sealed = items.with(wrapping).map(each_sealed).settled();
            sealed.map_err(|Spoiled| EngineError::Keys)
        }
    }
}

/// What the view `token` shows is the token, which the unit has: it stays as it is.
fn each_sealed((items, wrapping): (Vec<Revealed>, Wrapping)) -> Result<Vec<Revealed>, Spoiled> {
    let seal = |(place, item)| match item {
        Revealed::Shown(mut shown) if shown.view != View::Token => {
            let class = shown.class.as_str();
            let value = wrapping.sealed(place, shown.view, class, &shown.value);
            shown.value = value.ok_or(Spoiled)?;
            Ok(Revealed::Shown(shown))
        }
        item => Ok(item),
    };
    items.into_iter().enumerate().map(seal).collect()
}

fn token_name(token: &TokenText) -> String {
    use base64::Engine as _;
    let hash = digest(&SHA256, token.expose().as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash.as_ref())
}
