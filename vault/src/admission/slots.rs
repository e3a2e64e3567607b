//! Slots among the requests in flight, and the wait for one: a thin shell around [`Queue`], which decides everything.
//!
//! A slot on its way to one who waits is already a [`Slot`], which gives itself back wherever it is dropped; so no slot is lost
//! by who goes away, at whatever moment.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::queue::{Entered, Flow, Place, Queue};
use super::{Inadmissible, Load};
use crate::model::{Clock, Priority};

type Hand = oneshot::Sender<Slot>;

/// A fixed number of slots, and who waits for them.
pub(super) struct Slots {
    queue: Mutex<Queue<Hand>>,
    count: usize,
    clock: Arc<dyn Clock>,
}

/// One request's place among those in flight.
pub(super) struct Slot(Option<Arc<Slots>>);

impl Slots {
    pub(super) fn new(slots: usize, waiting_max: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            queue: Mutex::new(Queue::new(slots, waiting_max)),
            count: slots,
            clock,
        }
    }

    /// How many are in flight and how many wait.
    pub(super) fn load(&self) -> Load {
        let queue = self.queue();
        Load {
            in_flight: self.count - queue.free(),
            waiting: queue.waiting(),
        }
    }

    /// A slot: at once, or when it is this one's turn, or not within its patience. Cancel-safe.
    pub(super) async fn take(
        self: &Arc<Self>,
        flow: Flow,
        priority: Priority,
        patience: Duration,
    ) -> Result<Slot, Inadmissible> {
        if self.queue().enter_now() {
            return Ok(Slot::of(self));
        }
        let (hand, handed) = oneshot::channel();
        let deadline = self.clock.monotonic().saturating_add(patience);
        let entered = self.queue().enter(flow, priority.weight(), deadline, hand);
        let place = match entered {
            Entered::Now(_) => return Ok(Slot::of(self)),
            Entered::Full(_) => return Err(Inadmissible::Busy),
            // Whoever held the displaced hand finds it gone, and is shed.
            Entered::Waits(place, displaced) => {
                drop(displaced);
                place
            }
        };
        let waiting = Waiting { slots: self, place };
        let slot = tokio::time::timeout(patience, handed).await;
        drop(waiting);
        match slot {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(Inadmissible::Busy),
        }
    }

    /// A slot comes back. One who has just gone away hands it on to the next.
    fn hand_on(self: &Arc<Self>) {
        loop {
            let handed = self.queue().hand_on(self.clock.monotonic());
            drop(handed.late);
            let Some(hand) = handed.next else { return };
            match hand.send(Slot::of(self)) {
                Ok(()) => return,
                // In a loop: a slot that gave itself back here would do so in ever deeper calls.
                Err(mut slot) => drop(mem::take(&mut slot.0)),
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<Hand>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn of(slots: &Arc<Slots>) -> Self {
        Self(Some(Arc::clone(slots)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.0.take() {
            slots.hand_on();
        }
    }
}

/// A place in the queue. Dropped, it is given up; where its turn has come, there is none any more.
struct Waiting<'a> {
    slots: &'a Slots,
    place: Place,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        drop(self.slots.queue().leave(self.place));
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::model::SystemClock;

    const PATIENT: Duration = Duration::from_hours(1);

    fn slots(count: usize, waiting_max: usize) -> Arc<Slots> {
        Arc::new(Slots::new(count, waiting_max, Arc::new(SystemClock::new())))
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[track_caller]
    fn taken(polled: Poll<Result<Slot, Inadmissible>>) -> Slot {
        match polled {
            Poll::Ready(Ok(slot)) => slot,
            Poll::Ready(Err(refused)) => panic!("{refused}"),
            Poll::Pending => panic!("it waits"),
        }
    }

    #[tokio::test]
    async fn a_slot_is_handed_to_the_one_who_waits_and_comes_back_from_whoever_goes_away() {
        let slots = slots(1, 10);
        let first = slots.take(1, Priority::Normal, PATIENT).await.unwrap();
        let mut gone = Box::pin(slots.take(2, Priority::High, PATIENT));
        let mut asked = pin!(slots.take(3, Priority::Low, PATIENT));
        assert!(poll(gone.as_mut()).is_pending() && poll(asked.as_mut()).is_pending());
        assert_eq!(
            slots.load(),
            Load {
                in_flight: 1,
                waiting: 2
            }
        );
        // The slot is on its way to `gone`, which never looks at it.
        drop(first);
        assert_eq!(
            slots.load(),
            Load {
                in_flight: 1,
                waiting: 1
            }
        );
        drop(gone);
        let slot = taken(poll(asked.as_mut()));
        assert_eq!(
            slots.load(),
            Load {
                in_flight: 1,
                waiting: 0
            }
        );
        drop(slot);
        assert_eq!(
            slots.load(),
            Load {
                in_flight: 0,
                waiting: 0
            }
        );
    }

    #[tokio::test]
    async fn who_stops_waiting_gives_the_place_back() {
        let slots = slots(1, 1);
        let held = slots.take(1, Priority::Normal, PATIENT).await.unwrap();
        {
            let mut waits = pin!(slots.take(2, Priority::Normal, PATIENT));
            assert!(poll(waits.as_mut()).is_pending());
            let full = slots.take(3, Priority::Normal, PATIENT).await;
            assert_eq!(full.err(), Some(Inadmissible::Busy));
        }
        assert_eq!(slots.load().waiting, 0);
        let late = slots.take(2, Priority::Normal, Duration::ZERO).await;
        assert_eq!(late.err(), Some(Inadmissible::Busy));
        assert_eq!(
            slots.load(),
            Load {
                in_flight: 1,
                waiting: 0
            }
        );
        drop(held);
        assert_eq!(slots.load().in_flight, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_slot_is_lost_among_many_who_come_and_go() {
        let slots = slots(3, 50);
        let callers: Vec<_> = (0..600_u64)
            .map(|number| {
                let slots = Arc::clone(&slots);
                tokio::spawn(async move {
                    let patience = if number % 3 == 0 {
                        Duration::ZERO
                    } else {
                        PATIENT
                    };
                    let taking = slots.take(number % 7, Priority::Normal, patience);
                    // A third of them go away while they wait, or as they get their slot.
                    if number % 3 == 1 {
                        let _ = tokio::time::timeout(Duration::from_micros(number), taking).await;
                    } else if let Ok(slot) = taking.await {
                        tokio::task::yield_now().await;
                        drop(slot);
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(
            slots.load(),
            Load {
                in_flight: 0,
                waiting: 0
            }
        );
    }
}
