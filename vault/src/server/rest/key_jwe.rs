//! REST: JWEs. `POST /v1/keys/{key}/encrypt-jwe` and `decrypt-jwe`, one item or `items`.

use axum::response::Response;
use serde::Serialize;

use super::body::{acted, base64, each, one_or_many, secret};
use super::json;
use super::key_use::common;
use super::keys::Call;
use crate::engine::key::{JweDecrypted, JweEncryptRequest, JweEncrypted, JweWish};
use crate::policy::key_act;
use crate::server::corridor;
use crate::server::key_words::{jwe_kind, stated};
use crate::server::problem::Problem;

one_or_many!(EncryptBody, EncryptItem {
    plaintext: String, ;
    cty: String, alg: String, version: u32,
});
one_or_many!(DecryptBody, DecryptItem { jwe: String, ; alg: String, });

#[derive(Serialize)]
struct MadeJwe {
    jwe: String,
    version: u32,
}

#[derive(Serialize)]
struct OpenedJwe {
    plaintext: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cty: Option<String>,
    version: u32,
}

pub(super) async fn encrypt(call: &Call<'_>) -> Result<Response, Problem> {
    let body: EncryptBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let wish = JweWish {
        kind: jwe_kind(common(items.iter().map(|item| item.alg.as_deref()))?)?,
        version: common(items.iter().map(|item| item.version))?,
    };
    let items = each(items, form, |item| {
        Ok(JweEncryptRequest {
            plaintext: secret("plaintext", item.plaintext)?,
            cty: item.cty,
        })
    })?;
    let proof = corridor::on_key::<key_act::Encrypt>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let key = proof.grant().key().id.clone();
    let engine = &call.vault.engine;
    let done = engine.encrypt_jwe(proof, wish, items, call.request());
    acted(done.await?, form, key.as_str(), |made| {
        let JweEncrypted { jwe, version } = made;
        MadeJwe { jwe, version }
    })
    .map(json)
}

pub(super) async fn decrypt(call: &Call<'_>) -> Result<Response, Problem> {
    let body: DecryptBody = call.body().await?;
    let purpose = stated(body.purpose.as_deref())?;
    let (items, form) = body.items()?;
    let kind = jwe_kind(common(items.iter().map(|item| item.alg.as_deref()))?)?;
    let messages = items.into_iter().map(|item| item.jwe).collect();
    let proof = corridor::on_key::<key_act::Decrypt>(call.vault, call.ticket, &call.key, purpose);
    let proof = proof.await?;
    let key = proof.grant().key().id.clone();
    let engine = &call.vault.engine;
    let done = engine.decrypt_jwe(proof, kind, messages, call.request());
    acted(done.await?, form, key.as_str(), |opened: JweDecrypted| {
        OpenedJwe {
            plaintext: base64(opened.plaintext.expose()),
            cty: opened.cty,
            version: opened.version,
        }
    })
    .map(json)
}
