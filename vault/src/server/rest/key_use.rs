//! REST: what keys do. `POST /v1/keys/{key}/{act}`, one item or `items`.

use serde::{Deserialize, Serialize};

use super::body::{Form, acted, base64, bytes, context, each, one_or_many, secret};
use super::json;
use super::keys::Call;
use crate::engine::key::{
    DataKeyRequest, DecryptRequest, EncryptRequest, MacRequest, MacVerifyRequest, MoveRequest,
    SignRequest, Verdict, VerifyRequest,
};
use crate::model::KeyRef;
use crate::policy::key_act;
use crate::seal::payload::{Signable, SignatureForm};
use crate::server::corridor;
use crate::server::key_words::{key_of_ciphertext, named, only, sha256, stated};
use crate::server::object::Pairs;
use crate::server::problem::Problem;
use axum::response::Response;

one_or_many!(EncryptBody, EncryptItem { plaintext: String, ; context: Pairs, version: u32, });
one_or_many!(DecryptBody, DecryptItem { ciphertext: String, ; context: Pairs, });
one_or_many!(MoveBody, MoveItem {
    ciphertext: String, ;
    to: String, context: Pairs, new_context: Pairs,
});
one_or_many!(DataKeyBody, DataKeyItem { bytes: usize, ; context: Pairs, });
one_or_many!(MacBody, MacItem { message: String, ; version: u32, });
one_or_many!(MacVerifyBody, MacVerifyItem { message: String, mac: String, ; version: u32, });
one_or_many!(SignBody, SignItem { ; message: String, digest: String, form: SignForm, version: u32, });
one_or_many!(VerifyBody, VerifyItem {
    signature: String, ;
    message: String, digest: String, form: SignForm, version: u32,
});

/// How an ECDSA signature is written.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SignForm {
    Raw,
    Der,
}

#[derive(Serialize)]
struct CiphertextBody {
    ciphertext: String,
    version: u32,
}

#[derive(Serialize)]
struct PlaintextBody {
    plaintext: String,
    version: u32,
}

#[derive(Serialize)]
struct MovedBody {
    ciphertext: String,
    from_version: u32,
    version: u32,
}

#[derive(Serialize)]
struct MadeDataKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<String>,
    ciphertext: String,
    version: u32,
}

#[derive(Serialize)]
struct MadeMac {
    mac: String,
    version: u32,
    algorithm: &'static str,
}

#[derive(Serialize)]
struct MadeSignature {
    signature: String,
    version: u32,
    algorithm: &'static str,
}

#[derive(Serialize)]
struct VerdictBody {
    valid: bool,
    version: u32,
}

impl From<Verdict> for VerdictBody {
    fn from(verdict: Verdict) -> Self {
        let Verdict { valid, version } = verdict;
        Self { valid, version }
    }
}

pub(super) async fn encrypt(call: &Call<'_>) -> Result<Response, Problem> {
    let body: EncryptBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let version = common(items.iter().map(|item| item.version))?;
    let items = each(items, form, |item| {
        Ok(EncryptRequest {
            plaintext: secret("plaintext", item.plaintext)?,
            context: context(item.context)?,
        })
    })?;
    let proof = corridor::on_key::<key_act::Encrypt>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let key = proof.grant().key().id.clone();
    let done = call
        .vault
        .engine
        .encrypt(proof, version, items, call.request())
        .await?;
    acted(done, form, key.as_str(), |made| CiphertextBody {
        ciphertext: base64(&made.ciphertext),
        version: made.version,
    })
    .map(json)
}

pub(super) async fn decrypt(call: &Call<'_>) -> Result<Response, Problem> {
    decrypted(call, &call.key, call.body().await?).await
}

/// `POST /v1/decrypt`: the first ciphertext names the key.
pub(super) async fn decrypt_named(call: &Call<'_>) -> Result<Response, Problem> {
    let body: DecryptBody = call.body().await?;
    let key = body.named_key()?;
    decrypted(call, &key, body).await
}

