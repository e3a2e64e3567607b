//! What monitoring reads: requests by unit, group of routes and outcome, and how busy the vault is. Prometheus's text format
//! on an address of its own, on loopback only: who may read it is for the machine to say.
//!
//! Labels hold registered units' names and our own codes; nothing that a caller writes becomes a label.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::problem::{Face, Problem};
use super::stamp::StampGauges;
use super::{Vault, corridor};
use crate::model::{RouteGroup, UnitName};

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Labels {
    /// Empty where nobody was identified.
    unit: String,
    group: &'static str,
    /// `ok`, or the problem's code.
    code: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct SpaceLabels {
    domain: String,
    class: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct LedgerLabels {
    /// `sequenced`, `integrated`, `published`, or `stamped`.
    state: &'static str,
}

/// Counters and gauges of one vault.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    in_flight: Gauge,
    waiting: Gauge,
    space: Family<SpaceLabels, Gauge>,
    space_warnings: Counter,
    ledger: Family<LedgerLabels, Gauge>,
    pub(super) stamps: StampGauges,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("jinku");
        let requests = Family::<Labels, Counter>::default();
        let (in_flight, waiting) = (Gauge::default(), Gauge::default());
        let help = "Requests by unit, group of routes and outcome; refusals by their code";
        registry.register("requests", help, requests.clone());
        let help = "Requests that are worked on";
        registry.register("requests_in_flight", help, in_flight.clone());
        let help = "Requests that wait for their turn";
        registry.register("requests_waiting", help, waiting.clone());
        let space = Family::<SpaceLabels, Gauge>::default();
        let help =
            "Percent of a class's free tokens in use, by how often draws met tokens that stand";
        registry.register("token_space_used_percent", help, space.clone());
        let space_warnings = Counter::default();
        let help = "Times that a class's tokens in use rose above its share";
        registry.register("token_space_warnings", help, space_warnings.clone());
        let ledger = Family::<LedgerLabels, Gauge>::default();
        let help =
            "Entries of the ledger that have come so far; each state is a part of the one before";
        registry.register("ledger_entries", help, ledger.clone());
        let stamps = StampGauges::registered(&mut registry);
        Self {
            registry,
            requests,
            in_flight,
            waiting,
            space,
            space_warnings,
            ledger,
            stamps,
        }
    }
}

impl Metrics {
    /// Counts an answer.
    pub(super) fn answered(&self, unit: Option<&UnitName>, group: RouteGroup, response: &Response) {
        let labels = Labels {
            unit: unit.map(ToString::to_string).unwrap_or_default(),
            group: group.as_str(),
            code: Problem::code_of(response),
        };
        self.requests.get_or_create(&labels).inc();
    }

    fn encoded(&self, vault: &Vault) -> Result<String, std::fmt::Error> {
        let load = vault.admission.load();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(number(load.in_flight));
        self.waiting.set(number(load.waiting));
        let watch = vault.engine.space_watch();
        for (domain, class, percent) in watch.percents() {
            let (domain, class) = (domain.to_string(), class.to_string());
            let labels = SpaceLabels { domain, class };
            let percent = i64::try_from(percent).unwrap_or(i64::MAX);
            self.space.get_or_create(&labels).set(percent);
        }
        let told = &self.space_warnings;
        told.inc_by(watch.warnings().saturating_sub(told.get()));
        let sizes = vault.ledger.sizes();
        let stamped = self.stamps.set(vault.engine.now());
        let states = [
            ("sequenced", Some(sizes.sequenced)),
            ("integrated", Some(sizes.integrated)),
            ("published", Some(sizes.published)),
            ("stamped", stamped),
        ];
        for (state, size) in states {
            let Some(size) = size else { continue };
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            self.ledger.get_or_create(&LedgerLabels { state }).set(size);
        }
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

/// Serves `/metrics` until it is dropped.
pub async fn serve_metrics(vault: Arc<Vault>, address: SocketAddr) -> std::io::Result<()> {
    let socket = TcpListener::bind(address).await?;
    tracing::info!(address = %socket.local_addr()?, "metrics are served");
    let router = Router::new()
        .route("/metrics", get(metrics))
        .with_state(vault);
    axum::serve(socket, router).await
}

async fn metrics(State(vault): State<Arc<Vault>>) -> Response {
    match vault.metrics.encoded(&vault) {
        Ok(page) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], page).into_response()
        }
        Err(_) => Problem::no_ticket().response(Face::Rest, corridor::request_id()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestId;

    #[test]
    fn a_refusal_is_counted_by_its_code_on_both_faces() {
        let metrics = Metrics::default();
        let unit = UnitName::parse("tax-bureau").unwrap();
        for face in [Face::Rest, Face::Grpc] {
            let response = Problem::timeout().response(face, RequestId([0; 16]));
            metrics.answered(Some(&unit), RouteGroup::Keys, &response);
        }
        metrics.answered(None, RouteGroup::Tokenize, &"ok".into_response());
        let mut page = String::new();
        text::encode(&mut page, &metrics.registry).unwrap();
        for line in [
            "jinku_requests_total{unit=\"tax-bureau\",group=\"keys\",code=\"timeout\"} 2",
            "jinku_requests_total{unit=\"\",group=\"tokenize\",code=\"ok\"} 1",
        ] {
            assert!(page.contains(line), "{page}");
        }
    }
}
