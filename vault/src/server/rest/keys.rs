//! REST: keys and their lives. `/v1/keys`, `/v1/keys/{key}`, `/v1/keys/{key}/{act}`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Extension, Path, Query, Request, State};
use axum::response::Response;
use kms::KeyId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::guard::ReasonBody;
use super::{answer, decode, key_carry, key_jwe, key_use, to_json};
use crate::commit::Sequenced;
use crate::engine::key::{KeyDetail, PAGE_KEYS_MAX, Waiting};
use crate::model::{KeyRecord, KeyRef, RequestId, Timestamp};
use crate::policy::key_act;
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::key_words::{ChangeWords, NewKeyWords, jwk, only};
use crate::server::problem::Problem;

/// One request about a key.
pub(super) struct Call<'a> {
    pub(super) vault: &'a Vault,
    pub(super) ticket: &'a Ticket,
    pub(super) key: KeyRef,
    request: Mutex<Option<Request>>,
}

impl Call<'_> {
    pub(super) fn request(&self) -> RequestId {
        self.ticket.request()
    }

    /// The body, once.
    pub(in crate::server) async fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let request = self
            .request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let request = request.ok_or_else(Problem::no_ticket)?;
        decode(request, self.vault.limits.body_bytes_max).await
    }

    /// Takes the reason from a body that says nothing else.
    pub(super) async fn because(&self) -> Result<(), Problem> {
        let ReasonBody { reason } = self.body().await?;
        self.ticket.because(reason)
    }
}

#[derive(Serialize)]
struct KeyBody {
    id: String,
    kind: &'static str,
    usage: &'static str,
    state: &'static str,
    origin: &'static str,
    owner: String,
    aliases: Vec<String>,
    description: String,
    tags: BTreeMap<String, String>,
    current_version: u32,
    open_from: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotates_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
    created_at: String,
    revision: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<VersionBody>,
}

#[derive(Serialize)]
struct VersionBody {
    version: u32,
    state: &'static str,
    created_at: String,
}

#[derive(Serialize)]
struct OneKey {
    key: KeyBody,
    entry: u64,
}

impl KeyBody {
    fn of(record: &KeyRecord) -> Self {
        Self {
            id: record.id.as_str().to_owned(),
            kind: record.kind.as_str(),
            usage: record.kind.usage().as_str(),
            state: record.state.as_str(),
            origin: record.origin.as_str(),
            owner: record.owner.clone(),
            aliases: record.aliases.iter().map(ToString::to_string).collect(),
            description: record.description.as_str().to_owned(),
            tags: record.tags.pairs().clone(),
            current_version: record.current,
            open_from: record.open_from,
            rotation_seconds: record.rotation.map(|period| period.as_secs()),
            rotates_at: record.rotate_at.map(instant),
            deleted_at: record.delete_at.map(instant),
            created_at: instant(record.created),
            revision: record.revision,
            versions: Vec::new(),
        }
    }
}

/// RFC 3339, in UTC.
pub(in crate::server) fn instant(time: Timestamp) -> String {
    time.rfc3339()
}

pub(super) fn one_key((detail, entry): (KeyDetail, Sequenced)) -> Result<Response, Problem> {
    let mut key = KeyBody::of(&detail.record);
    let version = |version: crate::model::KeyVersion| VersionBody {
        version: version.number,
        state: version.state.as_str(),
        created_at: instant(version.created),
    };
    key.versions = detail.versions.into_iter().map(version).collect();
    to_json(&OneKey {
        key,
        entry: entry.seq(),
    })
}

/// `POST /v1/keys`
pub(in crate::server) async fn create(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    let created = created(&vault, &ticket, request).await;
    answer(
        ticket.request(),
        corridor::closed(&vault, &ticket, created).await,
    )
}

