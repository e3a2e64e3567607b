//! Keys and their lives over gRPC: made, read, changed, carried in and out.

use std::time::Duration;

use api::v1::{
    BackupKeyResponse, CreateKeyRequest, ImportKeyRequest, ImportParametersResponse,
    Key as KeyMessage, KeyRequest, KeyResponse, KeyVersion as KeyVersionMessage, KeyVersionRequest,
    ListKeysRequest, ListKeysResponse, ResealValuesRequest, ResealValuesResponse,
    RestoreKeyRequest, ScheduleKeyDeletionRequest, SetKeyRequest,
};
use kms::KeyId;

use super::keys::Call;
use crate::commit::Sequenced;
use crate::engine::key::{ImportMaterial, KeyBackup, KeyDetail, PAGE_KEYS_MAX, Waiting};
use crate::model::{KeyRecord, KeyRef, KeyVersion};
use crate::policy::key_act::{self, KeyAct};
use crate::policy::{Authorized, OnKey};
use crate::server::corridor;
use crate::server::key_words::{ChangeWords, IMPORT_ALGORITHM, NewKeyWords};
use crate::server::problem::Problem;

type Answer<T> = Result<T, Problem>;

pub(super) async fn create_key(call: Call<'_>, message: CreateKeyRequest) -> Answer<KeyResponse> {
    call.ticket.because(message.reason)?;
    let stated = |word: String| Some(word).filter(|word| !word.is_empty());
    let words = NewKeyWords {
        kind: message.kind,
        origin: stated(message.origin),
        alias: stated(message.alias),
        description: message.description,
        tags: message.tags,
        rotation_seconds: message.rotation_seconds,
        reason: None,
    };
    let new = words.read()?;
    let wish = |owner: &str| Ok(new.wished(owner)?);
    let proof = corridor::on_wished_key::<key_act::Create>(call.vault, call.ticket, wish).await?;
    let made = call.vault.engine.create_key(proof, call.request());
    Ok(one_key(made.await?))
}

pub(super) async fn list_keys(
    call: Call<'_>,
    message: ListKeysRequest,
) -> Answer<ListKeysResponse> {
    let after =
        match message.after.as_str() {
            "" => None,
            id => Some(KeyId::parse(id).map_err(|_| {
                Problem::invalid("query", "`after` must be `next` of the page before")
            })?),
        };
    let limit = message.limit.unwrap_or(PAGE_KEYS_MAX);
    let proof = corridor::on_keys::<key_act::List>(call.vault, call.ticket).await?;
    let listing = call
        .vault
        .engine
        .list_keys(proof, after, limit, call.request());
    let (page, entry) = listing.await?;
    let next = page.next.map(|id| id.as_str().to_owned());
    Ok(ListKeysResponse {
        keys: page.keys.iter().map(key).collect(),
        next: next.unwrap_or_default(),
        entry: entry.seq(),
    })
}

pub(super) async fn describe_key(call: Call<'_>, message: KeyRequest) -> Answer<KeyResponse> {
    let proof = proven::<key_act::Describe>(call, (&message.key, message.reason)).await?;
    let read = call.vault.engine.describe_key(proof, call.request());
    Ok(one_key(read.await?))
}

pub(super) async fn set_key(call: Call<'_>, message: SetKeyRequest) -> Answer<KeyResponse> {
    let words = ChangeWords {
        description: message.description,
        tags: message.tags.map(|tags| tags.pairs),
        aliases: message.aliases.map(|aliases| aliases.names),
        rotation_seconds: message.rotation_seconds,
        open_from: message.open_from,
        revision: message.revision,
        reason: None,
    };
    let change = words.read()?;
    let proof = proven::<key_act::Set>(call, (&message.key, message.reason)).await?;
    let set = call.vault.engine.set_key(proof, change, call.request());
    Ok(one_key(set.await?))
}

pub(super) async fn enable_key(call: Call<'_>, message: KeyRequest) -> Answer<KeyResponse> {
    let proof = proven::<key_act::Enable>(call, (&message.key, message.reason)).await?;
    let enabled = call.vault.engine.enable_key(proof, call.request());
    Ok(one_key(enabled.await?))
}

pub(super) async fn disable_key(call: Call<'_>, message: KeyRequest) -> Answer<KeyResponse> {
    let proof = proven::<key_act::Disable>(call, (&message.key, message.reason)).await?;
    let disabled = call.vault.engine.disable_key(proof, call.request());
    Ok(one_key(disabled.await?))
}

pub(super) async fn rotate_key(call: Call<'_>, message: KeyRequest) -> Answer<KeyResponse> {
    let proof = proven::<key_act::Rotate>(call, (&message.key, message.reason)).await?;
    let rotated = call.vault.engine.rotate_key(proof, call.request());
    Ok(one_key(rotated.await?))
}

pub(super) async fn compromise_key_version(
    call: Call<'_>,
    message: KeyVersionRequest,
) -> Answer<KeyResponse> {
    let proof = proven::<key_act::Compromise>(call, (&message.key, message.reason)).await?;
    let engine = &call.vault.engine;
    let declared = engine.compromise_version(proof, message.version, call.request());
    Ok(one_key(declared.await?))
}

pub(super) async fn destroy_key_version(
    call: Call<'_>,
    message: KeyVersionRequest,
) -> Answer<KeyResponse> {
    let proof = proven::<key_act::DestroyVersion>(call, (&message.key, message.reason)).await?;
    let engine = &call.vault.engine;
    let destroyed = engine.destroy_version(proof, message.version, call.request());
    Ok(one_key(destroyed.await?))
}

