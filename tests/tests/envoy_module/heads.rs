//! Heads and trailers of answers within the real Envoy.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use tests::{House, Seen, Upstream, sample};

use super::{City, parsed};

/// A route whose rules take headers of the answer, and one field of its body.
const ROUTE: &str = r#"[[route]]
name = "account"
path = "/accounts/{id}"
domain = "city"
[[route.request]]
header = "x-debug"
action = "drop"
[[route.response]]
header = "x-account"
action = "detokenize"
[[route.response]]
header = "x-debug"
action = "drop"
[[route.response]]
field = "$.id"
action = "detokenize"

[[route]]
name = "payment-submit""#;

/// Envoy gives HTTP/1.1 trailers on only where both of its sides are told to.
const TRAILERS: [(&str, &str); 2] = [
    (
        "codec_type: AUTO\n",
        "codec_type: AUTO\n          http_protocol_options: { enable_trailers: true }\n",
    ),
    (
        "connect_timeout: 2s\n",
        "connect_timeout: 2s\n    typed_extension_protocol_options:\n      \
         envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n        \
         \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n        \
         explicit_http_config: { http_protocol_options: { enable_trailers: true } }\n",
    ),
];

/// The token that the upstream was given for the payer.
fn token(seen: &[Seen]) -> String {
    let posted = |seen: &&Seen| seen.target.starts_with("POST /payments/");
    let Some(payment) = seen.iter().rev().find(posted) else {
        return String::new();
    };
    let document = parsed(payment.text());
    document["payer"]["national_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn answer(seen: &[Seen]) -> Vec<u8> {
    let token = token(seen);
    let target = &seen.last().unwrap().target;
    let (status, rest) = match target.as_str() {
        "GET /accounts/none" => ("304 Not Modified", "\r\n".to_owned()),
        "HEAD /accounts/head" => ("200 OK", "content-length: 30\r\n\r\n".to_owned()),
        _ => {
            let body = format!("{{\"id\":\"{token}\"}}");
            let trailers = "content-digest: sha-256=:AAAA:\r\nx_debug: F120000002\r\nx-late: 1\r\n";
            let size = body.len();
            let framed = format!(
                "transfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n{trailers}\r\n"
            );
            ("200 OK", framed)
        }
    };
    let head = "content-type: application/json\r\netag: \"1\"\r\ncontent-digest: sha-256=:AAAA:\r\n\
                x-debug: F120000002\r\nx-kept: 1";
    format!("HTTP/1.1 {status}\r\n{head}\r\nx-account: {token}\r\n{rest}").into_bytes()
}

fn city() -> City {
    let house = House::open();
    house.edit("filter.toml", "[[route]]\nname = \"payment-submit\"", ROUTE);
    let upstream = Upstream::answering(house.upstream_port(), answer);
    City::around(house, upstream, &TRAILERS)
}

/// A request written by hand; the connection is closed after its answer.
fn raw(city: &City, unit: &str, request: &str, rest: &str) -> String {
    let address = city.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let bearer = city.house.access_token(unit);
    let head = format!(
        "{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nte: trailers\r\n\
         authorization: Bearer {bearer}\r\njinku-purpose: tax-assessment\r\n{rest}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Asks over HTTP/2, and prints head, body and trailers, each field on a line.
const NODE: &str = r#"
const [url, path, bearer] = process.argv.slice(1);
const session = require('node:http2').connect(url);
const fields = { ':path': path, authorization: bearer, 'jinku-purpose': 'tax-assessment' };
const stream = session.request(fields).setEncoding('utf8');
let [head, body, trailers] = [{}, '', {}];
stream.on('response', (said) => { head = said; });
stream.on('data', (part) => { body += part; });
stream.on('trailers', (said) => { trailers = said; });
const lines = (all) => Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('');
stream.on('close', () => {
  process.stdout.write(`HTTP/2 ${head[':status']}\r\n${lines(head)}\r\n${body}\r\n${lines(trailers)}`);
  session.close();
});
stream.end();
"#;

/// Head, body and trailers, by Node over HTTP/2: HTTP/1.1 has no trailers behind a body of known length, and curl
/// does not wait for them there.
fn with_trailers(city: &City, unit: &str, path: &str) -> String {
    let bearer = format!("Bearer {}", city.house.access_token(unit));
    let output = Command::new("node")
        .args(["--eval", NODE, &city.url, path, &bearer])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn heads_and_trailers_of_answers_are_ruled_and_tell_nothing_of_the_first_body() {
    let mut city = city();
    let paid = city.submit("service-counter", &[], sample("tax").as_bytes());
    assert_eq!(paid.status, 200, "{paid:?}\n{}", city.envoy.said());
    let token = token(&city.upstream.seen());

    let whole = with_trailers(&city, "tax-bureau", "/accounts/7");
    assert!(whole.starts_with("HTTP/2 200"), "{whole}");
    assert!(whole.contains("x-account: F120000002\r\n"), "{whole}");
    assert!(whole.contains("{\"id\":\"F120000002\"}"), "{whole}");
    for gone in ["digest", "etag", "debug", &token] {
        assert!(!whole.contains(gone), "{gone} in {whole}");
    }
    // It came behind the body, and those that are gone beside it.
    let (_, trailers) = whole.split_once("{\"id\":\"F120000002\"}").unwrap();
    assert_eq!(trailers.trim(), "x-late: 1", "{whole}");
    // Who may see nothing gets the tokens.
    let hidden = raw(&city, "public-library", "GET /accounts/7", "\r\n");
    assert!(
        hidden.contains(&format!("x-account: {token}\r\n")),
        "{hidden}"
    );
    assert!(!hidden.contains("F120000002"), "{hidden}");

    for request in ["GET /accounts/none", "HEAD /accounts/head"] {
        let bare = raw(&city, "tax-bureau", request, "\r\n");
        assert!(bare.contains("x-account: F120000002\r\n"), "{bare}");
        assert!(bare.contains("x-kept: 1\r\n"), "{bare}");
        for gone in ["digest", "etag", "debug"] {
            assert!(!bare.contains(gone), "{gone} in {bare}");
        }
    }

    let trailers = "transfer-encoding: chunked\r\ntrailer: x-debug, x-late\r\n\r\n\
                    2\r\n{}\r\n0\r\nx-debug: F120000002\r\nx-late: 1\r\n\r\n";
    let sent = raw(&city, "tax-bureau", "POST /accounts/7", trailers);
    assert!(sent.starts_with("HTTP/1.1 200"), "{sent}");
    assert_eq!(city.upstream.last().trailers, ["x-late: 1"]);

    // Nobody to ask: neither head nor body goes on.
    city.house.kill();
    let closed = raw(&city, "tax-bureau", "GET /accounts/none", "\r\n");
    assert!(closed.starts_with("HTTP/1.1 503"), "{closed}");
    assert!(
        !closed.contains("F120000002") && !closed.contains(&token),
        "{closed}"
    );
}
