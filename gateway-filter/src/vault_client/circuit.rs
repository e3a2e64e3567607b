//! Owns the circuit breaker: a vault that failed several times in a row is not asked for a moment,
//! then by one call alone. Yields the pass that a call needs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::CircuitState;

/// Open after so many failures in a row, for so long.
pub(super) struct Circuit {
    failures_max: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    /// One call is under way to see whether the vault is back.
    probing: bool,
}

/// The leave to call once; dropped unsettled (the caller went away), it leaves all as it was.
pub(super) struct Pass<'a> {
    circuit: &'a Circuit,
    probe: bool,
}

/// Whether the vault could be worked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered, be it with a refusal.
    Well,
    /// It was away, late, or broken.
    Ill,
}

impl Circuit {
    pub(super) fn new(failures_max: u32, pause: Duration) -> Self {
        Self {
            failures_max,
            pause,
            state: Mutex::default(),
        }
    }

    /// A pass, or how long to wait for one.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.state();
        let Some(until) = state.open_until else {
            return Ok(Pass {
                circuit: self,
                probe: false,
            });
        };
        let left = until.saturating_duration_since(now);
        if !left.is_zero() {
            return Err(left);
        }
        if state.probing {
            // The probe's answer decides; nobody knows when.
            return Err(self.pause);
        }
        state.probing = true;
        Ok(Pass {
            circuit: self,
            probe: true,
        })
    }

    /// Whether calls are held back.
    pub(super) fn now(&self) -> CircuitState {
        match self.state().open_until {
            Some(_) => CircuitState::Open,
            None => CircuitState::Closed,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says how the call went.
    pub(super) fn settle(self, now: Instant, health: Health) {
        let mut state = self.circuit.state();
        match health {
            Health::Well => {
                state.failures = 0;
                state.open_until = None;
            }
            Health::Ill => {
                state.failures = state.failures.saturating_add(1);
                if self.probe || state.failures >= self.circuit.failures_max {
                    state.open_until = Some(now + self.circuit.pause);
                }
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.circuit.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    fn failing(circuit: &Circuit, now: Instant) {
        circuit.admit(now).ok().unwrap().settle(now, Health::Ill);
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let (circuit, now) = (Circuit::new(2, PAUSE), Instant::now());
        failing(&circuit, now);
        circuit.admit(now).ok().unwrap().settle(now, Health::Well);
        failing(&circuit, now);
        assert_eq!(circuit.now(), CircuitState::Closed);
        failing(&circuit, now);
        assert_eq!(circuit.admit(now).err(), Some(PAUSE));
        let later = now + PAUSE;
        let probe = circuit.admit(later).ok().unwrap();
        assert!(circuit.admit(later).is_err());
        probe.settle(later, Health::Well);
        assert_eq!(circuit.now(), CircuitState::Closed);
        assert!(circuit.admit(later).is_ok());
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_was_left_does_not_block() {
        let (circuit, now) = (Circuit::new(1, PAUSE), Instant::now());
        failing(&circuit, now);
        let later = now + PAUSE;
        drop(circuit.admit(later).ok().unwrap());
        failing(&circuit, later);
        assert_eq!(circuit.admit(later).err(), Some(PAUSE));
        assert!(circuit.admit(later + PAUSE).is_ok());
    }
}
