//! Owns the exchange of one message's fields: decode, select, one vault call however many fields,
//! splice, encode.

use api::v1::{DetokenizeRequest, Revealed, TokenizeItem, TokenizeRequest, View};
use bytes::Bytes;

use super::{Asked, Filter, Rewriting, Vault};
use crate::body;
use crate::coding;
use crate::error::{FilterError, Side, VaultError};
use crate::held::Charged;
use crate::media::Media;
use crate::rewrite::{Change, Replacement, splice, spliced_bytes};
use crate::route::Act;
use crate::sign::receipt::Deed;

/// One value that a rule took, wherever it was found.
pub(super) struct Taken<'v> {
    pub(super) rule: usize,
    pub(super) value: &'v str,
}

impl<V: Vault> Filter<V> {
    pub(super) async fn exchange(
        &self,
        asked: &Asked<'_>,
        media: Media,
        body: Bytes,
    ) -> Result<Rewriting, FilterError> {
        let side = asked.side;
        let bytes_max = asked.route.body_bytes_max;
        let decoded = coding::decoded(media.coding, &body, bytes_max, asked.passage.share())
            .map_err(|unmade| unmade.of_side(side))?;
        let plain: &[u8] = decoded.as_ref().map_or(&body, AsRef::as_ref);
        let fields = body::select(media.format, plain, asked.plan, &self.rules.bounds)
            .map_err(|error| FilterError::Body(side, error))?;
        let taken: Vec<Taken<'_>> = fields
            .iter()
            .map(|field| Taken {
                rule: field.rule,
                value: &field.value,
            })
            .collect();
        let changes = self.changes(asked, &taken).await?;
        let replacements: Vec<Replacement> = fields
            .iter()
            .zip(changes)
            .filter_map(|(field, change)| Some(Replacement::of(field, change?)))
            .collect();
        if replacements.is_empty() {
            return Ok(Rewriting::Unchanged(body));
        }
        let mut share = asked.passage.share();
        share.grow(spliced_bytes(plain, &replacements))?;
        let spliced =
            splice(plain, &replacements).map_err(|fault| FilterError::Unfit(side, fault))?;
        let spliced = Charged::of(spliced, share)?;
        // From here on, only what goes on takes memory.
        drop(fields);
        drop((decoded, body));
        let encoded =
            coding::encoded(media.coding, spliced).map_err(|unmade| unmade.of_side(side))?;
        Ok(Rewriting::Rewritten(encoded.into()))
    }

    /// What becomes of each value, in their order; `None` leaves it.
    pub(super) async fn changes(
        &self,
        asked: &Asked<'_>,
        taken: &[Taken<'_>],
    ) -> Result<Vec<Option<Change>>, FilterError> {
        let mut changes: Vec<Option<Change>> = Vec::with_capacity(taken.len());
        let mut items = Vec::new();
        let mut tokens = Vec::new();
        for field in taken {
            let mut change = None;
            match asked.plan.acts.get(field.rule) {
                Some(Act::Tokenize { class }) => items.push((changes.len(), class, field.value)),
                Some(Act::Detokenize) => tokens.push((changes.len(), field.value)),
                Some(Act::Mask(mask)) => change = Some(Change::Text(mask.of(field.value))),
                // What becomes a JWE, or what one holds, goes unless the vault's word takes its place below.
                Some(Act::Drop | Act::Encrypt(_) | Act::Decrypt(_)) | None => {
                    change = Some(Change::Drop);
                }
            }
            changes.push(change);
        }
        if !items.is_empty() {
            let texts = self.tokens(asked, &items).await?;
            for ((place, ..), text) in items.iter().zip(texts) {
                changes[*place] = Some(Change::Text(text));
            }
        }
        if !tokens.is_empty() {
            let texts = self.views(asked, &tokens).await?;
            for ((place, _), text) in tokens.iter().zip(texts) {
                changes[*place] = text.map(Change::Text);
            }
        }
        self.jose_changes(asked, taken, &mut changes).await?;
        Ok(changes)
    }

    async fn tokens(
        &self,
        asked: &Asked<'_>,
        items: &[(usize, &String, &str)],
    ) -> Result<Vec<String>, VaultError> {
        let request = TokenizeRequest {
            domain: asked.route.domain.clone(),
            items: items
                .iter()
                .map(|(_, class, value)| TokenizeItem {
                    class: (*class).clone(),
                    value: (*value).to_owned(),
                    ..TokenizeItem::default()
                })
                .collect(),
            ..TokenizeRequest::default()
        };
        let proof = asked.passage.proof.as_ref();
        let recorded = self.vault.tokenize(request, proof).await?;
        let entries = &asked.passage.entries;
        entries.note(asked.side, Deed::Tokenize, recorded.entry);
        let tokens = recorded.answer;
        // An empty token would erase a value without a trace of it.
        if tokens.len() != items.len() || tokens.iter().any(String::is_empty) {
            return Err(VaultError::AnswerMismatch);
        }
        Ok(tokens)
    }

    /// What the vault shows of each token. A unit that may see nothing of an answer gets it with its
    /// tokens, which reveal nothing.
    async fn views(
        &self,
        asked: &Asked<'_>,
        tokens: &[(usize, &str)],
    ) -> Result<Vec<Option<String>>, VaultError> {
        let request = DetokenizeRequest {
            domain: asked.route.domain.clone(),
            purpose: asked.passage.purpose.clone().unwrap_or_default(),
            tokens: tokens
                .iter()
                .map(|(_, token)| (*token).to_owned())
                .collect(),
            ..DetokenizeRequest::default()
        };
        let proof = asked.passage.proof.as_ref();
        match self.vault.detokenize(request, proof).await {
            Ok(recorded) if recorded.answer.len() == tokens.len() => {
                let entries = &asked.passage.entries;
                entries.note(asked.side, Deed::Detokenize, recorded.entry);
                recorded.answer.into_iter().map(revealed).collect()
            }
            Ok(_) => Err(VaultError::AnswerMismatch),
            Err(VaultError::Denied(_)) if asked.side == Side::Response => {
                Ok(tokens.iter().map(|_| None).collect())
            }
            Err(error) => Err(error),
        }
    }
}

/// The text that replaces a token; `None` leaves it.
fn revealed(item: Revealed) -> Result<Option<String>, VaultError> {
    match item.view() {
        View::Plain | View::Masked => Ok(Some(item.value)),
        View::Token | View::NotAvailable => Ok(None),
        View::Unspecified => Err(VaultError::AnswerMismatch),
    }
}
