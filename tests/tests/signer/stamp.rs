//! The published checkpoint is stamped by an authority (RFC 3161), which is OpenSSL behind HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tests::{House, free_port};

use super::{audited, key, tokenized};

const SETTINGS: &str = "\
[tsa]
serial = ./serial
crypto_device = builtin
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
";

fn openssl(dir: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(arguments.split(' ')).current_dir(dir).output();
    let output = output.expect("`openssl` is missing: install Debian's package openssl");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
}

/// An authority's folder, and where it answers.
fn authority(house: &House) -> (PathBuf, String) {
    let dir = house.directory().join("tsa");
    std::fs::create_dir(&dir).unwrap();
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        &dir,
        &format!("req -x509 {new} -keyout ca.key -out ca.pem -subj /CN=CA"),
    );
    openssl(
        &dir,
        &format!("req -new {new} -keyout tsa.key -out tsa.csr -subj /CN=TSA"),
    );
    let extensions = "extendedKeyUsage=critical,timeStamping\nbasicConstraints=CA:FALSE\n";
    std::fs::write(dir.join("extensions"), extensions).unwrap();
    let issue =
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 9";
    openssl(&dir, &format!("{issue} -extfile extensions"));
    std::fs::write(dir.join("tsa.cnf"), SETTINGS).unwrap();
    std::fs::write(dir.join("serial"), "01\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tsr", listener.local_addr().unwrap());
    let folder = dir.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&folder, &stream.unwrap());
        }
    });
    (dir, url)
}

/// One request, as RFC 3161 section 3.4 has it.
fn answer(dir: &Path, mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut length, mut head) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_lowercase();
        if let Some(bytes) = lower.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        head += &lower;
    }
    assert!(
        head.contains("content-type: application/timestamp-query"),
        "{head}"
    );
    let mut query = vec![0; length];
    reader.read_exact(&mut query).unwrap();
    if dir.join("away").exists() {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(busy).unwrap();
    }
    std::fs::write(dir.join("query.tsq"), query).unwrap();
    openssl(
        dir,
        "ts -reply -config tsa.cnf -section tsa -queryfile query.tsq -out answer.tsr",
    );
    let answer = std::fs::read(dir.join("answer.tsr")).unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream
        .write_all(&[head.as_bytes(), &answer].concat())
        .unwrap();
}

