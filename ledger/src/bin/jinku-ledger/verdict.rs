//! A verdict of one finding, for the commands that answer a single question.

use ledger::verify::{Class, Code};

use crate::screen::{Screen, coloured, shown};

/// Says why there is no answer, and gives the exit code of its class.
pub(crate) fn refused(what: &str, code: Code, message: &str) -> anyhow::Result<u8> {
    let class = code.class();
    let exit = class.exit_code();
    let word = coloured(class, class.as_str());
    Screen::line(&format!("{what}: {word} (exit {exit})"))?;
    let code = coloured(class, code.as_str());
    Screen::line(&format!("- {code}: {}", shown(message)))?;
    Screen::line("  `jinku-ledger explain CODE` says what it means and what to do")?;
    Ok(exit)
}

/// Without a key an answer agrees with itself only. Said beside the output, not in it.
pub(crate) fn no_key(what: &str) -> u8 {
    let code = Code::NoKey;
    Screen::remark(&format!("{what}: {code}: {}", code.meaning()));
    code.class().exit_code()
}

/// The answer, and that all is well.
pub(crate) fn good(what: &str, message: &str) -> anyhow::Result<u8> {
    let class = Class::Verified;
    let word = coloured(class, class.as_str());
    Screen::line(&format!("{what}: {word} (exit 0)"))?;
    Screen::line(&format!("  {}", shown(message)))?;
    Ok(class.exit_code())
}
