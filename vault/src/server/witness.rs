//! How witnesses are reached: HTTP/1.1, TLS unless it is loopback, one bounded request at a time.

use std::path::Path;
use std::time::Duration;

use super::webhook::{Target, WebhookError};
use crate::commit::{Ask, WitnessAnswer};

/// A witness answers with a few signature lines, or a size.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks the witness with this URL prefix (C2SP tlog-witness, "submission prefix"). `ca` is a PEM file of the
/// authorities that may sign its certificate; `timeout` is for one request.
pub fn witness_at(url: &str, ca: Option<&Path>, timeout: Duration) -> Result<Ask, WebhookError> {
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    let target = Target::parse(&url, ca, timeout)?;
    Ok(Box::new(move |body| asked(&target, body)))
}

/// On a thread of the witness's own, which nothing else runs on.
fn asked(target: &Target, body: String) -> Result<WitnessAnswer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let answer = runtime.block_on(target.ask(body, ANSWER_BYTES_MAX));
    let (status, body) = answer.map_err(|error| error.to_string())?;
    let body = String::from_utf8(body).map_err(|_| "its answer is no text".to_owned())?;
    Ok(WitnessAnswer { status, body })
}
