//! The front for Envoy: an external processor (`envoy.service.ext_proc.v3`), for `BUFFERED` bodies and for
//! `FULL_DUPLEX_STREAMED` ones. Owns the gRPC server and each stream's end; `conversation` decides, `answer`
//! puts into words.
//!
//! Envoy reads a stream that ends OK before its answer as "go on with the first body". So a stream
//! ends OK only after its client ended it: panics, overload, lateness, shutdown and disorder are gRPC
//! errors.

mod answer;
mod conversation;
mod gathered;
mod modes;

use std::sync::Arc;
use std::time::Duration;

use api::{Heard, Opening};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::error::FilterError;
use crate::filter::Vault;
use crate::listen::{ListenError, Listener, Shutdown};
use crate::live::Live;
use crate::metrics::Front;
use crate::settings::ExtProcSettings;
use conversation::Conversation;

/// What a message may hold beside its body, in bytes: headers and attributes.
const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

type Answer = Result<ProcessingResponse, Status>;

/// Serves until the shutdown has begun and the streams under way have ended.
///
/// Plain HTTP/2: bind it to a loopback address, beside the gateway.
pub async fn serve<V: Vault>(
    listener: Listener,
    live: Arc<Live<V>>,
    settings: ExtProcSettings,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    let within = settings.header_timeout;
    let incoming = TcpListenerStream::new(listener.socket).map(move |accepted| {
        accepted.map(|stream| {
            // Without it small answers wait for the peer's acknowledgement; failing is harmless.
            let _ = stream.set_nodelay(true);
            Opening::new(stream, within)
        })
    });
    let service = Service {
        live,
        settings,
        shutdown: shutdown.clone(),
    };
    // A route's own limit holds; this one keeps a message from being decoded without end.
    let message_bytes_max = service.live.now().rules().body_bytes_max() + ENVELOPE_BYTES_MAX;
    let service =
        ExternalProcessorServer::new(service).max_decoding_message_size(message_bytes_max);
    tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, shutdown.begun())
        .await
        .map_err(ListenError::Grpc)
}

struct Service<V> {
    live: Arc<Live<V>>,
    settings: ExtProcSettings,
    shutdown: Shutdown,
}

#[tonic::async_trait]
impl<V: Vault> ExternalProcessor for Service<V> {
    type ProcessStream = ReceiverStream<Answer>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        if let Some(heard) = request.extensions().get::<Heard>() {
            heard.now();
        }
        let mut watched = self.live.metrics().message(Front::ExtProc);
        let Ok(slot) = self.live.slots().clone().try_acquire_owned() else {
            watched.refused(&FilterError::Overloaded);
            return Err(Status::resource_exhausted(
                "too many requests are under way",
            ));
        };
        let (answers, stream) = mpsc::channel(1);
        let conversation =
            Conversation::new(self.live.clone(), watched, self.settings.body_timeout);
        let talk = tokio::spawn(converse(
            conversation,
            request.into_inner(),
            answers.clone(),
        ));
        let (shutdown, drain) = (self.shutdown.clone(), self.settings.drain_timeout);
        tokio::spawn(async move {
            let _slot = slot;
            let gone = answers.closed();
            if let Err(status) = watched_to_its_end(talk, gone, shutdown, drain).await {
                // The gateway may be gone already: then nobody waits for it.
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Answers messages as they come; ends OK only where the gateway ended.
async fn converse<V: Vault>(
    mut conversation: Conversation<V>,
    mut messages: Streaming<ProcessingRequest>,
    answers: mpsc::Sender<Answer>,
) -> Result<(), Status> {
    loop {
        let next = match conversation.deadline() {
            None => messages.message().await,
            Some(deadline) => tokio::time::timeout_at(deadline, messages.message())
                .await
                .unwrap_or_else(|_| Err(Status::deadline_exceeded("the body came too slowly"))),
        };
        let message = match next {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            Err(status) if status.code() == Code::DeadlineExceeded => {
                conversation.watched().failed("body-timeout");
                return Err(status);
            }
            // Envoy resets each stream at its end (envoy#22727): that is how it says goodbye.
            Err(status) => return Err(status),
        };
        let given = match conversation.step(message).await {
            Ok(given) => given,
            Err(status) => {
                conversation.watched().failed("gateway-disorder");
                tracing::warn!("the gateway is refused: {}", status.message());
                return Err(status);
            }
        };
        for answer in given {
            if answers.send(Ok(answer)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The talk's end; a panic and a shutdown that waited long enough are gRPC errors. A gateway that is gone
/// has its call of the vault called off.
async fn watched_to_its_end(
    mut talk: tokio::task::JoinHandle<Result<(), Status>>,
    gone: impl Future<Output = ()>,
    shutdown: Shutdown,
    drain: Duration,
) -> Result<(), Status> {
    let cut_off = async {
        shutdown.begun().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        ended = &mut talk => ended.unwrap_or_else(|_| {
            tracing::error!("a message made the filter fail; it did not go on");
            Err(Status::internal("the filter failed"))
        }),
        () = gone => {
            talk.abort();
            Ok(())
        }
        () = cut_off => {
            talk.abort();
            Err(Status::unavailable("the filter is shutting down"))
        }
    }
}
