//! What keys do, over gRPC. Items fail one by one; a word that can't be read refuses the whole call.

use api::v1::{
    DataKey, DataKeyResult, DecryptRequest, DecryptResponse, DecryptResult, Decrypted,
    EncryptRequest, EncryptResponse, EncryptResult, Encrypted, GenerateDataKeyRequest,
    GenerateDataKeyResponse, GenerateMacRequest, GenerateMacResponse, GenerateRandomRequest,
    GenerateRandomResponse, ItemError, Mac, MacResult, ReEncryptRequest, ReEncryptResponse,
    ReEncryptResult, ReEncrypted, ReadPublicKeyRequest, ReadPublicKeyResponse, SignRequest,
    SignResponse, SignResult, Signature, SignatureForm as FormMessage, Verdict as VerdictMessage,
    VerdictResponse, VerdictResult, VerifyMacRequest, VerifyRequest, data_key_result,
    decrypt_result, encrypt_result, mac_result, re_encrypt_result, sign_item, sign_result,
    verdict_result, verify_item,
};
use kms::SecretBytes;

use super::keys::Call;
use crate::engine::key::{self as engine, Acted, DataKeyRequest, ItemFault, Verdict};
use crate::model::{KeyRef, Purpose};
use crate::policy::key_act::{self, KeyAct};
use crate::policy::{Authorized, OnKey};
use crate::seal::payload::{Signable, SignatureForm};
use crate::server::corridor;
use crate::server::key_words::{context, jwk, key_of_ciphertext, named, only, sha256, stated};
use crate::server::problem::Problem;

pub(super) type Answer<T> = Result<T, Problem>;

/// The outcomes of items as messages of one kind.
macro_rules! results {
    ($items:expr, $message:ident, $oneof:ident::$done:ident, $made:expr) => {
        $items
            .into_iter()
            .map(|item| {
                let result = match item {
                    Ok(item) => $oneof::Result::$done($made(item)),
                    Err(fault) => $oneof::Result::Error(refused(&fault)),
                };
                $message {
                    result: Some(result),
                }
            })
            .collect()
    };
}

pub(super) async fn encrypt(call: Call<'_>, message: EncryptRequest) -> Answer<EncryptResponse> {
    let items = numbered(message.items, |item| {
        Ok(engine::EncryptRequest {
            plaintext: SecretBytes::new(item.plaintext),
            context: context(item.context)?,
        })
    })?;
    let proof = proven::<key_act::Encrypt>(call, &message.key, &message.purpose).await?;
    let (key, _) = named(proof.grant().key());
    let engine = &call.vault.engine;
    let done = engine.encrypt(proof, message.version, items, call.request());
    let Acted { items, entry } = done.await?;
    let made = |made: engine::Encrypted| Encrypted {
        ciphertext: made.ciphertext,
        version: made.version,
    };
    Ok(EncryptResponse {
        key,
        items: results!(items, EncryptResult, encrypt_result::Encrypted, made),
        entry: entry.seq(),
    })
}

pub(super) async fn decrypt(call: Call<'_>, message: DecryptRequest) -> Answer<DecryptResponse> {
    let purpose = purpose(&message.purpose)?;
    let key = match (message.key.as_str(), message.items.first()) {
        ("", first) => key_of_ciphertext(first.map_or(&[], |item| &item.ciphertext))?,
        (key, _) => KeyRef::parse(key)?,
    };
    let items = numbered(message.items, |item| {
        Ok(engine::DecryptRequest {
            ciphertext: item.ciphertext,
            context: context(item.context)?,
        })
    })?;
    let proof =
        corridor::on_key::<key_act::Decrypt>(call.vault, call.ticket, &key, purpose).await?;
    let (key, _) = named(proof.grant().key());
    let done = call.vault.engine.decrypt(proof, items, call.request());
    let Acted { items, entry } = done.await?;
    let opened = |opened: engine::Decrypted| Decrypted {
        plaintext: opened.plaintext.expose().to_vec(),
        version: opened.version,
    };
    Ok(DecryptResponse {
        key,
        items: results!(items, DecryptResult, decrypt_result::Decrypted, opened),
        entry: entry.seq(),
    })
}

