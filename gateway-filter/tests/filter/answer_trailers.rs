//! Trailers of answers: those of a name that a rule takes do not go on, in any form of the filter.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::Bytes;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Reply;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpTrailers};
use gateway_filter::FilterLayer;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tower::{Layer as _, ServiceExt as _};

use crate::city::{MemoryVault, filter};
use crate::ext_proc::talk::{self, Rest, failed, opening, processor, said, whole};
use crate::proxy::running::start;

const SENT: [(&str, &str); 3] = [("x-name", "Wang"), ("x_name", "Wang"), ("x-late", "1")];

fn lines(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    headers
}

/// A body that no rule reads, and trailers behind it.
fn trailed(trailers: HeaderMap) -> impl hyper::body::Body<Data = Bytes, Error = Infallible> {
    let body = Full::new(Bytes::from_static(b"no rule reads it"));
    body.with_trailers(std::future::ready(Some(Ok(trailers))))
}

/// An upstream that speaks HTTP/2 and ends each answer with these trailers.
async fn upstream() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let service = hyper::service::service_fn(async |_: Request<Incoming>| {
                Ok::<_, Infallible>(Response::new(trailed(lines(&SENT))))
            });
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn through_the_proxy() {
    let http2 = "upstream_protocol = \"http2\"";
    let running = start(&MemoryVault::default(), upstream().await, "", http2).await;
    let stream = TokioIo::new(TcpStream::connect(running.address).await.unwrap());
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = shaken.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://{}/registry/7", running.address))
        .header("authorization", "Bearer unit")
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let whole = answer.into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&lines(&[("x-late", "1")])));
    assert_eq!(whole.to_bytes(), "no rule reads it");
}

#[tokio::test]
async fn through_the_layer_in_both_directions() {
    let vault = MemoryVault::default();
    // What the service saw of the request's end is what it answers with.
    let echo = async |request: Request<Body>| {
        let whole = request.into_body().collect().await.unwrap();
        let seen = whole.trailers().map_or(0, HeaderMap::len);
        (
            [("x-seen", seen.to_string())],
            Body::new(trailed(lines(&SENT))),
        )
    };
    let router = Router::new()
        .route("/registry/{id}", any(echo))
        .route("/notes/{id}", any(echo))
        .route("/disclose", any(echo));
    let service = FilterLayer::new(Arc::new(filter(&vault, ""))).layer(router);
    let ask = async |path: &str, body: Body| {
        let request = Request::post(path)
            .header("host", "a")
            .header("authorization", "Bearer unit");
        let request = request.body(body).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let seen = answer.headers()["x-seen"].to_str().unwrap().to_owned();
        let whole = answer.into_body().collect().await.unwrap();
        let trailers = whole.trailers().cloned().unwrap_or_default();
        assert_eq!(whole.to_bytes(), "no rule reads it");
        (seen, trailers)
    };
    let sent = || Body::new(trailed(lines(&SENT)));
    // A rule names a header of the answer; then one of the request; then none of either.
    let (seen, trailers) = ask("/registry/7", sent()).await;
    assert_eq!((seen.as_str(), trailers), ("3", HeaderMap::new()));
    let (seen, trailers) = ask("/notes/A1", sent()).await;
    assert_eq!((seen.as_str(), trailers.len()), ("0", 3));
    let (_, trailers) = ask("/disclose", Body::empty()).await;
    assert_eq!(trailers.len(), 3);
}

#[tokio::test]
async fn through_the_processor() {
    let processor = processor(&MemoryVault::default(), "").await;
    let request = || talk::request("GET", "/registry/7", &[], Rest::Nothing);
    let answer = || Message::ResponseHeaders(talk::head(&[(":status", "200")], Rest::Body));
    let part = || HttpBody {
        end_of_stream: false,
        ..whole("no rule reads it")
    };
    let mut talk = processor.talk().await.unwrap();
    let streamed = BodySendMode::FullDuplexStreamed;
    talk.send(opening(request(), streamed, streamed))
        .await
        .unwrap();
    talk.say(answer()).await.unwrap();
    talk.say(Message::ResponseBody(part())).await.unwrap();
    let trailers = Message::ResponseTrailers(HttpTrailers {
        trailers: talk::head(&SENT, Rest::Body).headers,
    });
    let Reply::ResponseTrailers(reply) = talk.send(said(trailers)).await.unwrap() else {
        panic!()
    };
    let removed = reply.header_mutation.unwrap().remove_headers;
    assert_eq!(removed, ["x-name", "x_name"]);
    // Where bodies come whole, the gateway may send trailers past the filter.
    let mut talk = processor.talk().await.unwrap();
    talk.open(request()).await.unwrap();
    talk.say(answer()).await.unwrap();
    let reply = talk.say(Message::ResponseBody(part())).await;
    assert_eq!(failed(reply), Code::FailedPrecondition);
}
