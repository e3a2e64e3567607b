//! One stream as Envoy holds it: what it says, and how its answers are read.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HttpBody, HttpHeaders, ImmediateResponse, ProcessingRequest,
    ProcessingResponse, ProtocolConfiguration,
};
use gateway_filter::{Listener, Shutdown, ext_proc};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::city::{MemoryVault, filter, settings};

/// One stream as Envoy holds it.
pub(crate) struct Talk {
    pub(crate) messages: mpsc::Sender<ProcessingRequest>,
    pub(crate) answers: Streaming<ProcessingResponse>,
    /// Dropped, it ends the server.
    _shutdown: watch::Sender<bool>,
}

/// What follows a head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Body,
    Nothing,
}

pub(crate) struct Running {
    pub(crate) client: ExternalProcessorClient<tonic::transport::Channel>,
    pub(crate) shutdown: watch::Sender<bool>,
}

pub(crate) async fn processor(vault: &MemoryVault, limits: &str) -> Running {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let url = format!("http://{}", listener.address());
    let (shutdown, begun) = Shutdown::channel();
    tokio::spawn(ext_proc::serve(
        listener,
        Arc::new(Arc::new(filter(vault, limits)).into()),
        settings(limits, "").ext_proc,
        begun,
    ));
    let client = ExternalProcessorClient::connect(url).await.unwrap();
    Running { client, shutdown }
}

impl Running {
    pub(crate) async fn talk(&self) -> Result<Talk, Status> {
        let (messages, stream) = mpsc::channel(8);
        let answers = self
            .client
            .clone()
            .process(ReceiverStream::new(stream))
            .await?
            .into_inner();
        Ok(Talk {
            messages,
            answers,
            _shutdown: self.shutdown.clone(),
        })
    }
}

pub(crate) async fn talk(vault: &MemoryVault) -> Talk {
    processor(vault, "").await.talk().await.unwrap()
}

impl Talk {
    pub(crate) async fn send(&mut self, message: ProcessingRequest) -> Result<Reply, Status> {
        self.messages.send(message).await.unwrap();
        match self.answers.message().await {
            Ok(Some(answer)) => Ok(answer.response.unwrap()),
            // The very thing that must not happen: Envoy would let the body go on.
            Ok(None) => panic!("the stream ended OK before its answer"),
            Err(status) => Err(status),
        }
    }

    pub(crate) async fn say(&mut self, message: Message) -> Result<Reply, Status> {
        self.send(said(message)).await
    }

    pub(crate) async fn open(&mut self, message: Message) -> Result<Reply, Status> {
        self.send(opening(
            message,
            BodySendMode::Buffered,
            BodySendMode::Buffered,
        ))
        .await
    }
}

pub(crate) fn said(message: Message) -> ProcessingRequest {
    ProcessingRequest {
        request: Some(message),
        ..Default::default()
    }
}

pub(crate) fn opening(
    message: Message,
    request: BodySendMode,
    response: BodySendMode,
) -> ProcessingRequest {
    ProcessingRequest {
        request: Some(message),
        protocol_config: Some(ProtocolConfiguration {
            request_body_mode: request.into(),
            response_body_mode: response.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(crate) fn head(lines: &[(&str, &str)], rest: Rest) -> HttpHeaders {
    let line = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..Default::default()
    };
    let headers = Some(HeaderMap {
        headers: lines.iter().map(line).collect(),
    });
    HttpHeaders {
        headers,
        end_of_stream: rest == Rest::Nothing,
        ..Default::default()
    }
}

pub(crate) fn request(method: &str, path: &str, lines: &[(&str, &str)], rest: Rest) -> Message {
    let mut all = vec![
        (":method", method),
        (":path", path),
        (":authority", "api.example.tw"),
    ];
    all.extend([(":scheme", "http"), ("authorization", "Bearer unit")]);
    all.extend(lines);
    Message::RequestHeaders(head(&all, rest))
}

pub(crate) fn payment() -> Message {
    request(
        "POST",
        "/payments/card",
        &[("content-type", "application/json")],
        Rest::Body,
    )
}

pub(crate) fn person() -> Message {
    request(
        "GET",
        "/people/7",
        &[("jinku-purpose", "audit")],
        Rest::Nothing,
    )
}

pub(crate) fn whole(body: &str) -> HttpBody {
    HttpBody {
        body: body.as_bytes().to_vec(),
        end_of_stream: true,
        ..Default::default()
    }
}

pub(crate) fn answer_head() -> Message {
    Message::ResponseHeaders(head(
        &[(":status", "200"), ("content-type", "application/json")],
        Rest::Body,
    ))
}

pub(crate) const BODY: &str = r#"{ "payer":{"national_id":"A1"}}"#;

pub(crate) fn request_body(body: &str) -> Message {
    Message::RequestBody(whole(body))
}

pub(crate) fn response_body(body: &str) -> Message {
    Message::ResponseBody(whole(body))
}

pub(crate) fn body_of(common: Option<&CommonResponse>) -> Option<String> {
    match common?.body_mutation.as_ref()?.mutation.as_ref()? {
        Mutation::Body(body) => Some(String::from_utf8(body.clone()).unwrap()),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn header_of(common: &CommonResponse, name: &str) -> Option<String> {
    let lines = &common.header_mutation.as_ref()?.set_headers;
    let line = lines
        .iter()
        .filter_map(|line| line.header.as_ref())
        .find(|line| line.key == name)?;
    Some(String::from_utf8(line.raw_value.clone()).unwrap())
}

pub(crate) fn removed(common: Option<&CommonResponse>) -> Vec<String> {
    common
        .unwrap()
        .header_mutation
        .as_ref()
        .unwrap()
        .remove_headers
        .clone()
}

pub(crate) fn refused(reply: Result<Reply, Status>) -> (i32, String) {
    let Reply::ImmediateResponse(ImmediateResponse {
        status,
        headers,
        body,
        details,
        ..
    }) = reply.unwrap()
    else {
        panic!("not refused")
    };
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let code = document["code"].as_str().unwrap().to_owned();
    assert_eq!(details, format!("jinku:{code}"));
    let lines = headers.unwrap().set_headers;
    let content_type = lines
        .iter()
        .filter_map(|line| line.header.as_ref())
        .find(|line| line.key == "content-type" && line.raw_value == b"application/problem+json");
    assert!(content_type.is_some());
    (status.unwrap().code, code)
}

pub(crate) fn failed(reply: Result<Reply, Status>) -> Code {
    reply.expect_err("a gRPC error").code()
}
