//! REST: the published log as C2SP tlog-tiles has it, and how far it has come.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

use super::answer;
use crate::server::corridor::{self, Ticket};
use crate::server::problem::{Face, Problem};
use crate::server::{LedgerReaders, Vault};

/// What a checkpoint covers never changes.
const FOREVER: &str = "max-age=31536000, immutable";

#[derive(Serialize)]
struct StateBody<'a> {
    origin: &'a str,
    sequenced: u64,
    integrated: u64,
    published: u64,
}

/// `GET /v1/ledger`
pub(in crate::server) async fn state(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
) -> Response {
    let state = corridor::ledger::known(&ticket).map(|()| {
        let sizes = vault.ledger.sizes();
        Json(StateBody {
            origin: vault.ledger.origin().as_str(),
            sequenced: sizes.sequenced,
            integrated: sizes.integrated,
            published: sizes.published,
        })
        .into_response()
    });
    answer(ticket.request(), state)
}

/// `GET /ledger/checkpoint`, for those units that may read it.
pub(in crate::server) async fn checkpoint_for_unit(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
) -> Response {
    let read = async {
        corridor::ledger::reads(&vault, &ticket).await?;
        checkpoint_of(vault).await
    };
    answer(ticket.request(), read.await)
}

/// `GET /ledger/tile/…`, for those units that may read it.
pub(in crate::server) async fn tile_for_unit(
    State(vault): State<Arc<Vault>>,
    Extension(ticket): Extension<Ticket>,
    Path(rest): Path<String>,
) -> Response {
    let read = async {
        corridor::ledger::reads(&vault, &ticket).await?;
        tile_of(vault, rest).await
    };
    answer(ticket.request(), read.await)
}

/// `GET /ledger/checkpoint`, for whoever asks.
pub(in crate::server) async fn checkpoint(State(vault): State<Arc<Vault>>) -> Response {
    let read = checkpoint_of(vault).await;
    read.unwrap_or_else(|problem| problem.response(Face::Rest, corridor::request_id()))
}

/// `GET /ledger/tile/…`, for whoever asks.
pub(in crate::server) async fn tile(
    State(vault): State<Arc<Vault>>,
    Path(rest): Path<String>,
) -> Response {
    let read = tile_of(vault, rest).await;
    read.unwrap_or_else(|problem| problem.response(Face::Rest, corridor::request_id()))
}

async fn checkpoint_of(vault: Arc<Vault>) -> Result<Response, Problem> {
    let read = tokio::task::spawn_blocking(move || vault.ledger.checkpoint()).await;
    let note = found(read)?;
    let kind = (CONTENT_TYPE, "text/plain; charset=utf-8");
    // The next one may be there in a moment.
    Ok(([kind, (CACHE_CONTROL, "no-cache")], note).into_response())
}

async fn tile_of(vault: Arc<Vault>, rest: String) -> Result<Response, Problem> {
    // Others' caches may keep what anyone may read.
    let (public, private) = (format!("public, {FOREVER}"), format!("private, {FOREVER}"));
    let open = *vault.ledger.readers() == LedgerReaders::Anyone;
    let cache = if open { public } else { private };
    let path = format!("tile/{rest}");
    let read = tokio::task::spawn_blocking(move || vault.ledger.file(&path)).await;
    let bytes = found(read)?;
    let kind = (CONTENT_TYPE, "application/octet-stream".to_owned());
    Ok(([kind, (CACHE_CONTROL, cache)], bytes).into_response())
}

type Read = Result<std::io::Result<Option<Vec<u8>>>, tokio::task::JoinError>;

fn found(read: Read) -> Result<Vec<u8>, Problem> {
    match read {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(Problem::no_such_ledger_file()),
        Ok(Err(_)) | Err(_) => Err(Problem::not_ready("the ledger directory can't be read")),
    }
}
