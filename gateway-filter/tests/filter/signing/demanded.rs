//! What a route's own words demand of a signature: components, a tag, a scheme, digests; and what each header adds.

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
name = "other"
alg = "hmac-sha256"
vault_key = "other-secret"
[[route]]
name = "usual"
path = "/usual"
domain = "city"
[[route.verify]]
keys = ["partner"]
[[route]]
name = "listed"
path = "/listed"
domain = "city"
[[route.verify]]
keys = ["partner"]
covered = ["@method", "@target-uri", "content-digest", "x-order"]
[[route]]
name = "tagged"
path = "/tagged"
domain = "city"
[[route.verify]]
keys = ["partner", "other"]
tag = "payments"
[[route]]
name = "plain"
path = "/plain"
domain = "city"
[[route.verify]]
keys = ["partner"]
scheme = "http"
[[route]]
name = "bound"
path = "/bound/{id}"
domain = "city"
[[route.request]]
segment = "id"
class = "national-id"
action = "tokenize"
[[route.request]]
header = "x-order"
class = "name"
action = "tokenize"
[[route.verify]]
on = "response"
keys = ["partner"]
scheme = "http"
covered = ["@status", '"@target-uri";req', '"x-order";req']
[[route.sign]]
on = "response"
key = "other"
covered = ["@status", '"@path";req', '"x-order";req', '"x-absent";req']
[[route]]
name = "answered"
path = "/answered"
domain = "city"
[[route.verify]]
on = "response"
keys = ["partner"]
"#;

fn demanding() -> Filter<MemoryVault> {
    let settings = Settings::parse(ROUTES, Path::new("")).unwrap();
    Filter::new(settings.rules, MemoryVault::default())
}

/// A good request to this path, with these headers more, that covers these components.
fn signed(path: &str, more: &[(&'static str, &str)], covered: &[&'static str]) -> Signed {
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Signed {
        target: path.to_owned(),
        more: more.collect(),
        covered: covered.to_vec(),
        ..Signed::good()
    }
}

async fn code_of(signed: &Signed) -> &'static str {
    let outcome = pay(&demanding(), signed).await;
    if outcome.is_ok() {
        return "believed";
    }
    match fault(outcome) {
        SigningFault::Uncovered => "uncovered",
        SigningFault::Form(_) => "form",
        SigningFault::Unbelieved(Unbelieved::Wrong) => "wrong",
        SigningFault::Unbelieved(Unbelieved::Digest) => "digest",
        SigningFault::Unbelieved(Unbelieved::Key) => "key",
        SigningFault::Several => "several",
        other => panic!("{other:?}"),
    }
}

const USUAL: [&str; 5] = [
    "@method",
    "@target-uri",
    "content-type",
    "content-digest",
    "authorization",
];

#[tokio::test]
async fn a_header_that_changes_what_a_request_does_is_covered_where_it_is_there() {
    assert_eq!(code_of(&signed("/usual", &[], &USUAL)).await, "believed");
    for name in ["content-encoding", "idempotency-key"] {
        let less = signed("/usual", &[(name, "identity")], &USUAL);
        assert_eq!(code_of(&less).await, "form", "{name}");
        let all = [&USUAL[..], &[name]].concat();
        let more = signed("/usual", &[(name, "identity")], &all);
        assert_eq!(code_of(&more).await, "believed", "{name}");
    }
    for name in USUAL {
        let less: Vec<_> = USUAL.into_iter().filter(|kept| *kept != name).collect();
        let less = signed("/usual", &[], &less);
        assert_eq!(code_of(&less).await, "form", "{name}");
    }
}

