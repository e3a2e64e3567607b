//! JWEs over gRPC. Items fail one by one; a word that can't be read refuses the whole call.

use api::v1::{
    DecryptJweRequest, DecryptJweResponse, DecryptJweResult, DecryptedJwe, EncryptJweRequest,
    EncryptJweResponse, EncryptJweResult, EncryptedJwe, decrypt_jwe_result, encrypt_jwe_result,
};
use kms::{KeyKind, SecretBytes};

use super::key_use::{Answer, proven, purpose, refused};
use super::keys::Call;
use crate::engine::key::{
    Acted, ItemFault, JweDecrypted, JweEncryptRequest, JweEncrypted, JweWish,
};
use crate::model::KeyRef;
use crate::policy::key_act;
use crate::server::corridor;
use crate::server::key_words::{jwe_kind, key_of_jwe, named};

pub(super) async fn encrypt(
    call: Call<'_>,
    message: EncryptJweRequest,
) -> Answer<EncryptJweResponse> {
    let wish = JweWish {
        kind: kind(&message.alg)?,
        version: message.version,
    };
    let items = message.items.into_iter().map(|item| JweEncryptRequest {
        plaintext: SecretBytes::new(item.plaintext),
        cty: Some(item.cty).filter(|cty| !cty.is_empty()),
    });
    let items = items.collect();
    let proof = proven::<key_act::Encrypt>(call, &message.key, &message.purpose).await?;
    let (key, _) = named(proof.grant().key());
    let engine = &call.vault.engine;
    let done = engine.encrypt_jwe(proof, wish, items, call.request());
    let Acted { items, entry } = done.await?;
    Ok(EncryptJweResponse {
        key,
        items: items.into_iter().map(encrypted).collect(),
        entry: entry.seq(),
    })
}

pub(super) async fn decrypt(
    call: Call<'_>,
    message: DecryptJweRequest,
) -> Answer<DecryptJweResponse> {
    let (kind, purpose) = (kind(&message.alg)?, purpose(&message.purpose)?);
    let key = match (message.key.as_str(), message.items.first()) {
        ("", first) => key_of_jwe(first.map_or("", String::as_str))?,
        (key, _) => KeyRef::parse(key)?,
    };
    let proof =
        corridor::on_key::<key_act::Decrypt>(call.vault, call.ticket, &key, purpose).await?;
    let (key, _) = named(proof.grant().key());
    let engine = &call.vault.engine;
    let done = engine.decrypt_jwe(proof, kind, message.items, call.request());
    let Acted { items, entry } = done.await?;
    Ok(DecryptJweResponse {
        key,
        items: items.into_iter().map(decrypted).collect(),
        entry: entry.seq(),
    })
}

/// Proto3 has no difference between an empty text and none.
fn kind(alg: &str) -> Answer<Option<KeyKind>> {
    jwe_kind(Some(alg).filter(|alg| !alg.is_empty()))
}

fn encrypted(item: Result<JweEncrypted, ItemFault>) -> EncryptJweResult {
    use encrypt_jwe_result::Result::{Encrypted, Error};
    let result = match item {
        Ok(JweEncrypted { jwe, version }) => Encrypted(EncryptedJwe { jwe, version }),
        Err(fault) => Error(refused(&fault)),
    };
    EncryptJweResult {
        result: Some(result),
    }
}

fn decrypted(item: Result<JweDecrypted, ItemFault>) -> DecryptJweResult {
    use decrypt_jwe_result::Result::{Decrypted, Error};
    let result = match item {
        Ok(opened) => Decrypted(DecryptedJwe {
            plaintext: opened.plaintext.expose().to_vec(),
            cty: opened.cty,
            version: opened.version,
        }),
        Err(fault) => Error(refused(&fault)),
    };
    DecryptJweResult {
        result: Some(result),
    }
}
