//! What is made: for how long, once, for whom, over what goes on; and that what was checked stays here.

use std::collections::BTreeSet;

use super::*;

const ROUTES: &str = r#"
[vault]
url = "https://127.0.0.1:1"
ca = "ca.pem"
[[signing_key]]
name = "partner"
alg = "hmac-sha256"
vault_key = "partner-secret"
[[signing_key]]
name = "city"
alg = "hmac-sha256"
vault_key = "city-secret"
[[sign_code]]
name = "raw"
profile = "raw-body"
header = "x-sign"
[[route]]
name = "onward"
path = "/onward"
domain = "city"
[[route.sign]]
key = "city"
authority = "pay.example"
lifetime_seconds = 90
[[route.sign]]
on = "response"
key = "city"
[[route]]
name = "coded"
path = "/coded"
domain = "city"
[[route.verify]]
sign_code = "raw"
keys = ["partner"]
"#;

fn making() -> Filter<MemoryVault> {
    let settings = Settings::parse(ROUTES, Path::new("")).unwrap();
    Filter::new(settings.rules, MemoryVault::default())
}

fn came(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[tokio::test]
async fn each_signature_is_one_of_a_kind_for_as_long_and_for_whom_the_route_says() {
    let filter = making();
    let (post, mut nonces) = (Method::POST, BTreeSet::new());
    for _ in 0..20 {
        let headers = came(&[("content-type", "text/plain"), ("signature", "sig1=:AA==:")]);
        let begun = now();
        let whole = sent(&filter, ("POST", "/onward?a=1"), &headers, Some("x")).await;
        let on = gone_on(&headers, &whole.unwrap());
        let signed = signatures(&on).unwrap().remove(0);
        let said = signed.parameters();
        let (created, expires) = (said.created.unwrap(), said.expires.unwrap());
        assert_eq!(expires - created, 90);
        assert!((begun..=now()).contains(&u64::try_from(created).unwrap()));
        assert!(nonces.insert(said.nonce.clone().unwrap()));
        // The upstream is called by another name than the unit calls the gateway.
        let message = Message::request(&post, "https", "pay.example", "/onward?a=1", &on).unwrap();
        let base = signed.base(&message).unwrap();
        assert_eq!(tag("city-secret", base.as_bytes()), signed.signature());
    }
}

#[tokio::test]
async fn of_an_answer_that_is_not_changed_the_one_digest_is_signed() {
    let filter = making();
    let unit = HeaderMap::new();
    let passage = filter.admit(&RequestHead {
        host: "api.example.tw",
        method: &Method::GET,
        path: "/onward",
        headers: &unit,
    });
    let sha512 = ring_base64(digest::digest(&digest::SHA512, b"x").as_ref());
    let headers = came(&[("content-digest", &format!("sha-512=:{sha512}:"))]);
    let head = ResponseHead {
        status: StatusCode::OK,
        headers: &headers,
    };
    let body = Some(Bytes::from_static(b"x"));
    let whole = filter.response_whole(&passage.unwrap(), &head, body).await;
    let on = gone_on(&headers, &whole.unwrap());
    let digests: Vec<_> = on.get_all("content-digest").iter().collect();
    assert_eq!(digests, [&digest_of(b"x")]);
    let signed = signatures(&on).unwrap().remove(0);
    let said = signed.parameters();
    assert_eq!(said.expires.unwrap() - said.created.unwrap(), 60);
    let message = Message::response(StatusCode::OK, &on);
    let base = signed.base(&message).unwrap();
    assert_eq!(tag("city-secret", base.as_bytes()), signed.signature());
}

#[tokio::test]
async fn a_code_that_was_checked_does_not_go_on() {
    let code = tag("partner-secret", b"x");
    let code = code
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let headers = came(&[("x-sign", &code), ("x-kept", "1")]);
    let whole = sent(&making(), ("POST", "/coded"), &headers, Some("x")).await;
    let on = gone_on(&headers, &whole.unwrap());
    assert_eq!(on, came(&[("x-kept", "1")]));
}
