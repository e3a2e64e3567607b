//! Owns HTTP Message Signatures (RFC 9421): what is demanded of one, and what is put into one. Content digests
//! (RFC 9530) are of the bytes as they come or go.

use std::sync::Arc;

use api::signature::{
    Body, ContentDigest, Demands, Draft, SignatureFault, Signed, UnsignedBase, is_of_request,
    signatures,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use ring::digest::{SHA256, SHA512, digest};

use super::fault::{SigningFault, Unbelieved};
use super::key::Key;
use super::{Seen, Start};

pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("signature");
pub(crate) const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// What a signature needs to count.
#[derive(Debug)]
pub(crate) struct Demanded {
    /// Any of these may have made it.
    pub(crate) keys: Vec<Arc<Key>>,
    /// What it must cover; without a list, all that says what the message does.
    pub(crate) covered: Option<Vec<String>>,
    pub(crate) demands: Demands,
    /// The scheme by which signers reach the gateway: it may end TLS elsewhere.
    pub(crate) scheme: String,
    /// Only signatures of this tag are looked at.
    pub(crate) tag: Option<String>,
}

/// A signature that says enough, and waits for its key's word.
pub(crate) struct Candidate<'r> {
    pub(crate) key: &'r Key,
    pub(crate) base: String,
    pub(crate) signature: Vec<u8>,
    pub(crate) nonce: String,
    /// First second at which it counts no longer.
    pub(crate) ends: u64,
}

/// What goes into a signature.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) key: Arc<Key>,
    /// Components; a field that the message does not have is left out, and so is a digest where there is no body.
    pub(crate) covered: Vec<String>,
    pub(crate) lifetime_seconds: u64,
    pub(crate) scheme: String,
    /// For another authority than the message's own: the gateway will rewrite it.
    pub(crate) authority: Option<String>,
    pub(crate) tag: Option<String>,
}

/// A header that a signature adds.
pub(crate) type Line = (HeaderName, HeaderValue);

impl Demanded {
    pub(super) fn describe(&self) -> String {
        let keys: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        keys.join(" or ")
    }

    /// The one signature that this demand is about, held against everything but its key.
    pub(crate) fn candidate(
        &self,
        seen: &Seen<'_>,
        now: u64,
    ) -> Result<Candidate<'_>, SigningFault> {
        let headers = seen.headers;
        if !api::signature::is_signed(headers) {
            return Err(SigningFault::Missing);
        }
        let all = signatures(headers)?;
        let (signed, key) = self.meant(&all)?;
        let fresh = self.demands.fresh(signed, now)?;
        let alg = signed.parameters().alg.as_deref();
        if alg.is_some_and(|alg| alg != key.algorithm.name()) {
            return Err(SigningFault::Unbelieved(Unbelieved::Algorithm));
        }
        self.covers(signed, seen)?;
        let base = signed.base(&seen.message(&self.scheme, None)?)?;
        Ok(Candidate {
            key,
            base,
            signature: signed.signature().to_vec(),
            nonce: fresh.nonce.to_owned(),
            ends: fresh.ends,
        })
    }

    fn meant<'s>(&self, all: &'s [Signed]) -> Result<(&'s Signed, &Key), SigningFault> {
        let tagged = |signed: &&Signed| {
            let tag = self.tag.as_deref();
            tag.is_none() || signed.parameters().tag.as_deref() == tag
        };
        let named = |signed: &'s Signed| {
            let keyid = signed.parameters().keyid.as_deref()?;
            let key = self.keys.iter().find(|key| key.name == keyid)?;
            Some((signed, key.as_ref()))
        };
        let mut meant = all.iter().filter(tagged).filter_map(named);
        match (meant.next(), meant.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(SigningFault::Several),
            (None, _) => Err(SigningFault::Unbelieved(Unbelieved::Key)),
        }
    }

    fn covers(&self, signed: &Signed, seen: &Seen<'_>) -> Result<(), SigningFault> {
        let Some(wanted) = &self.covered else {
            return covers_all(signed, seen);
        };
        let digest = |name: &str| name == CONTENT_DIGEST.as_str() && seen.body.is_none();
        let covered = |name: &String| digest(name) || covers(signed, name);
        if wanted.iter().all(covered) {
            Ok(())
        } else {
            Err(SigningFault::Uncovered)
        }
    }
}

