//! What ends something for good is confirmed by whoever is at the terminal, or was meant by a script.

use std::io::IsTerminal;

use anyhow::bail;

use super::screen;

/// The flag of scripts.
#[derive(clap::Args)]
pub(super) struct Consent {
    /// Do not ask: for scripts.
    #[arg(long)]
    yes: bool,
}

impl Consent {
    /// Asks for the name of what it is done to: `whose` says which name that is.
    pub(super) fn given(&self, (whose, name): (&str, &str), act: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            bail!("nobody is at a terminal to confirm this: say --yes if it is meant");
        }
        screen::ask(&format!("{act} Type the {whose}'s name, {name}, to go on"));
        let mut typed = String::new();
        std::io::stdin().read_line(&mut typed)?;
        if typed.trim_end_matches(['\r', '\n']) != name {
            bail!("that is not the {whose}'s name: nothing was done");
        }
        Ok(())
    }
}
