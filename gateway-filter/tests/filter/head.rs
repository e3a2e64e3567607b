//! What of a request's head does not go on.

use gateway_filter::RequestHead;
use http::{HeaderMap, HeaderValue, Method};

use crate::city::{MemoryVault, filter};

#[tokio::test]
async fn the_units_proof_ends_here_unless_the_route_forwards_it() {
    let vault = MemoryVault::default();
    let filter = filter(&vault, "");
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer unit"));
    let stays = async |path: &str| {
        let head = RequestHead {
            host: "api.example.tw",
            method: &Method::POST,
            path,
            headers: &headers,
        };
        let passage = filter.admit(&head).unwrap();
        let rewriting = filter.request_head(&passage, &head).await.unwrap();
        rewriting.without.contains(&http::header::AUTHORIZATION)
    };
    assert!(stays("/payments/card").await);
    assert!(!stays("/disclose").await);
}
