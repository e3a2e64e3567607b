//! What requests that are done once stand under: keyed digests of their names, and of all that they ask for.

use kms::Binding;

use super::{DomainKeys, cut};
use crate::engine::TokenizeItem;
use crate::engine::token::Replacement;
use crate::model::{ClassName, IdempotencyKey, Purpose, Subject, TokenText, UnitName};
use crate::store::{AnswerId, RequestDigest};

impl DomainKeys {
    /// What a unit's idempotency key stands under in this domain.
    pub(in crate::engine) fn answer_id(&self, unit: &UnitName, key: &IdempotencyKey) -> AnswerId {
        let message = Binding::new("jinku/v1 idempotency key")
            .field(unit.as_str().as_bytes())
            .field(key.expose().as_bytes());
        AnswerId(cut(self.fingerprints.tag(&message)))
    }

    /// What stands for a whole request to tokenize.
    pub(in crate::engine) fn request_digest(&self, items: &[TokenizeItem]) -> RequestDigest {
        let mut message = Binding::new("jinku/v1 idempotent request");
        for TokenizeItem { class, value, wish } in items {
            // Whether something is wished is told apart from a wish for nothing.
            let subject = wish.subject.as_ref().map(Subject::expose);
            let number = |wished: Option<u64>| wished.map_or(0, |number| number.saturating_add(1));
            message = message
                .field(class.as_str().as_bytes())
                .field(value.expose().as_bytes())
                .number(subject.is_some().into())
                .field(subject.unwrap_or_default().as_bytes())
                .number(number(wish.ttl_seconds))
                .number(number(wish.uses.map(u64::from)));
        }
        RequestDigest(self.indexes.tag(&message))
    }

    /// What stands for a whole request to replace tokens.
    pub(in crate::engine) fn replacement_digest(
        &self,
        purpose: &Purpose,
        tokens: &[TokenText],
        wish: &Replacement,
    ) -> RequestDigest {
        let number = |wished: Option<u64>| wished.map_or(0, |number| number.saturating_add(1));
        let class = wish.to_class.as_ref().map(ClassName::as_str);
        let mut message = Binding::new("jinku/v1 idempotent replacement")
            .field(purpose.as_str().as_bytes())
            .number(class.is_some().into())
            .field(class.unwrap_or_default().as_bytes())
            .number(number(wish.ttl_seconds))
            .number(number(wish.uses.map(u64::from)));
        for token in tokens {
            message = message.field(token.expose().as_bytes());
        }
        RequestDigest(self.indexes.tag(&message))
    }
}
