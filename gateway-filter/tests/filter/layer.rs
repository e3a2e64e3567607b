//! The tower layer around an axum service.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::{any, get, post};
use gateway_filter::{FilterLayer, Filtered, VaultError};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};

use crate::city::{MemoryVault, filter};

type Seen = Arc<Mutex<Vec<String>>>;
type Behind = Filtered<Router, MemoryVault>;

fn layer(vault: &MemoryVault) -> FilterLayer<MemoryVault> {
    FilterLayer::new(Arc::new(filter(vault, "")))
}

/// A service that gives back what it was sent, behind the filter.
fn service(vault: &MemoryVault) -> (Behind, Seen) {
    let seen = Seen::default();
    let noted = seen.clone();
    let echo = move |body: String| async move {
        noted.lock().unwrap().push(body.clone());
        ([(header::CONTENT_TYPE, "application/json")], body)
    };
    let router = Router::new()
        .route("/payments/{kind}", post(echo))
        .route("/import", any(async || "a name, and no JSON"));
    (layer(vault).layer(router), seen)
}

fn payment(body: &str) -> Request<Body> {
    Request::post("/payments/card")
        .header("host", "api.example.tw")
        .header("content-type", "application/json")
        .header("authorization", "Bearer unit")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

async fn answer(router: &Behind, request: Request<Body>) -> (StatusCode, String) {
    let (head, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

const BODY: &str = r#"{ "payer" : {"national_id":"A123456789"}}"#;

#[tokio::test]
async fn the_service_sees_tokens_and_the_unit_its_values() {
    let (router, seen) = service(&MemoryVault::default());
    let (status, body) = answer(&router, payment(BODY)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, BODY));
    assert_eq!(
        *seen.lock().unwrap(),
        [r#"{ "payer" : {"national_id":"tok-national-id-0"}}"#]
    );
}

#[tokio::test]
async fn what_is_refused_never_reaches_the_service() {
    let vault = MemoryVault::default();
    let (router, seen) = service(&vault);
    let (status, _) = answer(&router, payment(r#"{"a":1,"a":2}"#)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = answer(&router, payment(&" ".repeat(2001))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let unknown = Request::get("/nowhere").header("host", "a");
    let (status, body) = answer(&router, unknown.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("route-unmatched"));
    *vault.refusal.lock().unwrap() = Some(VaultError::Unavailable);
    let (status, _) = answer(&router, payment(BODY)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_whose_fields_cannot_be_read_does_not_go_out() {
    let (router, _) = service(&MemoryVault::default());
    let request = Request::get("/import").header("host", "a");
    let (status, body) = answer(&router, request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(!body.contains("a name"));
}

#[tokio::test]
async fn what_a_router_takes_of_the_path_is_a_token_or_nothing() {
    let vault = MemoryVault::default();
    let route = || Router::new().route("/notes/{id}", get(async |Path(id): Path<String>| id));
    let request = || {
        let request = Request::get("/notes/A123456789")
            .header("host", "a")
            .header("authorization", "Bearer unit");
        request.body(Body::empty()).unwrap()
    };
    let (status, body) = answer(&layer(&vault).layer(route()), request()).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, "tok-national-id-0")
    );
    // A layer of the router's own comes after routing: no segment is left for it.
    let late = route().layer(layer(&vault));
    let answer = late.oneshot(request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&body).contains("A123456789"));
}

#[tokio::test]
async fn an_answer_without_its_body_tells_nothing_of_it() {
    let vault = MemoryVault::default();
    let route = Router::new().route(
        "/people/{id}",
        get(async || {
            (
                StatusCode::NOT_MODIFIED,
                [("etag", "\"1\""), ("x-kept", "1")],
            )
        }),
    );
    let request = Request::get("/people/7")
        .header("host", "a")
        .header("jinku-purpose", "audit");
    let service = layer(&vault).layer(route);
    let answer = service.oneshot(request.body(Body::empty()).unwrap()).await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    assert!(answer.headers().contains_key("x-kept"));
    assert!(!answer.headers().contains_key("etag"));
}