/// All that says what a message does.
fn covers_all(signed: &Signed, seen: &Seen<'_>) -> Result<(), SigningFault> {
    let body = match seen.body {
        Some(_) => Body::Follows,
        None => Body::Absent,
    };
    if let Start::Request { .. } = seen.start {
        return Ok(Demands::covered(signed, seen.headers, body)?);
    }
    let needs = |name: &'static str, needed: bool| {
        if needed && !signed.covers(name) {
            Err(SignatureFault::Uncovered(name).into())
        } else {
            Ok(())
        }
    };
    needs("@status", true)?;
    needs("content-digest", body == Body::Follows)?;
    ["content-type", "content-encoding"]
        .into_iter()
        .try_for_each(|name| needs(name, seen.headers.contains_key(name)))
}

/// Whether a component is covered, by itself or by what contains it.
fn covers(signed: &Signed, name: &str) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| signed.covers(name));
    let all = |names: &[&str]| names.iter().all(|name| covers(signed, name));
    match name {
        "@target-uri" => any(&[name]) || (signed.covers("@authority") && all(&["@path", "@query"])),
        "@request-target" => any(&[name, "@target-uri"]) || all(&["@path", "@query"]),
        "@authority" | "@scheme" => any(&[name, "@target-uri"]),
        "@path" | "@query" => any(&[name, "@request-target", "@target-uri"]),
        _ => signed.covers(name),
    }
}

/// Whether the body is the one that the message's `content-digest` says, if it says one.
pub(crate) fn digest_holds(seen: &Seen<'_>) -> Result<(), SigningFault> {
    let Some(said) = ContentDigest::read(seen.headers)? else {
        return Ok(());
    };
    let body = seen.bytes();
    let differs = |said: &[u8], algorithm| digest(algorithm, body).as_ref() != said;
    let wrong = said.sha256.is_some_and(|said| differs(&said, &SHA256))
        || said.sha512.is_some_and(|said| differs(&said, &SHA512));
    if wrong {
        Err(SigningFault::Unbelieved(Unbelieved::Digest))
    } else {
        Ok(())
    }
}

impl Made {
    /// The new `content-digest` where it is to be covered, and what to sign. `headers` are those that go on.
    pub(crate) fn base(
        &self,
        seen: &Seen<'_>,
        (now, nonce): (u64, [u8; 16]),
    ) -> Result<(Option<Line>, UnsignedBase), SigningFault> {
        let digests = self
            .covered
            .iter()
            .any(|name| name == CONTENT_DIGEST.as_str());
        let line = seen.body.filter(|_| digests).and_then(|body| {
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(digest(&SHA256, body).as_ref());
            let value = HeaderValue::from_str(&ContentDigest::of_sha256(&sha256)).ok()?;
            Some((CONTENT_DIGEST, value))
        });
        let mut headers = seen.headers.clone();
        headers.remove(CONTENT_DIGEST);
        headers.extend(line.clone());
        let covered: Vec<&str> = (self.covered.iter().map(String::as_str))
            .filter(|name| is_there(name, seen, &headers))
            .collect();
        let expires = now.saturating_add(self.lifetime_seconds);
        let mut draft = Draft::covering(&covered)
            .created(now)
            .expires(expires)
            .nonce(&URL_SAFE_NO_PAD.encode(nonce))
            .keyid(&self.key.name)
            .alg(self.key.algorithm.name());
        if let Some(tag) = &self.tag {
            draft = draft.tag(tag);
        }
        let seen = Seen {
            headers: &headers,
            ..*seen
        };
        let message = seen.message(&self.scheme, self.authority.as_deref())?;
        Ok((line, draft.base(&message)?))
    }
}

fn is_there(component: &str, seen: &Seen<'_>, own: &HeaderMap) -> bool {
    let headers = match (is_of_request(component), seen.of) {
        (false, _) => own,
        (true, Some(sent)) => &sent.headers,
        (true, None) => return false,
    };
    let name = component.trim_start_matches('"');
    let name = name.split('"').next().unwrap_or_default();
    name.starts_with('@') || headers.contains_key(name)
}

/// The headers that carry a signature.
pub(crate) fn lines(unsigned: UnsignedBase, signature: &[u8]) -> Result<[Line; 2], SigningFault> {
    let fields = unsigned.signed(signature);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| SignatureFault::Syntax);
    Ok([
        (SIGNATURE_INPUT, value(&fields.input)?),
        (SIGNATURE, value(&fields.signature)?),
    ])
}
