//! `explain`: what a finding means and what to do about it.

use anyhow::bail;
use ledger::verify::{Class, Code};

use crate::args;
use crate::screen::{Screen, coloured};

pub(crate) fn run(args: &args::Explain) -> anyhow::Result<u8> {
    let Some(name) = &args.code else {
        for code in Code::ALL {
            let exit = code.class().exit_code();
            Screen::line(&format!(
                "{:<22} exit {exit}  {}",
                code.as_str(),
                code.meaning()
            ))?;
        }
        return Ok(Class::Verified.exit_code());
    };
    let Some(code) = Code::parse(name) else {
        bail!("no finding has this code; `jinku-ledger explain` lists them all");
    };
    let class = code.class();
    Screen::line(&format!("{code}: {}", coloured(class, class.as_str())))?;
    Screen::line(&format!("  means: {}", code.meaning()))?;
    Screen::line(&format!("  do:    {}.", code.remedy()))?;
    Screen::line(&format!("  exit:  {}", class.exit_code()))?;
    Ok(Class::Verified.exit_code())
}
