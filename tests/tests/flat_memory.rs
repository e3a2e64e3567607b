//! The gateway filter's memory under many large bodies: it is flat. `benches/memory.sh` sends 10,000.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use tests::{House, Program, Upstream, envoy, free_port, workspace};

/// Requests until the first look, and after it.
const FIRST: usize = 48;
const MORE: usize = 152;
const CONNECTIONS: usize = 4;
/// What the most memory may grow by between the two looks: a hundredth of what went through.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

/// 1 MiB, but for what tokens may add.
fn body() -> Vec<u8> {
    let payer = r#"{"payer":{"national_id":"F120000002","mobile":"0900000789"},"memo":""#;
    let filling = "x".repeat((1 << 20) - payer.len() - 256);
    format!("{payer}{filling}\"}}").into_bytes()
}

/// POSTs it so often over one connection; all must be taken.
fn send(address: &str, bearer: &str, body: &[u8], count: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head = format!(
        "POST /payments/tax HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         authorization: Bearer {bearer}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    for _ in 0..count {
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
    }
}

/// The most memory that a process ever held, in KiB.
fn peak(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

fn stays_flat(form: &str, house: &House, filter: &Program, address: &str) {
    let (bearer, body) = (house.access_token("service-counter"), body());
    let load = |count: usize| {
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| send(address, &bearer, &body, count / CONNECTIONS));
            }
        });
        peak(filter)
    };
    let (before, after) = (load(FIRST), load(MORE));
    println!("{form}: {before} KiB after {FIRST} requests, {after} KiB after {MORE} more");
    assert!(
        after - before <= GROWTH_KIB_MAX,
        "{form}: {before} then {after} KiB"
    );
}

#[test]
fn the_proxys_memory_is_flat() {
    let house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let filter = house.proxy();
    let url = house.gateway_url();
    let address = url.strip_prefix("http://").unwrap();
    stays_flat("proxy", &house, &filter, address);
    assert_eq!(upstream.seen().len(), FIRST + MORE);
    assert!(!upstream.last().text().contains("F120000002"));
}

#[test]
fn the_processors_memory_is_flat() {
    let house = House::open();
    let upstream = Upstream::start(house.upstream_port());
    let (filter, at) = house.filter("ext-proc", "filter.toml", "ext-proc");
    let listen = free_port();
    let example = workspace().join("gateway-filter/examples/envoy.yaml");
    let yaml = std::fs::read_to_string(example)
        .unwrap()
        .replace("@LISTEN_PORT@", &listen.to_string())
        .replace("@ADMIN_PORT@", &free_port().to_string())
        .replace("@EXT_PROC_PORT@", at.rsplit(':').next().unwrap())
        .replace("@UPSTREAM_PORT@", &house.upstream_port().to_string());
    let file = house.directory().join("envoy.yaml");
    std::fs::write(&file, yaml).unwrap();
    let log = house.directory().join("envoy.log");
    let mut command = Command::new(envoy());
    command
        .args(["--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(file);
    let mut gateway = Program::start(&mut command, &log);
    gateway.wait_for(|| says(&log, "all dependencies initialized. starting workers"));
    stays_flat("ext-proc", &house, &filter, &format!("127.0.0.1:{listen}"));
    assert_eq!(upstream.seen().len(), FIRST + MORE);
    assert!(!upstream.last().text().contains("F120000002"));
}

fn says(log: &Path, words: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(words))
}
