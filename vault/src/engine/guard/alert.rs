//! Alerts: from something that happened to rows beside its entry, and from a row to a signed message.
//!
//! An alert is the `reason` of the entry that it is about. Where no entry speaks of it (a format's space),
//! it gets one of its own. Never both.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::{Facts, Operation, Outcome};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::watch;

use crate::commit::{Record, Withheld};
use crate::engine::{Engine, EngineError};
use crate::model::{AlertKind, Hook, HookName, Timestamp};
use crate::store::{AlertRow, AlertSettled, Change, GuardWrite};

/// Where alerts go, and the news that some wait.
pub(in crate::engine) struct Outbox {
    hooks: Vec<Hook>,
    news: watch::Sender<u64>,
}

/// What an alert says.
#[derive(Clone, Copy)]
pub(in crate::engine) struct AlertFacts<'a> {
    pub(in crate::engine) kind: AlertKind,
    pub(in crate::engine) unit: Option<&'a str>,
    pub(in crate::engine) domain: Option<&'a str>,
    pub(in crate::engine) class: Option<&'a str>,
    /// The budget's name or the grant's id.
    pub(in crate::engine) subject: Option<&'a str>,
}

impl AlertFacts<'_> {
    pub(in crate::engine) fn new(kind: AlertKind) -> Self {
        Self {
            kind,
            unit: None,
            domain: None,
            class: None,
            subject: None,
        }
    }
}

impl Outbox {
    pub(super) fn new(hooks: Vec<Hook>) -> Self {
        let (news, _) = watch::channel(0);
        Self { hooks, news }
    }

    /// The rows of an alert: one for each hook that is told of its kind.
    pub(in crate::engine) fn rows(
        &self,
        facts: AlertFacts<'_>,
        raised: Timestamp,
    ) -> Vec<GuardWrite> {
        let told = self
            .hooks
            .iter()
            .filter(|hook| hook.kinds.contains(&facts.kind));
        let id = message_id();
        let row = |hook: &Hook| {
            GuardWrite::Alert(AlertRow {
                id: id.clone(),
                hook: hook.name.clone(),
                kind: facts.kind,
                seq: 0,
                unit: facts.unit.map(str::to_owned),
                domain: facts.domain.map(str::to_owned),
                class: facts.class.map(str::to_owned),
                subject: facts.subject.map(str::to_owned),
                raised,
                attempts: 0,
            })
        };
        told.map(row).collect()
    }

    /// Wakes those who deliver. To be called when the rows are durable.
    pub(in crate::engine) fn announce(&self) {
        self.news.send_modify(|count| *count += 1);
    }
}

/// Names a message to its receivers. It has no full stop: that parts what is signed.
fn message_id() -> String {
    let mut bytes = [0; 16];
    // An id that is not random is still an id: at worst a receiver takes two alerts for one.
    let _ = SysRng.try_fill_bytes(&mut bytes);
    format!("msg_{:032x}", u128::from_be_bytes(bytes))
}

/// What is signed: `id.timestamp.body`.
fn signed_content(id: &str, seconds: u64, body: &[u8]) -> Vec<u8> {
    let head = format!("{id}.{seconds}.");
    [head.as_bytes(), body].concat()
}

/// A symmetric signature as its header has it.
fn signature(code: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(code))
}

impl Engine {
    /// Changes whenever new alerts wait.
    pub fn alert_news(&self) -> watch::Receiver<u64> {
        self.guard.outbox.news.subscribe()
    }

    /// Up to `limit` alerts that are due for a hook, and when the next one is if there is none.
    pub async fn alerts_due(
        self: &Arc<Self>,
        hook: &HookName,
        limit: u32,
    ) -> Result<(Vec<AlertRow>, Option<Duration>), EngineError> {
        let (hook, now) = (hook.clone(), self.clock.now());
        self.blocking(move |engine| {
            let due = engine.reader.alerts_due(&hook, now, limit)?;
            if !due.is_empty() {
                return Ok((due, None));
            }
            let next = engine.reader.next_alert_due(&hook)?;
            let wait = next.map(|next| Duration::from_micros(next.0.saturating_sub(now.0)));
            Ok((due, wait))
        })
        .await
    }

    /// Notes what became of alerts that were sent.
    pub async fn alerts_settled(&self, settled: Vec<AlertSettled>) -> Result<(), EngineError> {
        Ok(self.committer.settle_alerts(settled).await?)
    }

    /// Alerts of hooks that the settings no longer have: they go. Yields how many.
    pub async fn drop_unknown_alerts(self: &Arc<Self>) -> Result<u64, EngineError> {
        let mut dropped = 0;
        let waiting = self.blocking(|engine| Ok(engine.reader.alert_hooks()?));
        for (hook, count) in waiting.await? {
            let known = |known: &Hook| known.name == hook;
            if self.guard.outbox.hooks.iter().any(known) {
                continue;
            }
            self.alerts_settled(vec![AlertSettled::AllOf(hook)]).await?;
            dropped += count;
        }
        Ok(dropped)
    }

    /// The time, as entries have it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Signs a message for a hook: `v1,` and the base64 of HMAC-SHA-256 over `id.timestamp.body`
    /// (Standard Webhooks 1.0.0, "Signature scheme"), under the current version of the hook's key.
    ///
    /// The alert's own entry is its record: signing it is no entry more.
    pub async fn sign_alert(
        self: &Arc<Self>,
        hook: &HookName,
        id: &str,
        seconds: u64,
        body: &[u8],
    ) -> Result<String, EngineError> {
        let known = |known: &&Hook| known.name == *hook;
        let hook = self.guard.outbox.hooks.iter().find(known);
        let hook = hook.ok_or(EngineError::Keys)?;
        let message = signed_content(id, seconds, body);
        let code = self.alert_code(&hook.key, &message).await?;
        Ok(signature(&code))
    }

    /// Raises what the space watch has seen since it was last asked. Each is an entry of its own.
    pub async fn raise_space_warnings(&self) -> Result<usize, EngineError> {
        let risen = self.space_watch.take_risen();
        let count = risen.len();
        for (domain, class) in risen {
            let mut facts = Facts::new(Operation::Alert, Outcome::Ok);
            facts.domain = Some(domain.to_string());
            facts.reason = Some(AlertKind::SpaceWarn.as_str().to_owned());
            let alert = AlertFacts {
                domain: Some(domain.as_str()),
                class: Some(class.as_str()),
                ..AlertFacts::new(AlertKind::SpaceWarn)
            };
            let change = Change {
                guard: self.guard.outbox.rows(alert, self.clock.now()),
                ..Change::none()
            };
            let record = Record::single(change, facts);
            self.committer.record(record, Withheld::nothing()).await?;
            self.guard.outbox.announce();
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use ring::hmac::{HMAC_SHA256, Key, sign};

    use super::*;

    // The vector of the specification's reference libraries (Standard Webhooks, `TestSymmetricWebhookSign`).
    #[test]
    fn a_signature_is_that_of_the_published_vector() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let content = signed_content("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let code = sign(&Key::new(HMAC_SHA256, &secret), &content);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(code.as_ref()), expected);
    }
}
