//! Words about tokens that both faces read.

use super::problem::Problem;
use crate::model::{Subject, Timestamp, TokenText};
use crate::store::Age;

/// Whom a legal hold is on.
pub(super) enum HeldBy {
    Tokens(Vec<TokenText>),
    Subject(Subject),
}

impl HeldBy {
    /// Tokens or a subject, not both.
    pub(super) fn read(
        tokens: Option<Vec<String>>,
        subject: Option<String>,
    ) -> Result<Self, Problem> {
        match (tokens, subject) {
            (Some(tokens), None) => {
                let tokens = tokens.into_iter().map(TokenText::new).collect();
                Ok(Self::Tokens(tokens))
            }
            (None, Some(subject)) => Ok(Self::Subject(Subject::parse(subject)?)),
            _ => Err(Problem::invalid("body-shape", "send `tokens` or `subject`")),
        }
    }
}

/// A pseudonym as an auditor looks for it: `EPOCH:ID`.
pub(super) fn pseudonym(pseudonym: &ledger::Pseudonym) -> String {
    let id = u128::from_be_bytes(pseudonym.id);
    format!("{}:{id:032x}", pseudonym.epoch)
}

/// One of the two instants.
pub(super) fn age(created: Option<Timestamp>, expired: Option<Timestamp>) -> Result<Age, Problem> {
    match (created, expired) {
        (Some(before), None) => Ok(Age::CreatedBefore(before)),
        (None, Some(before)) => Ok(Age::ExpiredBefore(before)),
        _ => Err(Problem::invalid(
            "body-shape",
            "send `created_before` or `expired_before`",
        )),
    }
}

/// An instant of RFC 3339, from 1970 on.
pub(super) fn instant_of(text: &str) -> Result<Timestamp, Problem> {
    let wrong = "an instant is written as in 2026-01-31T00:00:00Z (RFC 3339), from 1970 on";
    Timestamp::from_rfc3339(text).ok_or_else(|| Problem::invalid("instant", wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_names_one_age_and_a_hold_one_whom() {
        let at = Some(Timestamp(1));
        assert!(age(at, None).is_ok() && age(None, at).is_ok());
        assert!(age(at, at).is_err() && age(None, None).is_err());
        let tokens = || Some(vec!["jk1_x".to_owned()]);
        let subject = || Some("a".to_owned());
        assert!(HeldBy::read(tokens(), None).is_ok() && HeldBy::read(None, subject()).is_ok());
        assert!(HeldBy::read(tokens(), subject()).is_err());
        assert!(HeldBy::read(None, None).is_err());
        assert!(HeldBy::read(None, Some(String::new())).is_err());
    }
}
