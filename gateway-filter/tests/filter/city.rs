//! A small city: its settings, a vault in memory, and an upstream that remembers what it saw.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use api::UnitProof;
use api::v1::{
    DecryptJweRequest, DecryptJweResult, DecryptedJwe, DetokenizeRequest, EncryptJweRequest,
    EncryptJweResult, EncryptedJwe, ItemError, Revealed, TokenizeRequest, View, decrypt_jwe_result,
    encrypt_jwe_result,
};
use bytes::Bytes;
use gateway_filter::{Filter, KeyUse, Recorded, Refusal, Settings, Vault, VaultError};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// `LIMITS`, `EXTPROC`, `PROXY` and `VAULT` are replaced by what a test needs.
pub(crate) const SETTINGS: &str = r#"
[vault]
url = "https://127.0.0.1:VAULT"
ca = "ca.pem"
timeout_ms = 2000
[limits]
body_bytes_max = 2000
LIMITS
[ext_proc]
EXTPROC
[proxy]
listen = "127.0.0.1:0"
PROXY
[[route]]
name = "payments"
method = "POST"
path = "/payments/{kind}"
domain = "city"
purpose = "case-handling"
[[route.request]]
field = "$.payer.national_id"
class = "national-id"
action = "tokenize"
[[route.request]]
field = "$.items[*].pan"
class = "pan"
action = "tokenize"
[[route.response]]
field = "$..national_id"
action = "detokenize"
[[route]]
name = "look-up"
method = "GET"
path = "/people/{id}"
domain = "city"
[[route.response]]
field = "$..national_id"
action = "detokenize"
[[route]]
name = "import"
path = "/import"
domain = "city"
body_bytes_max = 100
[[route.response]]
field = "$.name"
class = "name"
action = "tokenize"
[[route]]
name = "disclose"
path = "/disclose"
domain = "city"
purpose = "court"
forward_authorization = true
[[route.request]]
field = "$.id"
action = "detokenize"
[[route]]
name = "notes"
path = "/notes/{id}"
domain = "city"
[[route.request]]
segment = "id"
class = "national-id"
action = "tokenize"
[[route.request]]
query = "pan"
class = "pan"
action = "tokenize"
[[route.request]]
header = "x-name"
class = "name"
action = "tokenize"
[[route]]
name = "accounts"
path = "/accounts/{id}"
domain = "city"
purpose = "audit"
[[route.response]]
header = "x-account"
action = "detokenize"
[[route.response]]
header = "x-debug"
action = "drop"
[[route.response]]
header = "x-phone"
action = "mask"
mask = { keep_last = 3 }
[[route.response]]
field = "$.national_id"
action = "detokenize"
[[route]]
name = "registry"
path = "/registry/{id}"
domain = "city"
[[route.response]]
header = "x-name"
class = "name"
action = "tokenize"
"#;

pub(crate) fn settings(limits: &str, proxy: &str) -> Settings {
    settings_with(limits, "", proxy)
}

pub(crate) fn settings_with(limits: &str, ext_proc: &str, proxy: &str) -> Settings {
    let own = limits.contains("body_bytes_max");
    let usual = if own { "" } else { "body_bytes_max = 2000" };
    let text = SETTINGS
        .replace("body_bytes_max = 2000", usual)
        .replace("LIMITS", limits)
        .replace("EXTPROC", ext_proc)
        .replace(
            "PROXY",
            &format!("upstream = \"http://127.0.0.1:1\"\n{proxy}"),
        )
        .replace("VAULT", "1");
    Settings::parse(&text, Path::new("")).unwrap()
}

/// One call that the vault got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Tokenize {
        domain: String,
        items: Vec<(String, String)>,
        proven: bool,
    },
    Detokenize {
        domain: String,
        purpose: String,
        tokens: Vec<String>,
        proven: bool,
    },
    EncryptJwe {
        key: String,
        alg: String,
        purpose: String,
        /// Plaintexts and their types.
        items: Vec<(String, String)>,
    },
    DecryptJwe {
        key: String,
        alg: String,
        purpose: String,
        items: Vec<String>,
    },
}