impl DecryptBody {
    fn named_key(&self) -> Result<KeyRef, Problem> {
        let listed = self.items.as_ref().and_then(|items| items.first());
        let first = listed
            .map(|item| &item.0.ciphertext)
            .or(self.ciphertext.as_ref());
        let ciphertext = bytes("ciphertext", first.map_or("", String::as_str))?;
        key_of_ciphertext(&ciphertext)
    }
}

async fn decrypted(call: &Call<'_>, key: &KeyRef, body: DecryptBody) -> Result<Response, Problem> {
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let items = each(items, form, |item| {
        Ok(DecryptRequest {
            ciphertext: bytes("ciphertext", &item.ciphertext)?,
            context: context(item.context)?,
        })
    })?;
    let proof = corridor::on_key::<key_act::Decrypt>(call.vault, call.ticket, key, purpose).await?;
    let key = proof.grant().key().id.clone();
    let done = call
        .vault
        .engine
        .decrypt(proof, items, call.request())
        .await?;
    acted(done, form, key.as_str(), |opened| PlaintextBody {
        plaintext: base64(opened.plaintext.expose()),
        version: opened.version,
    })
    .map(json)
}

pub(super) async fn re_encrypt(call: &Call<'_>) -> Result<Response, Problem> {
    let body: MoveBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let to = common(items.iter().map(|item| item.to.as_deref()))?;
    let to = to.map_or(Ok(call.key.clone()), KeyRef::parse)?;
    let items = each(items, form, |item| {
        let source = context(item.context)?;
        let destination = match item.new_context {
            Some(pairs) => context(Some(pairs))?,
            None => source.clone(),
        };
        Ok(MoveRequest {
            ciphertext: bytes("ciphertext", &item.ciphertext)?,
            source,
            destination,
        })
    })?;
    let proof = corridor::on_move(call.vault, call.ticket, (&call.key, &to), purpose).await?;
    let key = proof.grant().to().id.clone();
    let done = call
        .vault
        .engine
        .re_encrypt(proof, items, call.request())
        .await?;
    acted(done, form, key.as_str(), |moved| MovedBody {
        ciphertext: base64(&moved.ciphertext),
        from_version: moved.from_version,
        version: moved.version,
    })
    .map(json)
}

pub(super) async fn data_key(call: &Call<'_>) -> Result<Response, Problem> {
    let (items, form, purpose) = data_key_items(call).await?;
    let proof = corridor::on_key::<key_act::DataKey>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let key = proof.grant().key().id.clone();
    let done = call
        .vault
        .engine
        .data_keys(proof, items, call.request())
        .await?;
    acted(done, form, key.as_str(), made_data_key).map(json)
}

pub(super) async fn wrapped_data_key(call: &Call<'_>) -> Result<Response, Problem> {
    let (items, form, purpose) = data_key_items(call).await?;
    let proof =
        corridor::on_key::<key_act::WrappedDataKey>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let key = proof.grant().key().id.clone();
    let done = call
        .vault
        .engine
        .wrapped_data_keys(proof, items, call.request())
        .await?;
    acted(done, form, key.as_str(), made_data_key).map(json)
}

async fn data_key_items(
    call: &Call<'_>,
) -> Result<(Vec<DataKeyRequest>, Form, Option<crate::model::Purpose>), Problem> {
    let body: DataKeyBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let items = each(items, form, |item| {
        Ok(DataKeyRequest {
            bytes: item.bytes,
            context: context(item.context)?,
        })
    })?;
    Ok((items, form, purpose))
}

fn made_data_key(made: crate::engine::key::DataKey) -> MadeDataKey {
    MadeDataKey {
        plaintext: made.plaintext.map(|plain| base64(plain.expose())),
        ciphertext: base64(&made.ciphertext),
        version: made.version,
    }
}

