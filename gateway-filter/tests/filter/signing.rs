//! Signatures and codes through the pipeline, over a vault in memory whose keys' secrets are their names.

mod answers;
mod codes;
mod demanded;
mod fronts;
mod made;
mod refused;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use api::signature::{ContentDigest, Draft, Message, signatures};
use bytes::Bytes;
use gateway_filter::{
    Filter, FilterError, KeyKind, KeyUse, Problem, RequestHead, ResponseHead, Rewriting, Settings,
    Side, SigningFault, Unbelieved, VaultError, Whole,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use ring::{digest, hmac};

use crate::city::MemoryVault;

pub(crate) const SETTINGS: &str = r#"
[vault]
url = "https://127.0.0.1:1"
ca = "ca.pem"
log_origin = "city.example/log"
[limits]
unmatched = "pass"
[signatures]
nonces_max = 40
[[signing_key]]
name = "partner"
alg = "hmac-sha256"
vault_key = "partner-secret"
[[signing_key]]
name = "other"
alg = "hmac-sha256"
vault_key = "other-secret"
[[signing_key]]
name = "city"
alg = "hmac-sha256"
vault_key = "city-secret"
[[signing_key]]
name = "long"
alg = "hmac-sha512"
vault_key = "long-secret"
[[sign_code]]
name = "raw"
profile = "raw-body"
header = "digest"
[[sign_code]]
name = "sorted"
profile = "sorted-parameters"
parameter = "sign"
encoding = "hex-upper"
timestamp = { parameter = "ts" }
nonce = { parameter = "nonce" }
[[route]]
name = "pay"
path = "/pay/{id}"
domain = "city"
receipt = ["request", "response"]
[[route.request]]
field = "$.id"
class = "national-id"
action = "tokenize"
[[route.request]]
segment = "id"
class = "national-id"
action = "tokenize"
[[route.response]]
field = "$.id"
class = "national-id"
action = "tokenize"
[[route.verify]]
keys = ["partner", "other"]
lifetime_seconds_max = 120
[[route.sign]]
key = "city"
[[route.sign]]
on = "response"
key = "city"
[[route]]
name = "answers"
path = "/answers"
domain = "city"
[[route.verify]]
on = "response"
keys = ["partner"]
covered = ["@status", "content-digest"]
[[route]]
name = "raw"
path = "/raw"
domain = "city"
[[route.verify]]
sign_code = "raw"
keys = ["partner"]
[[route.sign]]
sign_code = "raw"
key = "long"
[[route]]
name = "sorted"
path = "/sorted"
domain = "city"
[[route.verify]]
sign_code = "sorted"
keys = ["partner"]
[[route]]
name = "make"
path = "/make"
domain = "city"
[[route.request]]
form = "id"
class = "national-id"
action = "tokenize"
[[route.sign]]
sign_code = "sorted"
key = "partner"
[[route.sign]]
key = "city"
covered = ["@method", "@request-target", "content-digest"]
tag = "onward"
"#;

pub(crate) fn filter(vault: &MemoryVault) -> Filter<MemoryVault> {
    let settings = Settings::parse(SETTINGS, Path::new("")).unwrap();
    Filter::new(settings.rules, vault.clone())
}

pub(crate) fn now() -> u64 {
    let since = UNIX_EPOCH.elapsed();
    since.unwrap().as_secs()
}

pub(crate) fn nonce() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("nonce-{:08}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn tag(secret: &str, message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, message).as_ref().to_vec()
}

pub(crate) fn digest_of(body: &[u8]) -> String {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
    ContentDigest::of_sha256(&sha256)
}

/// A request to be signed; what is altered here is signed so.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) target: String,
    pub(crate) body: String,
    pub(crate) covered: Vec<&'static str>,
    pub(crate) keyid: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) alg: Option<&'static str>,
    pub(crate) nonce: String,
    pub(crate) created: u64,
    pub(crate) expires: u64,
    pub(crate) scheme: &'static str,
    pub(crate) tag: Option<&'static str>,
    /// Headers beside the usual ones; a `content-digest` here stands in the place of the usual one.
    pub(crate) more: Vec<(&'static str, String)>,
}

const BODY: &str = r#"{"id":"A123456789"}"#;

impl Signed {
    pub(crate) fn good() -> Self {
        Self {
            target: "/pay/A1?x=1".to_owned(),
            body: BODY.to_owned(),
            covered: vec![
                "@method",
                "@target-uri",
                "content-type",
                "content-digest",
                "authorization",
            ],
            keyid: "partner",
            secret: "partner-secret",
            alg: Some("hmac-sha256"),
            nonce: nonce(),
            created: now(),
            expires: now() + 60,
            scheme: "https",
            tag: None,
            more: Vec::new(),
        }
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        };
        add("content-type", "application/json");
        add("authorization", "Bearer unit");
        if self.more.iter().all(|(name, _)| *name != "content-digest") {
            add("content-digest", &digest_of(self.body.as_bytes()));
        }
        for (name, value) in &self.more {
            add(name, value);
        }
        let (post, host) = (Method::POST, "api.example.tw");
        let message = Message::request(&post, self.scheme, host, &self.target, &headers).unwrap();
        let mut draft = Draft::covering(&self.covered)
            .created(self.created)
            .expires(self.expires)
            .nonce(&self.nonce)
            .keyid(self.keyid);
        if let Some(alg) = self.alg {
            draft = draft.alg(alg);
        }
        if let Some(tag) = self.tag {
            draft = draft.tag(tag);
        }
        let made = draft
            .signed(&message, |base| tag(self.secret, base))
            .unwrap();
        headers.append("signature-input", made.input.parse().unwrap());
        headers.append("signature", made.signature.parse().unwrap());
        headers
    }
}

