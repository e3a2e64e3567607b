//! What holds of any bytes at all, one function for each reader: none panics, and what a reader lets through is what was
//! signed, what the tree proves, or what the writer writes.
//!
//! `cargo fuzz run entry` (in `ledger/`) looks for bytes of which it does not hold; `ledger/tests/fuzz.rs` runs the
//! same functions over bytes of every length and over changed real ones. Where they begin is [`seeds`], real files all:
//! `cargo run --bin seeds` (in `ledger/fuzz/`) writes them into `corpus/`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is how a fuzz target says what it found"
)]

use std::sync::LazyLock;

use ed25519_dalek::{Signer as _, SigningKey};
use ledger::proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
use ledger::tile::{
    Edge, LogFile, TileIndex, consistency_from_tiles, proof_from_tiles, unbundle, unbundle_items,
};
use ledger::{
    ANY_TIME, BatchWriter, Boot, Checkpoint, Cosigned, Detail, Entry, Facts, Frontier, Hash, Item,
    ItemView, Operation, Origin, Outcome, Policy, Pseudonym, Receipt, Rotation, SecondKey,
    StampTrust, VerifierKey, WitnessKey, cosignature_line, cosignature_lines, cosigned,
    cosigned_text, decode_items, detail_commitment, encode_items, framed_note, genesis_prev,
    leaf_hash, open_checkpoint, read_frames, signature_line, signed_note, verify_proof,
    verify_receipt, verify_stamp,
};

/// Entries of the honest log: three leaf tiles, the last of which is not full.
pub const SIZE: u64 = 600;

/// A size that it had before.
const OLD: u64 = 300;

/// When its witness cosigned, in seconds since 1970.
const SEEN_S: u64 = 1_800_000_000;

/// An honest log, which no bytes may change.
pub struct Honest {
    /// Its key.
    pub key: VerifierKey,
    /// Its witness's key.
    pub witness: WitnessKey,
    /// The bytes of its entries.
    pub entries: Vec<Vec<u8>>,
    /// Their leaf hashes.
    pub leaves: Vec<Hash>,
    /// What it says at its size.
    pub checkpoint: Checkpoint,
    /// The same, signed and cosigned.
    pub note: String,
    /// Its tiles.
    pub tiles: Vec<(TileIndex, Vec<u8>)>,
}

/// The log that all targets are held against.
pub static HONEST: LazyLock<Honest> = LazyLock::new(Honest::write);

impl Honest {
    fn write() -> Self {
        let origin = Origin::parse("fuzz.example/vault/node-1").unwrap();
        let (signer, eye) = (
            SigningKey::from_bytes(&[7; 32]),
            SigningKey::from_bytes(&[8; 32]),
        );
        let key = VerifierKey::new(origin.as_str(), signer.verifying_key().to_bytes()).unwrap();
        let witness = WitnessKey::new("witness.example", eye.verifying_key().to_bytes()).unwrap();
        let entries = entries(&origin);
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut edge = Edge::new();
        let mut tiles = Vec::new();
        for leaf in &leaves {
            tiles.extend(edge.append(*leaf));
        }
        tiles.extend(edge.partial_tiles());
        let tiles = tiles.iter().map(|tile| (tile.index, tile.bytes()));
        let root = leaves.iter().copied().collect::<Frontier>().root();
        let checkpoint = Checkpoint {
            origin,
            size: SIZE,
            root,
        };
        let body = checkpoint.body();
        let own = signer.sign(body.as_bytes()).to_bytes();
        let seen = eye.sign(cosigned_text(&body, SEEN_S).as_bytes()).to_bytes();
        let lines = [
            signature_line(&key, &own),
            cosignature_line(&witness, SEEN_S, &seen),
        ];
        Self {
            tiles: tiles.collect(),
            note: signed_note(&body, &lines),
            key,
            witness,
            entries,
            leaves,
            checkpoint,
        }
    }

    /// The receipt of an entry.
    pub fn receipt(&self, index: u64) -> String {
        let receipt = Receipt {
            entry: self.entries[place(index)].clone(),
            items: Vec::new(),
            index,
            proof: inclusion_proof(&self.leaves, index).unwrap(),
            note: self.note.clone(),
        };
        receipt.encode().unwrap()
    }

    fn root_at(&self, size: u64) -> Hash {
        self.leaves[..place(size)]
            .iter()
            .copied()
            .collect::<Frontier>()
            .root()
    }

