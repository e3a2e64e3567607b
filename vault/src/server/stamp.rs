//! How a time stamping authority is reached (RFC 3161 section 3.4): HTTP/1.1, TLS unless it is loopback, one bounded
//! request.

use std::path::Path;
use std::time::Duration;

use ledger::STAMP_BYTES_MAX;

use super::webhook::{Target, WebhookError};

const QUERY: &str = "application/timestamp-query";

/// Asks an authority: takes a request, gives its answer. Blocks for a bounded time. An error is in words without secrets.
pub(crate) type AskStamp = Box<dyn Fn(Vec<u8>) -> Result<Vec<u8>, String> + Send>;

/// Asks the authority with this URL. `ca` is a PEM file of those that may sign the host's certificate; `timeout` is for one
/// request. What it answers is signed, and for whoever keeps it to check.
pub fn stamped_at(
    url: &str,
    ca: Option<&Path>,
    timeout: Duration,
) -> Result<AskStamp, WebhookError> {
    let target = Target::parse(url, ca, timeout)?;
    Ok(Box::new(move |request| asked(&target, request)))
}

fn asked(target: &Target, request: Vec<u8>) -> Result<Vec<u8>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let answer = runtime.block_on(target.send(QUERY, request, STAMP_BYTES_MAX));
    let (status, body) = answer.map_err(|error| error.to_string())?;
    if status == 200 {
        Ok(body)
    } else {
        Err(format!("the authority answered {status}"))
    }
}
