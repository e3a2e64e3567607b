//! An alert's body: what happened, when, and where the ledger says so. No value, no token.

use ledger::Origin;
use serde::Serialize;

use crate::store::AlertRow;

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    data: Facts<'a>,
}

#[derive(Serialize)]
struct Facts<'a> {
    vault: &'a str,
    entry: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    /// A budget's name, or a grant's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

/// The body, as it is signed and sent.
pub(super) fn body(alert: &AlertRow, origin: &Origin) -> Vec<u8> {
    let message = Message {
        kind: alert.kind.event_type(),
        timestamp: alert.raised.rfc3339(),
        data: Facts {
            vault: origin.as_str(),
            entry: alert.seq,
            unit: alert.unit.as_deref(),
            domain: alert.domain.as_deref(),
            class: alert.class.as_deref(),
            subject: alert.subject.as_deref(),
        },
    };
    // Texts and a number: `serde_json` writes them all.
    serde_json::to_vec(&message).unwrap_or_default()
}