    fn tile(&self, index: TileIndex) -> Vec<u8> {
        let tile = self.tiles.iter().find(|(known, _)| *known == index);
        tile.map_or_else(Vec::new, |(_, bytes)| bytes.clone())
    }
}

/// A time stamp of OpenSSL's over a text of no log, and the certificate of its issuer.
const STAMP: &[u8] = include_bytes!("../seeds/stamp.tsr");
const AUTHORITY: &[u8] = include_bytes!("../seeds/authority.pem");

/// A reader, by the name of its target.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Each reader with what it reads when it is real.
pub static TARGETS: [Target; 11] = [
    ("entry", entry, seeds::entries),
    ("items", items, seeds::items),
    ("note", note, seeds::notes),
    ("cosignature", cosignature, seeds::notes),
    ("tiles", tiles, seeds::tiles),
    ("proof", proof, seeds::proofs),
    ("policy", policy, seeds::policies),
    ("receipt", receipt, seeds::receipts),
    ("paths", paths, seeds::paths),
    ("stamp", stamp, seeds::stamps),
    ("detail", detail, seeds::details),
];

/// Real files, where the search begins.
pub mod seeds {
    use super::*;

    fn flat(hashes: &[Hash]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    fn item(id: u8) -> Item {
        let pseudonym = Pseudonym {
            epoch: 1,
            id: [id; 16],
        };
        Item {
            pseudonym,
            class: "national-id".to_owned(),
            view: ItemView::Issued,
        }
    }

    /// The genesis, the second entry, the last one, and one that commits to a detail.
    pub fn entries() -> Vec<Vec<u8>> {
        let last = HONEST.entries.len() - 1;
        let mut committing = Entry::decode(&HONEST.entries[1]).unwrap();
        committing.facts.detail = Some(detail_commitment(&[7; 32], "by letter"));
        let [genesis, second, last] = [0, 1, last].map(|at| HONEST.entries[at].clone());
        vec![second, last, committing.encode().unwrap(), genesis]
    }

    /// An item, and a batch of three.
    pub fn items() -> Vec<Vec<u8>> {
        let mut batch = BatchWriter::default();
        for id in 0..3 {
            batch.push(&item(id), 2).unwrap();
        }
        vec![item(0).encode(), batch.finish().1]
    }

    /// Keys and notes.
    pub fn notes() -> Vec<Vec<u8>> {
        let second = SecondKey::new("fuzz.example/vault/node-1", &[7; 1312]).unwrap();
        let note = &HONEST.note;
        let texts = [
            HONEST.key.to_string(),
            HONEST.witness.to_string(),
            note.clone(),
            HONEST.checkpoint.body(),
            framed_note(note),
            second.to_string(),
            format!("{note}{}\n", second.line(SEEN_S, &[7; 2420])),
        ];
        texts.map(String::into_bytes).to_vec()
    }

    /// Each tile in its own place.
    pub fn tiles() -> Vec<Vec<u8>> {
        let tiles = (0_u64..).zip(&HONEST.tiles);
        let chosen = tiles.map(|(at, (_, bytes))| {
            let choice = at << 32 | 5;
            [&choice.to_le_bytes()[..], bytes].concat()
        });
        chosen.collect()
    }

    /// Proofs of inclusion, and one of consistency.
    pub fn proofs() -> Vec<Vec<u8>> {
        let proven = |index: u64, proof: Vec<Hash>| {
            [&index.to_le_bytes()[..], &SIZE.to_le_bytes(), &flat(&proof)].concat()
        };
        let inclusion =
            [0, 5, 299, 599].map(|index| (index, inclusion_proof(&HONEST.leaves, index)));
        let consistency = (OLD, consistency_proof(&HONEST.leaves, OLD));
        let all = inclusion.into_iter().chain([consistency]);
        all.map(|(index, proof)| proven(index, proof.unwrap()))
            .collect()
    }

    /// Policies with a witness of each kind, and with none.
    pub fn policies() -> Vec<Vec<u8>> {
        let second = SecondKey::new("witness.example/pq", &[7; 1312]).unwrap();
        let (log, witness) = (&HONEST.key, &HONEST.witness);
        let policy = format!(
            "log {log}\nwitness a {witness}\nwitness b {second}\ngroup g 1 a b\nquorum g\n"
        );
        let short = format!("log {log}\nwitness a {witness}\ngroup g 1 a\nquorum g\n");
        let texts = [short, "quorum none\n".to_owned(), policy];
        texts.map(String::into_bytes).to_vec()
    }

    /// A receipt.
    pub fn receipts() -> Vec<Vec<u8>> {
        vec![HONEST.receipt(5).into_bytes()]
    }

    /// Paths and a log's name.
    pub fn paths() -> Vec<Vec<u8>> {
        let real = [
            "tile/0/x001/x234/067.p/8",
            "tile/entries/000",
            "fuzz.example/vault/node-1",
        ];
        real.map(|path| path.as_bytes().to_vec()).to_vec()
    }

    /// An authority's answer, and its certificate.
    pub fn stamps() -> Vec<Vec<u8>> {
        vec![STAMP.to_vec(), AUTHORITY.to_vec()]
    }

    /// A detail that was handed out.
    pub fn details() -> Vec<Vec<u8>> {
        let detail = Detail::new(7, &[9; 32], "王小姐 asked for it".to_owned());
        vec![detail.to_json().unwrap().into_bytes()]
    }
}

fn entries(origin: &Origin) -> Vec<Vec<u8>> {
    let mut prev = genesis_prev(origin);
    let mut entry = |seq| {
        let facts = match seq {
            0 => Facts::genesis(),
            _ => Facts {
                unit: Some("tax-bureau".to_owned()),
                purpose: Some("土地稅".to_owned()),
                key: Some(("key-1".to_owned(), 3)),
                request: Some([7; 16]),
                ..Facts::new(Operation::Detokenize, Outcome::Ok)
            },
        };
        let boot = Boot {
            id: [1; 8],
            monotonic_us: seq,
        };
        let bytes = Entry {
            seq,
            prev,
            time_us: SEEN_S * 1_000_000 + seq,
            boot,
            facts,
        }
        .encode()
        .unwrap();
        prev = leaf_hash(&bytes);
        bytes
    };
    (0..SIZE).map(&mut entry).collect()
}

fn place(index: u64) -> usize {
    usize::try_from(index).unwrap()
}

/// A number out of the first bytes, and the rest.
fn number(bytes: &[u8]) -> (u64, &[u8]) {
    let cut = bytes.split_first_chunk::<8>();
    cut.map_or((0, bytes), |(number, rest)| {
        (u64::from_le_bytes(*number), rest)
    })
}

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes
        .as_chunks::<32>()
        .0
        .iter()
        .map(|hash| Hash(*hash))
        .collect()
}

