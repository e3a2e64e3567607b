//! A payload's way through the tower layer: the head tells of the body that goes on, in both directions.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use gateway_filter::{Filter, FilterLayer};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};

use super::rules;
use crate::city::{MemoryVault, jwe};

#[tokio::test]
async fn a_service_gets_what_a_jwe_held_and_its_answer_leaves_in_one() {
    let served = async |headers: HeaderMap, body: String| {
        let length = body.len().to_string();
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["content-length"], length.as_str());
        assert!(!headers.contains_key("content-digest"), "{headers:?}");
        let head = [
            (header::CONTENT_TYPE, "text/plain"),
            (header::ETAG, "\"1\""),
        ];
        (head, body)
    };
    let layer = FilterLayer::new(Arc::new(Filter::new(rules(), MemoryVault::default())));
    let service = layer.layer(Router::new().route("/partner", post(served)));
    let request = Request::post("/partner")
        .header("host", "api.example.tw")
        .header("authorization", "Bearer unit")
        .header("content-type", "application/jose")
        .header("content-digest", "sha-256=:AAAA:")
        .body(Body::from(jwe("partner", "json", br#"{"payer":"x"}"#)))
        .unwrap();
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let expected = jwe("partner", "text/plain", br#"{"payer":"tok-name-0"}"#);
    assert_eq!(
        (head.status, &body[..]),
        (StatusCode::OK, expected.as_bytes())
    );
    assert_eq!(head.headers["content-type"], "application/jose");
    assert_eq!(
        head.headers["content-length"],
        expected.len().to_string().as_str()
    );
    assert!(!head.headers.contains_key("etag"), "{head:?}");
}
