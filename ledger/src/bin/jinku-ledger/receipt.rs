//! `receipt`: judges one receipt by itself, and says what its entry says.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use ledger::verify::{Class, Code, second_fault};
use ledger::{
    Item, Origin, RECEIPT_BYTES_MAX, ReceiptError, Signers, VerifiedReceipt, VerifierKey,
    named_origin, verify_receipt_by,
};
use serde_json::{Value, json};

use crate::args;
use crate::screen::{Pretty, Screen, coloured, shown};
use crate::show::{hex, object, row};
use crate::trust::{Keyring, followed};

const RECEIPT_SCHEMA: &str = "jinku-ledger.receipt/1";

pub(crate) fn run(args: &args::Receipt) -> anyhow::Result<u8> {
    let keys = Keyring::open(&args.keys, &[])?;
    let text = text(&args.file)?;
    let key = keys.of(text.as_deref().and_then(origin_of).as_ref())?;
    let verdict = match (&key, text) {
        (None, _) => Err(Fault::new(
            Code::NoKey,
            "nothing was checked: pass --key".into(),
        )),
        (Some(_), None) => Err(Fault::of(&ReceiptError::Format("text that is not UTF-8"))),
        (Some(key), Some(text)) => match followed(key, &args.statements)? {
            Ok(signers) => match unsigned_again(&keys, &text)? {
                None => judged(&text, &signers),
                Some(code) => Err(Fault::new(code, code.meaning().to_owned())),
            },
            Err(error) => Err(Fault::new(Code::SignerStatement, error.to_string())),
        },
    };
    let class = verdict
        .as_ref()
        .map_or_else(|fault| fault.code.class(), |_| Class::Verified);
    if args.json {
        Screen::json(&report(class, key.as_ref(), &verdict), Pretty::Lines)?;
    } else {
        print(class, key.as_ref(), &verdict)?;
    }
    Ok(class.exit_code())
}

/// What a receipt proves, and the key that signed its checkpoint.
struct Proven {
    receipt: VerifiedReceipt,
    signer: VerifierKey,
}

fn judged(text: &str, signers: &Signers) -> Result<Proven, Fault> {
    let receipt = verify_receipt_by(text, signers).map_err(|error| Fault::of(&error))?;
    let signer = signers.at(receipt.checkpoint.size).clone();
    Ok(Proven { receipt, signer })
}

/// Why a receipt proves nothing.
struct Fault {
    code: Code,
    message: String,
}

impl Fault {
    fn new(code: Code, message: String) -> Self {
        Self { code, message }
    }

    fn of(error: &ReceiptError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The file's text; nothing where it is not text. One byte more than allowed is enough to refuse it.
pub(crate) fn text(file: &Path) -> anyhow::Result<Option<String>> {
    let mut bytes = Vec::new();
    let opened = File::open(file).context("the receipt cannot be opened")?;
    opened
        .take(RECEIPT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .context("the receipt cannot be read")?;
    Ok(String::from_utf8(bytes).ok())
}

/// The log that the checkpoint in a proof names: it chooses among the auditor's keys, no more.
pub(crate) fn origin_of(text: &str) -> Option<Origin> {
    let (_, note) = text.split_once("\n\n")?;
    named_origin(note)
}

/// What is wrong with the second signature of a proof's checkpoint, where one is demanded.
pub(crate) fn unsigned_again(keys: &Keyring, text: &str) -> anyhow::Result<Option<Code>> {
    let Some(key) = keys.second(origin_of(text).as_ref())? else {
        return Ok(None);
    };
    let signed = text.split_once("\n\n").map(|(_, note)| key.signed(note));
    // What is no proof, or has no checkpoint, is said by whoever reads it.
    Ok(signed.and_then(Result::ok).and_then(second_fault))
}

fn print(
    class: Class,
    key: Option<&VerifierKey>,
    verdict: &Result<Proven, Fault>,
) -> anyhow::Result<()> {
    let word = coloured(class, class.as_str());
    let exit = class.exit_code();
    let Proven { receipt, signer } = match verdict {
        Ok(proven) => proven,
        Err(Fault { code, message }) => {
            Screen::line(&format!("receipt: {word} (exit {exit})"))?;
            let code = coloured(class, code.as_str());
            Screen::line(&format!("- {code}: {}", shown(message)))?;
            return Screen::line("  `jinku-ledger explain CODE` says what it means and what to do");
        }
    };
    let stated = &receipt.checkpoint;
    Screen::line(&format!(
        "{}: {word} (exit {exit})",
        shown(stated.origin.as_str())
    ))?;
    Screen::line(&format!(
        "  entry {} of {}, covered by a checkpoint signed by {}; not checked: witnesses",
        receipt.entry.seq,
        stated.size,
        said(signer, key)
    ))?;
    Screen::line(&row(receipt.entry.seq, &receipt.entry))?;
    if let Some(commitment) = receipt.entry.facts.commitment {
        Screen::line(&format!("  commitment {}", hex(&commitment)))?;
    }
    if let Some(detail) = receipt.entry.facts.detail {
        Screen::line(&format!("  detail, as a hash {}", hex(&detail)))?;
    }
    for item in &receipt.items {
        let (id, class) = (hex(&item.pseudonym.id), shown(&item.class));
        Screen::line(&format!("  token {id}  {class}  {}", item.view))?;
    }
    Ok(())
}

/// Who signed: the auditor's key, or another of its log.
pub(crate) fn said(signer: &VerifierKey, key: Option<&VerifierKey>) -> String {
    if key == Some(signer) {
        signer.to_string()
    } else {
        format!("{signer}, in a chain of handovers with the given key")
    }
}

fn report(class: Class, key: Option<&VerifierKey>, verdict: &Result<Proven, Fault>) -> Value {
    let proven = verdict.as_ref().ok();
    let receipt = proven.map(|proven| &proven.receipt);
    let finding = verdict
        .as_ref()
        .err()
        .map(|fault| json!({ "code": fault.code, "class": class, "message": fault.message }));
    json!({
        "schema": RECEIPT_SCHEMA,
        "verdict": class,
        "exit_code": class.exit_code(),
        "key": key.map(VerifierKey::to_string),
        "signer": proven.map(|proven| proven.signer.to_string()),
        "checkpoint": receipt.map(|receipt| json!({
            "origin": receipt.checkpoint.origin.as_str(),
            "size": receipt.checkpoint.size,
            "root": receipt.checkpoint.root.to_string(),
        })),
        "entry": receipt.map(|receipt| object(receipt.entry.seq, &receipt.entry)),
        "items": receipt.map(|receipt| receipt.items.iter().map(item).collect::<Vec<_>>()),
        "not_checked": ["witnesses"],
        "finding": finding,
    })
}

/// An item in JSON.
pub(crate) fn item(item: &Item) -> Value {
    json!({
        "pseudonym": { "epoch": item.pseudonym.epoch, "id": hex(&item.pseudonym.id) },
        "class": item.class,
        "view": item.view.as_str(),
    })
}
