//! The key of the log's second signature, opened or made.

use std::sync::Arc;

use kms::{Envelope, SecondSigner};

use super::{KeyError, Keys, Opening, opened_mac};
use crate::commit::Committer;
use crate::model::Clock;
use crate::store::{Reader, Shreds};

/// Makes the seed of the log's second signature. Made anew, it is another key: whoever opens it looks first.
pub(super) const SECOND_KEY: &str = "second-signature.1";

impl Keys {
    /// Opens the key of the log's second signature, or makes it.
    pub async fn second_signer(
        envelope: &Envelope,
        stores: (&Reader, &Shreds),
        committer: &Committer,
        clock: &Arc<dyn Clock>,
    ) -> Result<SecondSigner, KeyError> {
        let opening = Opening::of(envelope, stores, committer, clock)?;
        Ok(SecondSigner::new(opening.mac(SECOND_KEY).await?))
    }

    /// The same in a database that stands; none where it has no such key.
    pub fn standing_second_signer(
        envelope: &Envelope,
        reader: &Reader,
    ) -> Result<Option<SecondSigner>, KeyError> {
        let opened = opened_mac(envelope, reader, SECOND_KEY)?;
        Ok(opened.map(SecondSigner::new))
    }
}
