//! Connections to the vault that say nothing: they hold their places no longer than the limit says.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tests::{House, tokenize};

const LIMIT: Duration = Duration::from_millis(1_500);
/// As many as connections may be.
const PLACES: usize = 6;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An empty SETTINGS frame (RFC 9113 section 6.5).
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A TLS connection by `openssl`, which says only this.
fn beginning(house: &House, protocol: &str, said: &[u8]) -> (Child, ChildStdin) {
    let mut openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-tls1_3", "-alpn", protocol])
        .args(["-connect", &format!("127.0.0.1:{}", house.port())])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = openssl.stdin.take().unwrap();
    stdin.write_all(said).unwrap();
    (openssl, stdin)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_keep_a_good_one_out_no_longer_than_the_limit() {
    let mut house = House::install();
    let limits = format!(
        "\n[limits]\nconnections_max = {PLACES}\nheader_timeout_ms = {}\n\n[ledger]\n",
        LIMIT.as_millis()
    );
    house.edit("jinku.toml", "\n[ledger]\n", &limits);
    house.serve();
    let good = house.client(Some("city-gateway"));
    let bearer = house.access_token("service-counter");
    let proof = api::UnitProof::authorization(format!("Bearer {bearer}").as_bytes()).unwrap();
    let ask = async || {
        let asked = good.tokenize(tokenize("name", &["王"]), Some(&proof)).await;
        asked.is_ok()
    };
    assert!(ask().await);

    // One place is the good one's, which has spoken; all others are taken.
    let began = Instant::now();
    let plain = TcpStream::connect(("127.0.0.1", house.port())).unwrap();
    let mut silent: Vec<_> = [
        ("h2", Vec::new()),
        ("h2", PREFACE[..10].to_vec()),
        ("h2", [PREFACE, SETTINGS].concat()),
        ("http/1.1", b"GET /ready HTTP/1.1\r\nhost".to_vec()),
    ]
    .iter()
    .map(|(protocol, said)| beginning(&house, protocol, said))
    .collect();
    for (openssl, _) in &mut silent {
        let gone = tokio::task::block_in_place(|| openssl.wait());
        assert!(gone.is_ok());
    }
    let waited = began.elapsed();
    assert!(waited > LIMIT && waited < LIMIT * 4, "{waited:?}");
    // The connection that spoke is older than the limit, and another finds a place.
    assert!(ask().await);
    let ready = house.curl(None, "/readyz", &[]);
    assert_eq!(ready.status, 200, "{ready:?}");
    drop(plain);
}