pub(super) async fn mac(call: &Call<'_>) -> Result<Response, Problem> {
    let body: MacBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let version = common(items.iter().map(|item| item.version))?;
    let items = each(items, form, |item| {
        let message = secret("message", item.message)?;
        Ok(MacRequest { message })
    })?;
    let proof = corridor::on_key::<key_act::Mac>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let (key, kind) = named(proof.grant().key());
    let done = call
        .vault
        .engine
        .mac(proof, version, items, call.request())
        .await?;
    acted(done, form, &key, |made| MadeMac {
        mac: base64(&made.bytes),
        version: made.version,
        algorithm: kind.as_str(),
    })
    .map(json)
}

pub(super) async fn verify_mac(call: &Call<'_>) -> Result<Response, Problem> {
    let body: MacVerifyBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let items = each(items, form, |item| {
        Ok(MacVerifyRequest {
            message: secret("message", item.message)?,
            mac: bytes("mac", &item.mac)?,
            version: item.version,
        })
    })?;
    let proof = corridor::on_key::<key_act::VerifyMac>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let (key, _) = named(proof.grant().key());
    let done = call
        .vault
        .engine
        .verify_mac(proof, items, call.request())
        .await?;
    acted(done, form, &key, VerdictBody::from).map(json)
}

pub(super) async fn sign(call: &Call<'_>) -> Result<Response, Problem> {
    let body: SignBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let version = common(items.iter().map(|item| item.version))?;
    let items = each(items, form, |item| {
        Ok(SignRequest {
            input: signable(item.message, item.digest)?,
            form: written(item.form),
        })
    })?;
    let proof = corridor::on_key::<key_act::Sign>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let (key, kind) = named(proof.grant().key());
    let done = call
        .vault
        .engine
        .sign(proof, version, items, call.request())
        .await?;
    acted(done, form, &key, |made| MadeSignature {
        signature: base64(&made.signature),
        version: made.version,
        algorithm: kind.as_str(),
    })
    .map(json)
}

pub(super) async fn verify(call: &Call<'_>) -> Result<Response, Problem> {
    let body: VerifyBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let items = each(items, form, |item| {
        Ok(VerifyRequest {
            input: signable(item.message, item.digest)?,
            form: written(item.form),
            signature: bytes("signature", &item.signature)?,
            version: item.version,
        })
    })?;
    let proof = corridor::on_key::<key_act::Verify>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let (key, _) = named(proof.grant().key());
    let done = call
        .vault
        .engine
        .verify(proof, items, call.request())
        .await?;
    acted(done, form, &key, VerdictBody::from).map(json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomBody {
    bytes: usize,
}

#[derive(Serialize)]
struct Drawn {
    bytes: String,
    entry: u64,
}

/// `POST /v1/random`
pub(super) async fn random(call: &Call<'_>) -> Result<Response, Problem> {
    let body: RandomBody = call.body().await?;
    let proof = corridor::on_keys::<key_act::Random>(call.vault, call.ticket).await?;
    let done = call
        .vault
        .engine
        .random(proof, body.bytes, call.request())
        .await?;
    let entry = done.entry.seq();
    let bytes = base64(only(done.items)?.expose());
    super::to_json(&Drawn { bytes, entry })
}

fn written(form: Option<SignForm>) -> SignatureForm {
    match form {
        Some(SignForm::Der) => SignatureForm::Der,
        Some(SignForm::Raw) | None => SignatureForm::Raw,
    }
}

fn signable(message: Option<String>, digest: Option<String>) -> Result<Signable, Problem> {
    match (message, digest) {
        (Some(message), None) => Ok(Signable::Message(secret("message", message)?)),
        (None, Some(digest)) => Ok(Signable::Digest(sha256(bytes("digest", &digest)?)?)),
        _ => Err(Problem::invalid(
            "body-shape",
            "send `message` or `digest`, one of them",
        )),
    }
}

/// What all items say alike: a call works with one version and one destination.
pub(super) fn common<T: PartialEq>(
    mut said: impl Iterator<Item = Option<T>>,
) -> Result<Option<T>, Problem> {
    let first = said.next().flatten();
    if said.all(|other| other == first) {
        Ok(first)
    } else {
        let detail = "`version`, `to` and `alg` must be the same in all items of a call";
        Err(Problem::invalid("items-differ", detail))
    }
}
