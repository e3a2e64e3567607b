//! What a token is, without its value: nothing is opened.

use std::sync::Arc;

use ledger::Pseudonym;

use super::act::{Acted, Outcome, Seen, Work, told};
use crate::engine::{Engine, EngineError};
use crate::model::{ClassName, Life, RequestId, Timestamp, TokenText};
use crate::policy::token_act::Describe;
use crate::policy::{Authorized, OnTokens};

/// What a token is.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any may go with any"
)]
pub struct Description {
    /// What its value is.
    pub class: ClassName,
    /// What tokens of the class look like.
    pub format: &'static str,
    /// When it was issued.
    pub created: Timestamp,
    /// How long it serves, and how often.
    pub life: Life,
    /// Whether it serves now.
    pub serves: bool,
    /// Whether a legal hold covers it.
    pub held: bool,
    /// Whether its value is said to be about someone.
    pub has_subjects: bool,
    /// Whether an equal value gets it again.
    pub repeatable: bool,
    /// Whether its text is a share of its row's key.
    pub bound: bool,
    /// Whether its value finds it.
    pub searchable: bool,
    /// Version of the domain's key that its value is sealed under.
    pub key_version: u32,
    /// What stands for it in the ledger's items, in each epoch whose key stands.
    pub pseudonyms: Vec<Pseudonym>,
}

impl Engine {
    /// Says what tokens are.
    pub async fn describe_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Describe>>,
        tokens: Vec<TokenText>,
        request: RequestId,
    ) -> Result<Acted<Description>, EngineError> {
        self.on_tokens(proof, tokens, request, described).await
    }
}

fn described(work: &mut Work<'_>, seen: &Seen<'_>) -> Result<Outcome<Description>, EngineError> {
    let (reader, row) = (&work.engine.reader, &seen.row);
    // Asked for the decoy too: by the token's own fingerprint.
    let held = reader.is_held(seen.fingerprint)?;
    let has_subjects = !reader.subjects_of(seen.fingerprint)?.is_empty();
    let format = work.engine.catalogue.class(&row.class);
    Ok(Ok(told(Description {
        class: row.class.clone(),
        format: format.map_or("none", |class| class.format.name()),
        created: Timestamp(row.created_us),
        life: row.life,
        serves: row.life.serves(work.now),
        held,
        has_subjects,
        repeatable: row.indexed.as_ref().is_some_and(|found| found.nth == 0),
        bound: row.bound,
        searchable: row.indexed.is_some(),
        pseudonyms: work.engine.keys.pseudonyms(seen.fingerprint),
        key_version: kms::sealed_key_version(&row.sealed.0).map_err(|_| EngineError::Keys)?,
    })))
}
