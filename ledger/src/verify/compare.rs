//! Two copies of one log held against each other: the same, one longer, or two histories. Where they
//! part is found by bisecting the tiles, with a few reads whatever the size.

use super::book::{Book, BookError, perfect_parts};
use crate::error::{TileError, TreeError};
use crate::hash::{Hash, node_hash};
use crate::tile::{TileIndex, Tiles};

/// How two copies of one log stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same entries.
    Same,
    /// The second has the same entries and more.
    Continued,
    /// The first has the same entries and more.
    Behind,
    /// Two histories, which part at this entry.
    Fork {
        /// The first entry that differs.
        seq: u64,
    },
}

/// Compares two copies. Each one's tiles must lead to its own root, or the answer is an error that
/// tells to verify it: a damaged tile is no fork.
pub fn compare(first: &Book, second: &Book) -> Result<Comparison, Unproven> {
    let shared = first.checkpoint().size.min(second.checkpoint().size);
    let mut one = first.subtrees();
    let mut other = second.subtrees();
    proven(first, shared, &mut one).map_err(Unproven::First)?;
    proven(second, shared, &mut other).map_err(Unproven::Second)?;
    for (start, height) in perfect_parts(shared) {
        let left = one.perfect(start, height).map_err(Unproven::first)?;
        let right = other.perfect(start, height).map_err(Unproven::second)?;
        if left != right {
            let seq = parting((start, height), (&mut one, left), (&mut other, right))?;
            return Ok(Comparison::Fork { seq });
        }
    }
    Ok(
        match first.checkpoint().size.cmp(&second.checkpoint().size) {
            std::cmp::Ordering::Less => Comparison::Continued,
            std::cmp::Ordering::Equal => Comparison::Same,
            std::cmp::Ordering::Greater => Comparison::Behind,
        },
    )
}

/// The copy that cannot be compared, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// The first.
    First(BookError),
    /// The second.
    Second(BookError),
}

impl Unproven {
    fn first(error: TileError<BookError>) -> Self {
        Self::First(error.into())
    }

    fn second(error: TileError<BookError>) -> Self {
        Self::Second(error.into())
    }
}

/// That the tiles lead to the signed root, and to it by way of the first `shared` entries.
fn proven<R>(book: &Book, shared: u64, tiles: &mut Tiles<R>) -> Result<(), BookError>
where
    R: FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, BookError>,
{
    let stated = book.checkpoint();
    if shared == 0 {
        return Ok(());
    }
    if stated.size == shared {
        let root = tiles.root_of(0..shared)?;
        let agrees = root == stated.root;
        return if agrees {
            Ok(())
        } else {
            Err(BookError::Tree(TreeError::Root))
        };
    }
    let root = tiles.root_of(0..shared)?;
    let old = crate::Checkpoint {
        origin: stated.origin.clone(),
        size: shared,
        root,
    };
    book.consistency(&old, stated).map(drop)
}

/// Goes down to the first leaf that differs below a subtree that does.
fn parting<R, S>(
    (mut start, mut height): (u64, u32),
    (one, mut left): (&mut Tiles<R>, Hash),
    (other, mut right): (&mut Tiles<S>, Hash),
) -> Result<u64, Unproven>
where
    R: FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, BookError>,
    S: FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, BookError>,
{
    while height > 0 {
        height -= 1;
        let middle = start + (1 << height);
        let ours = children(one, left, (start, middle, height)).map_err(Unproven::First)?;
        let theirs = children(other, right, (start, middle, height)).map_err(Unproven::Second)?;
        if ours.0 == theirs.0 {
            (start, left, right) = (middle, ours.1, theirs.1);
        } else {
            (left, right) = (ours.0, theirs.0);
        }
    }
    Ok(start)
}

/// The two halves of a subtree, which must make up its root.
fn children<R>(
    tiles: &mut Tiles<R>,
    root: Hash,
    (start, middle, height): (u64, u64, u32),
) -> Result<(Hash, Hash), BookError>
where
    R: FnMut(TileIndex, Option<u8>) -> Result<Vec<u8>, BookError>,
{
    let (left, right) = (
        tiles.perfect(start, height)?,
        tiles.perfect(middle, height)?,
    );
    if node_hash(&left, &right) == root {
        Ok((left, right))
    } else {
        Err(BookError::Tree(TreeError::Root))
    }
}
