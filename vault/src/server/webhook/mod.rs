//! Alerts to webhooks, after Standard Webhooks 1.0.0: delivered at least once, in no promised order.
//!
//! Each hook has a task of its own, so that one that is slow or away holds up no other. A failure is
//! logged and tried again; the vault goes on whatever becomes of its alerts.
//!
//! | file | owns |
//! | --- | --- |
//! | `post` | one bounded HTTP request to one place |
//! | `message` | an alert's body |

mod message;
mod post;

use std::sync::Arc;
use std::time::Duration;

use ledger::Origin;
use rand::RngExt;

pub use post::{Target, WebhookError};

use crate::engine::EngineError;
use crate::model::HookName;
use crate::server::Vault;
use crate::store::{AlertRow, AlertSettled};

/// Alerts that a hook is sent before it is looked for new ones.
const ROUND_ALERTS_MAX: u32 = 32;
/// First pause after a failure; it doubles with each.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// Looked for due alerts at least so often: a clock may step, a look may fail.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// A place that alerts go to.
pub struct Webhook {
    /// Its name, as the engine knows it too.
    pub name: HookName,
    /// Where.
    pub target: Target,
    /// Tries after which an alert is given up.
    pub attempts_max: u32,
    /// Age at which an alert is given up.
    pub age_max: Duration,
}

/// Delivers a hook's alerts, for as long as the vault runs.
pub async fn deliver(vault: Arc<Vault>, hook: Webhook, origin: Origin) {
    let mut news = vault.engine.alert_news();
    loop {
        news.mark_unchanged();
        let wait = match round(&vault, &hook, &origin).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(hook = %hook.name, %error, "alerts can't be looked for");
                LOOK_MAX
            }
        };
        if wait.is_zero() {
            continue;
        }
        // The vault's end drops the sender; the task ends with its runtime.
        let _ = tokio::time::timeout(wait.min(LOOK_MAX), news.changed()).await;
    }
}

/// Sends what is due, and says how long nothing else is.
async fn round(vault: &Vault, hook: &Webhook, origin: &Origin) -> Result<Duration, EngineError> {
    let (due, next) = vault
        .engine
        .alerts_due(&hook.name, ROUND_ALERTS_MAX)
        .await?;
    if due.is_empty() {
        return Ok(next.unwrap_or(LOOK_MAX));
    }
    for alert in due {
        let entry = alert.seq;
        let settled = sent(vault, hook, origin, alert).await;
        let is_done = matches!(settled, AlertSettled::Done(..));
        vault.engine.alerts_settled(vec![settled]).await?;
        if is_done {
            tracing::info!(hook = %hook.name, entry, "an alert waits no longer");
        }
    }
    Ok(Duration::ZERO)
}

/// Sends one alert, and says what becomes of it.
async fn sent(vault: &Vault, hook: &Webhook, origin: &Origin, alert: AlertRow) -> AlertSettled {
    let (name, entry) = (hook.name.clone(), alert.seq);
    let failure = match attempt(vault, hook, origin, &alert).await {
        Ok(()) => return AlertSettled::Done(name, alert.id),
        Err(failure) => failure,
    };
    let tries = alert.attempts + 1;
    let age_us = vault.engine.now().0.saturating_sub(alert.raised.0);
    if tries >= hook.attempts_max || Duration::from_micros(age_us) >= hook.age_max {
        tracing::error!(
            hook = %name, entry, tries, cause = %failure.cause,
            "an alert is given up: see its entry in the ledger"
        );
        return AlertSettled::Done(name, alert.id);
    }
    let pause = pause(alert.attempts, failure.wait);
    tracing::warn!(
        hook = %name, entry, tries, cause = %failure.cause, ?pause,
        "an alert could not be delivered, and is tried again"
    );
    let pause_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    let mut due = vault.engine.now();
    due.0 = due.0.saturating_add(pause_us);
    AlertSettled::Again {
        hook: name,
        id: alert.id,
        due,
    }
}

/// Why a try failed, and how long the receiver wants to be left alone.
struct Failure {
    cause: String,
    wait: Option<Duration>,
}

async fn attempt(
    vault: &Vault,
    hook: &Webhook,
    origin: &Origin,
    alert: &AlertRow,
) -> Result<(), Failure> {
    let body = message::body(alert, origin);
    let seconds = vault.engine.now().seconds();
    let signature = vault
        .engine
        .sign_alert(&hook.name, &alert.id, seconds, &body)
        .await
        .map_err(|error| Failure {
            cause: format!("it can't be signed: {error}"),
            wait: None,
        })?;
    let head = [
        ("webhook-id", alert.id.clone()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ];
    let failed = |error: WebhookError| Failure {
        wait: error.retry_after(),
        cause: error.to_string(),
    };
    hook.target.post(&head, body).await.map_err(failed)
}

/// Twice as long after each failure, give or take a quarter, so that many don't come back at once.
pub(super) fn pause(failures: u32, wanted: Option<Duration>) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
    let pause = doubled.min(PAUSE_MAX).max(wanted.unwrap_or_default());
    pause
        .min(PAUSE_MAX)
        .mul_f64(rand::rng().random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_a_receiver_may_ask_for_more() {
        for (failures, wanted, least, most) in [
            (0, None, 0.75, 1.25),
            (3, None, 6.0, 10.0),
            (40, None, 2_700.0, 4_500.0),
            (0, Some(60), 45.0, 75.0),
            (0, Some(86_400), 2_700.0, 4_500.0),
        ] {
            let pause = pause(failures, wanted.map(Duration::from_secs)).as_secs_f64();
            assert!((least..=most).contains(&pause), "{failures}: {pause}");
        }
    }
}