async fn created(vault: &Vault, ticket: &Ticket, request: Request) -> Result<Response, Problem> {
    let mut words: NewKeyWords = decode(request, vault.limits.body_bytes_max).await?;
    ticket.because(words.reason.take())?;
    let new = words.read()?;
    let wish = |owner: &str| Ok(new.wished(owner)?);
    let proof = corridor::on_wished_key::<key_act::Create>(vault, ticket, wish).await?;
    one_key(vault.engine.create_key(proof, ticket.request()).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct PageQuery {
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct PageBody {
    keys: Vec<KeyBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    entry: u64,
}

/// `GET /v1/keys?after=ID&limit=N`
pub(in crate::server) async fn list(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let listed = listed(&vault, &ticket, query.ok()).await;
    answer(
        ticket.request(),
        corridor::closed(&vault, &ticket, listed).await,
    )
}

async fn listed(
    vault: &Vault,
    ticket: &Ticket,
    query: Option<Query<PageQuery>>,
) -> Result<Response, Problem> {
    let wrong = || Problem::invalid("query", "the query takes `after` (a key id) and `limit`");
    let Query(query) = query.ok_or_else(wrong)?;
    let after = query.after.map(|id| KeyId::parse(&id)).transpose();
    let after = after.map_err(|_| wrong())?;
    let limit = query.limit.unwrap_or(PAGE_KEYS_MAX);
    let proof = corridor::on_keys::<key_act::List>(vault, ticket).await?;
    let listing = vault
        .engine
        .list_keys(proof, after, limit, ticket.request());
    let (page, entry) = listing.await?;
    to_json(&PageBody {
        keys: page.keys.iter().map(KeyBody::of).collect(),
        next: page.next.map(|id| id.as_str().to_owned()),
        entry: entry.seq(),
    })
}

/// `GET /v1/keys/{key}`
pub(in crate::server) async fn describe(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(key): Path<String>,
) -> Response {
    let described = async {
        let key = KeyRef::parse(&key)?;
        let proof = corridor::on_key::<key_act::Describe>(&vault, &ticket, &key, None).await?;
        one_key(vault.engine.describe_key(proof, ticket.request()).await?)
    };
    let described = corridor::closed(&vault, &ticket, described.await).await;
    answer(ticket.request(), described)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct VersionQuery {
    version: Option<u32>,
}

#[derive(Serialize)]
struct PublicBody {
    key: String,
    version: u32,
    kind: &'static str,
    pem: String,
    jwk: serde_json::Value,
    entry: u64,
}

/// `GET /v1/keys/{key}/public?version=N`
pub(in crate::server) async fn public(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(key): Path<String>,
    query: Result<Query<VersionQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let read = async {
        let wrong = |_| Problem::invalid("query", "the query takes `version`");
        let Query(VersionQuery { version }) = query.map_err(wrong)?;
        let key = KeyRef::parse(&key)?;
        let proof = corridor::on_key::<key_act::ReadPublic>(&vault, &ticket, &key, None).await?;
        let id = proof.grant().key().id.clone();
        let done = vault
            .engine
            .public_key(proof, version, ticket.request())
            .await?;
        let entry = done.entry.seq();
        let (public, version) = only(done.items)?;
        to_json(&PublicBody {
            key: id.as_str().to_owned(),
            version,
            kind: public.kind().as_str(),
            pem: public.pem(),
            jwk: serde_json::from_str(&jwk(&public, &id, version)).unwrap_or_default(),
            entry,
        })
    };
    let read = corridor::closed(&vault, &ticket, read.await).await;
    answer(ticket.request(), read)
}

/// `POST /v1/keys/{key}/{act}`
pub(in crate::server) async fn act(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path((key, act)): Path<(String, String)>,
    request: Request,
) -> Response {
    let acted = async {
        let call = Call {
            vault: &vault,
            ticket: &ticket,
            key: KeyRef::parse(&key)?,
            request: Mutex::new(Some(request)),
        };
        match act.as_str() {
            "encrypt" => key_use::encrypt(&call).await,
            "decrypt" => key_use::decrypt(&call).await,
            "re-encrypt" => key_use::re_encrypt(&call).await,
            "encrypt-jwe" => key_jwe::encrypt(&call).await,
            "decrypt-jwe" => key_jwe::decrypt(&call).await,
            "data-key" => key_use::data_key(&call).await,
            "wrapped-data-key" => key_use::wrapped_data_key(&call).await,
            "mac" => key_use::mac(&call).await,
            "verify-mac" => key_use::verify_mac(&call).await,
            "sign" => key_use::sign(&call).await,
            "verify" => key_use::verify(&call).await,
            other => administered(&call, other).await,
        }
    };
    let acted = corridor::closed(&vault, &ticket, acted.await).await;
    answer(ticket.request(), acted)
}

/// `POST /v1/decrypt`, `POST /v1/random`, `POST /v1/restore-key`: the key is not in the path.
pub(in crate::server) async fn without_key(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    request: Request,
) -> Response {
    let acted = async {
        let path = request.uri().path().to_owned();
        let call = Call {
            vault: &vault,
            ticket: &ticket,
            // A name that no key has: none of these acts looks at it.
            key: KeyRef::parse("none")?,
            request: Mutex::new(Some(request)),
        };
        match path.as_str() {
            "/v1/decrypt" => key_use::decrypt_named(&call).await,
            "/v1/random" => key_use::random(&call).await,
            _ => key_carry::restored(&call).await,
        }
    };
    let acted = corridor::closed(&vault, &ticket, acted.await).await;
    answer(ticket.request(), acted)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionNumber {
    version: u32,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitingBody {
    waiting_seconds: u64,
    reason: Option<String>,
}

async fn administered(call: &Call<'_>, act: &str) -> Result<Response, Problem> {
    let Call {
        vault, ticket, key, ..
    } = call;
    let (engine, request) = (&vault.engine, call.request());
    match act {
        "set" => set(call).await,
        "enable" => {
            call.because().await?;
            let proof = corridor::on_key::<key_act::Enable>(vault, ticket, key, None).await?;
            one_key(engine.enable_key(proof, request).await?)
        }
        "disable" => {
            call.because().await?;
            let proof = corridor::on_key::<key_act::Disable>(vault, ticket, key, None).await?;
            one_key(engine.disable_key(proof, request).await?)
        }
        "rotate" => {
            call.because().await?;
            let proof = corridor::on_key::<key_act::Rotate>(vault, ticket, key, None).await?;
            one_key(engine.rotate_key(proof, request).await?)
        }
        "compromise-version" => {
            let VersionNumber { version, reason } = call.body().await?;
            ticket.because(reason)?;
            let proof = corridor::on_key::<key_act::Compromise>(vault, ticket, key, None).await?;
            one_key(engine.compromise_version(proof, version, request).await?)
        }
        "destroy-version" => {
            let VersionNumber { version, reason } = call.body().await?;
            ticket.because(reason)?;
            let proof = corridor::on_key::<key_act::DestroyVersion>(vault, ticket, key, None);
            one_key(
                engine
                    .destroy_version(proof.await?, version, request)
                    .await?,
            )
        }
        "schedule-deletion" => {
            let WaitingBody {
                waiting_seconds,
                reason,
            } = call.body().await?;
            ticket.because(reason)?;
            let waiting = Waiting(Duration::from_secs(waiting_seconds));
            let proof = corridor::on_key::<key_act::ScheduleDeletion>(vault, ticket, key, None);
            one_key(
                engine
                    .schedule_deletion(proof.await?, waiting, request)
                    .await?,
            )
        }
        "cancel-deletion" => {
            call.because().await?;
            let proof = corridor::on_key::<key_act::CancelDeletion>(vault, ticket, key, None);
            one_key(engine.cancel_deletion(proof.await?, request).await?)
        }
        other => key_carry::carried(call, other).await,
    }
}

async fn set(call: &Call<'_>) -> Result<Response, Problem> {
    let mut words: ChangeWords = call.body().await?;
    call.ticket.because(words.reason.take())?;
    let change = words.read()?;
    let proof = corridor::on_key::<key_act::Set>(call.vault, call.ticket, &call.key, None).await?;
    one_key(
        call.vault
            .engine
            .set_key(proof, change, call.request())
            .await?,
    )
}