fn stamps(house: &House) -> Vec<PathBuf> {
    let mut folders = vec![house.directory().join("data/ledger/stamps")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for name in std::fs::read_dir(folder).into_iter().flatten() {
            let path = name.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_log_is_stamped_and_others_verify_the_stamp() {
    let mut house = House::open();
    tokenized(&house, 2).await;
    let (tsa, url) = authority(&house);
    let ca = tsa.join("ca.pem");
    let ca = ca.to_str().unwrap();
    // While the vault runs.
    let stamp = ["ledger", "stamp", "--data", "data", "--tsa-cert", ca];
    let (well, said) = house.jinku(&[&stamp[..], &["--url", &url]].concat(), "");
    assert!(well && said.contains("existed at"), "{said}");
    assert_eq!(stamps(&house).len(), 1);
    // An answer of an authority that is not trusted is not kept.
    openssl(
        &tsa,
        "req -x509 -newkey rsa:2048 -nodes -keyout x.key -out other.pem -subj /CN=CA",
    );
    let other = tsa.join("other.pem");
    let untrusted = [
        "ledger",
        "stamp",
        "--data",
        "data",
        "--tsa-cert",
        other.to_str().unwrap(),
    ];
    tokenized(&house, 1).await;
    let (well, said) = house.jinku(&[&untrusted[..], &["--url", &url]].concat(), "");
    assert!(!well && said.contains("is not kept"), "{said}");
    assert_eq!(stamps(&house).len(), 1);
    house.stop();
    // From a machine without a network: the request goes out, the answer comes in.
    let (well, said) = house.jinku(
        &[
            "ledger",
            "stamp",
            "--data",
            "data",
            "--request",
            "tsa/out.tsq",
        ],
        "",
    );
    assert!(well, "{said}");
    openssl(
        &tsa,
        "ts -reply -config tsa.cnf -section tsa -queryfile out.tsq -out in.tsr",
    );
    let back = ["--response", "tsa/in.tsr", "--of", "tsa/out.tsq.checkpoint"];
    let (well, said) = house.jinku(&[&stamp[..], &back].concat(), "");
    assert!(well, "{said}");
    assert_eq!(stamps(&house).len(), 2);
    let archive = house.export("archive");
    let verify = ["verify", archive.to_str().unwrap(), "--tsa-cert"];
    let (exit, said) = audited(&key(&house), &[&verify[..], &[ca]].concat());
    assert_eq!(exit, Some(0), "{said}");
    assert!(
        said.contains("existed at") && said.contains("(2 time stamps)"),
        "{said}"
    );
    let (exit, said) = house.verify_in_python(&archive);
    assert!(
        exit == 0 && said.contains("not looked at: 2 time stamps"),
        "{said}"
    );
    let (exit, said) = audited(
        &key(&house),
        &[&verify[..], &[other.to_str().unwrap()]].concat(),
    );
    assert!(
        exit == Some(3) && said.contains("stamp-untrusted"),
        "{said}"
    );
    // OpenSSL says the same of what was kept, by the checkpoint's text alone.
    let note = std::fs::read_to_string(archive.join("checkpoint")).unwrap();
    let (text, _) = note.split_once("\n\n").unwrap();
    std::fs::write(tsa.join("text"), format!("{text}\n")).unwrap();
    let newest = stamps(&house).into_iter().max_by_key(|path| {
        let size = path.file_stem().unwrap().to_str().unwrap();
        size.parse::<u64>().unwrap()
    });
    std::fs::copy(newest.unwrap(), tsa.join("kept.tsr")).unwrap();
    openssl(&tsa, "ts -verify -in kept.tsr -data text -CAfile ca.pem");
}

/// Has the vault stamp itself: the settings, and where monitoring reads.
fn stamping(house: &House, urls: &[&str], certificates: &str) -> String {
    let address = format!("127.0.0.1:{}", free_port());
    let settings = format!(
        "\n[ledger.stamps]\nurls = {urls:?}\ncertificates = \"tsa/{certificates}\"\nentries_max = 50\n\n\
         [metrics]\naddress = \"{address}\"\n"
    );
    let path = house.directory().join("jinku.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text + &settings).unwrap();
    format!("http://{address}/metrics")
}

/// What monitoring reads now, by name.
fn metric(url: &str, name: &str) -> Option<u64> {
    let page = House::curl_plain(url, &[]).body;
    let line = page.lines().find(|line| line.starts_with(name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Waits until as many stamps are kept.
fn wait_for_stamps(house: &House, number: usize) {
    let started = Instant::now();
    while stamps(house).len() < number {
        assert!(started.elapsed() < Duration::from_secs(60), "no stamp");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_vault_has_its_log_stamped_by_itself() {
    let mut house = House::install();
    let (tsa, url) = authority(&house);
    std::fs::write(tsa.join("away"), "").unwrap();
    // One that nobody answers at, and one that is away.
    let nobody = format!("http://127.0.0.1:{}/tsr", free_port());
    let metrics = stamping(&house, &[&nobody, &url], "ca.pem");
    house.serve();
    house.wait_until_it_said("the log is not stamped, and it is tried again");
    // Nobody waits for an authority.
    tokenized(&house, 2).await;
    assert!(stamps(&house).is_empty());
    assert_eq!(metric(&metrics, "jinku_ledger_stamp_age_seconds"), None);
    std::fs::remove_file(tsa.join("away")).unwrap();
    house.wait_until_it_said("the log is stamped");
    wait_for_stamps(&house, 1);
    assert!(metric(&metrics, "jinku_ledger_stamp_failures_total") > Some(0));
    // The next one is due tomorrow, or after 50 entries.
    tokenized(&house, 10).await;
    house.stop();
    house.serve();
    assert_eq!(stamps(&house).len(), 1);
    tokenized(&house, 50).await;
    wait_for_stamps(&house, 2);
    let started = Instant::now();
    let stamped = "jinku_ledger_entries{state=\"stamped\"}";
    while metric(&metrics, stamped).is_none_or(|stamped| stamped < 50) {
        assert!(started.elapsed() < Duration::from_secs(60), "not told");
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(50));
    }
    let age = metric(&metrics, "jinku_ledger_stamp_age_seconds");
    assert!(age.is_some_and(|age| age < 600), "{age:?}");
    house.stop();
    // What a crash leaves of a stamp on its way is not exported.
    let left = stamps(&house)[0].with_extension("tsr.new");
    std::fs::write(left, b"half").unwrap();
    let archive = house.export("archive");
    let ca = tsa.join("ca.pem");
    let verify = ["verify", archive.to_str().unwrap(), "--tsa-cert"];
    let verify = [&verify[..], &[ca.to_str().unwrap()]].concat();
    let (exit, said) = audited(&key(&house), &verify);
    assert!(
        exit == Some(0) && said.contains("(2 time stamps)"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_of_an_authority_that_is_not_trusted_is_not_kept() {
    let mut house = House::install();
    let (tsa, url) = authority(&house);
    openssl(
        &tsa,
        "req -x509 -newkey rsa:2048 -nodes -keyout x.key -out other.pem -subj /CN=CA",
    );
    let metrics = stamping(&house, &[&url], "other.pem");
    house.serve();
    house.wait_until_it_said("the authority's answer is not kept");
    assert!(metric(&metrics, "jinku_ledger_stamp_failures_total").is_some());
    assert!(stamps(&house).is_empty());
    house.stop();
    // What can't be used is said at the start, by its name.
    for (from, to, named) in [
        ("tsa/other.pem", "tsa/x.key", "tsa/x.key"),
        ("tsa/x.key", "tsa/ca.pem", ""),
        ("urls = [\"http://127", "urls = [\"http://192", "192.0.0.1"),
        ("urls = [\"http://192", "urls = [\"http://127", ""),
        (
            "entries_max = 50",
            "entries_max = 5000000000",
            "ledger.stamps.entries_max",
        ),
    ] {
        house.edit("jinku.toml", from, to);
        if !named.is_empty() {
            let said = house.refuses_to_serve();
            assert!(said.contains(named), "{named}: {said}");
        }
    }
}
