//! The same over HTTP/2, whose frames say by themselves where a body ends: lengths that say otherwise, headers of
//! HTTP/1.1's framing, and line ends within names and values, which would be requests in HTTP/1.1.

use super::*;

type Fields = Vec<(&'static str, String)>;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// With 200.
    Good,
    /// With another status, a reset, or the connection's end.
    Refused,
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// Literal fields without indexing (RFC 7541 section 6.2.2), as they are: no encoder that minds them.
fn packed(fields: &Fields) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        [&[length][..], text.as_bytes()].concat()
    };
    let field = |(name, value): &(&'static str, String)| {
        let (name, value) = (text(name), text(value));
        [&[0][..], &name, &value].concat()
    };
    fields.iter().flat_map(field).collect()
}

async fn sent(address: SocketAddr, name: &str, fields: &Fields, body: &[u8]) -> Ended {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let bytes = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &frame(SETTINGS, 0, 0, b""),
        &frame(HEADERS, END_HEADERS, 1, &packed(fields)),
        &frame(0, END_STREAM, 1, body),
    ]
    .concat();
    let _ = stream.write_all(&bytes).await;
    let reading = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            match (head[3], head[8]) {
                // `:status: 200` has an index of its own, 8 (RFC 7541 appendix A).
                (HEADERS, 1) if payload.iter().take(6).any(|byte| *byte == 0x88) => {
                    return Ended::Good;
                }
                (HEADERS | RST_STREAM, 1) | (GOAWAY, _) => return Ended::Refused,
                _ => {}
            }
        }
        Ended::Refused
    };
    let ended = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(ended.is_ok(), "{name}: neither an answer nor an end");
    ended.unwrap()
}

/// A request with these fields more.
fn with(more: &[(&'static str, &str)]) -> Fields {
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/payments/card"),
        (":authority", "a"),
        ("content-type", "application/json"),
        ("authorization", "Bearer unit"),
    ];
    let fields = usual.iter().chain(more);
    fields
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

/// The same with another value of one field.
fn instead(name: &str, value: &str) -> Fields {
    let mut fields = with(&[]);
    let field = fields.iter_mut().find(|(known, _)| *known == name);
    value.clone_into(&mut field.unwrap().1);
    fields
}

type Shape = (&'static str, Fields, Ended);

fn lengths() -> Vec<Shape> {
    let (n, less, more) = (BODY.len(), BODY.len() - 1, BODY.len() + 1);
    let length = |length: usize| with(&[("content-length", &length.to_string())]);
    let both = n.to_string();
    vec![
        ("no length", with(&[]), Ended::Good),
        ("the body's length", length(n), Ended::Good),
        ("a shorter length", length(less), Ended::Refused),
        ("a longer length", length(more), Ended::Refused),
        ("no length at all", length(0), Ended::Refused),
        (
            "two lengths",
            with(&[("content-length", &both), ("content-length", "0")]),
            Ended::Refused,
        ),
        (
            "a length of nonsense",
            with(&[("content-length", "x")]),
            Ended::Refused,
        ),
        (
            "chunked",
            with(&[("transfer-encoding", "chunked")]),
            Ended::Refused,
        ),
        (
            "a connection",
            with(&[("connection", "keep-alive")]),
            Ended::Refused,
        ),
    ]
}

fn line_ends() -> Vec<Shape> {
    const NEXT: &str = "1\r\n\r\nPOST /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let path = format!("/payments/card HTTP/1.1\r\n{NEXT}");
    vec![
        (
            "a line end in a value",
            with(&[("x-a", NEXT)]),
            Ended::Refused,
        ),
        (
            "a carriage return in a value",
            with(&[("x-a", "1\rx-b: 2")]),
            Ended::Refused,
        ),
        ("a NUL in a value", with(&[("x-a", "1\0")]), Ended::Refused),
        (
            "a line end in a name",
            with(&[("x-a: 1\r\nx-b", "2")]),
            Ended::Refused,
        ),
        ("a colon in a name", with(&[("x-a:", "2")]), Ended::Refused),
        (
            "a capital in a name",
            with(&[("Content-Length", "0")]),
            Ended::Refused,
        ),
        (
            "a line end in the path",
            instead(":path", &path),
            Ended::Refused,
        ),
        (
            "a blank in the path",
            instead(":path", "/payments/card HTTP/1.1"),
            Ended::Refused,
        ),
        (
            "a line end in the method",
            instead(":method", "POST / HTTP/1.1\r\nx:"),
            Ended::Refused,
        ),
        (
            "a line end in the authority",
            instead(":authority", "a\r\nx-b: 2"),
            Ended::Refused,
        ),
    ]
}

/// All shapes; how many of them went on.
async fn judged(address: SocketAddr, echo: &Upstream) -> usize {
    let mut once = 0;
    for (name, fields, end) in [lengths(), line_ends()].concat() {
        let ended = sent(address, name, &fields, BODY.as_bytes()).await;
        assert_eq!(ended, end, "{name}");
        once += usize::from(end == Ended::Good);
        assert_eq!(echo.requests(), once, "{name}");
    }
    once
}

#[tokio::test]
async fn nginx_behind_the_proxy_reads_one_request_for_each_stream() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Upstream::echo().await;
    let (nginx, address) = nginx::plain(folder.path(), echo.address).await;
    let running = running(&MemoryVault::default(), address).await;
    let once = judged(running.address, &echo).await;
    nothing_went_past(once, &echo, (nginx, folder.path())).await;
}

#[tokio::test]
async fn nginx_behind_envoy_reads_one_request_for_each_stream() {
    for plan in [envoy::whole(), envoy::modes::in_parts()] {
        let folder = tempfile::tempdir().unwrap();
        let echo = Upstream::echo().await;
        let (nginx, address) = nginx::plain(folder.path(), echo.address).await;
        let city =
            envoy::planned(before(&plan, address), MemoryVault::default(), envoy::echo).await;
        let once = judged(city.address, &echo).await;
        nothing_went_past(once, &echo, (nginx, folder.path())).await;
    }
}