pub(super) async fn re_encrypt(
    call: Call<'_>,
    message: ReEncryptRequest,
) -> Answer<ReEncryptResponse> {
    let purpose = purpose(&message.purpose)?;
    let from = KeyRef::parse(&message.key)?;
    let to = match message.to.as_str() {
        "" => from.clone(),
        to => KeyRef::parse(to)?,
    };
    let items = numbered(message.items, |item| {
        let source = context(item.context)?;
        let destination = match item.new_context {
            Some(new) => context(new.pairs)?,
            None => source.clone(),
        };
        Ok(engine::MoveRequest {
            ciphertext: item.ciphertext,
            source,
            destination,
        })
    })?;
    let proof = corridor::on_move(call.vault, call.ticket, (&from, &to), purpose).await?;
    let (key, _) = named(proof.grant().to());
    let done = call.vault.engine.re_encrypt(proof, items, call.request());
    let Acted { items, entry } = done.await?;
    let moved = |moved: engine::Moved| ReEncrypted {
        ciphertext: moved.ciphertext,
        from_version: moved.from_version,
        version: moved.version,
    };
    Ok(ReEncryptResponse {
        key,
        items: results!(
            items,
            ReEncryptResult,
            re_encrypt_result::ReEncrypted,
            moved
        ),
        entry: entry.seq(),
    })
}

pub(super) async fn data_key(
    call: Call<'_>,
    message: GenerateDataKeyRequest,
) -> Answer<GenerateDataKeyResponse> {
    let items = data_key_items(message.items)?;
    let proof = proven::<key_act::DataKey>(call, &message.key, &message.purpose).await?;
    let (key, _) = named(proof.grant().key());
    let done = call.vault.engine.data_keys(proof, items, call.request());
    Ok(data_keys(key, done.await?))
}

pub(super) async fn wrapped_data_key(
    call: Call<'_>,
    message: GenerateDataKeyRequest,
) -> Answer<GenerateDataKeyResponse> {
    let items = data_key_items(message.items)?;
    let proof = proven::<key_act::WrappedDataKey>(call, &message.key, &message.purpose).await?;
    let (key, _) = named(proof.grant().key());
    let engine = &call.vault.engine;
    let done = engine.wrapped_data_keys(proof, items, call.request());
    Ok(data_keys(key, done.await?))
}

fn data_key_items(items: Vec<api::v1::DataKeyItem>) -> Answer<Vec<DataKeyRequest>> {
    numbered(items, |item| {
        Ok(DataKeyRequest {
            bytes: length(item.bytes),
            context: context(item.context)?,
        })
    })
}

fn data_keys(key: String, done: Acted<engine::DataKey>) -> GenerateDataKeyResponse {
    let made = |made: engine::DataKey| DataKey {
        plaintext: made.plaintext.map(|plain| plain.expose().to_vec()),
        ciphertext: made.ciphertext,
        version: made.version,
    };
    GenerateDataKeyResponse {
        key,
        items: results!(done.items, DataKeyResult, data_key_result::DataKey, made),
        entry: done.entry.seq(),
    }
}

pub(super) async fn mac(
    call: Call<'_>,
    message: GenerateMacRequest,
) -> Answer<GenerateMacResponse> {
    let item = |item: api::v1::MacItem| engine::MacRequest {
        message: SecretBytes::new(item.message),
    };
    let items = message.items.into_iter().map(item).collect();
    let proof = proven::<key_act::Mac>(call, &message.key, &message.purpose).await?;
    let (key, kind) = named(proof.grant().key());
    let engine = &call.vault.engine;
    let done = engine.mac(proof, message.version, items, call.request());
    let Acted { items, entry } = done.await?;
    let made = |made: engine::Mac| Mac {
        mac: made.bytes,
        version: made.version,
    };
    Ok(GenerateMacResponse {
        key,
        algorithm: kind.as_str().to_owned(),
        items: results!(items, MacResult, mac_result::Mac, made),
        entry: entry.seq(),
    })
}

pub(super) async fn verify_mac(
    call: Call<'_>,
    message: VerifyMacRequest,
) -> Answer<VerdictResponse> {
    let item = |item: api::v1::VerifyMacItem| engine::MacVerifyRequest {
        message: SecretBytes::new(item.message),
        mac: item.mac,
        version: item.version,
    };
    let items = message.items.into_iter().map(item).collect();
    let proof = proven::<key_act::VerifyMac>(call, &message.key, &message.purpose).await?;
    let (key, _) = named(proof.grant().key());
    let done = call.vault.engine.verify_mac(proof, items, call.request());
    Ok(verdicts(key, done.await?))
}