/// What the vault in memory takes for a JWE: it looks like one, and whoever can read sees what it holds.
pub(crate) fn jwe(key: &str, cty: &str, plaintext: &[u8]) -> String {
    let hex = |bytes: &[u8]| {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
        let chars = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        chars.collect::<String>()
    };
    let (cty, plaintext) = (hex(cty.as_bytes()), hex(plaintext));
    format!("JWE.{key}.{cty}.{plaintext}.tag")
}

fn opened(key: &str, jwe: &str) -> Option<DecryptedJwe> {
    let parts: Vec<&str> = jwe.split('.').collect();
    let ["JWE", named, cty, plaintext, "tag"] = parts[..] else {
        return None;
    };
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let bytes = |hex: &str| {
        hex.as_bytes()
            .chunks(2)
            .map(byte)
            .collect::<Option<Vec<u8>>>()
    };
    let cty = String::from_utf8(bytes(cty)?).ok()?;
    (named == key).then_some(DecryptedJwe {
        plaintext: bytes(plaintext)?,
        cty: Some(cty).filter(|cty| !cty.is_empty()),
        version: 1,
    })
}

fn item_error(code: &str) -> ItemError {
    ItemError {
        code: code.to_owned(),
        detail: String::new(),
    }
}

/// A vault in memory. Clones share all.
#[derive(Clone, Default)]
pub(crate) struct MemoryVault {
    pub(crate) calls: Arc<Mutex<Vec<Call>>>,
    pub(crate) refusal: Arc<Mutex<Option<VaultError>>>,
    pub(crate) panics: bool,
    /// It takes calls, and answers none.
    pub(crate) stuck: bool,
    pub(crate) values: Arc<Mutex<HashMap<String, String>>>,
}

