//! The only printer: data to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};

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

/// A name, and what stands for it.
pub(super) fn field(name: &str, value: &str) {
    let _ = writeln!(anstream::stdout(), "  {QUIET}{name:<12}{QUIET:#}  {value}");
}

/// Bytes as they are. Here a closed pipe matters: they may be all that there is of them.
pub(super) fn bytes(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// How far work has come; on a terminal in the place of the line before.
pub(super) fn progress(text: &str) {
    let mut stderr = anstream::stderr();
    let _ = if std::io::stderr().is_terminal() {
        write!(stderr, "\r\x1b[2K  {text}")
    } else {
        writeln!(stderr, "  {text}")
    };
    let _ = stderr.flush();
}

/// The work is done: what is printed next begins a line of its own.
pub(super) fn progress_ends() {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(anstream::stderr());
    }
}

/// Why the command failed, with its causes.
pub(super) fn failure(error: &anyhow::Error) {
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "{BAD}error:{BAD:#} {error}");
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "  because: {cause}");
    }
}

/// A question; the answer is typed behind it.
pub(super) fn ask(text: &str) {
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "{text}: ");
    let _ = stderr.flush();
}

/// Clears a terminal and what it keeps to scroll back to (ECMA-48 ED 2, and xterm's 3).
pub(super) fn wipe() {
    let _ = writeln!(anstream::stdout(), "\x1b[2J\x1b[3J\x1b[H");
}
