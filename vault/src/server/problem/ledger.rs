//! Problems of the log's files.

use http::StatusCode;
use tonic::Code;

use super::Problem;

impl Problem {
    /// No such file, or none that a published checkpoint covers.
    pub(in crate::server) fn no_such_ledger_file() -> Self {
        let detail = "no such file of the ledger, or none that its checkpoint covers: where a partial tile is gone, the full one is there";
        Self::new(
            "ledger-file-unknown",
            StatusCode::NOT_FOUND,
            Code::NotFound,
            detail,
        )
    }
}
