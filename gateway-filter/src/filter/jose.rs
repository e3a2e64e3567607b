//! Owns the exchange of JWEs: fields and whole payloads that are encrypted or opened, one vault call for each key.

use api::v1::{
    DecryptJweRequest, DecryptedJwe, EncryptJweItem, EncryptJweRequest, decrypt_jwe_result,
    encrypt_jwe_result,
};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::exchange::Taken;
use super::{Asked, Filter, HeadRewriting, Rewriting, Vault};
use crate::coding;
use crate::error::{FilterError, Side, VaultError};
use crate::held::Charged;
use crate::jose::{
    JOSE, JweFault, JweKey, Payload, PayloadAct, is_compact, item_fault, opened_type,
};
use crate::media::{Coding, Media, OF_THE_FIRST_BODY};
use crate::rewrite::Change;
use crate::route::Act;

impl<V: Vault> Filter<V> {
    /// A body's whole way: out of its JWE, its fields, into a JWE, as far as the plan says so.
    pub(super) async fn through(
        &self,
        asked: &Asked<'_>,
        media: Media,
        body: Bytes,
    ) -> Result<Rewriting, FilterError> {
        let Some(payload) = &asked.plan.payload else {
            return self.exchange(asked, media, body).await;
        };
        // What is encrypted is the body without its coding, and it gets none again: a JWE does not get smaller.
        let bytes_max = asked.route.body_bytes_max;
        let decoded = coding::decoded(media.coding, &body, bytes_max, asked.passage.share())
            .map_err(|unmade| unmade.of_side(asked.side))?;
        let body = decoded.map_or(body, Bytes::from);
        let (body, content_type) = match &payload.act {
            PayloadAct::Decrypt { content_types } => {
                let (body, full, content_type) =
                    self.out(asked, payload, (&body, content_types)).await?;
                (
                    self.fields(asked, Media::of_type(&full), body).await?,
                    content_type,
                )
            }
            PayloadAct::Encrypt => {
                let coding = Coding::Identity;
                let body = self.fields(asked, Media { coding, ..media }, body).await?;
                let jwe = self.payload_jwe(asked, payload, &body).await?;
                let jwe = Charged::of(jwe.into_bytes(), asked.passage.share())?;
                (jwe.into(), HeaderValue::from_static(JOSE))
            }
        };
        let mut without = OF_THE_FIRST_BODY.to_vec();
        without.push(CONTENT_ENCODING);
        let head = HeadRewriting {
            without,
            headers: vec![(CONTENT_TYPE, vec![content_type])],
            ..HeadRewriting::default()
        };
        Ok(Rewriting::Recast(body, head))
    }

