//! Time stamps (RFC 3161), with OpenSSL as the authority: it answers our requests, it verifies what we keep, and what
//! it or a thief of its key signs otherwise is refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]

#[path = "stamps/form.rs"]
mod form;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ledger::verify::{Options, stamp_path};
use ledger::{
    Checkpoint, STAMP_BYTES_MAX, StampError, StampTrust, Trust, stamp_request, verify_answer,
    verify_archive, verify_stamp,
};
use proptest::prelude::*;
use support::{Log, START_US, put};
use tempfile::{TempDir, tempdir};

/// What the authority is set to.
const SETTINGS: &str = "\
[tsa]
serial = ./serial
crypto_device = builtin
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
";
const PURPOSE: &str = "extendedKeyUsage=critical,timeStamping";

/// An authority, its certificate and the one that issued it.
struct Authority(TempDir);

impl Authority {
    fn open() -> Self {
        Self::with(&["-newkey", "rsa:2048"], "sha256")
    }

    fn with(key: &[&str], digest: &str) -> Self {
        let authority = Self(tempdir().unwrap());
        let ca = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=CA";
        authority.does(&ca.split(' ').collect::<Vec<_>>());
        let request = "req -new -nodes -keyout tsa.key -out tsa.csr -subj /CN=TSA";
        authority.does(
            &request
                .split(' ')
                .chain(key.iter().copied())
                .collect::<Vec<_>>(),
        );
        authority.issue("tsa.pem", PURPOSE, "30");
        let settings = format!("{SETTINGS}signer_digest = {digest}\ness_cert_id_alg = {digest}\n");
        authority.put("tsa.cnf", settings.as_bytes());
        authority.put("serial", b"01\n");
        authority
    }

    /// Another certificate of the same key.
    fn issue(&self, file: &str, purpose: &str, days: &str) {
        let extensions =
            format!("{purpose}\nbasicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\n");
        self.put("extensions", extensions.as_bytes());
        self.does(&[
            "x509",
            "-req",
            "-in",
            "tsa.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            file,
            "-days",
            days,
            "-extfile",
            "extensions",
        ]);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.file(name), bytes).unwrap();
    }

    fn tried(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.0.path());
        command.output().unwrap()
    }

    fn does(&self, arguments: &[&str]) {
        let output = self.tried(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Answers a request.
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        self.put("request.tsq", request);
        self.does(&[
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-section",
            "tsa",
            "-queryfile",
            "request.tsq",
            "-out",
            "answer.tsr",
        ]);
        fs::read(self.file("answer.tsr")).unwrap()
    }

    /// What the authority's key signs under another certificate: the same statement.
    fn forged(&self, answer: &[u8], certificate: &str, key: &str) -> Vec<u8> {
        self.put("genuine.tsr", answer);
        self.does(&[
            "ts",
            "-reply",
            "-in",
            "genuine.tsr",
            "-token_out",
            "-out",
            "token.der",
        ]);
        self.does(&[
            "cms",
            "-verify",
            "-noverify",
            "-in",
            "token.der",
            "-inform",
            "DER",
            "-out",
            "statement.der",
        ]);
        self.does(&[
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-econtent_type",
            "1.2.840.113549.1.9.16.1.4",
            "-in",
            "statement.der",
            "-signer",
            certificate,
            "-inkey",
            key,
            "-outform",
            "DER",
            "-cades",
            "-out",
            "forged.der",
        ]);
        let token = fs::read(self.file("forged.der")).unwrap();
        let body = [&[0x30, 3, 2, 1, 0], token.as_slice()].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82], length.as_slice(), &body].concat()
    }

    fn trust(&self, file: &str) -> StampTrust {
        StampTrust::parse(&fs::read(self.file(file)).unwrap()).unwrap()
    }
}

fn checkpoint() -> Checkpoint {
    Log::of(20).checkpoint(20)
}

