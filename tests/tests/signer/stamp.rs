//! The published checkpoint is stamped by an authority (RFC 3161), which is OpenSSL behind HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::House;

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
