//! Time comes from a [`Clock`], so that tests own it. On disk it is microseconds UTC.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// RFC 3339, in UTC. Empty for what no calendar has.
    pub fn rfc3339(self) -> String {
        let us = i64::try_from(self.0).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_microsecond(us);
        time.map_or_else(|_| String::new(), |time| time.to_string())
    }

    /// Reads RFC 3339; `None` for anything else, and before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(time.as_microsecond()).ok().map(Self)
    }

    /// This instant and `time` more.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, as the world has it. It may step.
    fn now(&self) -> Timestamp;
    /// Time since this clock was made. It never steps back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the machine's clock is read"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock whose monotonic time is set by hand.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Hand(std::sync::atomic::AtomicU64);

#[cfg(test)]
impl Hand {
    /// So many seconds after its start.
    pub(crate) fn at(&self, seconds: u64) {
        self.0.store(seconds, std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(1_767_225_600_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn an_instant_is_read_as_it_is_shown_and_from_1970_on() {
        let read = Timestamp::from_rfc3339;
        assert_eq!(Timestamp(1_000_000).rfc3339(), "1970-01-01T00:00:01Z");
        for text in ["1970-01-01T00:00:01Z", "1970-01-01T08:00:01+08:00"] {
            assert_eq!(read(text), Some(Timestamp(1_000_000)), "{text}");
        }
        for wrong in ["", "1", "2026-01-31", "1969-12-31T00:00:00Z", "yesterday"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
