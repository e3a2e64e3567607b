//! The only printer. Text from an archive is shown with its odd characters escaped.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use ledger::verify::Class;
use serde::Serialize;

/// Standard output; colours only where a terminal shows them.
pub(crate) struct Screen;

impl Screen {
    /// A line.
    pub(crate) fn line(text: &str) -> anyhow::Result<()> {
        Ok(writeln!(anstream::stdout(), "{text}")?)
    }

    /// Text as it is, with its own line ends: what was taken out of an archive.
    pub(crate) fn text(text: &str) -> anyhow::Result<()> {
        Ok(io::stdout().write_all(text.as_bytes())?)
    }

    /// A value as one line of JSON, or over many lines for people.
    pub(crate) fn json(value: &impl Serialize, pretty: Pretty) -> anyhow::Result<()> {
        let text = match pretty {
            Pretty::Lines => serde_json::to_string_pretty(value)?,
            Pretty::Compact => serde_json::to_string(value)?,
        };
        Self::line(&text)
    }

    /// A remark that is no part of the output.
    pub(crate) fn remark(text: &str) {
        // Nobody to tell if standard error is closed.
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// A picture of progress in the place of the one before; none wipes the last.
    pub(crate) fn picture(text: &str) {
        let mut stderr = anstream::stderr();
        // As above: a closed stream leaves nobody to tell.
        let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }

    /// An error, with its causes.
    pub(crate) fn error(error: &anyhow::Error) {
        Self::remark(&format!("error: {error:#}"));
    }

    /// Help, version, or what was wrong with the arguments.
    pub(crate) fn clap(error: &clap::Error) {
        // As above: a closed stream leaves nobody to tell.
        let _ = error.print();
    }
}

/// Whether this error says no more than that nobody reads the output (`| head`).
pub(crate) fn reader_left(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// How JSON is laid out.
#[derive(Clone, Copy)]
pub(crate) enum Pretty {
    Lines,
    Compact,
}

/// A word in the colour of its class.
pub(crate) fn coloured(class: Class, text: &str) -> String {
    let colour = match class {
        Class::Verified => AnsiColor::Green,
        Class::Warning | Class::Incomplete => AnsiColor::Yellow,
        Class::Trust | Class::Tampered | Class::Fork => AnsiColor::Red,
    };
    let style: Style = colour.on_default().bold();
    format!("{style}{text}{style:#}")
}

/// Text from an archive: no control, direction or zero-width characters reach the terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
        if c.is_control() || hidden {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}
