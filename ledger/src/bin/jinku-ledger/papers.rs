//! `man` and `completions`: what an installation keeps beside the program, made from the arguments
//! themselves.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args;
use crate::files::replace;
use crate::screen::Screen;

const NAME: &str = "jinku-ledger";

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  jinku-ledger man --to /usr/local/share/man/man1")]
pub(crate) struct Pages {
    /// Write a page for each command into this folder, instead of the one page to standard output
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  jinku-ledger completions bash > /etc/bash_completion.d/jinku-ledger"
)]
pub(crate) struct Completions {
    /// The shell that completes
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn man(args: &Pages) -> anyhow::Result<u8> {
    let mut command = args::Args::command();
    command.build();
    let Some(folder) = &args.to else {
        Screen::text(&page(command)?)?;
        return Ok(0);
    };
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let parts = command
        .get_subcommands()
        .filter(|part| part.get_name() != "help");
    for part in parts {
        let file = folder.join(format!("{NAME}-{}.1", part.get_name()));
        replace(&file, page(part.clone())?.as_bytes())?;
    }
    replace(&folder.join(format!("{NAME}.1")), page(command)?.as_bytes())?;
    Ok(0)
}

pub(crate) fn completions(args: &Completions) -> anyhow::Result<u8> {
    let mut text = Vec::new();
    let mut command = args::Args::command();
    clap_complete::generate(args.shell, &mut command, NAME, &mut text);
    Screen::text(&String::from_utf8(text)?)?;
    Ok(0)
}

fn page(command: clap::Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    // No date: the same program has the same pages.
    Man::new(command).render(&mut page)?;
    Ok(String::from_utf8(page)?)
}
