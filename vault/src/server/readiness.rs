//! The HSM's part in being ready: while it is away, warm keys serve on for a grace, and readiness says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::Clock;

/// How ready a vault is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// It can do everything.
    Ready,
    /// The HSM is away: keys that are open serve on, others don't open, checkpoints wait.
    Degraded(String),
}

/// Asks the HSM, and remembers since when it has not answered.
pub struct HsmWatch {
    alive: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    grace: Duration,
    clock: Arc<dyn Clock>,
    away_since: Mutex<Option<Duration>>,
}

impl HsmWatch {
    /// With a question to the HSM, and how long open keys serve without it.
    pub fn new(
        alive: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        grace: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            alive: Box::new(alive),
            grace,
            clock,
            away_since: Mutex::new(None),
        }
    }

    /// Asks now. An error when the HSM has been away for longer than the grace. Blocks.
    pub(super) fn ready(&self) -> Result<Readiness, String> {
        let answer = (self.alive)();
        let now = self.clock.monotonic();
        let mut away_since = self
            .away_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Err(cause) = answer else {
            *away_since = None;
            return Ok(Readiness::Ready);
        };
        let since = *away_since.get_or_insert(now);
        let away = now.saturating_sub(since);
        if away < self.grace {
            Ok(Readiness::Degraded(cause))
        } else {
            Err(cause)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::model::Hand;

    #[test]
    fn an_hsm_that_is_away_degrades_for_the_grace_and_no_longer() {
        let (clock, away) = (Arc::new(Hand::default()), Arc::new(AtomicBool::new(false)));
        let asked = Arc::clone(&away);
        let alive = move || {
            if asked.load(Ordering::Relaxed) {
                Err("away".to_owned())
            } else {
                Ok(())
            }
        };
        let dynamic: Arc<dyn Clock> = Arc::<Hand>::clone(&clock);
        let watch = HsmWatch::new(alive, Duration::from_secs(10), dynamic);
        assert_eq!(watch.ready(), Ok(Readiness::Ready));
        away.store(true, Ordering::Relaxed);
        clock.at(100);
        assert!(matches!(watch.ready(), Ok(Readiness::Degraded(_))));
        clock.at(109);
        assert!(matches!(watch.ready(), Ok(Readiness::Degraded(_))));
        clock.at(110);
        assert!(watch.ready().is_err());
        away.store(false, Ordering::Relaxed);
        assert_eq!(watch.ready(), Ok(Readiness::Ready));
        away.store(true, Ordering::Relaxed);
        assert!(matches!(watch.ready(), Ok(Readiness::Degraded(_))));
    }
}
