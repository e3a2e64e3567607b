//! The question whether a vault is ready, over a channel like that of the calls.

use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::{ClientError, ClientSettings};

/// Asks a vault whether it is ready. Clones share one channel.
#[derive(Clone)]
pub struct ReadyClient {
    channel: Channel,
}

impl ReadyClient {
    /// Prepares the channel; it connects when it is first used, and again when it was lost.
    pub fn new(settings: &ClientSettings) -> Result<Self, ClientError> {
        Ok(Self {
            channel: crate::channel::channel(settings)?,
        })
    }

    /// Whether the vault's `GET /readyz` says yes, in the time that a call may take.
    pub async fn ready(&self) -> bool {
        let Ok(request) = http::Request::get("/readyz").body(Body::empty()) else {
            return false;
        };
        // The channel has the time of a call, and its own for connecting.
        self.channel
            .clone()
            .oneshot(request)
            .await
            .is_ok_and(|answer| {
                // A gRPC server without that path says 200 as well, with a status of its own.
                answer.status().is_success() && !answer.headers().contains_key("grpc-status")
            })
    }
}
