//! A gate before a module: many are inside at once; who restarts the module closes it and waits until it is empty.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// Somebody inside.
pub(super) struct Inside<'a>(&'a Gate);

/// The gate is closed, and nobody is inside.
pub(super) struct Closed<'a>(&'a Gate);

impl Gate {
    pub(super) fn enter(&self) -> Inside<'_> {
        let mut state = self.lock();
        while state.closed {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.inside += 1;
        Inside(self)
    }

    /// Nobody enters any more; `None` if somebody closes it already, or is still inside after `patience`.
    pub(super) fn close(&self, patience: Duration) -> Option<Closed<'_>> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.closed = true;
        let closed = Closed(self);
        let (state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| state.inside > 0)
            .unwrap_or_else(PoisonError::into_inner);
        let is_empty = state.inside == 0;
        drop(state);
        is_empty.then_some(closed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Gate;

    #[test]
    fn it_closes_when_nobody_is_inside_and_opens_again() {
        let gate = Gate::default();
        let inside = gate.enter();
        assert!(gate.close(Duration::ZERO).is_none(), "somebody is inside");
        drop(inside);
        let closed = gate.close(Duration::ZERO).unwrap();
        assert!(gate.close(Duration::ZERO).is_none(), "it is closed already");
        drop(closed);
        drop(gate.enter());
    }

    #[test]
    fn who_comes_while_it_is_closed_waits_until_it_opens() {
        let gate = Gate::default();
        std::thread::scope(|scope| {
            let closed = gate.close(Duration::ZERO).unwrap();
            let late = scope.spawn(|| drop(gate.enter()));
            assert!(!late.is_finished());
            drop(closed);
            late.join().unwrap();
        });
    }
}
