//! REST: receipts of entries, as C2SP tlog-proofs.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::answer;
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;

/// `GET /v1/receipts/{entry}`
pub(in crate::server) async fn receipt(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(entry): Path<String>,
) -> Response {
    let text = async { corridor::receipt(&vault, &ticket, index(&entry)?).await };
    let media = "text/plain; charset=utf-8";
    let text = text.await;
    let response = text.map(|text| ([(CONTENT_TYPE, media)], text).into_response());
    answer(ticket.request(), response)
}

/// An entry's index in its one spelling.
fn index(text: &str) -> Result<u64, Problem> {
    let index = text.parse().ok();
    let index = index.filter(|index: &u64| index.to_string() == text);
    let wrong = || {
        Problem::invalid(
            "entry-invalid",
            "name the entry by its index: a decimal number",
        )
    };
    index.ok_or_else(wrong)
}
