//! A vault that is stopped, opened as far as an operator's entry in its ledger needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms::Hsm;
use ledger::VerifierKey;

use crate::cli::{ceremony, open, runtime, second};
use crate::commit::{CheckpointSigner, Committer, Publisher, Record, Sequenced, Withheld};
use crate::config::Config;
use crate::model::{Clock, SystemClock};
use crate::store::{Database, Reader};

/// Where the settings and the PIN are.
#[derive(clap::Args)]
pub(in crate::cli) struct Place {
    /// The configuration file.
    #[arg(long, env = "JINKU_CONFIG")]
    pub(super) config: PathBuf,
    /// A file with the HSM's user PIN, where the settings name none.
    #[arg(long)]
    pin_file: Option<PathBuf>,
}

/// The rooms that write.
pub(super) struct Stopped {
    pub(super) config: Config,
    pub(super) database: Database,
    pub(super) reader: Reader,
    pub(super) clock: Arc<dyn Clock>,
    publisher: Publisher,
}

impl Stopped {
    /// Opens them. A vault that runs holds the database's lock; one that was rolled back is not written to.
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        let config = Config::load(&place.config)?;
        let database = Database::open(&config.data.join("vault.db"))?;
        let hsm = hsm(&config, place.pin_file.as_deref())?;
        let signer = open::signer(&hsm, &config.hsm, open::Age::Standing)?;
        let key = VerifierKey::new(config.ledger.origin.as_str(), signer.public_key())?;
        let signer = CheckpointSigner {
            second: second::standing(&config, &hsm, &database.reader())?,
            ..open::checkpoint_signer(&hsm, signer, &key)
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let publisher = open::publisher(&config, signer, database.reader(), &clock)?;
        Ok(Self {
            reader: database.reader(),
            config,
            database,
            clock,
            publisher,
        })
    }

    /// Writes one record. It is durable when this comes back.
    pub(super) fn record(&self, record: Record) -> anyhow::Result<Sequenced> {
        self.writing(async |committer, _| {
            let ((), entry) = committer.record(record, Withheld::nothing()).await?;
            Ok(entry)
        })
    }

    /// Lets `write` write.
    pub(super) fn writing<T>(
        &self,
        write: impl AsyncFnOnce(&Committer, &Arc<dyn Clock>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (reader, clock) = (self.database.reader(), &self.clock);
        let (committer, writer) = open::start_writer(&self.config, &self.database, &reader, clock)?;
        let written = runtime()?.block_on(write(&committer, clock));
        drop(committer);
        writer.join();
        written
    }

    /// Publishes what was written.
    pub(super) fn published(self) -> anyhow::Result<()> {
        self.publisher.publish()?;
        Ok(())
    }
}

fn hsm(config: &Config, pin_file: Option<&Path>) -> anyhow::Result<Arc<Hsm>> {
    let settings = ceremony::named_token(config, pin_file)?;
    Ok(Arc::new(Hsm::open(&settings)?))
}