pub(super) async fn sign(call: Call<'_>, message: SignRequest) -> Answer<SignResponse> {
    use sign_item::Input;
    let items = numbered(message.items, |item| {
        let input = match item.input {
            Some(Input::Message(message)) => Signable::Message(SecretBytes::new(message)),
            Some(Input::Digest(digest)) => Signable::Digest(sha256(digest)?),
            None => return Err(nothing_to_sign()),
        };
        Ok(engine::SignRequest {
            input,
            form: form(item.form)?,
        })
    })?;
    let proof = proven::<key_act::Sign>(call, &message.key, &message.purpose).await?;
    let (key, kind) = named(proof.grant().key());
    let engine = &call.vault.engine;
    let done = engine.sign(proof, message.version, items, call.request());
    let Acted { items, entry } = done.await?;
    let made = |made: engine::Signed| Signature {
        signature: made.signature,
        version: made.version,
    };
    Ok(SignResponse {
        key,
        algorithm: kind.as_str().to_owned(),
        items: results!(items, SignResult, sign_result::Signature, made),
        entry: entry.seq(),
    })
}

pub(super) async fn verify(call: Call<'_>, message: VerifyRequest) -> Answer<VerdictResponse> {
    use verify_item::Input;
    let items = numbered(message.items, |item| {
        let input = match item.input {
            Some(Input::Message(message)) => Signable::Message(SecretBytes::new(message)),
            Some(Input::Digest(digest)) => Signable::Digest(sha256(digest)?),
            None => return Err(nothing_to_sign()),
        };
        Ok(engine::VerifyRequest {
            input,
            form: form(item.form)?,
            signature: item.signature,
            version: item.version,
        })
    })?;
    let proof = proven::<key_act::Verify>(call, &message.key, &message.purpose).await?;
    let (key, _) = named(proof.grant().key());
    let done = call.vault.engine.verify(proof, items, call.request());
    Ok(verdicts(key, done.await?))
}

pub(super) async fn public_key(
    call: Call<'_>,
    message: ReadPublicKeyRequest,
) -> Answer<ReadPublicKeyResponse> {
    let proof = proven::<key_act::ReadPublic>(call, &message.key, "").await?;
    let id = proof.grant().key().id.clone();
    let engine = &call.vault.engine;
    let read = engine.public_key(proof, message.version, call.request());
    let Acted { items, entry } = read.await?;
    let (public, version) = only(items)?;
    Ok(ReadPublicKeyResponse {
        key: id.as_str().to_owned(),
        version,
        kind: public.kind().as_str().to_owned(),
        pem: public.pem(),
        jwk: jwk(&public, &id, version),
        entry: entry.seq(),
    })
}

pub(super) async fn random(
    call: Call<'_>,
    message: GenerateRandomRequest,
) -> Answer<GenerateRandomResponse> {
    let proof = corridor::on_keys::<key_act::Random>(call.vault, call.ticket).await?;
    let engine = &call.vault.engine;
    let drawn = engine.random(proof, length(message.bytes), call.request());
    let Acted { items, entry } = drawn.await?;
    Ok(GenerateRandomResponse {
        bytes: only(items)?.expose().to_vec(),
        entry: entry.seq(),
    })
}

pub(super) async fn proven<A: KeyAct>(
    call: Call<'_>,
    key: &str,
    stated: &str,
) -> Answer<Authorized<OnKey<A>>> {
    let (key, purpose) = (KeyRef::parse(key)?, purpose(stated)?);
    corridor::on_key::<A>(call.vault, call.ticket, &key, purpose).await
}

/// Proto3 has no difference between an empty text and none.
pub(super) fn purpose(text: &str) -> Answer<Option<Purpose>> {
    stated(Some(text).filter(|text| !text.is_empty()))
}

/// Items, read one by one: a refusal says which one it is about.
fn numbered<I, O>(items: Vec<I>, read: impl Fn(I) -> Answer<O>) -> Answer<Vec<O>> {
    let one = |(place, item)| read(item).map_err(|problem: Problem| problem.at(place));
    items.into_iter().enumerate().map(one).collect()
}

/// A length that does not fit is beyond every limit.
fn length(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn form(number: i32) -> Answer<SignatureForm> {
    match FormMessage::try_from(number) {
        Ok(FormMessage::Unspecified | FormMessage::Raw) => Ok(SignatureForm::Raw),
        Ok(FormMessage::Der) => Ok(SignatureForm::Der),
        Err(_) => Err(Problem::invalid(
            "message-invalid",
            "`form` must be one of keys.proto's SignatureForm",
        )),
    }
}

fn nothing_to_sign() -> Problem {
    Problem::invalid("message-invalid", "send `message` or `digest`")
}

fn verdicts(key: String, done: Acted<Verdict>) -> VerdictResponse {
    let said = |Verdict { valid, version }| VerdictMessage { valid, version };
    VerdictResponse {
        key,
        items: results!(done.items, VerdictResult, verdict_result::Verdict, said),
        entry: done.entry.seq(),
    }
}

pub(super) fn refused(fault: &ItemFault) -> ItemError {
    ItemError {
        code: fault.code().to_owned(),
        detail: fault.to_string(),
    }
}
