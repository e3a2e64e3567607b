//! Codes of profiles: raw bodies and sorted parameters, checked and made.

use http::{HeaderMap, HeaderValue};

use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[tokio::test]
async fn a_raw_body_or_query_is_held_against_its_code_and_coded_anew() {
    let filter = filter(&MemoryVault::default());
    let body = "{ \"a\" : 1 }\n";
    let code = hex(&tag("partner-secret", body.as_bytes()));
    let came = headers(&[("digest", &code)]);
    let whole = sent(&filter, ("POST", "/raw"), &came, Some(body))
        .await
        .unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA512, b"long-secret");
    let expected = hex(hmac::sign(&key, body.as_bytes()).as_ref());
    assert_eq!(gone_on(&came, &whole)["digest"], expected);

    let refused = async |method, target, code: &str, body| {
        fault(
            sent(
                &filter,
                (method, target),
                &headers(&[("digest", code)]),
                body,
            )
            .await,
        )
    };
    let other = refused("POST", "/raw", &code, Some("{ \"a\" : 1 }")).await;
    assert_eq!(other, unbelieved(Unbelieved::Wrong));
    let upper = code.to_ascii_uppercase();
    assert_eq!(
        refused("POST", "/raw", &upper, Some(body)).await,
        unbelieved(Unbelieved::Spelling)
    );
    let query = hex(&tag("partner-secret", b"a=1&b=%32"));
    let came = headers(&[("digest", &query)]);
    sent(&filter, ("GET", "/raw?a=1&b=%32"), &came, None)
        .await
        .unwrap();
    let moved = refused("GET", "/raw?a=1&b=2", &query, None).await;
    assert_eq!(moved, unbelieved(Unbelieved::Wrong));
    let missing = sent(&filter, ("GET", "/raw"), &HeaderMap::new(), None).await;
    assert_eq!(fault(missing), SigningFault::Missing);
}

#[tokio::test]
async fn sorted_parameters_are_held_against_their_code_once() {
    let filter = filter(&MemoryVault::default());
    let form = headers(&[("content-type", "application/x-www-form-urlencoded")]);
    let (time, nonce) = (now(), nonce());
    let text = format!("amount=5&nonce={nonce}&ts={time}&who=王");
    let code = hex(&tag("partner-secret", text.as_bytes())).to_ascii_uppercase();
    let body = format!("who=%E7%8E%8B&sign={code}&ts={time}&amount=5&empty=&nonce={nonce}");
    sent(&filter, ("POST", "/sorted"), &form, Some(&body))
        .await
        .unwrap();
    let again = sent(&filter, ("POST", "/sorted"), &form, Some(&body)).await;
    assert_eq!(fault(again), unbelieved(Unbelieved::Replayed));
    for (from, to, expected) in [
        ("amount=5", "amount=6", unbelieved(Unbelieved::Wrong)),
        ("&amount=5", "", unbelieved(Unbelieved::Wrong)),
        (
            "amount=5",
            "amount=5&amount=5",
            SigningFault::Parameters(gateway_filter::ParametersFault::Repeated),
        ),
        ("&sign=", "&sgn=", SigningFault::Missing),
        ("&ts=", "&t=", SigningFault::Stamp),
        ("&nonce=", "&n=", SigningFault::Nonce),
    ] {
        let altered = body.replace(from, to);
        let outcome = sent(&filter, ("POST", "/sorted"), &form, Some(&altered)).await;
        assert_eq!(fault(outcome), expected, "{to}");
    }
}

#[tokio::test]
async fn a_code_among_parameters_covers_tokens_and_a_signature_covers_the_code() {
    let filter = filter(&MemoryVault::default());
    let came = headers(&[
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", "Bearer unit"),
    ]);
    let whole = sent(&filter, ("POST", "/make"), &came, Some("id=A1&b=2"))
        .await
        .unwrap();
    let made = body(&whole);
    assert!(made.starts_with("id=tok-national-id-0&b=2&ts="), "{made}");
    // The route that demands such codes takes it.
    let form = headers(&[("content-type", "application/x-www-form-urlencoded")]);
    sent(&filter, ("POST", "/sorted"), &form, Some(&made))
        .await
        .unwrap();
    let on = gone_on(&came, &whole);
    assert_eq!(on["content-digest"], digest_of(made.as_bytes()));
    let signed = signatures(&on).unwrap().remove(0);
    let message = Message::request(&Method::POST, "https", "a", "/make", &on).unwrap();
    let base = signed.base(&message).unwrap();
    assert_eq!(tag("city-secret", base.as_bytes()), signed.signature());
    assert_eq!(signed.parameters().tag.as_deref(), Some("onward"));
    let taken = sent(&filter, ("POST", "/make"), &came, Some("sign=1"))
        .await
        .err()
        .unwrap();
    let problem = Problem::from(&taken);
    assert_eq!(
        (problem.status.as_u16(), &*problem.code),
        (422, "signing-unfit")
    );
}
