//! Owns the choice of an upstream: in turn, those that are well first; a request that was not sent goes
//! to the next. Yields the answer, or why there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;

use super::body::Carried;
use super::tls::Tls;
use super::wire::{Wire, WireError, nothing};
use crate::error::UpstreamError;
use crate::settings::ProxySettings;

/// All upstreams: any of them may answer any request.
pub(super) struct Upstreams {
    members: Vec<Member>,
    turn: AtomicUsize,
    timeout: Duration,
}

struct Member {
    wire: Arc<Wire>,
    /// No connection could be made, or its own health check says no.
    ill: AtomicBool,
}

impl Upstreams {
    pub(super) fn new(settings: &ProxySettings, tls: &Arc<Tls>) -> Self {
        let times = (settings.connect_timeout, settings.idle_timeout);
        let member = |address: &http::Uri| Member {
            wire: Arc::new(Wire::new(
                address.clone(),
                tls.clone(),
                settings.upstream_protocol,
                times,
            )),
            ill: AtomicBool::new(false),
        };
        Self {
            members: settings.upstreams.iter().map(member).collect(),
            turn: AtomicUsize::new(0),
            timeout: settings.upstream_timeout,
        }
    }

    /// One answer, from whoever can give it. The time is for all attempts together.
    pub(super) async fn send(
        &self,
        request: Request<Carried>,
    ) -> Result<Response<Incoming>, UpstreamError> {
        tokio::time::timeout(self.timeout, self.attempts(request))
            .await
            .unwrap_or(Err(UpstreamError::Timeout))
    }

    async fn attempts(
        &self,
        mut request: Request<Carried>,
    ) -> Result<Response<Incoming>, UpstreamError> {
        for member in self.in_turn() {
            match member.wire.send(request).await {
                Ok(answer) => {
                    member.ill.store(false, Ordering::Relaxed);
                    return Ok(answer);
                }
                // It may have acted on what it read: only what was not sent goes elsewhere.
                Err(WireError::Lost) => return Err(UpstreamError::Unreachable),
                Err(WireError::Unsent(unsent)) => {
                    member.fell_ill();
                    request = *unsent;
                }
            }
        }
        Err(UpstreamError::Unreachable)
    }

    /// Each once: the well ones, then the others.
    fn in_turn(&self) -> Vec<&Member> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.members.len();
        let mut order: Vec<&Member> = (0..count)
            .filter_map(|step| self.members.get(first.wrapping_add(step) % count))
            .collect();
        order.sort_by_key(|member| member.ill.load(Ordering::Relaxed));
        order
    }

    /// Asks each upstream for `path`, round after round.
    pub(super) async fn watch(&self, path: &http::uri::PathAndQuery, every: Duration) {
        loop {
            for member in &self.members {
                let well = tokio::time::timeout(every, member.is_well(path)).await;
                if well.unwrap_or(false) {
                    if member.ill.swap(false, Ordering::Relaxed) {
                        tracing::info!(upstream = %member.wire.address(), "an upstream is well again");
                    }
                } else {
                    member.fell_ill();
                }
            }
            tokio::time::sleep(every).await;
        }
    }
}

impl Member {
    fn fell_ill(&self) {
        if !self.ill.swap(true, Ordering::Relaxed) {
            tracing::warn!(upstream = %self.wire.address(), "an upstream is away");
        }
    }

    async fn is_well(&self, path: &http::uri::PathAndQuery) -> bool {
        let mut parts = self.wire.address().clone().into_parts();
        parts.path_and_query = Some(path.clone());
        let Ok(uri) = http::Uri::from_parts(parts) else {
            return false;
        };
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let request = Request::get(uri).header("host", host).body(nothing());
        match request {
            Ok(request) => self
                .wire
                .send(request)
                .await
                .is_ok_and(|answer| answer.status().is_success()),
            Err(_) => false,
        }
    }
}
