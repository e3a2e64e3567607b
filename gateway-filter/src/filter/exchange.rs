//! Owns the exchange of one body's fields: scan, one vault call however many fields, splice.

use api::v1::{DetokenizeRequest, Revealed, TokenizeItem, TokenizeRequest, View};
use bytes::Bytes;

use super::{Filter, Passage, Rewriting, Vault};
use crate::error::{FilterError, Side, VaultError};
use crate::field::Field;
use crate::rewrite::{Replacement, splice};
use crate::route::{Action, Plan, Route};
use crate::scan::scan;

impl<V: Vault> Filter<V> {
    pub(super) async fn exchange(
        &self,
        passage: &Passage,
        route: &Route,
        plan: &Plan,
        side: Side,
        body: Bytes,
    ) -> Result<Rewriting, FilterError> {
        let fields = scan(&body, &plan.paths, &self.rules.bounds)
            .map_err(|error| FilterError::Body(side, error))?;
        if fields.is_empty() {
            return Ok(Rewriting::Unchanged(body));
        }
        let texts = match &plan.action {
            Action::Tokenize { classes } => self.tokens(passage, route, classes, &fields).await?,
            Action::Detokenize => self.views(passage, route, &fields).await?,
        };
        let replacements: Vec<Replacement> = fields
            .into_iter()
            .zip(texts)
            .filter_map(|(field, text)| {
                Some(Replacement {
                    span: field.span,
                    text: text?,
                })
            })
            .collect();
        if replacements.is_empty() {
            return Ok(Rewriting::Unchanged(body));
        }
        Ok(Rewriting::Rewritten(splice(&body, &replacements).into()))
    }

    async fn tokens(
        &self,
        passage: &Passage,
        route: &Route,
        classes: &[String],
        fields: &[Field<'_>],
    ) -> Result<Vec<Option<String>>, VaultError> {
        let items = fields
            .iter()
            .map(|field| TokenizeItem {
                class: classes.get(field.rule).cloned().unwrap_or_default(),
                value: field.value.clone().into_owned(),
                ..TokenizeItem::default()
            })
            .collect();
        let request = TokenizeRequest {
            domain: route.domain.clone(),
            items,
            ..TokenizeRequest::default()
        };
        let tokens = self.vault.tokenize(request, passage.proof.as_ref()).await?;
        // An empty token would erase a value without a trace of it.
        if tokens.len() != fields.len() || tokens.iter().any(String::is_empty) {
            return Err(VaultError::AnswerMismatch);
        }
        Ok(tokens.into_iter().map(Some).collect())
    }

    async fn views(
        &self,
        passage: &Passage,
        route: &Route,
        fields: &[Field<'_>],
    ) -> Result<Vec<Option<String>>, VaultError> {
        let request = DetokenizeRequest {
            domain: route.domain.clone(),
            purpose: passage.purpose.clone().unwrap_or_default(),
            tokens: fields
                .iter()
                .map(|field| field.value.clone().into_owned())
                .collect(),
            ..DetokenizeRequest::default()
        };
        let items = self
            .vault
            .detokenize(request, passage.proof.as_ref())
            .await?;
        if items.len() != fields.len() {
            return Err(VaultError::AnswerMismatch);
        }
        items.into_iter().map(revealed).collect()
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
