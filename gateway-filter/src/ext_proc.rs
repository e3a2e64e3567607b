//! The front for Envoy: an external processor (`envoy.service.ext_proc.v3`) for BUFFERED bodies.
//! Owns the gRPC server and each stream's end; `conversation` decides, `answer` puts into words.
//!
//! Envoy reads a stream that ends OK before its answer as "go on with the first body". So a stream
//! ends OK only after its client ended it: panics, overload, shutdown and disorder are gRPC errors.

mod answer;
mod conversation;
mod modes;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use crate::filter::{Filter, Vault};
use crate::listen::{ListenError, Listener, Shutdown};
use conversation::Conversation;

/// How long streams under way may take after the shutdown has begun.
const DRAIN: Duration = Duration::from_secs(20);
/// What a message may hold beside its body, in bytes: headers and attributes.
const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

type Answer = Result<ProcessingResponse, Status>;

/// Serves until the shutdown has begun and the streams under way have ended.
///
/// Plain HTTP/2: bind it to a loopback address, beside the gateway.
pub async fn serve<V: Vault>(
    listener: Listener,
    filter: Arc<Filter<V>>,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    let in_flight_max = filter.rules().in_flight_max;
    let message_bytes_max = filter.rules().body_bytes_max() + ENVELOPE_BYTES_MAX;
    let service = Service {
        filter,
        slots: Arc::new(Semaphore::new(in_flight_max)),
        shutdown: shutdown.clone(),
    };
    let service =
        ExternalProcessorServer::new(service).max_decoding_message_size(message_bytes_max);
    tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener.socket), shutdown.begun())
        .await
        .map_err(ListenError::Grpc)
}

struct Service<V> {
    filter: Arc<Filter<V>>,
    slots: Arc<Semaphore>,
    shutdown: Shutdown,
}

#[tonic::async_trait]
impl<V: Vault> ExternalProcessor for Service<V> {
    type ProcessStream = ReceiverStream<Answer>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let slot = self
            .slots
            .clone()
            .try_acquire_owned()
            .map_err(|_| Status::resource_exhausted("too many requests are under way"))?;
        let (answers, stream) = mpsc::channel(1);
        let conversation = Conversation::new(self.filter.clone());
        let talk = tokio::spawn(converse(
            conversation,
            request.into_inner(),
            answers.clone(),
        ));
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(status) = watched(talk, shutdown).await {
                // The gateway may be gone already: then nobody waits for it.
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Answers each message before the next is read; ends OK only where the gateway ended.
async fn converse<V: Vault>(
    mut conversation: Conversation<V>,
    mut messages: Streaming<ProcessingRequest>,
    answers: mpsc::Sender<Answer>,
) -> Result<(), Status> {
    while let Some(message) = messages.message().await? {
        let answer = conversation.step(message).await?;
        if answers.send(Ok(answer)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The talk's end; a panic and a shutdown that waited long enough are gRPC errors.
async fn watched(
    mut talk: tokio::task::JoinHandle<Result<(), Status>>,
    shutdown: Shutdown,
) -> Result<(), Status> {
    let cut_off = async {
        shutdown.begun().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = &mut talk => ended.unwrap_or_else(|_| Err(Status::internal("the filter failed"))),
        () = cut_off => {
            talk.abort();
            Err(Status::unavailable("the filter is shutting down"))
        }
    }
}