    /// What fields encrypt and decrypt become.
    pub(super) async fn jose_changes(
        &self,
        asked: &Asked<'_>,
        taken: &[Taken<'_>],
        changes: &mut [Option<Change>],
    ) -> Result<(), FilterError> {
        for act in keys_in_turn(asked, taken) {
            let places: Vec<usize> = (0..taken.len())
                .filter(|place| act_of(asked, &taken[*place]) == Some(act))
                .collect();
            let values = places.iter().map(|place| taken[*place].value);
            let texts = match act {
                Act::Encrypt(key) => {
                    let items = values.map(|value| EncryptJweItem {
                        plaintext: value.as_bytes().to_vec(),
                        cty: String::new(),
                    });
                    self.encrypted(asked, key, items.collect()).await?
                }
                Act::Decrypt(key) => {
                    let items = values.map(str::to_owned).collect();
                    let opened = self.decrypted(asked, key, items).await?;
                    let told = |one| text(one).map_err(|fault| FilterError::Jwe(asked.side, fault));
                    opened.into_iter().map(told).collect::<Result<_, _>>()?
                }
                Act::Tokenize { .. } | Act::Detokenize | Act::Mask(_) | Act::Drop => continue,
            };
            for (place, text) in places.into_iter().zip(texts) {
                changes[place] = Some(Change::Text(text));
            }
        }
        Ok(())
    }

    async fn out(
        &self,
        asked: &Asked<'_>,
        payload: &Payload,
        (body, allowed): (&[u8], &[String]),
    ) -> Result<(Bytes, String, HeaderValue), FilterError> {
        let fault = |fault| FilterError::Jwe(asked.side, fault);
        let text = str::from_utf8(body).map_err(|_| fault(JweFault::Unopened))?;
        let opened = self.decrypted(asked, &payload.key, vec![text.to_owned()]);
        let opened = opened.await?.pop().ok_or(VaultError::AnswerMismatch)?;
        let (full, content_type) =
            opened_type(opened.cty.as_deref(), allowed).ok_or(fault(JweFault::Type))?;
        let plaintext = Charged::of(opened.plaintext, asked.passage.share())?;
        Ok((plaintext.into(), full, content_type))
    }

    async fn payload_jwe(
        &self,
        asked: &Asked<'_>,
        payload: &Payload,
        body: &[u8],
    ) -> Result<String, FilterError> {
        let cty = asked.passage.content_type(asked.side).unwrap_or_default();
        let item = EncryptJweItem {
            plaintext: body.to_vec(),
            cty: cty.to_owned(),
        };
        let made = self.encrypted(asked, &payload.key, vec![item]).await?.pop();
        Ok(made.ok_or(VaultError::AnswerMismatch)?)
    }

    /// The fields of a payload, in plain.
    async fn fields(
        &self,
        asked: &Asked<'_>,
        media: Media,
        body: Bytes,
    ) -> Result<Bytes, FilterError> {
        if body.is_empty() || !asked.plan.reads_fields() {
            return Ok(body);
        }
        if !asked.plan.takes(media.format) {
            return Err(FilterError::Jwe(asked.side, JweFault::Type));
        }
        Ok(self.exchange(asked, media, body).await?.into_bytes())
    }

    async fn encrypted(
        &self,
        asked: &Asked<'_>,
        key: &JweKey,
        items: Vec<EncryptJweItem>,
    ) -> Result<Vec<String>, FilterError> {
        let count = items.len();
        let request = EncryptJweRequest {
            key: key.name.clone(),
            purpose: asked.passage.purpose.clone().unwrap_or_default(),
            alg: key.alg.to_owned(),
            items,
            ..EncryptJweRequest::default()
        };
        let proof = asked.passage.proof.as_ref();
        let asking = self.vault.encrypt_jwe(request, proof).await;
        let results = asking.map_err(|error| call_fault(asked.side, error))?;
        let made = results.into_iter().map(|result| match result.result {
            Some(encrypt_jwe_result::Result::Encrypted(made)) if is_compact(&made.jwe) => {
                Ok(made.jwe)
            }
            Some(encrypt_jwe_result::Result::Error(error)) => Err(item_fault(asked.side, &error)),
            _ => Err(VaultError::AnswerMismatch.into()),
        });
        as_many(made.collect::<Result<_, _>>()?, count)
    }

    async fn decrypted(
        &self,
        asked: &Asked<'_>,
        key: &JweKey,
        items: Vec<String>,
    ) -> Result<Vec<DecryptedJwe>, FilterError> {
        let count = items.len();
        let request = DecryptJweRequest {
            key: key.name.clone(),
            purpose: asked.passage.purpose.clone().unwrap_or_default(),
            alg: key.alg.to_owned(),
            items,
        };
        let proof = asked.passage.proof.as_ref();
        let asking = self.vault.decrypt_jwe(request, proof).await;
        let results = asking.map_err(|error| call_fault(asked.side, error))?;
        let opened = results.into_iter().map(|result| match result.result {
            Some(decrypt_jwe_result::Result::Decrypted(opened)) => Ok(opened),
            Some(decrypt_jwe_result::Result::Error(error)) => Err(item_fault(asked.side, &error)),
            None => Err(VaultError::AnswerMismatch.into()),
        });
        as_many(opened.collect::<Result<_, _>>()?, count)
    }
}

/// A field's text. A payload, which has a type, does not come out in a field's place.
fn text(opened: DecryptedJwe) -> Result<String, JweFault> {
    if opened.cty.is_some() {
        return Err(JweFault::Type);
    }
    String::from_utf8(opened.plaintext).map_err(|_| JweFault::NotText)
}

/// Each act under each key once, in the order in which they come.
fn keys_in_turn<'p>(asked: &Asked<'p>, taken: &[Taken<'_>]) -> Vec<&'p Act> {
    let mut acts: Vec<&Act> = Vec::new();
    for act in taken.iter().filter_map(|field| act_of(asked, field)) {
        if !acts.contains(&act) {
            acts.push(act);
        }
    }
    acts
}

fn act_of<'p>(asked: &Asked<'p>, field: &Taken<'_>) -> Option<&'p Act> {
    let act = asked.plan.acts.get(field.rule)?;
    matches!(act, Act::Encrypt(_) | Act::Decrypt(_)).then_some(act)
}

/// Why a call was not done: of what is too much for one, a payload is nearly all.
fn call_fault(side: Side, error: VaultError) -> FilterError {
    match error {
        VaultError::Invalid(refusal) | VaultError::Exhausted(refusal)
            if refusal.code.as_deref() == Some("body-too-large") =>
        {
            FilterError::Jwe(side, JweFault::TooLong)
        }
        error => error.into(),
    }
}

/// A vault that forgets one would leave a field as it is.
fn as_many<T>(all: Vec<T>, count: usize) -> Result<Vec<T>, FilterError> {
    if all.len() == count {
        Ok(all)
    } else {
        Err(VaultError::AnswerMismatch.into())
    }
}
