//! What a verifier asks of a request's signature before it asks for a key: times, and what is covered.

use http::HeaderMap;

use super::fault::SignatureFault;
use super::input::Signed;

/// Longest nonce, in bytes of visible ASCII.
const NONCE_BYTES_MAX: usize = 128;

/// Fields that change what a request does: covered where they are there.
const TELLING_FIELDS: [&str; 4] = [
    "content-type",
    "content-encoding",
    "idempotency-key",
    "authorization",
];

/// For how long signatures count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Demands {
    /// Longest time from `created` to `expires`, in seconds.
    pub lifetime_seconds_max: u64,
    /// By how much signers' clocks may differ, in seconds.
    pub skew_seconds: u64,
}

/// Whether a body comes after a message's head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// None does.
    Absent,
    /// One does, an empty one perhaps.
    Follows,
}

/// What a signature in its time says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fresh<'a> {
    /// The key that it names.
    pub keyid: &'a str,
    /// What makes it one of a kind.
    pub nonce: &'a str,
    /// When it was made, by the signer's clock.
    pub created: u64,
    /// First second at which it counts no longer, the clocks' difference included.
    pub ends: u64,
}

impl Demands {
    /// Whether a signature names key and nonce, and counts at this second since 1970.
    pub fn fresh<'a>(&self, signed: &'a Signed, now: u64) -> Result<Fresh<'a>, SignatureFault> {
        let said = signed.parameters();
        let keyid = said.keyid.as_deref();
        let keyid = keyid.ok_or(SignatureFault::Parameter("keyid"))?;
        let fits = |nonce: &&str| (1..=NONCE_BYTES_MAX).contains(&nonce.len());
        let nonce = said.nonce.as_deref().filter(fits);
        let nonce = nonce.ok_or(SignatureFault::Parameter("nonce"))?;
        let created = second("created", said.created)?;
        let expires = second("expires", said.expires)?;
        let lifetime = expires.checked_sub(created);
        if lifetime.is_none_or(|seconds| seconds == 0 || seconds > self.lifetime_seconds_max) {
            return Err(SignatureFault::Lifetime(self.lifetime_seconds_max));
        }
        if created > now.saturating_add(self.skew_seconds) {
            return Err(SignatureFault::Early);
        }
        let ends = expires.saturating_add(self.skew_seconds);
        if ends <= now {
            return Err(SignatureFault::Expired);
        }
        Ok(Fresh {
            keyid,
            nonce,
            created,
            ends,
        })
    }

    /// Whether a request's signature covers all that says what it does: method, target, body, and telling fields.
    pub fn covered(signed: &Signed, headers: &HeaderMap, body: Body) -> Result<(), SignatureFault> {
        let needs = |name: &'static str, needed: bool| {
            if needed && !signed.covers(name) {
                Err(SignatureFault::Uncovered(name))
            } else {
                Ok(())
            }
        };
        // A request answers none: what a signature covers of one is no word of what this one does.
        if signed.is_of_response() {
            return Err(SignatureFault::Component);
        }
        needs("@method", true)?;
        // The target as a whole, or its parts.
        if !signed.covers("@target-uri") {
            needs("@authority", true)?;
            if !signed.covers("@request-target") {
                needs("@path", true)?;
                needs("@query", true)?;
            }
        }
        needs("content-digest", body == Body::Follows)?;
        TELLING_FIELDS
            .into_iter()
            .try_for_each(|name| needs(name, headers.contains_key(name)))
    }
}

fn second(name: &'static str, value: Option<i64>) -> Result<u64, SignatureFault> {
    let value = value.and_then(|value| u64::try_from(value).ok());
    value.ok_or(SignatureFault::Parameter(name))
}
