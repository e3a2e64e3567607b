//! The bar on standard error, with the rate and the time left; and the place to go on at.

use std::fs;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ledger::verify::Progress;

use crate::files::replace;
use crate::screen::Screen;

/// Between two pictures of the bar.
const PICTURE: Duration = Duration::from_millis(200);
/// Between two saved places.
const SAVE: Duration = Duration::from_secs(2);
const BAR_WIDTH: u64 = 30;

/// When the bar is drawn.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Show {
    /// On a terminal.
    Auto,
    /// Even if standard error is a file.
    Always,
    /// Never.
    Never,
}

pub(crate) struct Bar {
    shown: bool,
    saved_in: Option<PathBuf>,
    started: Instant,
    first: Option<u64>,
    pictured: Option<Instant>,
    saved: Instant,
}

impl Bar {
    pub(crate) fn new(show: Show, saved_in: Option<PathBuf>) -> Self {
        let shown = match show {
            Show::Auto => std::io::stderr().is_terminal(),
            Show::Always => true,
            Show::Never => false,
        };
        let now = Instant::now();
        Self {
            shown,
            saved_in,
            started: now,
            first: None,
            pictured: None,
            saved: now,
        }
    }

    /// Takes note of how far it came.
    pub(crate) fn reached(&mut self, progress: &Progress<'_>) {
        let first = *self.first.get_or_insert(progress.entries);
        let now = Instant::now();
        let due = self.pictured.is_none_or(|last| now - last >= PICTURE);
        if self.shown && (due || progress.entries == progress.size) {
            self.pictured = Some(now);
            let elapsed = now - self.started;
            Screen::picture(&picture((progress.entries, progress.size), first, elapsed));
        }
        if now - self.saved >= SAVE {
            self.saved = now;
            self.save(progress);
        }
    }

    fn save(&self, progress: &Progress<'_>) {
        let Some(file) = &self.saved_in else { return };
        let place = progress.resume().and_then(|place| place.to_json());
        if let Some(place) = place
            && let Err(error) = replace(file, place.as_bytes())
        {
            Screen::remark(&format!("the place to go on at cannot be saved: {error:#}"));
        }
    }

    /// Takes the bar away, and the saved place with it: it is done.
    pub(crate) fn done(self) {
        if self.pictured.is_some() {
            Screen::picture("");
        }
        if let Some(file) = self.saved_in {
            // It may never have been written.
            let _ = fs::remove_file(file);
        }
    }
}

/// `[#####.....]  45 %  1200000 of 2666666 entries  2100000/s  1 s left`.
fn picture((entries, size): (u64, u64), first: u64, elapsed: Duration) -> String {
    let share = |whole: u64| {
        (u128::from(entries) * u128::from(whole) / u128::from(size.max(1))).min(u128::from(whole))
    };
    let filled = usize::try_from(share(BAR_WIDTH)).unwrap_or(0);
    let width = usize::try_from(BAR_WIDTH).unwrap_or(0);
    let bar = format!("{:.<width$}", "#".repeat(filled));
    let milliseconds = elapsed.as_millis().max(1);
    let rate = u128::from(entries.saturating_sub(first)) * 1000 / milliseconds;
    let left = match u128::from(size.saturating_sub(entries)).checked_div(rate) {
        Some(seconds) => format!("{} left", spoken(seconds)),
        None => "time left unknown".to_owned(),
    };
    let percent = share(100);
    format!("[{bar}] {percent:>3} %  {entries} of {size} entries  {rate}/s  {left}")
}

fn spoken(seconds: u128) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_how_fast_and_how_long() {
        let text = picture((450_000, 1_000_000), 50_000, Duration::from_secs(2));
        assert_eq!(
            text,
            "[#############.................]  45 %  450000 of 1000000 entries  200000/s  2 s left"
        );
        assert!(picture((0, 0), 0, Duration::ZERO).contains("time left unknown"));
        assert!(picture((9, 5), 0, Duration::ZERO).contains("100 %"));
        assert_eq!(spoken(3_725), "1 h 02 min");
    }
}
