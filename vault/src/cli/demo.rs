//! `jinku demo`: the main job on real payloads, told so that a person understands it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use api::v1::{DetokenizeRequest, View};
use api::{Client, ClientError};
use http::Method;
use tokio::signal::unix::{SignalKind, signal};

use super::stage::Stage;
use super::{ledger, screen};

/// Arguments of `jinku demo`.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Exit when the story is told, instead of leaving everything running.
    #[arg(long)]
    once: bool,
    /// Where to keep the installation; new or empty. Default: a new directory for temporary files.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// The committed sample records.
const RECORDS: [(&str, &str); 3] = [
    (
        "parking-fee",
        include_str!("../../../policies/sample/parking-fee.json"),
    ),
    (
        "medical-fee",
        include_str!("../../../policies/sample/medical-fee.json"),
    ),
    ("tax", include_str!("../../../policies/sample/tax.json")),
];

/// The three units of the story, each with its purpose.
const READERS: [(&str, &str, &str); 3] = [
    ("tax-bureau", "稅捐稽徵處", "tax-assessment"),
    ("parking-office", "停車管理工程處", "parking-enforcement"),
    ("public-library", "市立圖書館", "reader-registration"),
];

/// The unit that sends the records through the gateway.
const SENDER: &str = "service-counter";

/// How long a checkpoint may take to cover what the story did.
const PUBLISH_MAX: Duration = Duration::from_secs(30);

/// What happens when the story is told.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Stop,
    LeaveRunning,
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let end = if options.once {
        End::Stop
    } else {
        End::LeaveRunning
    };
    let directory = match options.data {
        Some(directory) => directory,
        None => std::env::temp_dir().join(format!("jinku-demo-{}", std::process::id())),
    };
    super::runtime()?.block_on(async {
        // Ended early, the story is dropped, and with it every program it started.
        tokio::select! {
            told = story(&directory, end) => told,
            interrupted = stopped() => interrupted.map(|()| ExitCode::from(130)),
        }
    })
}

