//! `jinku unseal`: a holder brings a recovery share to a sealed vault.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{holders, pin, screen};
use crate::config::Config;

/// How long a vault may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Arguments of `jinku unseal`.
#[derive(clap::Args)]
pub(super) struct Options {
    /// The vault's configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// Files with shares; without them one share is typed.
    #[arg(long = "share-file")]
    share_files: Vec<PathBuf>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    let socket = pin::socket(&config);
    if options.share_files.is_empty() {
        return bring(&socket, &holders::asked("Your share")?).map(|_| ExitCode::SUCCESS);
    }
    for path in &options.share_files {
        if bring(&socket, &holders::read(path)?)? == Said::Unsealed {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(PartialEq)]
enum Said {
    Taken,
    Unsealed,
}

fn bring(socket: &std::path::Path, share: &str) -> anyhow::Result<Said> {
    let stream = UnixStream::connect(socket).with_context(|| {
        format!(
            "no sealed vault listens on `{}`: is it running, or unsealed already?",
            socket.display()
        )
    })?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    writeln!(&stream, "{}", share.trim_end())?;
    let mut answer = String::new();
    BufReader::new((&stream).take(pin::LINE_BYTES_MAX)).read_line(&mut answer)?;
    match answer.trim_end() {
        pin::UNSEALED => {
            screen::good("the vault is unsealed");
            Ok(Said::Unsealed)
        }
        taken if taken.starts_with("taken") => {
            screen::good(taken);
            Ok(Said::Taken)
        }
        "" => bail!("the vault said nothing: see its log"),
        refused => bail!("{refused}"),
    }
}