#[tokio::test]
async fn what_a_route_lists_is_covered_by_itself_or_by_what_holds_it() {
    const TARGETS: [(&[&str], bool); 7] = [
        (&["@target-uri"], true),
        (&["@authority", "@path", "@query"], true),
        (&["@authority", "@request-target"], true),
        (&["@path", "@query"], false),
        (&["@authority", "@path"], false),
        (&["@authority", "@query"], false),
        (&["@request-target"], false),
    ];
    let order = [("x-order", "7")];
    for (target, enough) in TARGETS {
        let all = [&["@method", "content-digest", "x-order"][..], target].concat();
        let signed = signed("/listed?a=1", &order, &all);
        let expected = if enough { "believed" } else { "uncovered" };
        assert_eq!(code_of(&signed).await, expected, "{target:?}");
    }
    let listed = ["@method", "@target-uri", "content-digest", "x-order"];
    for name in listed {
        let less: Vec<_> = listed.into_iter().filter(|kept| *kept != name).collect();
        let less = signed("/listed", &order, &less);
        assert_eq!(code_of(&less).await, "uncovered", "{name}");
    }
    // A header that is listed and not there can't be covered.
    let absent = signed("/listed", &[], &listed[..3]);
    assert_eq!(code_of(&absent).await, "uncovered");
    // Of a body that is not there no digest is asked.
    let bodiless = signed("/listed", &order, &["@method", "@target-uri", "x-order"]);
    let headers = bodiless.headers();
    let filter = demanding();
    let whole = sent(&filter, ("POST", "/listed"), &headers, None).await;
    // But the one that it has is of no empty body.
    assert_eq!(fault(whole), unbelieved(Unbelieved::Digest));
    let mut without = headers.clone();
    without.remove("content-digest");
    assert!(
        sent(&filter, ("POST", "/listed"), &without, None)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn only_signatures_of_the_routes_tag_are_looked_at() {
    let of = |tag, keyid, secret| Signed {
        keyid,
        secret,
        tag,
        ..signed("/tagged", &[], &USUAL)
    };
    let good = of(Some("payments"), "partner", "partner-secret");
    assert_eq!(code_of(&good).await, "believed");
    for tag in [None, Some("refunds")] {
        let other = of(tag, "partner", "partner-secret");
        assert_eq!(code_of(&other).await, "key", "{tag:?}");
    }
    // Of two signatures, one of another tag stands beside.
    let beside = |tag| {
        let mut headers = of(Some("payments"), "partner", "partner-secret").headers();
        let second = of(tag, "other", "other-secret").headers();
        for name in ["signature-input", "signature"] {
            let text = second[name].to_str().unwrap().replacen("sig1", "sig2", 1);
            headers.append(name, text.parse().unwrap());
        }
        headers
    };
    let filter = demanding();
    let one = sent(
        &filter,
        ("POST", "/tagged"),
        &beside(Some("refunds")),
        Some(BODY),
    )
    .await;
    assert!(one.is_ok());
    let two = sent(
        &filter,
        ("POST", "/tagged"),
        &beside(Some("payments")),
        Some(BODY),
    )
    .await;
    assert_eq!(fault(two), SigningFault::Several);
}

#[tokio::test]
async fn the_scheme_is_the_routes_word_not_the_messages() {
    for (path, scheme, believed) in [
        ("/plain", "http", true),
        ("/plain", "https", false),
        ("/usual", "https", true),
        ("/usual", "http", false),
    ] {
        let signed = Signed {
            scheme,
            ..signed(path, &[], &USUAL)
        };
        let expected = if believed { "believed" } else { "wrong" };
        assert_eq!(code_of(&signed).await, expected, "{path} {scheme}");
    }
}

#[tokio::test]
async fn each_digest_that_a_message_states_is_held_against_its_body() {
    let sha512 = |body: &[u8]| {
        let digest = digest::digest(&digest::SHA512, body);
        format!("sha-512=:{}:", ring_base64(digest.as_ref()))
    };
    let (good, bad) = (BODY.as_bytes(), &b"{}"[..]);
    for (stated, holds) in [
        (sha512(good), true),
        (sha512(bad), false),
        (digest_of(bad), false),
        (format!("{}, {}", digest_of(good), sha512(good)), true),
        (format!("{}, {}", digest_of(good), sha512(bad)), false),
        (format!("{}, {}", digest_of(bad), sha512(good)), false),
    ] {
        let signed = signed("/usual", &[("content-digest", &stated)], &USUAL);
        let expected = if holds { "believed" } else { "digest" };
        assert_eq!(code_of(&signed).await, expected, "{stated}");
    }
    // One that nobody can check is none.
    let md5 = signed("/usual", &[("content-digest", "md5=:AAAA:")], &USUAL);
    assert_eq!(code_of(&md5).await, "form");
}

/// What an upstream's answer is refused with, whose signature covers this; `None` where it is believed.
async fn answered(covered: &[&str], secret: &str, ends: u64) -> Option<FilterError> {
    let filter = demanding();
    let unit = HeaderMap::new();
    let head = RequestHead {
        host: "api.example.tw",
        method: &Method::GET,
        path: "/answered",
        headers: &unit,
    };
    let passage = filter.admit(&head).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    headers.insert("content-digest", digest_of(b"x").parse().unwrap());
    let made = Draft::covering(covered)
        .created(ends - 60)
        .expires(ends)
        .nonce(&nonce())
        .keyid("partner")
        .signed(&Message::response(StatusCode::OK, &headers), |base| {
            tag(secret, base)
        })
        .unwrap();
    headers.insert("signature-input", made.input.parse().unwrap());
    headers.insert("signature", made.signature.parse().unwrap());
    let head = ResponseHead {
        status: StatusCode::OK,
        headers: &headers,
    };
    let body = Some(Bytes::from_static(b"x"));
    filter.response_whole(&passage, &head, body).await.err()
}

#[tokio::test]
async fn an_answer_covers_its_status_its_type_and_its_body_in_its_time() {
    const ALL: [&str; 3] = ["@status", "content-type", "content-digest"];
    let good = now() + 60;
    assert_eq!(answered(&ALL, "partner-secret", good).await, None);
    for name in ALL {
        let less: Vec<_> = ALL.into_iter().filter(|kept| *kept != name).collect();
        let refused = answered(&less, "partner-secret", good).await;
        let Some(FilterError::Signing(Side::Response, SigningFault::Form(fault))) = refused else {
            panic!("{name}: {refused:?}")
        };
        assert_eq!(fault.code(), "signature-coverage", "{name}");
    }
    let wrong = FilterError::Signing(Side::Response, unbelieved(Unbelieved::Wrong));
    assert_eq!(answered(&ALL, "guessed", good).await, Some(wrong));
    for ends in [now() - 300, now() + 600] {
        let refused = answered(&ALL, "partner-secret", ends).await;
        let told = refused.as_ref().map(Problem::from).unwrap();
        assert_eq!(told.code, "upstream-signature-invalid");
    }
}

const COVERED: [&str; 3] = ["@status", "\"@target-uri\";req", "\"x-order\";req"];

#[tokio::test]
async fn an_answer_is_bound_to_its_request_as_each_side_knows_it() {
    let filter = demanding();
    let mut unit = HeaderMap::new();
    unit.insert("authorization", HeaderValue::from_static("Bearer unit"));
    unit.insert("x-order", HeaderValue::from_static("Wang"));
    let (get, host) = (Method::GET, "api.example.tw");
    let head = |path| RequestHead {
        host,
        method: &get,
        path,
        headers: &unit,
    };
    let answered = async |path, covered: &[&str], request: &Message<'_>| {
        let head = head(path);
        let passage = filter.admit(&head).unwrap();
        let gone = filter.request_head(&passage, &head).await.unwrap();
        assert_eq!(gone.target.as_deref(), Some("/bound/tok-national-id-0"));
        let mut headers = HeaderMap::new();
        let plain = headers.clone();
        let message = Message::response(StatusCode::OK, &plain).answering(request.clone());
        let made = Draft::covering(covered)
            .created(now())
            .expires(now() + 60)
            .nonce(&nonce())
            .keyid("partner")
            .signed(&message, |base| tag("partner-secret", base))
            .unwrap();
        headers.insert("signature-input", made.input.parse().unwrap());
        headers.insert("signature", made.signature.parse().unwrap());
        let answer = ResponseHead {
            status: StatusCode::OK,
            headers: &headers,
        };
        let whole = filter.response_whole(&passage, &answer, None).await;
        whole.map(|whole| gone_on(&headers, &whole))
    };
    let mut went = HeaderMap::new();
    went.insert("x-order", HeaderValue::from_static("tok-name-1"));
    let request = |target| Message::request(&get, "http", host, target, &went).unwrap();
    // The upstream knows the tokens, and answers what it got.
    let good = request("/bound/tok-national-id-0");
    let on = answered("/bound/A1", &COVERED, &good).await.unwrap();
    // The unit knows what it asked.
    let signed = signatures(&on).unwrap().remove(0);
    let asked = Message::request(&get, "https", host, "/bound/A1", &unit).unwrap();
    let message = Message::response(StatusCode::OK, &on).answering(asked);
    let base = signed.base(&message).unwrap();
    assert_eq!(tag("other-secret", base.as_bytes()), signed.signature());
    assert!(
        base.contains("\"@path\";req: /bound/A1\n\"x-order\";req: Wang\n"),
        "{base}"
    );
    assert!(!signed.covers("\"x-absent\";req"));

    let wrong = FilterError::Signing(Side::Response, unbelieved(Unbelieved::Wrong));
    // The answer to another request, and one to what the unit sent.
    for target in ["/bound/tok-national-id-9", "/bound/A1"] {
        let refused = answered("/bound/A1", &COVERED, &request(target))
            .await
            .err();
        assert_eq!(refused.as_ref(), Some(&wrong), "{target}");
    }
    let uncovered = FilterError::Signing(Side::Response, SigningFault::Uncovered);
    for less in [
        &COVERED[..2],
        &["@status", "\"x-order\";req"],
        &COVERED[1..],
    ] {
        let refused = answered("/bound/A1", less, &good).await.err();
        assert_eq!(refused.as_ref(), Some(&uncovered), "{less:?}");
    }
}
