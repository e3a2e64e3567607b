//! How a time stamping authority is asked (RFC 3161 section 3.4): HTTP/1.1, TLS unless it is loopback, one bounded request.
//! What it answers is worth nothing before it is checked.

use std::path::Path;
use std::time::Duration;

use ledger::{
    Checkpoint, STAMP_BYTES_MAX, StampError, StampTrust, Stamped, stamp_request, verify_answer,
};
use rand::TryRng;

use crate::server::webhook::{Target, WebhookError};

const QUERY: &str = "application/timestamp-query";

/// Why there is no stamp.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StampFault {
    /// It can't be reached.
    #[error(transparent)]
    Unreached(#[from] WebhookError),
    /// It answers with something else than an answer.
    #[error("the authority answered {0}")]
    Status(u16),
    /// Its answer does not hold.
    #[error("the authority's answer is not kept: {0}")]
    Refused(#[from] StampError),
    /// Its answer holds, and is longer than what auditors read.
    #[error("the authority's answer is longer than {STAMP_BYTES_MAX} bytes")]
    TooLong,
    /// There is no checkpoint to be stamped, or it is another key's.
    #[error("no checkpoint that this log's key signed is published")]
    Checkpoint,
    /// It can't be written beside the log, or the log can't be read.
    #[error(
        "the stamp can't be kept, or the log not read ({0}): check the ledger directory's disk and rights"
    )]
    Unkept(std::io::Error),
    /// The operating system gives no random numbers.
    #[error("the system's random numbers failed")]
    Random,
}

/// An authority, and whose stamps count as its own.
pub struct StampAuthority {
    target: Target,
    trust: StampTrust,
}

impl StampAuthority {
    /// The authority with this URL, whose certificate leads to a trusted one. `ca` is a PEM file of those that may sign the
    /// host's certificate; `timeout` is for one request.
    pub fn at(
        url: &str,
        ca: Option<&Path>,
        timeout: Duration,
        trust: StampTrust,
    ) -> Result<Self, WebhookError> {
        let target = Target::parse(url, ca, timeout)?;
        Ok(Self { target, trust })
    }

    /// Asks for a stamp over a checkpoint, and checks it: the answer as it came, and what it says.
    pub async fn stamp(&self, checkpoint: &Checkpoint) -> Result<(Vec<u8>, Stamped), StampFault> {
        let nonce = stamp_nonce()?;
        let request = stamp_request(checkpoint, nonce);
        let (status, response) = self.target.send(QUERY, request, STAMP_BYTES_MAX).await?;
        if status != 200 {
            return Err(StampFault::Status(status));
        }
        let stamped = verify_answer(&response, (checkpoint, nonce), &self.trust)?;
        Ok((response, stamped))
    }
}

/// What tells the answer to a request from older ones.
pub fn stamp_nonce() -> Result<u64, StampFault> {
    let mut nonce = [0; 8];
    let drawn = rand::rngs::SysRng.try_fill_bytes(&mut nonce);
    drawn.map_err(|_| StampFault::Random)?;
    Ok(u64::from_be_bytes(nonce))
}
