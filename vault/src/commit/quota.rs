//! The book of quotas: a lease is durable, in one transaction with others' entries, before any of it is given out.

use std::sync::Arc;

use super::{Committer, NotDurable};
use crate::admission::{Book, Draw, NotBooked};
use crate::store::{QuotaWrite, Reader};

/// Times that a lease is asked for anew where another one took of the same quota meanwhile.
const ATTEMPTS_MAX: usize = 8;

/// A book that writes through `committer`.
pub fn quota_book(reader: Reader, committer: Committer) -> Book {
    let reader = Arc::new(reader);
    Box::new(move |draw| Box::pin(booked(Arc::clone(&reader), committer.clone(), draw)))
}

async fn booked(reader: Arc<Reader>, committer: Committer, draw: Draw) -> Result<u64, NotBooked> {
    for _ in 0..ATTEMPTS_MAX {
        let (reader, asked) = (Arc::clone(&reader), draw.clone());
        let reading = tokio::task::spawn_blocking(move || reader.quota_taken(&asked));
        let taken = reading.await.map_err(|_| NotBooked)?;
        let taken = taken.map_err(|_| NotBooked)?;
        let wish = draw.wish.min(draw.max.saturating_sub(taken));
        if wish == 0 {
            return Ok(0);
        }
        let take = QuotaWrite::Take(Draw {
            wish,
            ..draw.clone()
        });
        match committer.write_quota(take).await {
            Ok(()) => return Ok(wish),
            Err(NotDurable::Conflict) => {}
            Err(error) => {
                tracing::error!(%error, unit = %draw.unit, "a quota can't be counted");
                return Err(NotBooked);
            }
        }
    }
    Err(NotBooked)
}
