//! Access tokens whose signatures were verified: kept by their hash until they end, or their issuer's keys
//! change.
//!
//! Only what never changes is kept: whose token it is, what it is bound to, and when it counts. Times, proofs
//! of possession, and what the unit may do, are looked at on each request. An entry names the epoch of the
//! keys that it was verified with: a token of a removed key is verified anew, and fails.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::jws::sha256;
use crate::model::Timestamp;

/// Tokens kept at once; beyond it, those that have ended leave, and then all of them.
const TOKENS_MAX: usize = 4_096;

/// What a verified token says.
#[derive(Clone)]
pub(super) struct Claimed {
    /// Whose it is.
    pub(super) subject: Arc<str>,
    /// Place of its issuer.
    pub(super) issuer: u16,
    /// Epoch of the issuer's keys that it was verified with.
    pub(super) epoch: u64,
    /// What whoever presents it must prove to have.
    pub(super) bound: Bound,
    /// Who may present it, where it was made for someone (RFC 8693 section 4.1).
    pub(super) actor: Option<Arc<str>>,
    /// First second at which it counts.
    pub(super) begins: u64,
    /// First second at which it counts no longer.
    pub(super) ends: u64,
}

/// What a token is bound to: SHA-256 of a certificate, or a key's thumbprint, or both.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Bound {
    pub(super) certificate: Option<[u8; 32]>,
    pub(super) key: Option<[u8; 32]>,
}

impl Bound {
    pub(super) fn is_nothing(self) -> bool {
        self.certificate.is_none() && self.key.is_none()
    }
}

/// SHA-256 of a token: who reads the memory finds no token in it.
pub(super) type TokenHash = [u8; 32];

#[derive(Default)]
pub(super) struct Verified {
    tokens: Mutex<HashMap<TokenHash, Claimed>>,
}

impl Verified {
    /// What the token says, if its signature was verified before.
    pub(super) fn find(&self, token: &str) -> (TokenHash, Option<Claimed>) {
        let hash = sha256(token.as_bytes());
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
            issuer: 0,
            epoch: 0,
            bound: Bound::default(),
            actor: None,
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
