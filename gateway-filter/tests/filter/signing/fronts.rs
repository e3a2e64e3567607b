//! The same messages through the fronts: over sockets, as Envoy speaks, and as a layer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use gateway_filter::{FilterLayer, Live};
use http::Request;
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};

use super::*;

/// What a service behind the layer saw: headers and body.
type Seen = Arc<std::sync::Mutex<Vec<(HeaderMap, String, String)>>>;

fn signed_by_the_city(message: &Message<'_>) {
    let signed = signatures(message.headers()).unwrap().remove(0);
    let base = signed.base(message).unwrap();
    assert_eq!(tag("city-secret", base.as_bytes()), signed.signature());
}

async fn echo(
    noted: Seen,
    request: Request<axum::body::Body>,
) -> ([(&'static str, &'static str); 2], String) {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let entry = (parts.headers, parts.uri.to_string(), text.clone());
    noted.lock().unwrap().push(entry);
    let headers = [
        ("content-type", "application/json"),
        ("jinku-receipt", "forged"),
    ];
    (headers, text)
}

fn request(headers: HeaderMap, target: &str, body: &str) -> Request<axum::body::Body> {
    let body = axum::body::Body::from(body.to_owned());
    let mut request = Request::post(target).body(body).unwrap();
    *request.headers_mut() = headers;
    let host = "api.example.tw".parse().unwrap();
    request.headers_mut().insert("host", host);
    request
}

#[tokio::test]
async fn the_layer_verifies_signs_and_names_entries() {
    let live = Arc::new(Live::from(Arc::new(filter(&MemoryVault::default()))));
    let seen = Seen::default();
    let noted = seen.clone();
    let echo = move |request| echo(noted, request);
    let router = Router::new().route("/pay/{id}", any(echo));
    let layer = FilterLayer::shared(live.clone(), Duration::from_secs(5));
    let service = layer.layer(router);
    let signed = Signed::good();
    let request = |headers, body| request(headers, &signed.target, body);
    let answer = service
        .clone()
        .oneshot(request(signed.headers(), BODY))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let on = answer.headers().clone();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(on["content-digest"], digest_of(&text));
    assert!(
        on["jinku-receipt"]
            .to_str()
            .unwrap()
            .starts_with("tokenize;entry=41")
    );
    signed_by_the_city(&Message::response(StatusCode::OK, &on));

    let (on, target, text) = seen.lock().unwrap()[0].clone();
    assert_eq!(target, "/pay/tok-national-id-0?x=1");
    assert_eq!(on["content-digest"], digest_of(text.as_bytes()));
    assert_eq!(on["content-length"], text.len().to_string());
    let message = Message::request(&Method::POST, "https", "api.example.tw", &target, &on).unwrap();
    signed_by_the_city(&message);

    let again = service
        .clone()
        .oneshot(request(signed.headers(), BODY))
        .await
        .unwrap();
    assert_eq!(again.status(), 401);
    let page = live.metrics().page();
    assert!(page.contains("outcome=\"signature-replayed\"} 1"), "{page}");
    let altered = service
        .oneshot(request(Signed::good().headers(), "{}"))
        .await
        .unwrap();
    assert_eq!(altered.status(), 401);
    let problem = altered.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
    assert_eq!(problem["code"], "signature-invalid");
    assert_eq!(seen.lock().unwrap().len(), 1);
}