/// A request with headers and body, on its way through the filter.
pub(crate) async fn sent(
    filter: &Filter<MemoryVault>,
    (method, target): (&str, &str),
    headers: &HeaderMap,
    body: Option<&str>,
) -> Result<Whole, FilterError> {
    let head = RequestHead {
        host: "api.example.tw",
        method: &method.parse::<Method>().unwrap(),
        path: target,
        headers,
    };
    let passage = filter.admit(&head)?;
    assert!(passage.is_sealed(Side::Request) && passage.reads_request());
    let body = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
    filter.request_whole(&passage, &head, body).await
}

async fn pay(filter: &Filter<MemoryVault>, signed: &Signed) -> Result<Whole, FilterError> {
    let headers = signed.headers();
    sent(
        filter,
        ("POST", &signed.target),
        &headers,
        Some(&signed.body),
    )
    .await
}

pub(crate) fn body(whole: &Whole) -> String {
    String::from_utf8(whole.body.clone().into_bytes().to_vec()).unwrap()
}

/// The headers that go on.
pub(crate) fn gone_on(headers: &HeaderMap, whole: &Whole) -> HeaderMap {
    let mut headers = headers.clone();
    if matches!(whole.body, Rewriting::Rewritten(_)) {
        headers.remove("content-digest");
    }
    whole.head.apply(&mut headers);
    headers
}

fn fault(outcome: Result<Whole, FilterError>) -> SigningFault {
    match outcome.err().unwrap() {
        FilterError::Signing(Side::Request, fault) => fault,
        other => panic!("{other:?}"),
    }
}

fn unbelieved(why: Unbelieved) -> SigningFault {
    SigningFault::Unbelieved(why)
}

#[tokio::test]
async fn what_came_is_verified_and_what_goes_is_signed_anew() {
    let filter = filter(&MemoryVault::default());
    let signed = Signed::good();
    let mut headers = signed.headers();
    headers.insert(
        "jinku-receipt",
        HeaderValue::from_static("tokenize;entry=1"),
    );
    let whole = sent(&filter, ("POST", &signed.target), &headers, Some(BODY))
        .await
        .unwrap();
    assert_eq!(body(&whole), r#"{"id":"tok-national-id-0"}"#);
    let target = whole.head.target.as_deref().unwrap();
    assert_eq!(target, "/pay/tok-national-id-0?x=1");
    let on = gone_on(&headers, &whole);
    assert_eq!(on["content-digest"], digest_of(body(&whole).as_bytes()));
    assert!(!on.contains_key("authorization"));
    // The filter's own receipt, not the one that came.
    let receipts: Vec<_> = on.get_all("jinku-receipt").iter().collect();
    assert_eq!(
        receipts,
        [
            "tokenize;entry=41;origin=\"city.example/log\", tokenize;entry=41;origin=\"city.example/log\""
        ]
    );
    let message = Message::request(&Method::POST, "https", "api.example.tw", target, &on).unwrap();
    let all = signatures(&on).unwrap();
    assert_eq!(all.len(), 1);
    let base = all[0].base(&message).unwrap();
    assert_eq!(tag("city-secret", base.as_bytes()), all[0].signature());
    assert_eq!(all[0].parameters().keyid.as_deref(), Some("city"));
    for name in ["@method", "@target-uri", "content-digest", "content-type"] {
        assert!(all[0].covers(name), "{name}");
    }
}

pub(crate) fn ring_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn a_nonce_counts_once_also_after_new_settings_and_their_number_is_bounded() {
    let vault = MemoryVault::default();
    let live = gateway_filter::Live::from(std::sync::Arc::new(filter(&vault)));
    let signed = Signed::good();
    pay(&live.now(), &signed).await.unwrap();
    assert_eq!(
        fault(pay(&live.now(), &signed).await),
        unbelieved(Unbelieved::Replayed)
    );
    live.replace(std::sync::Arc::new(filter(&vault)));
    assert_eq!(
        fault(pay(&live.now(), &signed).await),
        unbelieved(Unbelieved::Replayed)
    );
    for _ in 1..40 {
        pay(&live.now(), &Signed::good()).await.unwrap();
    }
    let full = fault(pay(&live.now(), &Signed::good()).await);
    assert_eq!(full, SigningFault::NoncesFull);
    let problem = Problem::from(&FilterError::Signing(Side::Request, full));
    assert_eq!(
        (problem.status.as_u16(), problem.retry_after_seconds),
        (503, None)
    );
    let other = Signed {
        keyid: "other",
        secret: "other-secret",
        ..Signed::good()
    };
    pay(&live.now(), &other).await.unwrap();
}

#[tokio::test]
async fn a_vault_that_does_not_answer_lets_nothing_through() {
    let vault = MemoryVault::refusing(VaultError::Unavailable);
    let refused = pay(&filter(&vault), &Signed::good()).await.err();
    assert_eq!(refused, Some(FilterError::Vault(VaultError::Unavailable)));
}

/// An HMAC whose secret is the key's name.
pub(crate) fn code(usage: &KeyUse) -> Vec<u8> {
    let algorithm = match usage.kind {
        KeyKind::HmacSha256 => hmac::HMAC_SHA256,
        KeyKind::HmacSha384 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let key = hmac::Key::new(algorithm, usage.key.as_bytes());
    hmac::sign(&key, &usage.message).as_ref().to_vec()
}
