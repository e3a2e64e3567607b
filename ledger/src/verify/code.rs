//! The closed list of findings: each has a stable name, a class, a meaning, and what to do about it.

use std::fmt;

use serde::{Serialize, Serializer};

/// How bad a finding is. Ordered: the worst one found is the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing found.
    Verified,
    /// Odd, but explained by honest causes.
    Warning,
    /// Something could not be read: no verdict.
    Incomplete,
    /// A signature, a key or an origin is not the pinned one.
    Trust,
    /// The content is not what was written.
    Tampered,
    /// The log has, or had, another history.
    Fork,
}

impl Class {
    /// The exit code that stands for it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Warning => 1,
            Self::Tampered => 2,
            Self::Trust => 3,
            Self::Fork => 4,
            Self::Incomplete => 5,
        }
    }

    /// The verdict in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Warning => "verified with warnings",
            Self::Tampered => "TAMPERED",
            Self::Trust => "NOT TRUSTED",
            Self::Fork => "FORK OR ROLLBACK",
            Self::Incomplete => "INCOMPLETE, no verdict",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $class:ident $text:literal: $meaning:literal; $remedy:literal.)+) => {
        /// What was found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)+ }

        impl Code {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// How bad it is.
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// What to do.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

codes! {
    Fork Fork "fork":
        "The checkpoint is signed, but it is not a continuation of the checkpoint verified last time.";
        "Keep both signed checkpoints: together they prove that the log rewrote its history".
    Rollback Fork "rollback":
        "The signed checkpoint covers fewer entries than the one verified last time.";
        "Ask for the later archive; a restored backup must open a new origin, never continue an old one".
    HistoryFork Fork "history-fork":
        "Two signed checkpoints in the archive state two histories.";
        "Keep both notes: together they prove that the log rewrote its history".
    HistoryRollback Fork "history-rollback":
        "An archived signed checkpoint covers more entries than the log has now, or than a later one.";
        "Ask for the missing entries; the archived note proves that they existed".
    CountsDiffer Fork "counts-differ":
        "The vault has another number of rows than its entries account for.";
        "Ask what was done to the database without an entry, or whether it is of another time".
    ReceiptLost Fork "receipt-lost":
        "A receipt that was kept is good, but the log does not have its entry there any more.";
        "Keep the receipt and this archive: together they prove that the log rewrote its history".
    EntryAltered Tampered "entry-altered":
        "The bytes of an entry are not those that the tree was built over.";
        "Compare the entry at this offset with another copy of the archive".
    EntryMalformed Tampered "entry-malformed":
        "The bytes are not the one allowed spelling of an entry.";
        "Compare the entry at this offset with another copy of the archive".
    EntrySequence Tampered "entry-sequence":
        "An entry does not stand at its own index: something was removed, added or moved.";
        "Compare the bundle with another copy of the archive".
    ChainBroken Tampered "chain-broken":
        "An entry does not link to the entry before it.";
        "Look at this entry and the one before it in another copy of the archive".
    BundleFraming Tampered "bundle-framing":
        "An entry bundle cannot be cut into its entries: a length is wrong or bytes are missing or left.";
        "Compare the bundle with another copy of the archive, from this offset on".
    GenesisRule Tampered "genesis-rule":
        "A log begins with one genesis entry, and only with it.";
        "Treat the log as rewritten until its operator explains it".
    ClockMonotonic Tampered "clock-monotonic":
        "Within one run of the node the monotonic clock went back, which clocks do not do.";
        "Treat the entry's time, and its place, as forged until explained".
    TimeForward Tampered "time-forward":
        "An entry is of a later time than that at which a witness saw it, or an authority stamped it.";
        "Treat the times of the last entries as forged, or a clock as wrong, until explained".
    IncarnationRoot Tampered "incarnation-root":
        "The entry that opens an incarnation of the node states another root than the entries before it have.";
        "Compare with the archive of the node that it was copied from: one of the two was rewritten".
    IncarnationOrder Tampered "incarnation-order":
        "An incarnation of the node does not follow the one before it.";
        "Ask the operator where the database was restored or copied, and for the archive of the other node".
    EpochOrder Tampered "epoch-order":
        "An epoch of pseudonyms is opened or erased out of its turn.";
        "Ask the operator what was done to the epochs, and treat what the entry says as forged until explained".
    EpochUnknown Tampered "epoch-unknown":
        "An item names an epoch of pseudonyms that no entry before it opens.";
        "Treat the entry's items as forged until explained: the vault names none before its entry stands".
    EpochErased Tampered "epoch-erased":
        "An item names an epoch of pseudonyms that was erased before: its key was not destroyed.";
        "Treat the erasure as not done: whoever has that key can still tell whom the epoch's pseudonyms stand for".
    TileHash Tampered "tile-hash":
        "A hash in a tile is not the hash of what it stands for.";
        "Rebuild the tile from the entries; proofs served from it were wrong".
    TileFraming Tampered "tile-framing":
        "A hash tile does not have 32 bytes for each of its hashes.";
        "Rebuild the tile from the entries".
    PartialDiffers Tampered "partial-differs":
        "A partial tile, bundle or items file is not the beginning of the fuller one.";
        "Compare both with another copy of the archive: one of them was changed".
    RootMismatch Tampered "root-mismatch":
        "The tree over the entries has another root than the checkpoint states.";
        "Look at the other findings for the place; if there are none, the log was rewritten as a whole".
    ItemsAltered Tampered "items-altered":
        "The items beside an entry do not have the count and root that the entry states.";
        "Compare the items file with another copy of the archive, from this offset on".
    ItemsMalformed Tampered "items-malformed":
        "An items file cannot be cut into items, or an item is not in its one allowed spelling.";
        "Compare the items file with another copy of the archive, from this offset on".
    DetailDiffers Tampered "detail-differs":
        "A detail that was handed out is not the one that its entry commits to.";
        "Treat the text as altered: ask the operator for the one that the entry's hash is of".
    DetailMissing Incomplete "detail-missing":
        "An entry commits to a detail that was not handed out, and no entry says that it was erased.";
        "Ask the operator for the detail, or for the entry by which it was erased".
    ReceiptMalformed Tampered "receipt-malformed":
        "The file is not a receipt in its one spelling.";
        "Check that it is a receipt; if it is, ask for another copy".
    ProofBroken Tampered "proof-broken":
        "A receipt's proof does not lead from its entry to the root that its checkpoint states.";
        "Treat the receipt as forged or damaged: its entry, its proof or both were changed".
    HistoryRoot Tampered "history-root":
        "The entries do not have the root that an earlier checkpoint states.";
        "The change lies before the first checkpoint named here; see the other findings".
    NoKey Trust "no-key":
        "No key was given: the archive agrees with itself, and nothing says who wrote it.";
        "Get the log's key from its operator by another way, and pass it with --key".
    SignatureMissing Trust "signature-missing":
        "The checkpoint has no signature by the pinned key.";
        "Check that the key belongs to this log; if it was handed over, pass the statements with --signers; else it is not the log's".
    SignatureBad Trust "signature-bad":
        "The signature by the pinned key does not hold.";
        "Treat the checkpoint as forged or damaged, and ask for another copy".
    CheckpointMalformed Trust "checkpoint-malformed":
        "The checkpoint is not a signed note of three lines in its one spelling.";
        "Treat the checkpoint as forged or damaged, and ask for another copy".
    OriginOther Trust "origin-other":
        "The checkpoint is of another log than the expected one.";
        "Check --origin; otherwise this is the archive of another log".
    QuorumMissing Trust "quorum-missing":
        "Too few of the witnesses that the auditor's policy asks for cosigned the checkpoint.";
        "Ask for a checkpoint that they cosigned; until then the log may show others another history".
    CosignatureBad Trust "cosignature-bad":
        "A line of the checkpoint names a witness's key, and is not by it.";
        "Treat the checkpoint as forged or damaged, and ask the witness what it cosigned".
    SecondMissing Trust "second-missing":
        "The checkpoint has no second signature (ML-DSA-44) by the key that the auditor demands.";
        "Ask whether the vault makes one (`ledger.second_signature`); until then Ed25519 alone vouches for the log".
    SecondBad Trust "second-bad":
        "A line of the checkpoint names the second key, and is not by it.";
        "Treat the checkpoint as forged or damaged, and ask for another copy".
    StampMissing Trust "stamp-missing":
        "The auditor asks for time stamps, and the archive has none that holds.";
        "Ask for the stamps, or have the log stamped from now on (`jinku ledger stamp`)".
    StampOther Trust "stamp-other":
        "A time stamp is over another checkpoint than the log's of that size.";
        "Keep the stamp: if its authority signed it, the log had another root then, or it is another log's".
    StampUntrusted Trust "stamp-untrusted":
        "A time stamp is not signed by an authority that the auditor trusts, or not for time stamps alone, or not in its time.";
        "Ask for the authority's certificate by another way, or treat the stamp as forged".
    StampMalformed Trust "stamp-malformed":
        "A file of time stamps is not the answer of an authority (RFC 3161) with a stamp in it.";
        "Ask for another copy of the file".
    RootUnauthenticated Trust "root-unauthenticated":
        "The tree over the entries has another root than a checkpoint whose signature does not hold.";
        "Mend the checkpoint first: without it nothing states what the root must be".
    SignerStatement Trust "signer-statement":
        "A statement by which the log's key hands over to another does not hold: both must sign it, in their turn.";
        "Ask the operator for the statement, and compare the key by another way; the new key was not followed".
    SignerEntry Trust "signer-entry":
        "A statement by which the log's key hands over is not carried by the entry that it names.";
        "Treat the new key as unannounced: the log does not say that it was handed over".
    HistorySignature Trust "history-signature":
        "An archived checkpoint is not signed by the pinned key, or is of another log.";
        "Treat the archived note as forged or damaged, and ask for another copy".
    HistoryMalformed Trust "history-malformed":
        "A file of archived checkpoints cannot be cut into signed notes.";
        "Ask for another copy of the file; what follows this offset was not checked".
    FileMissing Incomplete "file-missing":
        "A file that the tree needs is not there.";
        "Ask for the file; until then there is no verdict".
    FileUnreadable Incomplete "file-unreadable":
        "A file or folder could not be read.";
        "Check the medium and the rights, and run again".
    FileTooLarge Incomplete "file-too-large":
        "A file is larger than any such file may be, and was not read.";
        "Ask for another copy of the file".
    LinkRefused Incomplete "link-refused":
        "A symbolic link or special file stands in the archive; links are never followed.";
        "Copy the archive with plain files only, and run again".
    RootUnchecked Incomplete "root-unchecked":
        "The root could not be computed, for some entries and their hashes are missing.";
        "Ask for the missing files named in the other findings".
    BeyondCheckpoint Warning "beyond-checkpoint":
        "A file goes beyond the checkpoint: it is not covered by any signature yet.";
        "None if the log is running; verify again after its next checkpoint".
    CheckpointBehind Warning "checkpoint-behind":
        "The archive of checkpoints has a later one than the checkpoint file; it was not checked.";
        "None if the log is running; copy the archive again and verify that".
    CountsAhead Warning "counts-ahead":
        "The vault's rows are of a later time than the archive, which may explain the difference.";
        "Export the ledger again, after the rows were counted, and compare again".
    HistoryOrder Warning "history-order":
        "A later day's file of checkpoints begins with a smaller one than the day before ended with.";
        "Ask whether the node's clock was set back; the smaller one was not compared with the tree".
    TimeStepBack Warning "time-step-back":
        "The wall clock of the node went back between two entries.";
        "Compare with the node's time service; the order of entries is not in doubt".
    FormatDiffers Warning "format-differs":
        "The genesis entry does not carry the format text that this tool knows.";
        "Use the tool of the release that wrote the log as well".
    UnexpectedFile Warning "unexpected-file":
        "A file that is no part of an archive.";
        "Move it out; it was not read".
}

impl Code {
    /// The code with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
