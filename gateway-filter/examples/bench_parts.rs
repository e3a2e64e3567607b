//! The parts of `benches/gateway.sh` that are not under test: an upstream that gives back what it is sent, an
//! external processor that changes nothing or puts bodies back, and the filter over a vault in memory, which answers at once.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use api::UnitProof;
use api::v1::{
    DecryptJweRequest, DecryptJweResult, DetokenizeRequest, EncryptJweRequest, EncryptJweResult,
    Revealed, TokenizeRequest, View,
};
use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::{
    ExternalProcessor, ExternalProcessorServer,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeadersResponse, HttpBody, ProcessingRequest,
    ProcessingResponse, TrailersResponse,
};
use gateway_filter::{
    Filter, KeyUse, Listener, Live, Proxy, Recorded, Settings, Vault, VaultError, ext_proc,
    shutdown_on_signal,
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::Status;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["echo", address] => echo(address.parse()?).await,
        ["no-op", address] => beside(address.parse()?, Beside::GoesOn).await,
        ["put-back", address] => beside(address.parse()?, Beside::PutsBack).await,
        ["ext-proc", address, settings] => {
            let (settings, live) = open(settings)?;
            let listener = Listener::bind(address.parse()?).await?;
            let shutdown = shutdown_on_signal()?;
            ext_proc::serve(listener, live, settings.ext_proc, shutdown).await?;
            Ok(())
        }
        ["proxy", address, settings] => {
            let (settings, live) = open(settings)?;
            let listener = Listener::bind(address.parse()?).await?;
            let settings = settings.proxy.ok_or("no [proxy]")?;
            let proxy = Proxy::open(live, settings)?;
            proxy.serve(listener, shutdown_on_signal()?).await;
            Ok(())
        }
        _ => Err(
            "usage: bench_parts echo|no-op|put-back ADDRESS, ext-proc|proxy ADDRESS FILTER.TOML"
                .into(),
        ),
    }
}

/// What the fronts take of the settings; the routes are the filter's.
struct Fronts {
    ext_proc: gateway_filter::ExtProcSettings,
    proxy: Option<gateway_filter::ProxySettings>,
}

fn open(file: &str) -> Result<(Fronts, Arc<Live<InMemory>>), Failure> {
    let settings = Settings::load(Path::new(file))?;
    let filter = Arc::new(Filter::new(settings.rules, InMemory));
    let fronts = Fronts {
        ext_proc: settings.ext_proc,
        proxy: settings.proxy,
    };
    Ok((fronts, Arc::new(Live::from(filter))))
}

/// A vault that answers at once: a token is its value turned around.
struct InMemory;

impl Vault for InMemory {
    async fn tokenize(
        &self,
        request: TokenizeRequest,
        _: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<String>>, VaultError> {
        let turned = |value: String| value.chars().rev().collect();
        let items = request.items.into_iter();
        Ok(Recorded {
            answer: items.map(|item| turned(item.value)).collect(),
            entry: 0,
        })
    }

    async fn detokenize(
        &self,
        request: DetokenizeRequest,
        _: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<Revealed>>, VaultError> {
        let reveal = |token: String| Revealed {
            view: View::Plain.into(),
            value: token.chars().rev().collect(),
            ..Revealed::default()
        };
        Ok(Recorded {
            answer: request.tokens.into_iter().map(reveal).collect(),
            entry: 0,
        })
    }

    async fn sign(&self, _: KeyUse, _: Option<&UnitProof>) -> Result<Vec<u8>, VaultError> {
        Err(VaultError::Failed)
    }

    async fn verify(
        &self,
        _: KeyUse,
        _: Vec<u8>,
        _: Option<&UnitProof>,
    ) -> Result<bool, VaultError> {
        Err(VaultError::Failed)
    }

    async fn encrypt_jwe(
        &self,
        _: EncryptJweRequest,
        _: Option<&UnitProof>,
    ) -> Result<Vec<EncryptJweResult>, VaultError> {
        Err(VaultError::Failed)
    }

    async fn decrypt_jwe(
        &self,
        _: DecryptJweRequest,
        _: Option<&UnitProof>,
    ) -> Result<Vec<DecryptJweResult>, VaultError> {
        Err(VaultError::Failed)
    }
}

async fn echo(address: SocketAddr) -> Result<(), Failure> {
    let socket = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = socket.accept().await?;
        stream.set_nodelay(true)?;
        let service = hyper::service::service_fn(async |request: Request<Incoming>| {
            let whole = request.into_body().collect().await;
            let whole = whole.map(http_body_util::Collected::to_bytes);
            let mut response = Response::new(Full::new(whole.unwrap_or_else(|_| Bytes::new())));
            let json = http::HeaderValue::from_static("application/json");
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, json);
            Ok::<_, Infallible>(response)
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn beside(address: SocketAddr, processor: Beside) -> Result<(), Failure> {
    let socket = TcpListener::bind(address).await?;
    let incoming = TcpListenerStream::new(socket).map(|accepted| {
        let stream = accepted?;
        // As the filter does: without it each answer may wait 40 ms for an acknowledgement.
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    });
    tonic::transport::Server::builder()
        .add_service(ExternalProcessorServer::new(processor))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

/// An external processor that is shown every part, as the filter is.
#[derive(Clone, Copy)]
enum Beside {
    /// It changes none.
    GoesOn,
    /// It answers with the body that it was shown: what handing a body over and taking it back costs.
    PutsBack,
}

#[tonic::async_trait]
impl ExternalProcessor for Beside {
    type ProcessStream = ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(
        &self,
        request: tonic::Request<tonic::Streaming<ProcessingRequest>>,
    ) -> Result<tonic::Response<Self::ProcessStream>, Status> {
        let (answers, stream) = mpsc::channel(1);
        let processor = *self;
        tokio::spawn(async move {
            let mut messages = request.into_inner();
            while let Some(Ok(message)) = messages.next().await {
                let Some(message) = message.request else {
                    break;
                };
                let answer = ProcessingResponse {
                    response: Some(processor.answer(message)),
                    ..ProcessingResponse::default()
                };
                if answers.send(Ok(answer)).await.is_err() {
                    break;
                }
            }
        });
        Ok(tonic::Response::new(ReceiverStream::new(stream)))
    }
}

impl Beside {
    fn answer(self, message: Message) -> Reply {
        match message {
            Message::RequestHeaders(_) => Reply::RequestHeaders(HeadersResponse::default()),
            Message::ResponseHeaders(_) => Reply::ResponseHeaders(HeadersResponse::default()),
            Message::RequestBody(part) => Reply::RequestBody(self.body(part)),
            Message::ResponseBody(part) => Reply::ResponseBody(self.body(part)),
            Message::RequestTrailers(_) => Reply::RequestTrailers(TrailersResponse::default()),
            Message::ResponseTrailers(_) => Reply::ResponseTrailers(TrailersResponse::default()),
        }
    }

    fn body(self, part: HttpBody) -> BodyResponse {
        match self {
            Self::GoesOn => BodyResponse::default(),
            Self::PutsBack => BodyResponse {
                response: Some(CommonResponse {
                    body_mutation: Some(BodyMutation {
                        mutation: Some(Mutation::Body(part.body)),
                    }),
                    ..CommonResponse::default()
                }),
            },
        }
    }
}
