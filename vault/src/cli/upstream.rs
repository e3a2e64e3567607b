//! The sample upstream: a payment platform's backend that keeps and gives back what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

/// What the upstream has received.
#[derive(Clone, Default)]
pub(super) struct Received {
    last: Arc<Mutex<Bytes>>,
}

impl Received {
    /// The body of the last request, byte for byte.
    pub(super) fn last(&self) -> Bytes {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Serves on a loopback port of its own until the process ends.
pub(super) async fn start() -> anyhow::Result<(SocketAddr, Received)> {
    let received = Received::default();
    let router = Router::new()
        .route("/payments/{kind}", post(keep))
        .route("/payments/{kind}", get(give_back))
        .with_state(received.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((address, received))
}

async fn keep(State(received): State<Received>, body: Bytes) -> impl IntoResponse {
    *received.last.lock().unwrap_or_else(PoisonError::into_inner) = body;
    ([(CONTENT_TYPE, "application/json")], r#"{"accepted":true}"#)
}

async fn give_back(State(received): State<Received>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], received.last())
}
