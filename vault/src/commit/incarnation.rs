//! The entry of a new life of the database: where the log goes on after a restore, or on another machine.
//!
//! It is an entry as any other, so who has two archives of one name sees where which life began; that two
//! lives go on at once, only the archives side by side show, or a witness that is asked by both.

use ledger::{Facts, Frontier, Operation, Outcome};

use super::Record;
use crate::model::Timestamp;
use crate::store::{Change, IncarnationRow};

/// What the entries' key begins with, before the incarnation's id.
const KEY: &str = "incarnation/";

/// Why one was opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opening {
    /// There was none.
    First,
    /// The database came from a backup.
    Restored,
    /// The mark beside it says that it is a copy, or on another machine.
    Moved,
    /// The mark beside it is gone.
    MarkMissing,
    /// The mark beside it is of another life.
    MarkDiffers,
    /// An operator said so.
    Operator,
}

impl Opening {
    /// Its word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Restored => "restored",
            Self::Moved => "moved",
            Self::MarkMissing => "mark-missing",
            Self::MarkDiffers => "mark-differs",
            Self::Operator => "operator",
        }
    }
}

/// The record that opens one behind all entries of this tree.
pub fn incarnation_opened(row: IncarnationRow, why: Opening, tree: &Frontier) -> Record {
    let mut facts = Facts::new(Operation::IncarnationOpen, Outcome::Ok);
    let id = u128::from_be_bytes(row.id);
    facts.key = Some((format!("{KEY}{id:032x}"), row.number));
    facts.commitment = Some(tree.root().0);
    facts.reason = Some(why.as_str().to_owned());
    let change = Change {
        incarnation: Some(row),
        ..Change::none()
    };
    Record::single(change, facts)
}

/// The incarnation that an entry says was opened.
pub fn incarnation_told(facts: &Facts, opened: Timestamp) -> Option<IncarnationRow> {
    if facts.operation != Operation::IncarnationOpen || facts.outcome != Outcome::Ok {
        return None;
    }
    let (key, number) = facts.key.as_ref()?;
    let digits = key.strip_prefix(KEY).filter(|digits| digits.len() == 32)?;
    let id = u128::from_str_radix(digits, 16).ok()?.to_be_bytes();
    let number = *number;
    Some(IncarnationRow { number, id, opened })
}
