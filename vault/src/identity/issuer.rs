//! Issuers whose access tokens count, and the keys that they are known to sign with at this moment.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Unproven;
use super::key_set::{KeySet, KeySetFault};

/// What an access token of an issuer must be bound to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SenderConstraint {
    /// Nothing, where the unit is content with that. A token that is bound must be proven all the same.
    #[default]
    None,
    /// A client certificate (RFC 8705 section 3).
    Certificate,
    /// A DPoP key (RFC 9449).
    Dpop,
    /// One or the other.
    Any,
}

impl SenderConstraint {
    /// The constraint of a word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "certificate" => Some(Self::Certificate),
            "dpop" => Some(Self::Dpop),
            "any" => Some(Self::Any),
            _ => None,
        }
    }
}

/// How long fetched keys count, and how often they may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct KeyTerms {
    /// Keys that were fetched longer ago prove nobody.
    pub age_max: Duration,
    /// Unknown key names cause at most one fetch in this time.
    pub cool_down: Duration,
}

/// Why an issuer's keys were refused.
#[derive(Debug, thiserror::Error)]
#[error("the key set of issuer `{issuer}` can't be used: {fault}")]
pub struct IssuerError {
    /// Which issuer.
    pub issuer: String,
    /// Why.
    pub fault: KeySetFault,
}

/// An OAuth2 issuer whose access tokens count.
pub struct Issuer {
    pub(super) name: String,
    pub(super) audience: String,
    pub(super) constraint: SenderConstraint,
    /// This vault itself: its subjects are units' codes, and its actors gateways'.
    pub(super) is_own: bool,
    /// `None`: the keys stay as they are.
    terms: Option<KeyTerms>,
    held: RwLock<Held>,
    asked: Asked,
}

/// The keys that count.
#[derive(Clone, Default)]
struct Held {
    set: Option<Arc<KeySet>>,
    /// Changes whenever the set does: what was verified under another one is verified anew.
    epoch: u64,
    /// When the set was last seen at its source, by the clock that never steps back.
    seen: Duration,
}

/// Wishes for a fetch, and how many fetches ended.
struct Asked {
    wish: Notify,
    begun: Mutex<Option<Duration>>,
    ended: watch::Sender<u64>,
}

impl Issuer {
    /// From the issuer's name, our name as audience, and its JWK set as JSON: for as long as the vault runs.
    pub fn parse(issuer: &str, audience: &str, jwks: &str) -> Result<Self, IssuerError> {
        let set = KeySet::written(jwks).map_err(|fault| IssuerError {
            issuer: issuer.to_owned(),
            fault,
        })?;
        let mut known = Self::new(issuer, audience, None);
        known.held = RwLock::new(Held {
            set: Some(Arc::new(set)),
            ..Held::default()
        });
        Ok(known)
    }

    /// One whose keys are fetched. Until they are, it proves nobody.
    pub fn fetched(issuer: &str, audience: &str, terms: KeyTerms) -> Self {
        Self::new(issuer, audience, Some(terms))
    }

    /// This vault as an issuer: its keys are told to it by [`Issuer::install`].
    pub fn own(issuer: &str, audience: &str, terms: KeyTerms) -> Self {
        Self {
            is_own: true,
            constraint: SenderConstraint::Any,
            ..Self::new(issuer, audience, Some(terms))
        }
    }

    /// With this demand on its tokens.
    #[must_use]
    pub fn constrained(self, constraint: SenderConstraint) -> Self {
        Self { constraint, ..self }
    }

