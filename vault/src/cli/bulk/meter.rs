//! How far a run has come, on a terminal: share, rows, rate, time to go. Elsewhere it says nothing.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::cli::screen;

/// Between two lines.
const PERIOD: Duration = Duration::from_millis(200);

pub(super) struct Meter {
    shown: bool,
    started: Instant,
    last: Option<Instant>,
    /// Where this run began, in what it measures by: bytes of the input, or rows.
    first: (u64, u64),
    total: u64,
}

impl Meter {
    /// `total` and `done` are of one measure; `rows` are counted beside it.
    pub(super) fn start(total: u64, done: u64, rows: u64) -> Self {
        Self {
            shown: std::io::stderr().is_terminal(),
            started: Instant::now(),
            last: None,
            first: (done, rows),
            total,
        }
    }

    pub(super) fn note(&mut self, what: &str, done: u64, rows: u64) {
        if !self.shown || self.last.is_some_and(|last| last.elapsed() < PERIOD) {
            return;
        }
        self.last = Some(Instant::now());
        let elapsed = self.started.elapsed();
        screen::progress(&line(what, self.total, self.first, (done, rows), elapsed));
    }

    pub(super) fn end(&self) {
        if self.last.is_some() {
            screen::progress_ends();
        }
    }
}

fn line(what: &str, total: u64, first: (u64, u64), now: (u64, u64), elapsed: Duration) -> String {
    let percent = (u128::from(now.0) * 100)
        .checked_div(total.into())
        .unwrap_or(100);
    let millis = elapsed.as_millis().max(1);
    let rate = u128::from(now.1.saturating_sub(first.1)) * 1_000 / millis;
    let moved = u128::from(now.0.saturating_sub(first.0));
    let left = u128::from(total.saturating_sub(now.0));
    let to_go = match (left * millis).checked_div(moved) {
        Some(millis) => clock(millis / 1_000),
        None => "--:--".to_owned(),
    };
    format!(
        "{what} {percent:>3} %  {} rows  {rate} rows/s  {to_go} to go",
        now.1
    )
}

fn clock(seconds: u128) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_share_rate_and_time_to_go() {
        let said = line(
            "tokenize",
            1_000,
            (500, 50),
            (750, 75),
            Duration::from_secs(10),
        );
        assert_eq!(said, "tokenize  75 %  75 rows  2 rows/s  00:10 to go");
        let said = line("tokenize", 0, (0, 0), (0, 0), Duration::ZERO);
        assert_eq!(said, "tokenize 100 %  0 rows  0 rows/s  --:-- to go");
        assert_eq!(clock(3_723), "1:02:03");
    }
}
