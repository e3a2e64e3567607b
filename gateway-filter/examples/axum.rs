//! A service of axum's behind the filter: it sees tokens, its units see values.
//!
//! ```sh
//! jinku init /tmp/city && …                # a vault, as the README says
//! cargo run -p gateway-filter --example axum -- /tmp/city/filter.toml 127.0.0.1:8082
//! curl 127.0.0.1:8082/payments/tax -H "authorization: Bearer …" -H content-type:application/json \
//!      --data @policies/sample/tax.json
//! ```

use std::path::Path;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use axum::{Router, ServiceExt};
use gateway_filter::{Filter, FilterLayer, Settings, VaultClient};
use tower::Layer as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: axum FILTER.TOML ADDRESS:PORT".into());
    };
    let settings = Settings::load(Path::new(&file))?;
    let vault = VaultClient::open(&settings.vault)?;
    let filter = Arc::new(Filter::new(settings.rules, vault));
    let router = Router::new().route("/payments/{kind}", post(record));
    // Around the router: `Router::layer` would come after routing, when `Path` has its segments already.
    let service = FilterLayer::new(filter).layer(router);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    tracing::info!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, ServiceExt::<Request>::into_make_service(service)).await?;
    Ok(())
}

/// Whatever is in `body` by now, no field that a rule names is a value.
async fn record(body: String) -> ([(HeaderName, &'static str); 1], String) {
    tracing::info!(bytes = body.len(), "a record of tokens");
    ([(CONTENT_TYPE, "application/json")], body)
}