pub(super) async fn schedule_key_deletion(
    call: Call<'_>,
    message: ScheduleKeyDeletionRequest,
) -> Answer<KeyResponse> {
    let waiting = Waiting(Duration::from_secs(message.waiting_seconds));
    let proof = proven::<key_act::ScheduleDeletion>(call, (&message.key, message.reason)).await?;
    let engine = &call.vault.engine;
    let scheduled = engine.schedule_deletion(proof, waiting, call.request());
    Ok(one_key(scheduled.await?))
}

pub(super) async fn cancel_key_deletion(
    call: Call<'_>,
    message: KeyRequest,
) -> Answer<KeyResponse> {
    let proof = proven::<key_act::CancelDeletion>(call, (&message.key, message.reason)).await?;
    let cancelled = call.vault.engine.cancel_deletion(proof, call.request());
    Ok(one_key(cancelled.await?))
}

pub(super) async fn import_parameters(
    call: Call<'_>,
    message: KeyRequest,
) -> Answer<ImportParametersResponse> {
    let proof = proven::<key_act::Import>(call, (&message.key, message.reason)).await?;
    let key = proof.grant().key().id.as_str().to_owned();
    let given = call.vault.engine.import_parameters(proof, call.request());
    let (parameters, entry) = given.await?;
    Ok(ImportParametersResponse {
        key,
        public_key_pem: parameters.public_key_pem,
        algorithm: IMPORT_ALGORITHM.to_owned(),
        ticket: parameters.ticket.to_vec(),
        expires_at_us: parameters.expires.0,
        entry: entry.seq(),
    })
}

pub(super) async fn import_key(call: Call<'_>, message: ImportKeyRequest) -> Answer<KeyResponse> {
    let material = ImportMaterial {
        ticket: message.ticket,
        wrapped: message.wrapped,
    };
    let proof = proven::<key_act::Import>(call, (&message.key, message.reason)).await?;
    let imported = call.vault.engine.import(proof, material, call.request());
    Ok(one_key(imported.await?))
}

pub(super) async fn backup_key(call: Call<'_>, message: KeyRequest) -> Answer<BackupKeyResponse> {
    let proof = proven::<key_act::Backup>(call, (&message.key, message.reason)).await?;
    let key = proof.grant().key().id.as_str().to_owned();
    let (backup, entry) = call.vault.engine.backup_key(proof, call.request()).await?;
    let entry = entry.seq();
    Ok(BackupKeyResponse { key, backup, entry })
}

pub(super) async fn restore_key(call: Call<'_>, message: RestoreKeyRequest) -> Answer<KeyResponse> {
    call.ticket.because(message.reason)?;
    let backup = KeyBackup::parse(&message.backup)?;
    let record = backup.record().clone();
    let wish = |_: &str| Ok(record);
    let proof = corridor::on_wished_key::<key_act::Restore>(call.vault, call.ticket, wish).await?;
    let restored = call.vault.engine.restore_key(proof, backup, call.request());
    Ok(one_key(restored.await?))
}

pub(super) async fn reseal_values(
    call: Call<'_>,
    message: ResealValuesRequest,
) -> Answer<ResealValuesResponse> {
    let ResealValuesRequest {
        key,
        place,
        limit,
        reason,
    } = message;
    let proof = proven::<key_act::Reseal>(call, (&key, reason)).await?;
    let key = proof.grant().key().id.as_str().to_owned();
    let step = call
        .vault
        .engine
        .reseal(proof, place, limit, call.request());
    let (progress, entry) = step.await?;
    Ok(ResealValuesResponse {
        key,
        moved: progress.moved,
        remaining: progress.remaining,
        next: progress.next,
        entry: entry.seq(),
    })
}

async fn proven<A: KeyAct>(
    call: Call<'_>,
    (key, reason): (&str, Option<String>),
) -> Answer<Authorized<OnKey<A>>> {
    call.ticket.because(reason)?;
    let key = KeyRef::parse(key)?;
    corridor::on_key::<A>(call.vault, call.ticket, &key, None).await
}

fn one_key((detail, entry): (KeyDetail, Sequenced)) -> KeyResponse {
    let version = |version: KeyVersion| KeyVersionMessage {
        version: version.number,
        state: version.state.as_str().to_owned(),
        created_at_us: version.created.0,
    };
    let mut message = key(&detail.record);
    message.versions = detail.versions.into_iter().map(version).collect();
    KeyResponse {
        key: Some(message),
        entry: entry.seq(),
    }
}

fn key(record: &KeyRecord) -> KeyMessage {
    KeyMessage {
        id: record.id.as_str().to_owned(),
        kind: record.kind.as_str().to_owned(),
        usage: record.kind.usage().as_str().to_owned(),
        state: record.state.as_str().to_owned(),
        origin: record.origin.as_str().to_owned(),
        owner: record.owner.clone(),
        aliases: record.aliases.iter().map(ToString::to_string).collect(),
        description: record.description.as_str().to_owned(),
        tags: record.tags.pairs().clone(),
        current_version: record.current,
        open_from: record.open_from,
        rotation_seconds: record.rotation.map(|period| period.as_secs()),
        rotates_at_us: record.rotate_at.map(|time| time.0),
        deleted_at_us: record.delete_at.map(|time| time.0),
        created_at_us: record.created.0,
        versions: Vec::new(),
        revision: record.revision,
    }
}
