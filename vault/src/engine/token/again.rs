//! Replacements that are done once: the old tokens are gone, so an answer that was lost would take the new ones with it.
//! With an idempotency key the same request gets the same new tokens again.

use super::TokenFault;
use super::act::{Draft, Outcomes, Repeats};
use super::replace::Replacement;
use crate::commit::Record;
use crate::engine::idempotency::REPEAT;
use crate::engine::{Engine, EngineError, caller_facts};
use crate::model::{LifeFault, Once, RequestId, TokenText};
use crate::policy::token_act::{Replace, TokenAct};
use crate::policy::{Authorized, OnTokens};
use crate::seal::answer;
use crate::store::Change;

/// What no token begins with: behind it is a fault's word.
const FAULT: char = '\0';

impl Engine {
    /// How a replacement is known again, and its outcomes kept. Unit, domain and key name it; purpose, tokens and
    /// wish are what was asked.
    pub(super) fn repeats(
        &self,
        proof: &Authorized<OnTokens<Replace>>,
        tokens: &[TokenText],
        wish: &Replacement,
        once: &Once,
        request: RequestId,
    ) -> Result<Repeats<TokenText>, EngineError> {
        let (grant, unit) = (proof.grant(), &proof.admitted().caller().unit().name);
        let domain = grant.domain().clone();
        let keys = self.domain_keys(&domain)?;
        let digest = keys.replacement_digest(grant.purpose(), tokens, wish);
        let asked = self.named((&domain, unit), once, digest)?;
        let mut facts = caller_facts(Replace::OPERATION, proof, request);
        facts.domain = Some(domain.to_string());
        facts.purpose = Some(grant.purpose().to_string());
        facts.reason = Some(REPEAT.to_owned());
        let kept_domain = domain.clone();
        Ok(Repeats {
            again: Box::new(move |engine| {
                let kept = engine.kept(&domain, &asked)?;
                Ok(kept.map(|(words, first)| Draft {
                    record: Record::single(Change::none(), facts.clone()),
                    outcome: words.map(read),
                    shredding: super::shred::Shredding::default(),
                    first: Some(first),
                }))
            }),
            keep: Box::new(move |engine, outcomes: &Outcomes<TokenText>| {
                let values = engine.domain_keys(&kept_domain)?.values();
                let sealed = outcomes.column(|outcomes| {
                    answer::close(&values, &kept_domain, asked.id(), &spelled(outcomes))
                })?;
                Ok(asked.row(&kept_domain, sealed))
            }),
        })
    }
}

/// Outcomes as texts: a token's own, or a fault's word.
fn spelled(outcomes: &[Result<TokenText, TokenFault>]) -> Vec<TokenText> {
    let one = |outcome: &Result<TokenText, TokenFault>| match outcome {
        Ok(token) => token.expose().to_owned(),
        Err(fault) => format!("{FAULT}{}", word(*fault)),
    };
    outcomes.iter().map(one).map(TokenText::new).collect()
}

fn word(fault: TokenFault) -> String {
    match fault {
        TokenFault::NotAvailable => "not-available".to_owned(),
        TokenFault::Held => "held".to_owned(),
        TokenFault::Value => "value".to_owned(),
        TokenFault::Look => "look".to_owned(),
        TokenFault::NoHold => "no-hold".to_owned(),
        TokenFault::Life(LifeFault::Ttl { max }) => format!("ttl {max}"),
        TokenFault::Life(LifeFault::Uses) => "uses".to_owned(),
        TokenFault::Life(LifeFault::UsesOfRepeatable) => "uses-of-repeatable".to_owned(),
    }
}

fn read(words: Vec<TokenText>) -> Vec<Result<TokenText, TokenFault>> {
    let one = |text: TokenText| match text.expose().strip_prefix(FAULT) {
        Some(word) => Err(fault(word)),
        None => Ok(text),
    };
    words.into_iter().map(one).collect()
}

/// They were sealed by us, so a word that is none can't be there; it would show nothing.
fn fault(word: &str) -> TokenFault {
    match word {
        "held" => TokenFault::Held,
        "value" => TokenFault::Value,
        "look" => TokenFault::Look,
        "no-hold" => TokenFault::NoHold,
        "uses" => TokenFault::Life(LifeFault::Uses),
        "uses-of-repeatable" => TokenFault::Life(LifeFault::UsesOfRepeatable),
        _ => match word.strip_prefix("ttl ").and_then(|max| max.parse().ok()) {
            Some(max) => TokenFault::Life(LifeFault::Ttl { max }),
            None => TokenFault::NotAvailable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_as_they_were_spelled() {
        let faults = [
            TokenFault::NotAvailable,
            TokenFault::Held,
            TokenFault::Value,
            TokenFault::Look,
            TokenFault::NoHold,
            TokenFault::Life(LifeFault::Ttl { max: 60 }),
            TokenFault::Life(LifeFault::Uses),
            TokenFault::Life(LifeFault::UsesOfRepeatable),
        ];
        let mut outcomes: Vec<Result<TokenText, TokenFault>> =
            vec![Ok(TokenText::new("held".to_owned()))];
        outcomes.extend(faults.map(Err));
        let again = read(spelled(&outcomes));
        assert_eq!(again.len(), outcomes.len());
        for (before, after) in outcomes.iter().zip(&again) {
            let text = |outcome: &Result<TokenText, TokenFault>| match outcome {
                Ok(token) => Ok(token.expose().to_owned()),
                Err(fault) => Err(*fault),
            };
            assert_eq!(text(before), text(after));
        }
    }
}
