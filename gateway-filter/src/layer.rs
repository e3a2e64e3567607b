//! The form for Rust services: a tower layer. It carries each request through the filter before the
//! service sees it, and the answer on its way back.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use gateway_filter::{Filter, FilterLayer, Settings, VaultClient};
//!
//! let settings = Settings::load("filter.toml".as_ref())?;
//! let vault = VaultClient::open(&settings.vault)?;
//! let layer = FilterLayer::new(Arc::new(Filter::new(settings.rules, vault)));
//! // With axum, around the whole router: `Router::layer` would come after routing, when `Path` has
//! // its segments already. It runs in `examples/axum.rs`.
//! // let service = tower::Layer::layer(&layer, router);
//! // axum::serve(listener, ServiceExt::<Request>::into_make_service(service)).await?;
//! # Ok(())
//! # }
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Body;
use tower::{Layer, Service};

use crate::carry::Carrier;
use crate::error::{FilterError, UpstreamError};
use crate::filter::Vault;
use crate::live::Live;
use crate::metrics::Front;

/// How long a body that is read may take to arrive, where nobody says.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Wraps a service in the filter. Clones share all.
///
/// Bodies that no rule reads go through as they are; those that are read are held whole, within the
/// route's limit, and so are all of a direction in which a rule names headers: trailers do not go on there.
/// The service must not compress what a route rewrites: the layer asks it not to. It stands before any
/// router: where it rewrites a request's target, it clears the request's extensions, in which a router
/// before it would keep segments of the first one.
pub struct FilterLayer<V> {
    carrier: Arc<Carrier<V>>,
}

/// A service behind the filter.
pub struct Filtered<S, V> {
    inner: S,
    carrier: Arc<Carrier<V>>,
}

impl<V: Vault> FilterLayer<V> {
    /// A layer over this filter: an `Arc<Filter<_>>`, or a [`Live`] one that may be replaced.
    pub fn new(live: impl Into<Live<V>>) -> Self {
        Self::shared(Arc::new(live.into()), BODY_TIMEOUT)
    }

    /// A layer over a filter that others hold too, with a time for bodies to arrive.
    pub fn shared(live: Arc<Live<V>>, body_timeout: Duration) -> Self {
        Self {
            carrier: Arc::new(Carrier {
                live,
                front: Front::Layer,
                body_timeout,
            }),
        }
    }
}

impl<V> Clone for FilterLayer<V> {
    fn clone(&self) -> Self {
        Self {
            carrier: self.carrier.clone(),
        }
    }
}

impl<S: Clone, V> Clone for Filtered<S, V> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            carrier: self.carrier.clone(),
        }
    }
}

impl<S, V> Layer<S> for FilterLayer<V> {
    type Service = Filtered<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        Filtered {
            inner,
            carrier: self.carrier.clone(),
        }
    }
}

impl<S, V, B, A> Service<Request<B>> for Filtered<S, V>
where
    S: Service<Request<B>, Response = Response<A>> + Clone + Send + 'static,
    S::Error: Send,
    S::Future: Send,
    V: Vault,
    B: Body<Data = Bytes> + From<Bytes> + Send + 'static,
    B::Error: Send,
    A: Body<Data = Bytes> + From<Bytes> + Send + 'static,
    A::Error: Send,
{
    type Response = Response<A>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone is not ready; the one that was made ready serves this request.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let carrier = self.carrier.clone();
        Box::pin(async move {
            let mut failure = None;
            let answer = carrier
                .carry(request, async |request: Request<B>| {
                    inner.call(request).await.map_err(|error| {
                        failure = Some(error);
                        FilterError::Upstream(UpstreamError::Unreachable)
                    })
                })
                .await;
            // The service's own error is the caller's, as without the layer.
            failure.map_or(Ok(answer), Err)
        })
    }
}