impl MemoryVault {
    pub(crate) fn refusing(error: VaultError) -> Self {
        Self {
            refusal: Arc::new(Mutex::new(Some(error))),
            ..Self::default()
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Remembers a value; its token is `text`.
    pub(crate) fn keep(&self, token: &str, value: &str) {
        self.values
            .lock()
            .unwrap()
            .insert(token.to_owned(), value.to_owned());
    }

    fn admit(&self, call: Call, proof: Option<&UnitProof>) -> Result<(), VaultError> {
        if let Call::Tokenize { items, .. } = &call
            && items.iter().any(|(_, value)| value == "denied")
        {
            return Err(VaultError::Denied(Refusal::default()));
        }
        assert!(!self.panics, "the vault's stand-in was told to panic");
        self.calls.lock().unwrap().push(call);
        if let Some(error) = self.refusal.lock().unwrap().clone() {
            return Err(error);
        }
        proof
            .map(|_| ())
            .ok_or(VaultError::Unauthenticated(Refusal::default()))
    }

    fn reveal(&self, token: String) -> Revealed {
        let (view, value) = match self.values.lock().unwrap().get(&token) {
            Some(value) => (View::Plain, value.clone()),
            None if token.starts_with("mask-") => (View::Masked, "A\"****".to_owned()),
            None if token.starts_with("view-") => (View::Token, token),
            None => (View::NotAvailable, String::new()),
        };
        Revealed {
            view: view.into(),
            value,
            class: String::new(),
        }
    }
}

impl Vault for MemoryVault {
    async fn tokenize(
        &self,
        request: TokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<String>>, VaultError> {
        let items: Vec<_> = request
            .items
            .into_iter()
            .map(|item| (item.class, item.value))
            .collect();
        let call = Call::Tokenize {
            domain: request.domain,
            items: items.clone(),
            proven: proof.is_some(),
        };
        if self.stuck {
            self.calls.lock().unwrap().push(call);
            return std::future::pending().await;
        }
        self.admit(call, proof)?;
        let mut tokens = Vec::new();
        for (class, value) in items {
            let token = format!("tok-{class}-{}", tokens.len());
            self.keep(&token, &value);
            tokens.push(token);
        }
        Ok(Recorded {
            answer: tokens,
            entry: 41,
        })
    }

    async fn detokenize(
        &self,
        request: DetokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<Revealed>>, VaultError> {
        let call = Call::Detokenize {
            domain: request.domain,
            purpose: request.purpose,
            tokens: request.tokens.clone(),
            proven: proof.is_some(),
        };
        self.admit(call, proof)?;
        let answer = request.tokens.into_iter();
        Ok(Recorded {
            answer: answer.map(|token| self.reveal(token)).collect(),
            entry: 42,
        })
    }

    async fn encrypt_jwe(
        &self,
        request: EncryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<EncryptJweResult>, VaultError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let items = request.items.iter();
        let call = Call::EncryptJwe {
            key: request.key.clone(),
            alg: request.alg,
            purpose: request.purpose,
            items: items
                .map(|item| (text(&item.plaintext), item.cty.clone()))
                .collect(),
        };
        self.admit(call, proof)?;
        let made = |item: &api::v1::EncryptJweItem| match item.plaintext.as_slice() {
            b"too-long" => encrypt_jwe_result::Result::Error(item_error("item-too-long")),
            b"leaky" => encrypt_jwe_result::Result::Encrypted(EncryptedJwe {
                jwe: "leaky".to_owned(),
                version: 1,
            }),
            plaintext => encrypt_jwe_result::Result::Encrypted(EncryptedJwe {
                jwe: jwe(&request.key, &item.cty, plaintext),
                version: 1,
            }),
        };
        let forgets = |item: &&api::v1::EncryptJweItem| item.plaintext != b"forgotten";
        Ok(request
            .items
            .iter()
            .filter(forgets)
            .map(|item| EncryptJweResult {
                result: Some(made(item)),
            })
            .collect())
    }

    async fn decrypt_jwe(
        &self,
        request: DecryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<DecryptJweResult>, VaultError> {
        let call = Call::DecryptJwe {
            key: request.key.clone(),
            alg: request.alg,
            purpose: request.purpose,
            items: request.items.clone(),
        };
        self.admit(call, proof)?;
        let open = |item: &String| match opened(&request.key, item) {
            Some(opened) => decrypt_jwe_result::Result::Decrypted(opened),
            None => decrypt_jwe_result::Result::Error(item_error("unopened")),
        };
        Ok(request
            .items
            .iter()
            .map(|item| DecryptJweResult {
                result: Some(open(item)),
            })
            .collect())
    }

    async fn sign(&self, usage: KeyUse, _: Option<&UnitProof>) -> Result<Vec<u8>, VaultError> {
        if let Some(error) = self.refusal.lock().unwrap().clone() {
            return Err(error);
        }
        Ok(crate::signing::code(&usage))
    }

    async fn verify(
        &self,
        usage: KeyUse,
        signature: Vec<u8>,
        _: Option<&UnitProof>,
    ) -> Result<bool, VaultError> {
        if let Some(error) = self.refusal.lock().unwrap().clone() {
            return Err(error);
        }
        Ok(crate::signing::code(&usage) == signature)
    }
}

pub(crate) fn filter(vault: &MemoryVault, limits: &str) -> Filter<MemoryVault> {
    Filter::new(settings(limits, "").rules, vault.clone())
}

/// One request that the upstream saw.
pub(crate) struct Seen {
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

/// An HTTP server that remembers requests.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

type Answer = dyn Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync;

impl Upstream {
    pub(crate) async fn start(
        answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: socket.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let (seen, answer): (_, Arc<Answer>) = (upstream.seen.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (seen, answer) = (seen.clone(), answer.clone());
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (seen, answer) = (seen.clone(), answer.clone());
                    async move {
                        let (head, body) = request.into_parts();
                        let whole = body.collect().await.unwrap();
                        let request = Seen {
                            head,
                            trailers: whole.trailers().cloned(),
                            body: whole.to_bytes(),
                        };
                        let response = answer(&request);
                        seen.lock().unwrap().push(request);
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        upstream
    }

    /// Answers 200 with the request's own body, JSON, and headers that a rewrite makes untrue.
    pub(crate) async fn echo() -> Self {
        Self::start(|seen| {
            Response::builder()
                .header("content-type", "application/json")
                .header("etag", "\"1\"")
                .header("content-digest", "sha-256=:AAAA:")
                .header("x-kept", "1")
                .body(Full::new(seen.body.clone()))
                .unwrap()
        })
        .await
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn last_body(&self) -> String {
        let seen = self.seen.lock().unwrap();
        String::from_utf8(seen.last().unwrap().body.to_vec()).unwrap()
    }

    pub(crate) fn last_header(&self, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        let value = seen.last().unwrap().head.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }
}
