//! Tokens are switched off, and on again. Doing it twice is doing it once.

use std::sync::Arc;

use super::act::{Acted, Seen, Work, told};
use crate::engine::{Engine, EngineError};
use crate::model::{RequestId, TokenText};
use crate::policy::token_act::{Disable, Enable};
use crate::policy::{Authorized, OnTokens};
use crate::store::TokenWrite;

impl Engine {
    /// From the entry on, these tokens show nothing.
    pub async fn disable_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Disable>>,
        tokens: Vec<TokenText>,
        request: RequestId,
    ) -> Result<Acted<()>, EngineError> {
        let off = |work: &mut Work<'_>, seen: &Seen<'_>| {
            work.write(TokenWrite::Disable(seen.fingerprint, true));
            Ok(Ok(told(())))
        };
        self.on_tokens(proof, tokens, request, off).await
    }

    /// They show again what they showed, for as long as their life lasts.
    pub async fn enable_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Enable>>,
        tokens: Vec<TokenText>,
        request: RequestId,
    ) -> Result<Acted<()>, EngineError> {
        let on = |work: &mut Work<'_>, seen: &Seen<'_>| {
            work.write(TokenWrite::Disable(seen.fingerprint, false));
            Ok(Ok(told(())))
        };
        self.on_tokens(proof, tokens, request, on).await
    }
}
