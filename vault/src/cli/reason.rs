//! Why something is done, in words: read from a file, since the command line is seen by others.

use std::path::PathBuf;

use anyhow::Context;

use super::key::words::read;

/// A reason, where one is given.
#[derive(clap::Args)]
pub(super) struct Because {
    /// A file with the reason, in words, for an act that changes something: the ledger holds a hash of it, and it can be
    /// erased later.
    #[arg(long, global = true, value_name = "FILE")]
    reason_file: Option<PathBuf>,
}

impl Because {
    /// The reason, without the end of its last line.
    pub(super) fn read(&self) -> anyhow::Result<Option<String>> {
        let Some(file) = &self.reason_file else {
            return Ok(None);
        };
        let text = String::from_utf8(read(Some(file))?).context("a reason is text (UTF-8)")?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}