    fn new(issuer: &str, audience: &str, terms: Option<KeyTerms>) -> Self {
        Self {
            name: issuer.to_owned(),
            audience: audience.to_owned(),
            constraint: SenderConstraint::None,
            is_own: false,
            terms,
            held: RwLock::default(),
            asked: Asked {
                wish: Notify::new(),
                begun: Mutex::new(None),
                ended: watch::Sender::new(0),
            },
        }
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys that count now, and their epoch.
    pub(super) fn keys(&self, now: Duration) -> Result<(Arc<KeySet>, u64), Unproven> {
        let held = self.held();
        let fresh = self
            .terms
            .is_none_or(|terms| now.saturating_sub(held.seen) <= terms.age_max);
        match held.set {
            Some(set) if fresh => Ok((set, held.epoch)),
            _ => Err(Unproven::StaleKeys),
        }
    }

    /// Whether it can be asked for newer keys.
    pub(super) fn can_be_asked(&self) -> bool {
        self.terms.is_some() && !self.is_own
    }

    /// Takes the set that was seen at its source over, and says whether it is another one than before.
    /// One that is refused changes nothing.
    pub fn install(&self, jwks: &str, now: Duration) -> Result<bool, IssuerError> {
        let set = KeySet::published(jwks).map_err(|fault| IssuerError {
            issuer: self.name.clone(),
            fault,
        })?;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.seen = now;
        if held.set.as_ref().is_some_and(|known| known.is_same(&set)) {
            return Ok(false);
        }
        held.set = Some(Arc::new(set));
        held.epoch += 1;
        Ok(true)
    }

    /// From now on none of its keys counts, until others are installed.
    pub fn withdraw(&self) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.set.take().is_some() {
            held.epoch += 1;
        }
    }

    /// To be called when a fetch begins, whoever wished it.
    pub fn fetch_begins(&self, now: Duration) {
        *self.begun() = Some(now);
    }

    /// To be called when a fetch ended, whatever came of it.
    pub fn fetch_ended(&self) {
        self.asked.ended.send_modify(|count| *count += 1);
    }

    /// Waits until someone wishes a fetch.
    pub async fn wished(&self) {
        self.asked.wish.notified().await;
    }

    /// Wishes a fetch, and gives what changes when one has ended. `None` where the last one began too short
    /// a time ago: whoever names unknown keys causes no traffic by it.
    pub(super) fn wish(&self, now: Duration) -> Option<watch::Receiver<u64>> {
        let terms = self.terms?;
        let ended = self.asked.ended.subscribe();
        let mut begun = self.begun();
        if begun.is_some_and(|begun| now.saturating_sub(begun) < terms.cool_down) {
            return None;
        }
        *begun = Some(now);
        drop(begun);
        self.asked.wish.notify_one();
        Some(ended)
    }

    fn held(&self) -> Held {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    fn begun(&self) -> std::sync::MutexGuard<'_, Option<Duration>> {
        let begun = &self.asked.begun;
        begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: KeyTerms = KeyTerms {
        age_max: Duration::from_secs(100),
        cool_down: Duration::from_secs(10),
    };

    fn set(kid: &str) -> String {
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
        )
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn fetched_keys_count_for_their_time_and_a_refused_set_changes_nothing() {
        let issuer = Issuer::fetched("i", "a", TERMS);
        assert_eq!(issuer.keys(at(0)).err(), Some(Unproven::StaleKeys));
        assert!(issuer.install(&set("one"), at(5)).unwrap());
        let (_, first) = issuer.keys(at(105)).unwrap();
        assert_eq!(issuer.keys(at(106)).err(), Some(Unproven::StaleKeys));
        assert!(issuer.install("{}", at(200)).is_err());
        assert_eq!(issuer.keys(at(200)).err(), Some(Unproven::StaleKeys));
        assert!(!issuer.install(&set("one"), at(200)).unwrap());
        assert_eq!(issuer.keys(at(300)).unwrap().1, first);
        assert!(issuer.install(&set("two"), at(201)).unwrap());
        let (keys, second) = issuer.keys(at(201)).unwrap();
        assert_ne!(first, second);
        assert!(keys.key("one").is_none() && keys.key("two").is_some());
    }

    #[test]
    fn unknown_names_cause_one_fetch_in_a_cool_down() {
        let issuer = Issuer::fetched("i", "a", TERMS);
        issuer.fetch_begins(at(0));
        assert!(issuer.wish(at(9)).is_none());
        assert!(issuer.wish(at(10)).is_some());
        assert!(issuer.wish(at(19)).is_none());
        assert!(issuer.wish(at(20)).is_some());
        assert!(
            Issuer::parse("i", "a", &set("one"))
                .unwrap()
                .wish(at(50))
                .is_none()
        );
    }
}