/// An entry is read in its one spelling, or not at all.
pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode().unwrap(), bytes);
    }
}

/// So are items, alone and in a row; and the parts of a bundle are parts of it.
pub fn items(bytes: &[u8]) {
    if let Ok(item) = Item::decode(bytes) {
        assert_eq!(item.encode(), bytes);
    }
    if let Ok(items) = decode_items(bytes) {
        assert_eq!(encode_items(&items).unwrap(), bytes);
    }
    for count in [0, 1, 3, 256] {
        for parts in [unbundle(bytes, count), unbundle_items(bytes, count)]
            .into_iter()
            .flatten()
        {
            assert_eq!(parts.len(), count);
            assert!(parts.concat().len() <= bytes.len());
        }
    }
}

/// A note that opens says what the log signed, whatever else is in it.
pub fn note(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(opened) = open_checkpoint(&text, &HONEST.key) {
        assert_eq!(opened, HONEST.checkpoint);
    }
    assert!(Rotation::open(&text).is_err(), "nobody signed a statement");
    if let Ok(key) = VerifierKey::parse(&text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = WitnessKey::parse(&text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = SecondKey::parse(&text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(&text) {
        assert_eq!(checkpoint.body(), text);
    }
    if let Ok(frames) = read_frames(&text) {
        let kept: usize = frames.iter().map(|note| note.len()).sum();
        assert!(kept <= text.len());
    }
}

/// Whichever tile these bytes stand in for: what is proven is what the honest tiles prove.
pub fn tiles(bytes: &[u8]) {
    let log = &*HONEST;
    let (choice, forged) = number(bytes);
    let (index, tile) = (choice % SIZE, place(choice >> 32) % log.tiles.len());
    let forged_index = log.tiles[tile].0;
    let read = |index: TileIndex, _: Option<u8>| {
        let bytes = if index == forged_index {
            forged.to_vec()
        } else {
            log.tile(index)
        };
        Ok::<_, ()>(bytes)
    };
    let (leaf, root) = (&log.leaves[place(index)], &log.checkpoint.root);
    if let Ok(proof) = proof_from_tiles(leaf, index, (SIZE, root), read) {
        assert_eq!(proof, inclusion_proof(&log.leaves, index).unwrap());
    }
    let old = index + 1;
    let old_root = log.root_at(old);
    if let Ok(proven) = consistency_from_tiles(old, (SIZE, root), read) {
        assert_eq!(
            proven,
            (old_root, consistency_proof(&log.leaves, old).unwrap())
        );
    }
}

/// Only the proof proves, and only of its entry.
pub fn proof(bytes: &[u8]) {
    let log = &*HONEST;
    let (index, rest) = number(bytes);
    let (size, rest) = number(rest);
    let (proof, root) = (hashes(rest), &log.checkpoint.root);
    let leaf = log.leaves[place(index % SIZE)];
    if verify_inclusion(&leaf, index, SIZE, root, &proof).is_ok() {
        assert_eq!(Ok(proof.clone()), inclusion_proof(&log.leaves, index));
    }
    // Of any size at all, as long as nothing panics.
    let _ = verify_inclusion(&leaf, index, size, root, &proof);
    let old_root = log.root_at(OLD);
    let _ = verify_consistency((index, &old_root), (size, root), &proof);
    if verify_consistency((OLD, &old_root), (SIZE, root), &proof).is_ok() {
        assert_eq!(Ok(proof), consistency_proof(&log.leaves, OLD));
    }
}

/// A policy that is read asks for no more witnesses than it names, and is not met by nobody unless it says so.
pub fn policy(bytes: &[u8]) {
    let Ok(policy) = Policy::parse(bytes) else {
        return;
    };
    assert!(policy.cosigners_min() <= policy.witnesses().len());
    assert_eq!(policy.is_met(|_| false), policy.needs_nobody());
    let _ = policy.judge(&HONEST.note, &ANY_TIME);
}

/// A receipt that verifies is of an entry of the log, at its place.
pub fn receipt(bytes: &[u8]) {
    let log = &*HONEST;
    let text = String::from_utf8_lossy(bytes);
    if let Ok(receipt) = Receipt::decode(&text) {
        assert_eq!(receipt.encode().unwrap(), text);
        let honest = log
            .entries
            .get(usize::try_from(receipt.index).unwrap_or(usize::MAX));
        if verify_receipt(&text, &log.key).is_ok() {
            assert_eq!(honest, Some(&receipt.entry));
        }
    } else {
        assert!(verify_receipt(&text, &log.key).is_err());
    }
    if verify_proof(&text, &log.entries[5], &log.key).is_ok() {
        assert!(text.contains("index 5\n"));
    }
}

/// A cosignature that counts is the witness's, of this checkpoint, at the time it was given.
pub fn cosignature(bytes: &[u8]) {
    let log = &*HONEST;
    let text = String::from_utf8_lossy(bytes);
    let body = log.checkpoint.body();
    if let Ok(Cosigned::At(time_s)) = cosigned(&text, &log.witness, &ANY_TIME) {
        assert_eq!(time_s, SEEN_S);
        assert!(text.starts_with(&body));
    }
    if let Ok(lines) = cosignature_lines(&body, &text, &log.witness) {
        assert!(lines.iter().all(|line| log.note.contains(line.as_str())));
    }
}

/// An authority's answer is over no other checkpoint, whatever is changed in it; certificates are read, or not.
pub fn stamp(bytes: &[u8]) {
    static TRUST: LazyLock<StampTrust> = LazyLock::new(|| StampTrust::parse(AUTHORITY).unwrap());
    assert!(verify_stamp(bytes, &HONEST.checkpoint, &TRUST).is_err());
    if let Ok(trust) = StampTrust::parse(bytes) {
        assert!(verify_stamp(bytes, &HONEST.checkpoint, &trust).is_err());
        let _ = verify_stamp(STAMP, &HONEST.checkpoint, &trust);
    }
}

/// A detail that is read is of no entry that does not commit to its very text and salt.
pub fn detail(bytes: &[u8]) {
    let Ok(detail) = Detail::parse(bytes) else {
        return;
    };
    let again = Detail::parse(detail.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again.commitment(), detail.commitment());
    let mut entry = Entry::decode(&HONEST.entries[1]).unwrap();
    assert!(!detail.is_of(&entry));
    (entry.seq, entry.facts.detail) = (detail.entry, detail.commitment());
    assert!(detail.is_of(&entry));
    entry.seq ^= 1;
    assert!(!detail.is_of(&entry));
}

/// A path that is read is written so.
pub fn paths(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(file) = LogFile::parse(&text) {
        assert_eq!(file.path(), text);
        let _ = file.is_covered(SIZE);
    }
    if let Ok(origin) = Origin::parse(&text) {
        assert_eq!(origin.as_str(), text);
    }
}