#[test]
fn openssl_answers_our_request_and_verifies_what_we_keep() {
    let authority = Authority::open();
    let (checkpoint, nonce) = (checkpoint(), u64::MAX - 5);
    let request = stamp_request(&checkpoint, nonce);
    let answer = authority.answer(&request);
    let trust = authority.trust("ca.pem");
    let stamped = verify_answer(&answer, (&checkpoint, nonce), &trust).unwrap();
    assert_eq!(stamped.accuracy_us, Some(1_500_100));
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_micros();
    let apart = u64::try_from(now).unwrap().abs_diff(stamped.time_us);
    assert!(apart < 600_000_000, "{apart}");
    // Theirs says the same of it, by the request and by what was stamped.
    authority.put("text", checkpoint.body().as_bytes());
    let verify = ["ts", "-verify", "-in", "answer.tsr", "-CAfile", "ca.pem"];
    authority.does(&[&verify[..], &["-queryfile", "request.tsq"]].concat());
    authority.does(&[&verify[..], &["-data", "text"]].concat());
    // The authority's own certificate may be pinned instead of its issuer's.
    assert_eq!(
        verify_stamp(&answer, &checkpoint, &authority.trust("tsa.pem")),
        Ok(stamped)
    );
    let other = verify_answer(&answer, (&checkpoint, 7), &trust);
    assert_eq!(other, Err(StampError::Nonce));
}

#[test]
fn the_usual_keys_and_hashes_are_understood() {
    for (key, digest) in [
        (&["-newkey", "rsa:3072"][..], "sha512"),
        (&["-newkey", "rsa:2048"], "sha384"),
        (
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "sha256",
        ),
        (
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "sha384",
        ),
    ] {
        let authority = Authority::with(key, digest);
        let answer = authority.answer(&stamp_request(&checkpoint(), 1));
        let stamped = verify_stamp(&answer, &checkpoint(), &authority.trust("ca.pem"));
        assert!(stamped.is_ok(), "{key:?} {digest}: {stamped:?}");
    }
    // The certificate named by its SHA-1, as older authorities do it.
    let authority = Authority::open();
    let settings = format!("{SETTINGS}signer_digest = sha256\ness_cert_id_alg = sha1\n");
    authority.put("tsa.cnf", settings.as_bytes());
    let answer = authority.answer(&stamp_request(&checkpoint(), 1));
    assert!(verify_stamp(&answer, &checkpoint(), &authority.trust("ca.pem")).is_ok());
}

