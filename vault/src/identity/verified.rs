//! Access tokens whose signatures were verified: kept by their hash until they end.
//!
//! Only what never changes is kept: whose token it is, and when it counts. Times, and what the unit
//! may do, are looked at on each request. Issuers' keys are fixed while the vault runs, so nothing
//! that is kept can become wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};

use crate::model::Timestamp;

/// Tokens kept at once; beyond it, those that have ended leave, and then all of them.
const TOKENS_MAX: usize = 4_096;

/// What a verified token says.
#[derive(Clone)]
pub(super) struct Claimed {
    /// Whose it is.
    pub(super) subject: Arc<str>,
    /// First second at which it counts.
    pub(super) begins: u64,
    /// First second at which it counts no longer.
    pub(super) ends: u64,
}

/// SHA-256 of a token: who reads the memory finds no token in it.
type TokenHash = [u8; 32];

#[derive(Default)]
pub(super) struct Verified {
    tokens: Mutex<HashMap<TokenHash, Claimed>>,
}

impl Verified {
    /// What the token says, if its signature was verified before.
    pub(super) fn find(&self, token: &str) -> (TokenHash, Option<Claimed>) {
        let mut hash = TokenHash::default();
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        (hash, tokens.get(&hash).cloned())
    }

    /// Keeps what a token says.
    pub(super) fn keep(&self, hash: TokenHash, claimed: Claimed, now: Timestamp) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS_MAX {
            tokens.retain(|_, kept| kept.ends > now.seconds());
        }
        if tokens.len() >= TOKENS_MAX {
            tokens.clear();
        }
        tokens.insert(hash, claimed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(ends: u64) -> Claimed {
        Claimed {
            subject: "unit".into(),
            begins: 0,
            ends,
        }
    }

    #[test]
    fn what_is_kept_stays_within_its_bound_and_ended_tokens_leave_first() {
        let verified = Verified::default();
        for number in 0..TOKENS_MAX {
            let (hash, _) = verified.find(&number.to_string());
            verified.keep(
                hash,
                claimed(if number == 7 { 100 } else { 10 }),
                Timestamp(0),
            );
        }
        let (hash, none) = verified.find("one more");
        assert!(none.is_none());
        verified.keep(hash, claimed(100), Timestamp(10_000_000));
        assert_eq!(verified.tokens.lock().unwrap().len(), 2);
        assert!(verified.find("7").1.is_some());
        for number in 0..2 * TOKENS_MAX {
            let (hash, _) = verified.find(&format!("long {number}"));
            verified.keep(hash, claimed(u64::MAX), Timestamp(0));
            assert!(verified.tokens.lock().unwrap().len() <= TOKENS_MAX);
        }
    }
}
