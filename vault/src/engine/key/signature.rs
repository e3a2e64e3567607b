//! Signatures, and the public halves that verify them.

use std::sync::Arc;

use kms::{PublicKey, Usage};

use super::act::{fits, no_context, usable};
use super::cipher::key_facts;
use super::{Acted, ItemFault, Verdict};
use crate::engine::{Engine, EngineError};
use crate::model::RequestId;
use crate::policy::key_act;
use crate::policy::{Authorized, OnKey};
use crate::seal::payload::{self, Signable, SignatureForm};

/// One input to be signed.
pub struct SignRequest {
    /// The message or its digest.
    pub input: Signable,
    /// How the signature is written.
    pub form: SignatureForm,
}

/// A signature.
pub struct Signed {
    /// Its bytes.
    pub signature: Vec<u8>,
    /// The version that made it.
    pub version: u32,
}

/// One signature to be verified.
pub struct VerifyRequest {
    /// The message or its digest.
    pub input: Signable,
    /// How the signature is written.
    pub form: SignatureForm,
    /// The signature.
    pub signature: Vec<u8>,
    /// The version that made it; the current one where it is not said. Others are not tried.
    pub version: Option<u32>,
}

impl Engine {
    /// Signs messages or digests.
    pub async fn sign(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Sign>>,
        version: Option<u32>,
        items: Vec<SignRequest>,
        request: RequestId,
    ) -> Result<Acted<Signed>, EngineError> {
        self.batch_size(items.len())?;
        let record = proof.grant().key();
        usable(record, Usage::Sign)?;
        self.signs_no_tokens(record)?;
        let open = self.opened_to_protect(record, version).await?;
        let facts = key_facts(&proof, open.version(), request);
        let bytes_max = self.shelf.settings.item_bytes_max;
        let bytes = items.iter().map(|item| input_bytes(&item.input)).sum();
        let sign = move || {
            let one = |item: SignRequest| {
                let signature = within(&item.input, bytes_max)
                    .and_then(|()| Ok(payload::sign(&open, &item.input, item.form)?));
                let made = |(signature, version)| Signed { signature, version };
                let signed = signature.map(|signature| signature.with(open.version()).map(made));
                (no_context(), signed)
            };
            items.into_iter().map(one).collect()
        };
        let outcomes = Self::worked(bytes, sign).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// Says whether signatures are their inputs'.
    pub async fn verify(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::Verify>>,
        items: Vec<VerifyRequest>,
        request: RequestId,
    ) -> Result<Acted<Verdict>, EngineError> {
        self.batch_size(items.len())?;
        let record = Arc::clone(proof.grant().key());
        usable(&record, Usage::Sign)?;
        let named = items
            .iter()
            .map(|item| item.version.unwrap_or(record.current));
        let opened = self.opened_versions(&record, named).await;
        let facts = key_facts(&proof, opened.only(), request);
        let bytes_max = self.shelf.settings.item_bytes_max;
        let bytes = items.iter().map(|item| input_bytes(&item.input)).sum();
        let verify = move || {
            let one = |item: VerifyRequest| {
                let version = item.version.unwrap_or(record.current);
                let verdict = within(&item.input, bytes_max)
                    .and(opened.of(version))
                    .and_then(|open| {
                        let VerifyRequest {
                            input,
                            form,
                            signature,
                            ..
                        } = &item;
                        Ok(payload::verify(open, input, *form, signature)?)
                    });
                let said = |(valid, version)| Verdict { valid, version };
                (
                    no_context(),
                    verdict.map(|verdict| verdict.with(version).map(said)),
                )
            };
            items.into_iter().map(one).collect()
        };
        let outcomes = Self::worked(bytes, verify).await?;
        self.record_act(&proof, facts, outcomes).await
    }

    /// The public half of a version that signs; of the current one where none is named.
    pub async fn public_key(
        self: &Arc<Self>,
        proof: Authorized<OnKey<key_act::ReadPublic>>,
        version: Option<u32>,
        request: RequestId,
    ) -> Result<Acted<(PublicKey, u32)>, EngineError> {
        let record = proof.grant().key();
        usable(record, Usage::Sign)?;
        let open = self
            .opened_older(record, version.unwrap_or(record.current))
            .await?;
        let facts = key_facts(&proof, open.version(), request);
        let public = payload::public(&open).map_err(ItemFault::from);
        let public = public.map(|public| public.with(open.version()));
        self.record_act(&proof, facts, vec![(no_context(), public)])
            .await
    }
}

fn input_bytes(input: &Signable) -> usize {
    match input {
        Signable::Message(message) => message.len(),
        Signable::Digest(digest) => digest.len(),
    }
}

fn within(input: &Signable, bytes_max: usize) -> Result<(), ItemFault> {
    match input {
        Signable::Message(message) => fits(message, bytes_max),
        Signable::Digest(_) => Ok(()),
    }
}