async fn story(directory: &Path, end: End) -> anyhow::Result<ExitCode> {
    screen::headline(
        "Jinku 金庫: a citizen's record goes through the gateway, and only tokens arrive",
    );
    let stage = Stage::set(directory).await?;
    screen::good(
        "HSM simulator (PKCS#11), KMS, vault (SQLite), gateway filter and a sample upstream run",
    );
    let tokens = send(&stage).await?;
    let entry = redeem(&stage, &tokens).await?;
    through_gateway(&stage).await?;
    audit(&stage, entry)?;
    let data = stage.directory.display().to_string();
    if end == End::Stop {
        drop(stage);
        screen::headline("Done. Everything has been stopped.");
        screen::quiet(&format!("the data lies in {data}"));
    } else {
        hand_over(&stage)?;
        screen::quiet(&format!("the data lies in {data}; Ctrl-C stops everything"));
        std::future::pending::<()>().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// An interrupt, a termination signal, or the terminal's end.
async fn stopped() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Part 1: three records through the gateway. Yields the tokens that the tax record became.
async fn send(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let token = stage.wallet.access_token(SENDER)?;
    let mut tokens = Vec::new();
    for (kind, record) in RECORDS {
        screen::headline(&format!("1. POST /payments/{kind} through the gateway"));
        let path = format!("/payments/{kind}");
        let answer = stage.door().post(&path, &token, record.as_bytes()).await?;
        if !answer.status().is_success() {
            bail!(
                "the gateway answered {}: {:?}",
                answer.status(),
                answer.body()
            );
        }
        let arrived = String::from_utf8(stage.received.last().to_vec())?;
        let swapped = swapped_lines(record, &arrived)?;
        for (sent, received) in &swapped {
            screen::block(&format!(
                "sent      {}\nreceived  {}",
                sent.trim(),
                received.trim()
            ));
        }
        screen::good(&format!(
            "{} values became tokens; every other byte is identical",
            swapped_strings(record, &arrived)?
        ));
        tokens = tokens_in(&arrived)?;
    }
    Ok(tokens)
}

/// How many string literals became tokens. Fails where any other byte differs.
fn swapped_strings(sent: &str, arrived: &str) -> anyhow::Result<usize> {
    let (sent, arrived) = (literals(sent), literals(arrived));
    let mut swapped = 0;
    if sent.len() != arrived.len() {
        bail!("the record arrived in another shape");
    }
    for (sent, arrived) in sent
        .iter()
        .zip(&arrived)
        .filter(|(sent, arrived)| sent != arrived)
    {
        let token = arrived
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        if !sent.starts_with('"') || !token.is_some_and(crate::token::plausible) {
            bail!("a byte outside the tokens arrived changed");
        }
        swapped += 1;
    }
    Ok(swapped)
}

/// A JSON text cut into its string literals, quotes and all, and what stands between them.
fn literals(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut inside, mut escaped) = (Vec::new(), 0, false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !escaped => {
                let end = if inside { place + 1 } else { place };
                parts.push(&text[start..end]);
                (start, inside) = (end, !inside);
            }
            _ => {}
        }
        escaped = inside && byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// The lines that differ, for people to look at. Line count and all other lines must be the same.
fn swapped_lines(sent: &str, arrived: &str) -> anyhow::Result<Vec<(String, String)>> {
    let (sent, arrived): (Vec<_>, Vec<_>) =
        (sent.split('\n').collect(), arrived.split('\n').collect());
    if sent.len() != arrived.len() {
        bail!("the record arrived with another number of lines");
    }
    let pairs = sent
        .into_iter()
        .zip(arrived)
        .filter(|(sent, arrived)| sent != arrived);
    Ok(pairs
        .map(|(sent, arrived)| (sent.to_owned(), arrived.to_owned()))
        .collect())
}

/// Every string of the arrived record that is a token by its look.
pub(super) fn tokens_in(record: &str) -> anyhow::Result<Vec<String>> {
    fn walk(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) if crate::token::plausible(text) => {
                found.push(text.clone());
            }
            serde_json::Value::Array(items) => {
                for item in items {
                    walk(item, found);
                }
            }
            serde_json::Value::Object(fields) => {
                for field in fields.values() {
                    walk(field, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::from_str(record)?, &mut found);
    Ok(found)
}

/// Part 2: the same tokens, three units. Yields the index of the last entry.
async fn redeem(stage: &Stage, tokens: &[String]) -> anyhow::Result<u64> {
    let mut last = 0;
    for (unit, title, purpose) in READERS {
        screen::headline(&format!(
            "2. {title} ({unit}) asks for them, purpose `{purpose}`"
        ));
        match ask(&stage.client(unit)?, tokens, purpose).await {
            Ok((lines, entry)) => {
                for line in &lines {
                    screen::block(line);
                }
                screen::good(&format!(
                    "recorded as ledger entry {entry} before the values left"
                ));
                last = entry;
            }
            Err(ClientError::Refused(status)) => {
                screen::bad(&format!("{:?}: {}", status.code(), status.message()));
                screen::quiet("the denial is a ledger entry too");
                last += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(last)
}

async fn ask(
    client: &Client,
    tokens: &[String],
    purpose: &str,
) -> Result<(Vec<String>, u64), ClientError> {
    let request = DetokenizeRequest {
        domain: "city".to_owned(),
        purpose: purpose.to_owned(),
        tokens: tokens.to_vec(),
        ..DetokenizeRequest::default()
    };
    let answer = client.detokenize(request, None).await?;
    let line = |(item, token): (&api::v1::Revealed, &String)| {
        let view = match item.view() {
            View::Plain => "plain",
            View::Masked => "masked",
            View::Token => "token",
            View::NotAvailable | View::Unspecified => "not available",
        };
        format!("{token:<34} {view:<13} {}", item.value)
    };
    Ok((
        answer.items.iter().zip(tokens).map(line).collect(),
        answer.entry,
    ))
}

/// Part 3: the backend's answer on its way back, fitted to who receives it.
async fn through_gateway(stage: &Stage) -> anyhow::Result<()> {
    for (unit, title, purpose) in READERS {
        screen::headline(&format!(
            "3. {title} reads GET /payments/tax through the gateway"
        ));
        let token = stage.wallet.access_token(unit)?;
        let answer = stage
            .door()
            .send(Method::GET, "/payments/tax", &token, Some(purpose), b"")
            .await?;
        let arrived = String::from_utf8(stage.received.last().to_vec())?;
        let shown = String::from_utf8(answer.body().to_vec())?;
        let fitted = swapped_lines(&arrived, &shown).unwrap_or_default();
        for (_, line) in &fitted {
            screen::block(line.trim());
        }
        match fitted.len() {
            0 => screen::quiet("not permitted: the tokens stay as they are"),
            lines => screen::good(&format!("{}, {lines} lines are shown", answer.status())),
        }
    }
    Ok(())
}

/// Part 4: the auditor's tool, on an export, and on an export with one byte flipped.
fn audit(stage: &Stage, entry: u64) -> anyhow::Result<()> {
    screen::headline("4. The auditor verifies the exported ledger, trusting nobody");
    let data = stage.directory.join("data");
    published(&data, entry)?;
    let archive = stage.directory.join("archive");
    ledger::export(&data, &archive)?;
    let verdict = verify(stage, &data, &archive)?;
    if verdict != 0 {
        bail!("the verifier's exit code is {verdict}, expected 0");
    }
    screen::good("exit code 0: every link, tile, root and signature holds");

    screen::headline("   … and a copy in which one byte of one entry was flipped");
    let copy = stage.directory.join("archive-altered");
    ledger::export(&data, &copy)?;
    let file = first_bundle(&copy.join("tile/entries"))?;
    let mut bytes = std::fs::read(&file)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    std::fs::write(&file, bytes)?;
    let verdict = verify(stage, &data, &copy)?;
    if verdict != 2 {
        bail!("the verifier's exit code is {verdict}, expected 2");
    }
    screen::good("exit code 2: the verifier names the entry");
    Ok(())
}

/// Waits until a checkpoint covers the entry: the publisher signs every second.
fn published(data: &Path, entry: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < PUBLISH_MAX {
        let note = std::fs::read_to_string(data.join("ledger/checkpoint")).unwrap_or_default();
        let size = note
            .lines()
            .nth(1)
            .and_then(|size| size.parse::<u64>().ok());
        if size.is_some_and(|size| size > entry) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("no checkpoint covers entry {entry} after {PUBLISH_MAX:?}")
}

fn verify(stage: &Stage, data: &Path, archive: &Path) -> anyhow::Result<i32> {
    let output = Command::new(stage.companions.auditor())
        .arg("verify")
        .arg(archive)
        .arg("--key-file")
        .arg(data.join("ledger-key"))
        .output()
        .context("`jinku-ledger` can't be started")?;
    screen::block(&String::from_utf8_lossy(&output.stdout));
    output.status.code().context("the verifier was killed")
}

fn first_bundle(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let found = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            found.push(path);
        }
    }
    files.sort();
    files
        .into_iter()
        .next()
        .context("the archive has no entries")
}

fn hand_over(stage: &Stage) -> anyhow::Result<()> {
    let token = stage.wallet.access_token(SENDER)?;
    let tax = stage.wallet.access_token("tax-bureau")?;
    let directory = stage.directory.display();
    screen::headline("Everything stays running. Go on by hand, in another terminal:");
    screen::block(&format!(
        "# send a record through the gateway (as {SENDER})\n\
         curl -X POST {gateway}/payments/tax -H 'content-type: application/json' \\\n  \
           -H 'authorization: Bearer {token}' --data-binary @{directory}/policies/sample/tax.json\n\n\
         # read it back as the tax bureau\n\
         curl {gateway}/payments/tax -H 'jinku-purpose: tax-assessment' \\\n  \
           -H 'authorization: Bearer {tax}'\n\n\
         # ask the vault itself, with the tax bureau's certificate\n\
         curl --cacert {directory}/tls/ca.pem --cert {directory}/tls/tax-bureau.pem \\\n  \
           --key {directory}/tls/tax-bureau-key.pem {vault}/v1/detokenize \\\n  \
           -H 'content-type: application/json' \\\n  \
           -d '{{\"domain\":\"city\",\"purpose\":\"tax-assessment\",\"tokens\":[\"TOKEN\"]}}'\n\n\
         # another unit's access token: jinku mint {directory} parking-office\n\
         # units, policies, classes: {directory}/policies",
        gateway = stage.gateway_url,
        vault = stage.vault_url,
    ));
    Ok(())
}
