//! Answers: signed as the unit gets them, and an upstream's held against its signature.

use super::*;

/// An answer on its way.
async fn answered(
    filter: &Filter<MemoryVault>,
    path: &str,
    headers: &HeaderMap,
    body: Option<&str>,
) -> Result<Whole, FilterError> {
    let mut request = HeaderMap::new();
    request.insert("authorization", HeaderValue::from_static("Bearer unit"));
    let passage = filter.admit(&RequestHead {
        host: "api.example.tw",
        method: &Method::GET,
        path,
        headers: &request,
    })?;
    assert!(passage.is_sealed(Side::Response) && passage.reads_response());
    let head = ResponseHead {
        status: StatusCode::OK,
        headers,
    };
    let body = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
    filter.response_whole(&passage, &head, body).await
}

#[tokio::test]
async fn an_answer_is_signed_as_the_unit_gets_it() {
    let filter = filter(&MemoryVault::default());
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert(
        "content-digest",
        digest_of(BODY.as_bytes()).parse().unwrap(),
    );
    headers.insert("jinku-receipt", HeaderValue::from_static("forged"));
    let whole = answered(&filter, "/pay/x", &headers, Some(BODY))
        .await
        .unwrap();
    let on = gone_on(&headers, &whole);
    assert_eq!(on["content-digest"], digest_of(body(&whole).as_bytes()));
    assert_eq!(
        on["jinku-receipt"],
        "tokenize;entry=41;origin=\"city.example/log\""
    );
    let signed = signatures(&on).unwrap().remove(0);
    let base = signed
        .base(&Message::response(StatusCode::OK, &on))
        .unwrap();
    assert_eq!(tag("city-secret", base.as_bytes()), signed.signature());
    assert!(signed.covers("@status") && signed.covers("content-digest"));

    // Without a body there is no digest of one, and no receipt of anything.
    let whole = answered(&filter, "/pay/x", &headers, None).await.unwrap();
    let on = gone_on(&headers, &whole);
    assert!(!on.contains_key("content-digest") && !on.contains_key("jinku-receipt"));
    let signed = signatures(&on).unwrap().remove(0);
    assert!(signed.covers("@status") && !signed.covers("content-digest"));
}

#[tokio::test]
async fn an_upstreams_answer_must_be_signed_where_the_route_says_so() {
    let filter = filter(&MemoryVault::default());
    let mut headers = HeaderMap::new();
    headers.insert("content-digest", digest_of(b"x").parse().unwrap());
    let refused = answered(&filter, "/answers", &headers, Some("x"))
        .await
        .err()
        .unwrap();
    let problem = Problem::from(&refused);
    assert_eq!(
        (problem.status.as_u16(), &*problem.code),
        (502, "upstream-signature-invalid")
    );
    let draft = Draft::covering(&["@status", "content-digest"])
        .created(now())
        .expires(now() + 60)
        .nonce(&nonce())
        .keyid("partner");
    let message = Message::response(StatusCode::OK, &headers);
    let made = draft
        .signed(&message, |base| tag("partner-secret", base))
        .unwrap();
    let mut signed = headers.clone();
    signed.insert(
        HeaderName::from_static("signature-input"),
        made.input.parse().unwrap(),
    );
    signed.insert("signature", made.signature.parse().unwrap());
    let altered = answered(&filter, "/answers", &signed, Some("y"))
        .await
        .err();
    let digest = FilterError::Signing(Side::Response, unbelieved(Unbelieved::Digest));
    assert_eq!(altered, Some(digest));
    let whole = answered(&filter, "/answers", &signed, Some("x"))
        .await
        .unwrap();
    assert!(!gone_on(&signed, &whole).contains_key("signature"));
    let again = answered(&filter, "/answers", &signed, Some("x"))
        .await
        .err();
    let replayed = FilterError::Signing(Side::Response, unbelieved(Unbelieved::Replayed));
    assert_eq!(again, Some(replayed));
}
