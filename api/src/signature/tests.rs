//! RFC 9421's own examples, what is refused, and words that nobody would write.

mod refused;
mod vectors;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use ring::hmac;

use super::{Body, ContentDigest, Demands, Draft, Message, SignatureFault, Signed, signatures};

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
const NOW: u64 = 1_800_000_000;
const DEMANDS: Demands = Demands {
    lifetime_seconds_max: 300,
    skew_seconds: 30,
};

/// Fields of a message, a line each.
fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::try_from(*name).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn tag(base: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    hmac::sign(&key, base).as_ref().to_vec()
}

/// Reads one signature of a request to `https://vault.example/v1/detokenize?a=1`.
fn read(fields: &HeaderMap) -> Result<(Signed, String), SignatureFault> {
    let message = Message::request(
        &Method::POST,
        "https",
        "vault.example",
        "/v1/detokenize?a=1",
        fields,
    )?;
    let signed = signatures(fields)?.remove(0);
    let base = signed.base(&message)?;
    Ok((signed, base))
}

#[test]
fn each_order_of_the_parameters_is_what_was_signed() {
    let words = [
        format!("created={NOW}"),
        format!("expires={}", NOW + 60),
        "keyid=\"k\"".to_owned(),
        "nonce=\"n\"".to_owned(),
        "alg=\"hmac-sha256\"".to_owned(),
    ];
    let mut orders = 0;
    for order in permutations(words.len()) {
        let said: Vec<&str> = order.iter().map(|place| words[*place].as_str()).collect();
        let written = format!("(\"@method\" \"@path\");{}", said.join(";"));
        let base = format!(
            "\"@method\": POST\n\"@path\": /v1/detokenize\n\"@signature-params\": {written}"
        );
        let fields = headers(&[
            ("signature-input", &format!("s={written}")),
            ("signature", "s=:AA==:"),
        ]);
        let (signed, rebuilt) = read(&fields).unwrap();
        assert_eq!(rebuilt, base);
        assert_eq!(signed.parameters().nonce.as_deref(), Some("n"));
        orders += 1;
    }
    assert_eq!(orders, 120);
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let longer = |head: &Vec<usize>| {
            let head = head.clone();
            (0..count)
                .filter(|place| !head.contains(place))
                .map({
                    let head = head.clone();
                    move |place| [head.clone(), vec![place]].concat()
                })
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[test]
fn what_is_drafted_is_read_again() {
    let fields = headers(&[("content-type", "application/json")]);
    let message = Message::request(
        &Method::POST,
        "https",
        "Vault.Example:443",
        "/v1/x?b=2",
        &fields,
    )
    .unwrap();
    assert_eq!(message.authority(), Some("vault.example"));
    let draft = Draft::covering(&[
        "@method",
        "@target-uri",
        "content-type",
        "\"@query-param\";name=\"b\"",
    ])
    .created(NOW)
    .expires(NOW + 60)
    .nonce("a \"quoted\" \\ nonce")
    .keyid("k")
    .alg("hmac-sha256");
    let made = draft.signed(&message, tag).unwrap();
    let mut received = fields.clone();
    received.insert(
        "signature-input",
        HeaderValue::from_str(&made.input).unwrap(),
    );
    received.insert("signature", HeaderValue::from_str(&made.signature).unwrap());
    let signed = signatures(&received).unwrap().remove(0);
    let base = signed.base(&message).unwrap();
    assert!(
        base.contains("\"@target-uri\": https://vault.example/v1/x?b=2\n"),
        "{base}"
    );
    assert!(base.contains("\"@query-param\";name=\"b\": 2\n"), "{base}");
    assert_eq!(tag(base.as_bytes()), signed.signature());
    let fresh = DEMANDS.fresh(&signed, NOW).unwrap();
    assert_eq!(
        (fresh.keyid, fresh.nonce, fresh.ends),
        ("k", "a \"quoted\" \\ nonce", NOW + 90)
    );
    Demands::covered(&signed, &received, Body::Absent).unwrap();
    for word in ["line\nfeed", "ümlaut"] {
        let refused = draft.clone().nonce(word).signed(&message, tag);
        assert_eq!(refused, Err(SignatureFault::Syntax));
    }
}

#[test]
fn a_digest_is_read_or_refused() {
    let sha256 = ContentDigest::of_sha256(&[7; 32]);
    let found = ContentDigest::read(&headers(&[("content-digest", &sha256)])).unwrap();
    assert_eq!(found.and_then(|digest| digest.sha256), Some([7; 32]));
    assert_eq!(ContentDigest::read(&HeaderMap::new()), Ok(None));
    let unknown = format!("{sha256}, md5=:AA==:");
    assert!(ContentDigest::read(&headers(&[("content-digest", &unknown)])).is_ok());
    for bad in [
        "",
        "md5=:AA==:",
        "sha-256=:AA==:",
        "sha-256=1",
        "sha-256",
        &format!("{sha256}, {sha256}"),
        &format!("{sha256};x"),
        &sha256.replace("sha-256", "SHA-256"),
        &format!("{sha256},sha-512=:AA==:"),
    ] {
        let read = ContentDigest::read(&headers(&[("content-digest", bad)]));
        assert_eq!(read, Err(SignatureFault::Digest), "{bad}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_sent_makes_it_panic(
        input in "[ -~]{0,200}",
        value in "[ -~]{0,80}",
        field in "\\PC{0,40}",
        target in "[!-~]{0,60}",
        authority in "[ -~]{0,30}",
    ) {
        let mut fields = HeaderMap::new();
        for (name, text) in [("signature-input", &input), ("signature", &value), ("x", &field), ("content-digest", &value)] {
            if let Ok(text) = HeaderValue::from_bytes(text.as_bytes()) {
                fields.append(name, text);
            }
        }
        let _ = ContentDigest::read(&fields);
        let message = Message::request(&Method::GET, "https", &authority, &target, &fields);
        if let (Ok(all), Ok(message)) = (signatures(&fields), message) {
            for signed in all {
                let _ = signed.base(&message);
                let _ = DEMANDS.fresh(&signed, NOW);
            }
        }
    }

    #[test]
    fn nothing_that_looks_like_a_signature_makes_it_panic(
        names in prop::collection::vec("(@method|@path|@query|@query-param|@status|@target-uri|x|content-digest|[a-z@-]{1,8})(\";(sf|bs|req|tr|key=\"a\"|name=\"a\"|[a-z]=1))?", 0..6),
        parameters in prop::collection::vec("(created|expires|nonce|keyid|alg|tag|[a-z]{1,4})(=(-?[0-9]{1,15}|\"[ -~&&[^\"\\\\]]{0,9}\"|:AA==:|\\?1))?", 0..6),
        target in "/[a-z%+=&?0-9]{0,40}",
    ) {
        let covered: Vec<String> = names.iter().map(|name| match name.split_once("\";") {
            Some((name, rest)) => format!("\"{name}\";{rest}"),
            None => format!("\"{name}\""),
        }).collect();
        let said = parameters.iter().map(|word| [";", word].concat()).collect::<String>();
        let input = format!("s=({}){said}", covered.join(" "));
        let fields = headers(&[("x", "a=1, b"), ("content-digest", "sha-256=:AA==:"), ("signature-input", &input), ("signature", "s=:AA==:")]);
        let message = Message::request(&Method::GET, "https", "a.example", &target, &fields).unwrap();
        for signed in signatures(&fields).unwrap_or_default() {
            if let Ok(base) = signed.base(&message) {
                prop_assert_eq!(base.lines().count(), covered.len() + 1);
                prop_assert!(base.ends_with(&input["s=".len()..]));
            }
        }
    }

    #[test]
    fn a_query_parameter_is_one_text_however_it_was_encoded(name in "[a-z]{1,5}", value in "\\PC{0,20}") {
        let encode = |text: &str, all: bool| text.bytes().map(|byte| {
            if !all && byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02x}") }
        }).collect::<String>();
        let identifier = format!("s=(\"@query-param\";name=\"{name}\")");
        let fields = headers(&[("signature-input", &identifier), ("signature", "s=:AA==:")]);
        let bases: Vec<String> = [false, true].into_iter().map(|all| {
            let target = format!("/?{}={}", encode(&name, all), encode(&value, all));
            let message = Message::request(&Method::GET, "https", "a.example", &target, &fields).unwrap();
            signatures(&fields).unwrap().remove(0).base(&message).unwrap()
        }).collect();
        prop_assert_eq!(&bases[0], &bases[1]);
    }
}

#[test]
fn an_answer_covers_something_of_its_request_and_nothing_stands_for_it() {
    let asked = headers(&[("x-order", "7"), ("content-type", "text/plain")]);
    let answer = headers(&[("content-type", "application/json")]);
    let request =
        |target| Message::request(&Method::POST, "https", "vault.example", target, &asked).unwrap();
    let covered = [
        "@status",
        "content-type",
        "\"@method\";req",
        "\"@path\";req",
        "\"@query-param\";name=\"a\";req",
        "\"content-type\";req",
        "\"x-order\";req",
    ];
    let draft = || {
        let draft = Draft::covering(&covered).created(1).expires(2);
        draft.nonce("n").keyid("k")
    };
    let response = || Message::response(http::StatusCode::OK, &answer);
    let told = response().answering(request("/pay?a=1"));
    let mut base = String::new();
    let made = draft().signed(&told, |bytes| {
        base = String::from_utf8(bytes.to_vec()).unwrap();
        tag(bytes)
    });
    let lines: Vec<&str> = base.lines().collect();
    assert_eq!(
        lines[..7],
        [
            "\"@status\": 200",
            "\"content-type\": application/json",
            "\"@method\";req: POST",
            "\"@path\";req: /pay",
            "\"@query-param\";name=\"a\";req: 1",
            "\"content-type\";req: text/plain",
            "\"x-order\";req: 7",
        ]
    );
    let made = made.unwrap();
    let mut signed = answer.clone();
    signed.insert(
        "signature-input",
        HeaderValue::from_str(&made.input).unwrap(),
    );
    signed.insert("signature", HeaderValue::from_str(&made.signature).unwrap());
    let read = signatures(&signed).unwrap().remove(0);
    let response = Message::response(http::StatusCode::OK, &signed);
    assert_eq!(
        read.base(&response.clone().answering(request("/pay?a=1")))
            .unwrap(),
        base
    );
    // Another request has another base; without one there is none.
    assert_ne!(
        read.base(&response.clone().answering(request("/get?a=1")))
            .unwrap(),
        base
    );
    assert_eq!(read.base(&response), Err(SignatureFault::Component));
    // A request covers nothing of a request.
    assert_eq!(
        read.base(&request("/pay?a=1")),
        Err(SignatureFault::Component)
    );
    // What is of the request is not the answer's own.
    assert!(read.covers("\"@method\";req") && read.covers("\"x-order\";req"));
    for own in ["@method", "x-order", "@path"] {
        assert!(!read.covers(own), "{own}");
    }
    for wrong in ["\"@status\";req", "\"@method\";req=?0", "\"@method\";req=1"] {
        assert!(!super::is_component(wrong), "{wrong}");
    }
    assert!(super::is_of_request("\"@method\";req") && !super::is_of_request("@method"));
}
