//! Owns what monitoring reads: every outcome of a message, of a body and of a vault call, counted. In
//! Prometheus's text format; labels are the settings' route names and our own codes, never a value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::error::{FilterError, Side, VaultError};
use crate::problem::{Problem, own_code, vault_code};

/// Seconds, from a local answer to a vault that is late.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The form in which the filter is plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// Envoy's external processor.
    ExtProc,
    /// The reverse proxy.
    Proxy,
    /// The tower layer.
    Layer,
    /// Envoy's dynamic module.
    Module,
}

/// A call of the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VaultCall {
    Tokenize,
    Detokenize,
    EncryptJwe,
    DecryptJwe,
    Sign,
    Verify,
}

/// Whether the vault is asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CircuitState {
    /// It failed too often, and is left in peace.
    Open,
    /// It is asked.
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    front: &'static str,
    /// Empty where no route was found.
    route: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BodyLabels {
    side: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TimeLabels {
    call: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

type Times = Family<TimeLabels, Histogram, fn() -> Histogram>;

/// Counters, gauges and times of one filter. One is shared by all of its parts.
pub struct Metrics {
    registry: Registry,
    messages: Family<MessageLabels, Counter>,
    under_way: Gauge,
    bodies: Family<BodyLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    call_times: Times,
    retries: Family<TimeLabels, Counter>,
    circuit_open: Gauge,
    held_bytes: Gauge,
    reloads: Family<OutcomeLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let times: Times = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut metrics = Self {
            registry: Registry::with_prefix("jinku_filter"),
            messages: Family::default(),
            under_way: Gauge::default(),
            bodies: Family::default(),
            calls: Family::default(),
            call_times: times,
            retries: Family::default(),
            circuit_open: Gauge::default(),
            held_bytes: Gauge::default(),
            reloads: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let page = &mut self.registry;
        page.register(
            "messages",
            "Requests with their answers, by front, route and outcome",
            self.messages.clone(),
        );
        page.register(
            "messages_under_way",
            "Messages that are worked on",
            self.under_way.clone(),
        );
        page.register(
            "bodies",
            "Bodies that were read, by direction and outcome",
            self.bodies.clone(),
        );
        page.register(
            "vault_calls",
            "Calls of the vault by outcome; all attempts of one are one",
            self.calls.clone(),
        );
        page.register(
            "vault_call_seconds",
            "How long calls of the vault took",
            self.call_times.clone(),
        );
        page.register(
            "vault_retries",
            "Attempts after the first",
            self.retries.clone(),
        );
        page.register(
            "vault_circuit_open",
            "1 while the vault is not asked because it failed too often",
            self.circuit_open.clone(),
        );
        page.register(
            "held_bytes",
            "Bytes of bodies held in memory",
            self.held_bytes.clone(),
        );
        page.register(
            "reloads",
            "Times that the settings were read again",
            self.reloads.clone(),
        );
    }

    /// The page that monitoring reads.
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a `String` can't fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }

    /// Begins to watch one message.
    pub(crate) fn message(self: &Arc<Self>, front: Front) -> Watched {
        self.under_way.inc();
        Watched {
            metrics: self.clone(),
            front,
            route: String::new(),
            outcome: "abandoned",
            began: Instant::now(),
        }
    }

    pub(crate) fn body(&self, side: Side, outcome: &'static str) {
        let side = match side {
            Side::Request => "request",
            Side::Response => "response",
        };
        self.bodies
            .get_or_create(&BodyLabels { side, outcome })
            .inc();
    }

    pub(crate) fn vault_answered(
        &self,
        call: VaultCall,
        error: Option<&VaultError>,
        took: Duration,
    ) {
        let outcome = error.map_or("ok", vault_code);
        let call = call.name();
        self.calls
            .get_or_create(&CallLabels { call, outcome })
            .inc();
        self.call_times
            .get_or_create(&TimeLabels { call })
            .observe(took.as_secs_f64());
        if let Some(error) = error {
            let took_ms = took.as_millis();
            tracing::warn!(call, outcome, took_ms, "the vault did not do it: {error}");
        }
    }

    pub(crate) fn vault_retried(&self, call: VaultCall) {
        let call = call.name();
        self.retries.get_or_create(&TimeLabels { call }).inc();
    }

    pub(crate) fn circuit(&self, state: CircuitState) {
        let open = i64::from(state == CircuitState::Open);
        if self.circuit_open.set(open) != open {
            tracing::warn!(?state, "the circuit to the vault");
        }
    }

    pub(crate) fn holding(&self, bytes: usize) {
        self.held_bytes
            .inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn released(&self, bytes: usize) {
        self.held_bytes
            .dec_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn reloaded(&self, outcome: &'static str) {
        self.reloads.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}

impl Front {
    fn name(self) -> &'static str {
        match self {
            Self::ExtProc => "ext-proc",
            Self::Proxy => "proxy",
            Self::Layer => "layer",
            Self::Module => "module",
        }
    }
}

impl VaultCall {
    fn name(self) -> &'static str {
        match self {
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
            Self::EncryptJwe => "encrypt-jwe",
            Self::DecryptJwe => "decrypt-jwe",
            Self::Sign => "sign",
            Self::Verify => "verify",
        }
    }
}

/// One message under way. It is counted when it is dropped: as abandoned, where nobody said how it ended.
pub(crate) struct Watched {
    metrics: Arc<Metrics>,
    front: Front,
    route: String,
    outcome: &'static str,
    began: Instant,
}

impl Watched {
    pub(crate) fn takes(&mut self, route: Option<&str>) {
        route.unwrap_or_default().clone_into(&mut self.route);
    }

    pub(crate) fn passed(&mut self) {
        self.outcome = "passed";
    }

    /// Ends with an answer of the filter's own, which it yields.
    pub(crate) fn refused(&mut self, error: &FilterError) -> Problem {
        let problem = Problem::from(error);
        self.outcome = own_code(error);
        tracing::info!(
            front = self.front.name(),
            route = %self.route,
            status = problem.status.as_u16(),
            code = %problem.code,
            outcome = self.outcome,
            "request refused"
        );
        problem
    }

    /// Ends without an answer in HTTP: the gateway is told that the filter failed.
    pub(crate) fn failed(&mut self, outcome: &'static str) {
        self.outcome = outcome;
        tracing::warn!(front = self.front.name(), route = %self.route, outcome, "message failed closed");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.metrics.under_way.dec();
        if std::thread::panicking() {
            self.failed("panicked");
        }
        let labels = MessageLabels {
            front: self.front.name(),
            route: std::mem::take(&mut self.route),
            outcome: self.outcome,
        };
        let took_us = self.began.elapsed().as_micros();
        tracing::debug!(front = self.front.name(), route = %labels.route, outcome = self.outcome, took_us, "message ended");
        self.metrics.messages.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_message_is_counted_once() {
        let metrics = Arc::new(Metrics::default());
        let mut watched = metrics.message(Front::Proxy);
        watched.takes(Some("payments"));
        watched.passed();
        assert!(metrics.page().contains("jinku_filter_messages_under_way 1"));
        drop(watched);
        drop(metrics.message(Front::ExtProc));
        let mut refused = metrics.message(Front::Layer);
        let problem = refused.refused(&FilterError::Overloaded);
        assert_eq!(problem.status.as_u16(), 503);
        drop(refused);
        let page = metrics.page();
        for line in [
            "jinku_filter_messages_total{front=\"proxy\",route=\"payments\",outcome=\"passed\"} 1",
            "jinku_filter_messages_total{front=\"ext-proc\",route=\"\",outcome=\"abandoned\"} 1",
            "jinku_filter_messages_total{front=\"layer\",route=\"\",outcome=\"overloaded\"} 1",
            "jinku_filter_messages_under_way 0",
        ] {
            assert!(page.contains(line), "{line} in\n{page}");
        }
    }
}