#[test]
fn what_is_not_a_good_stamp_is_refused_by_its_fault() {
    let authority = Authority::open();
    let checkpoint = checkpoint();
    let answer = authority.answer(&stamp_request(&checkpoint, 1));
    let trust = authority.trust("ca.pem");
    let judged = |answer: &[u8]| verify_stamp(answer, &checkpoint, &trust).err();
    assert_eq!(judged(&answer), None);
    assert_eq!(
        judged(&authority.forged(&answer, "tsa.pem", "tsa.key")),
        None
    );
    let other = Log::of(21).checkpoint(21);
    assert_eq!(
        verify_stamp(&answer, &other, &trust),
        Err(StampError::Other)
    );
    // Another purpose, none, several, and one that need not be kept to.
    for purpose in [
        "extendedKeyUsage=critical,serverAuth",
        "keyUsage=digitalSignature",
        "extendedKeyUsage=critical,timeStamping,serverAuth",
        "extendedKeyUsage=timeStamping",
    ] {
        authority.issue("other.pem", purpose, "30");
        let forged = authority.forged(&answer, "other.pem", "tsa.key");
        assert_eq!(judged(&forged), Some(StampError::Purpose), "{purpose}");
    }
    authority.issue("expired.pem", PURPOSE, "-1");
    let forged = authority.forged(&answer, "expired.pem", "tsa.key");
    assert_eq!(judged(&forged), Some(StampError::Chain));
    let pinned = verify_stamp(&forged, &checkpoint, &authority.trust("expired.pem"));
    assert_eq!(pinned, Err(StampError::Chain));
    // An issuer's certificate that is out of its own time.
    let old = "x509 -in ca.pem -signkey ca.key -days -1 -out old.pem";
    authority.does(&old.split(' ').collect::<Vec<_>>());
    let old = verify_stamp(&answer, &checkpoint, &authority.trust("old.pem"));
    assert_eq!(old, Err(StampError::Chain));
    let long = vec![0x30; STAMP_BYTES_MAX + 1];
    assert_eq!(judged(&long), Some(StampError::Malformed("too long")));
    // Another authority, with certificates that look alike.
    let stranger = Authority::open();
    let foreign = stranger.answer(&stamp_request(&checkpoint, 1));
    assert_eq!(judged(&foreign), Some(StampError::Chain));
    // A refusal is no stamp.
    let request = stamp_request(&checkpoint, 1);
    let unknown = request
        .windows(11)
        .position(|part| part[..2] == [6, 9])
        .unwrap();
    let mut unknown_hash = request.clone();
    unknown_hash[unknown + 10] = 9;
    assert!(matches!(
        judged(&authority.answer(&unknown_hash)),
        Some(StampError::Refused(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn garbage_is_refused_and_ends_well(bytes in prop::collection::vec(any::<u8>(), 0..300), lead in 0_usize..4) {
        let lead = [&[][..], &[0x30], &[0x30, 0x82, 1, 4], &[0x30, 0x82, 0, 9, 0x30, 3, 2, 1, 0, 0x30]][lead];
        let bytes = [lead, &bytes].concat();
        let checkpoint = checkpoint();
        prop_assert!(verify_stamp(&bytes, &checkpoint, &StampTrust::default()).is_err());
        prop_assert!(StampTrust::parse(&bytes).is_err());
    }
}

/// Twenty years.
const LONG_BEFORE_US: u64 = 20 * 365 * 86_400_000_000;

/// An archive that was stamped at some sizes.
struct Desk {
    authority: Authority,
    log: Log,
    archive: TempDir,
}

impl Desk {
    fn stamped(sizes: &[u64]) -> Self {
        // Written long before it is stamped, whatever this machine's clock says.
        let log = Log::told(700, |_, entry| entry.time_us -= LONG_BEFORE_US);
        let authority = Authority::open();
        let archive = tempdir().unwrap();
        log.publish(archive.path(), &[300, 700]);
        for size in sizes {
            let answer = authority.answer(&stamp_request(&log.checkpoint(*size), *size));
            put(archive.path(), &stamp_path(START_US, *size), &answer);
        }
        Self {
            authority,
            log,
            archive,
        }
    }

    fn run(&self, command: &str, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_jinku-ledger"))
            .arg(command)
            .arg(self.archive.path())
            .args(["--key", &self.log.key().to_string()])
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    fn verify(&self, certificate: &Path) -> (i32, String) {
        self.run("verify", &["--tsa-cert", certificate.to_str().unwrap()])
    }

    fn move_stamp(&self, from: u64, to: u64) {
        let path = |size| self.archive.path().join(stamp_path(START_US, size));
        fs::rename(path(from), path(to)).unwrap();
    }
}

#[test]
fn an_archive_is_held_to_its_stamps() {
    let desk = Desk::stamped(&[300, 512]);
    let ca = desk.authority.file("ca.pem");
    let (exit, said) = desk.verify(&ca);
    assert_eq!(exit, 0, "{said}");
    assert!(
        said.contains("the first 512 existed at 20") && said.contains("(2 time stamps)"),
        "{said}"
    );
    // Who brought no certificate is told that they were not looked at.
    let (exit, said) = desk.run("verify", &[]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("time stamps"), "{said}");
    let to = desk.authority.file("export");
    let (exit, said) = desk.run("export", &[to.to_str().unwrap()]);
    assert_eq!(exit, 0, "{said}");
    assert!(to.join(stamp_path(START_US, 512)).is_file());
    let (exit, said) = desk.run("verify", &["--tsa-cert", ca.to_str().unwrap(), "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (exit, report["stamps"]["newest"]["size"].as_u64()),
        (0, Some(512))
    );
}

#[test]
fn a_stamp_of_another_size_an_altered_one_and_none_are_found() {
    let desk = Desk::stamped(&[300]);
    let ca = desk.authority.file("ca.pem");
    desk.move_stamp(300, 301);
    let (exit, said) = desk.verify(&ca);
    assert_eq!(exit, 3, "{said}");
    assert!(
        said.contains("stamp-other") && said.contains("301.tsr"),
        "{said}"
    );
    desk.move_stamp(301, 701);
    let (exit, said) = desk.verify(&ca);
    assert!(
        said.contains("beyond-checkpoint") && said.contains("stamp-missing"),
        "{said}"
    );
    assert_eq!(exit, 3, "{said}");
    desk.move_stamp(701, 300);
    let path = desk.archive.path().join(stamp_path(START_US, 300));
    let stamp = fs::read(&path).unwrap();
    let mut altered = stamp.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(&path, altered).unwrap();
    let (exit, said) = desk.verify(&ca);
    assert!(exit == 3 && said.contains("stamp-untrusted"), "{said}");
    fs::write(&path, b"no stamp").unwrap();
    let (exit, said) = desk.verify(&ca);
    assert!(exit == 3 && said.contains("stamp-malformed"), "{said}");
    // One that is gone, where the auditor asks for stamps.
    fs::remove_dir_all(desk.archive.path().join("stamps")).unwrap();
    let (exit, said) = desk.verify(&ca);
    assert!(exit == 3 && said.contains("stamp-missing"), "{said}");
    // A certificate from the archive vouches for nothing.
    put(desk.archive.path(), "policy", &fs::read(&ca).unwrap());
    assert_eq!(desk.verify(&desk.archive.path().join("policy")).0, 64);
    // A log that its operator wrote anew is held to what was stamped before.
    let other = Log::told(700, |seq, entry| {
        entry.time_us -= LONG_BEFORE_US;
        if seq == 200 {
            entry.facts.reason = Some("another".to_owned());
        }
    });
    other.publish(desk.archive.path(), &[300, 700]);
    put(desk.archive.path(), &stamp_path(START_US, 300), &stamp);
    let trust = Trust {
        stamps: Some(desk.authority.trust("ca.pem")),
        ..other.trust()
    };
    let report = verify_archive(desk.archive.path(), &trust, &Options::default());
    let codes: Vec<_> = report
        .findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(codes, ["stamp-other", "stamp-missing"]);
}

// The authority's clock is the judge, but for five minutes and its own accuracy.
#[test]
fn an_entry_that_is_dated_after_its_stamp_is_found() {
    let authority = Authority::open();
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_micros();
    let now = u64::try_from(now).unwrap();
    for (ahead_s, found) in [(0, false), (200, false), (900, true), (90_000, true)] {
        let log = Log::told(300, |seq, entry| {
            entry.time_us = now - 3_600_000_000 + seq;
            if seq == 299 {
                entry.time_us = now + ahead_s * 1_000_000;
            }
        });
        let archive = tempdir().unwrap();
        log.publish(archive.path(), &[300]);
        let answer = authority.answer(&stamp_request(&log.checkpoint(300), 1));
        put(archive.path(), &stamp_path(START_US, 300), &answer);
        let trust = Trust {
            stamps: Some(authority.trust("ca.pem")),
            ..log.trust()
        };
        let report = verify_archive(archive.path(), &trust, &Options::default());
        let codes = report.findings.iter().map(|one| (one.code, one.seq));
        let expected = found.then_some((ledger::verify::Code::TimeForward, Some(299)));
        assert_eq!(
            codes.collect::<Vec<_>>(),
            Vec::from_iter(expected),
            "{ahead_s}"
        );
    }
}
