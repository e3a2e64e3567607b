//! `jinku ledger rotate-signer`: hands the log over to a new signing key, while the vault is stopped.
//!
//! Both keys sign the statement, which is an entry; the old key's last checkpoint covers it, and both sign
//! that one. What was broken off goes on where it ended.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use kms::{Hsm, Signer};
use ledger::{
    Entry, Facts, Operation, Origin, Outcome, Rotation, VerifierKey, signature_line, signed_note,
};

use crate::cli::{ceremony, open, screen, second};
use crate::commit::{
    CheckpointSigner, PublishError, Publisher, Record, Withheld, can_hand_over, hand_over,
    signer_settled,
};
use crate::config::Config;
use crate::model::{Clock, SystemClock};
use crate::store::{Change, Database, Reader};

/// Arguments of `jinku ledger rotate-signer`.
#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// The configuration file, whose `hsm.signer_label` names the present key.
    #[arg(long, env = "JINKU_CONFIG")]
    config: PathBuf,
    /// Label of the new key; it is made in the HSM if it is not there.
    #[arg(long)]
    to: String,
    /// A file with the HSM's user PIN, where the settings name none.
    #[arg(long)]
    pin_file: Option<PathBuf>,
}

/// A key in the HSM, under the log's name.
struct Hand {
    hsm: Arc<Hsm>,
    signer: Signer,
    key: VerifierKey,
}

impl Hand {
    fn of(hsm: &Arc<Hsm>, signer: Signer, origin: &Origin) -> anyhow::Result<Self> {
        let key = VerifierKey::new(origin.as_str(), signer.public_key())?;
        let hsm = Arc::clone(hsm);
        Ok(Self { hsm, signer, key })
    }

    fn line(&self, text: &str) -> anyhow::Result<String> {
        let signature = self.hsm.sign(&self.signer, text.as_bytes())?;
        Ok(signature_line(&self.key, &signature))
    }
}

pub(super) fn rotate(options: &Options) -> anyhow::Result<ExitCode> {
    let config = Config::load(&options.config)?;
    if config.hsm.signer_label == options.to {
        bail!(
            "`hsm.signer_label` names the new key already: it must name the present one until this is done"
        );
    }
    // A vault that runs holds the database's lock.
    let database = Database::open(&config.data.join("vault.db"))?;
    let settings = ceremony::named_token(&config, options.pin_file.as_deref())?;
    let hsm = Arc::new(Hsm::open(&settings)?);
    let origin = &config.ledger.origin;
    let present = open::signer(&hsm, &config.hsm, open::Age::Standing)?;
    let old = Hand::of(&hsm, present, origin)?;
    // What was broken off is why this is run; a key that has handed over can't do it again.
    match signer_settled(&config.data.join("ledger"), &old.key, &database.reader()) {
        Ok(()) | Err(PublishError::HandOver) => {}
        Err(error) => return Err(error.into()),
    }
    let next = match hsm.signer(&options.to)? {
        Some(signer) => signer,
        None => hsm.generate_signer(&options.to)?,
    };
    let new = Hand::of(&hsm, next, origin)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let present = open::signer(&hsm, &config.hsm, open::Age::Standing)?;
    let signer = CheckpointSigner {
        second: second::standing(&config, &hsm, &database.reader())?,
        ..open::checkpoint_signer(&hsm, present, &old.key)
    };
    let publisher = open::unsettled_publisher(&config, signer, database.reader(), &clock)?;
    let statement = stated(&config, &database, (&publisher, &clock), (&old, &new))?;
    publisher.publish()?;
    drop(publisher);
    let sign = |text: &str| new.line(text).map_err(|error| error.to_string());
    hand_over(
        &config.data.join("ledger"),
        origin,
        &old.key,
        &statement,
        sign,
    )?;
    screen::good(&format!(
        "the log is handed over to the key `{}`",
        options.to
    ));
    screen::line(&new.key.to_string());
    screen::quiet(&format!(
        "Set hsm.signer_label = \"{}\" and start the vault. Witnesses need the new key behind the old one. Auditors \
         go on with the key that they pinned: the archive has the statement that both keys signed.",
        options.to
    ));
    Ok(ExitCode::SUCCESS)
}

/// The statement, which is the log's last entry when this comes back; one that stands already is taken up.
fn stated(
    config: &Config,
    database: &Database,
    (publisher, clock): (&Publisher, &Arc<dyn Clock>),
    (old, new): (&Hand, &Hand),
) -> anyhow::Result<String> {
    let reader = database.reader();
    let begun = standing(&reader)?.filter(|(rotation, _)| rotation.old == old.key);
    if let Some((rotation, note)) = begun {
        if rotation.new == new.key {
            return Ok(note);
        }
        // Two statements of one key: auditors would hold the first against the log for good.
        bail!(
            "the log's last entry hands over to another key already: run this again with the `--to` that it was \
             begun with, and hand over from that key then"
        );
    }
    let rotation = Rotation {
        origin: config.ledger.origin.clone(),
        // Everything that is sequenced is published by the old key first.
        seq: publisher.publish()?.size(),
        old: old.key.clone(),
        new: new.key.clone(),
    };
    can_hand_over(&config.data.join("ledger"), &rotation)?;
    let text = rotation.text();
    let note = signed_note(&text, &[old.line(&text)?, new.line(&text)?]);
    let facts = Facts {
        statement: Some(note.clone()),
        ..Facts::new(Operation::SignerRotate, Outcome::Ok)
    };
    let (committer, writer) = open::start_writer(config, database, &reader, clock)?;
    let record = Record::single(Change::none(), facts);
    let recording = committer.record(record, Withheld::nothing());
    let recorded = crate::cli::runtime()?.block_on(recording);
    drop(committer);
    writer.join();
    let ((), entry) = recorded?;
    if entry.seq() == rotation.seq {
        Ok(note)
    } else {
        bail!(
            "entry {} was written meanwhile: stop what else writes, and run this again",
            rotation.seq
        )
    }
}

/// The last entry's statement, if it is one and names this entry: another hands over nothing.
fn standing(reader: &Reader) -> anyhow::Result<Option<(Rotation, String)>> {
    let Some(last) = reader.last_entry()? else {
        bail!("there is no log yet: start the vault once");
    };
    let entry = Entry::decode(&last.bytes).context("the last entry can't be read")?;
    let Some(note) = entry.facts.statement else {
        return Ok(None);
    };
    let rotation = Rotation::open(&note)?;
    Ok((rotation.seq == entry.seq).then_some((rotation, note)))
}
