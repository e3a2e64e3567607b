//! The only printer: data to standard output, everything else to standard error.

use std::io::Write;

use anstyle::{AnsiColor, Style};

const HEADLINE: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const QUIET: Style = Style::new().dimmed();

// A closed pipe is no reason to fail: the reader has seen what it wanted.

/// A line of data.
pub(super) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A new part of a story.
pub(super) fn headline(text: &str) {
    let _ = writeln!(anstream::stdout(), "\n{HEADLINE}{text}{HEADLINE:#}");
}

/// An indented block.
pub(super) fn block(text: &str) {
    for part in text.lines() {
        let _ = writeln!(anstream::stdout(), "    {part}");
    }
}

/// Something that is as it should be.
pub(super) fn good(text: &str) {
    let _ = writeln!(anstream::stdout(), "  {GOOD}\u{2713}{GOOD:#} {text}");
}

/// Something that is not.
pub(super) fn bad(text: &str) {
    let _ = writeln!(anstream::stdout(), "  {BAD}\u{2717}{BAD:#} {text}");
}

/// A remark.
pub(super) fn quiet(text: &str) {
    let _ = writeln!(anstream::stdout(), "  {QUIET}{text}{QUIET:#}");
}

/// Why the command failed, with its causes.
pub(super) fn failure(error: &anyhow::Error) {
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "{BAD}error:{BAD:#} {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "  because: {cause}");
    }
}
