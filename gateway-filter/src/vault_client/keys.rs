//! Owns what the filter asks of the vault's key service: one message, one key, one entry of the ledger.

use api::v1::{
    GenerateMacRequest, MacItem, SignItem, SignRequest, SignatureForm, VerdictResponse, VerifyItem,
    VerifyMacItem, VerifyMacRequest, VerifyRequest, mac_result, sign_item, sign_result,
    verdict_result, verify_item,
};
use api::{ClientError, KeysClient, UnitProof};

use crate::error::VaultError;
use crate::sign::{KeyKind, KeyUse};

/// What one call gave: the outer error is the call's, the inner one its item's.
type Answer<T> = Result<Result<T, VaultError>, ClientError>;

/// How long codes and signatures of a kind are, in bytes.
pub(super) fn bytes(kind: KeyKind) -> usize {
    match kind {
        KeyKind::HmacSha256 => 32,
        KeyKind::HmacSha384 => 48,
        KeyKind::HmacSha512 | KeyKind::Ed25519 | KeyKind::EcdsaP256 => 64,
    }
}

pub(super) async fn sign(
    keys: &KeysClient,
    usage: &KeyUse,
    proof: Option<&UnitProof>,
) -> Answer<Vec<u8>> {
    let (algorithm, made) = if usage.kind.is_mac() {
        let request = GenerateMacRequest {
            key: usage.key.clone(),
            version: usage.version,
            items: vec![MacItem {
                message: usage.message.clone(),
            }],
            ..GenerateMacRequest::default()
        };
        let answer = keys.generate_mac(request, proof).await?;
        let made = match only(answer.items).and_then(|item| item.result) {
            Some(mac_result::Result::Mac(mac)) => Some(mac.mac),
            _ => None,
        };
        (answer.algorithm, made)
    } else {
        let request = SignRequest {
            key: usage.key.clone(),
            version: usage.version,
            items: vec![SignItem {
                input: Some(sign_item::Input::Message(usage.message.clone())),
                form: SignatureForm::Raw.into(),
            }],
            ..SignRequest::default()
        };
        let answer = keys.sign(request, proof).await?;
        let made = match only(answer.items).and_then(|item| item.result) {
            Some(sign_result::Result::Signature(signature)) => Some(signature.signature),
            _ => None,
        };
        (answer.algorithm, made)
    };
    // A key of another kind makes something that nobody can verify.
    let fits = |made: &Vec<u8>| algorithm == usage.kind.as_str() && made.len() == bytes(usage.kind);
    Ok(made.filter(fits).ok_or(VaultError::Failed))
}

pub(super) async fn verify(
    keys: &KeysClient,
    usage: &KeyUse,
    signature: Vec<u8>,
    proof: Option<&UnitProof>,
) -> Answer<bool> {
    let answer = if usage.kind.is_mac() {
        let request = VerifyMacRequest {
            key: usage.key.clone(),
            items: vec![VerifyMacItem {
                message: usage.message.clone(),
                mac: signature,
                version: usage.version,
            }],
            ..VerifyMacRequest::default()
        };
        keys.verify_mac(request, proof).await?
    } else {
        let request = VerifyRequest {
            key: usage.key.clone(),
            items: vec![VerifyItem {
                input: Some(verify_item::Input::Message(usage.message.clone())),
                signature,
                version: usage.version,
                form: SignatureForm::Raw.into(),
            }],
            ..VerifyRequest::default()
        };
        keys.verify(request, proof).await?
    };
    Ok(verdict(answer))
}

fn verdict(answer: VerdictResponse) -> Result<bool, VaultError> {
    match only(answer.items).and_then(|item| item.result) {
        Some(verdict_result::Result::Verdict(verdict)) => Ok(verdict.valid),
        _ => Err(VaultError::Failed),
    }
}

/// The answer to a question of one item.
fn only<T>(items: Vec<T>) -> Option<T> {
    let mut items = items.into_iter();
    items.next().filter(|_| items.next().is_none())
}
