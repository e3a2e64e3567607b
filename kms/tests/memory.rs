//! The memory of a living process, read from outside: every key while it is open, nothing of any afterwards.
//!
//! `/proc/<pid>/mem` shows more than a core would: pages that are left out of dumps are readable there.

#![expect(
    clippy::unwrap_used,
    reason = "the steps of the test are code outside `#[test]`"
)]

#[path = "memory/image.rs"]
mod image;
#[path = "memory/secrets.rs"]
mod secrets;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use kms::{
    Binding, CacheLimits, Envelope, Hsm, HsmSettings, KeyCache, KeyId, KeyKind, Pin, SecretBytes,
    Usage, WrappedKey,
};

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const TEST: &str = "nothing_of_a_key_is_left_when_it_is_gone";
/// What a child is to do: `wrap` or `use`.
const PART: &str = "JINKU_TEST_PART";
/// Where the parts meet.
const FOLDER: &str = "JINKU_TEST_FOLDER";

// Invariants 11 and 12
#[test]
fn nothing_of_a_key_is_left_when_it_is_gone() {
    if let Some(part) = std::env::var_os(PART) {
        let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
        let act = if part == "wrap" {
            wrap
        } else {
            open_use_and_drop
        };
        act(&folder);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    // One process brings the material, as an import would; another one knows it only wrapped.
    let mut child = part("wrap", folder.path());
    let mut next = said(&mut child);
    next("KEYS-ARE-WRAPPED");
    let brought: Vec<secrets::Secret> = materials().into_iter().map(brought).collect();
    let seen = image::search(child.id(), &brought);
    go_on(&mut child);
    assert!(child.wait().unwrap().success());
    assert!(
        seen.is_empty(),
        "left in memory of what was wrapped: {seen:?}"
    );

    let mut child = part("use", folder.path());
    let mut next = said(&mut child);
    let nonces = next("KEYS-ARE-OPEN");
    let mut secrets = secrets::of(&materials(), &nonces);
    secrets.push(secrets::Secret {
        name: "payload".to_owned(),
        bytes: (0..1000).map(payload_byte).collect(),
        is_held: false,
    });
    let held = secrets.iter().filter(|secret| secret.is_held).count();
    let seen = image::search(child.id(), &secrets);
    let found = secrets
        .iter()
        .filter(|s| s.is_held && seen.contains(&s.name));
    assert_eq!(
        found.count(),
        held,
        "the search does not find what is there: {seen:?}"
    );

    go_on(&mut child);
    next("KEYS-ARE-GONE");
    let seen = image::search(child.id(), &secrets);
    go_on(&mut child);
    assert!(child.wait().unwrap().success());
    assert!(seen.is_empty(), "left in memory: {seen:?}");
}

/// The known material of each kind.
fn materials() -> Vec<(KeyKind, Vec<u8>)> {
    let material = |(number, kind): (u8, KeyKind)| {
        let hash = |part: u8| ring::digest::digest(&ring::digest::SHA256, &[number, part]);
        let bytes = [hash(0).as_ref(), hash(1).as_ref()].concat();
        (kind, bytes[..*kind.material_bytes().start()].to_vec())
    };
    (0..).zip(KeyKind::ALL).map(material).collect()
}

fn brought((kind, bytes): (KeyKind, Vec<u8>)) -> secrets::Secret {
    secrets::Secret {
        name: kind.to_string(),
        bytes,
        is_held: false,
    }
}

fn prepare(folder: &Path) {
    for (number, (_, material)) in materials().into_iter().enumerate() {
        std::fs::write(folder.join(format!("material-{number}")), material).unwrap();
    }
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let settings = format!("directories.tokendir = {}\n", tokens.display());
    std::fs::write(folder.join("softhsm2.conf"), settings).unwrap();
}

fn part(name: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture", "--test-threads=1"])
        .env(PART, name)
        .env(FOLDER, folder)
        .env("SOFTHSM2_CONF", folder.join("softhsm2.conf"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a word of a child, and gives what it said with it.
fn said(child: &mut Child) -> impl FnMut(&str) -> String + use<> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    move |word| loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, rest)) = line.split_once(word) {
            break rest.trim().to_owned();
        }
    }
}

fn go_on(child: &mut Child) {
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
}

fn envelope() -> Envelope {
    let pin = Pin::new("12345678".to_owned());
    let settings = HsmSettings::new(MODULE.into(), "memory".to_owned(), pin);
    let hsm = Arc::new(Hsm::open(&settings).unwrap());
    let root = match hsm.root("root").unwrap() {
        Some(root) => root,
        None => hsm.generate_root("root").unwrap(),
    };
    Envelope::new(hsm, root)
}

fn id(number: usize) -> KeyId {
    KeyId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
}

fn wrap(folder: &Path) {
    let (so_pin, pin) = ("87654321".to_owned(), "12345678".to_owned());
    Hsm::initialize_token(
        Path::new(MODULE),
        "memory",
        &Pin::new(so_pin),
        &Pin::new(pin),
    )
    .unwrap();
    let envelope = Arc::new(envelope());
    let threads = (0..).zip(KeyKind::ALL).map(|(number, kind)| {
        let (envelope, folder) = (Arc::clone(&envelope), folder.to_owned());
        elsewhere(move || {
            let material = read(&folder.join(format!("material-{number}")), kind);
            let wrapped = envelope.wrap(&id(number), 1, kind, &material).unwrap();
            std::fs::write(folder.join(format!("key-{number}")), wrapped.blob()).unwrap();
        })
    });
    let threads: Vec<_> = threads.collect();
    wait("KEYS-ARE-WRAPPED", "");
    drop(threads);
}

/// Material, read to where it is wiped: the test leaves no copy of its own.
fn read(file: &Path, kind: KeyKind) -> SecretBytes {
    let mut file = std::fs::File::open(file).unwrap();
    let whole = |to: &mut [u8]| file.read_exact(to).map(|()| to.len());
    SecretBytes::filled(*kind.material_bytes().start(), whole).unwrap()
}

fn load(folder: &Path, number: usize, kind: KeyKind) -> std::io::Result<WrappedKey> {
    let blob = std::fs::read(folder.join(format!("key-{number}")))?;
    Ok(WrappedKey::from_parts(id(number), 1, kind, blob))
}

fn open_use_and_drop(folder: &Path) {
    let envelope = Arc::new(envelope());
    let limits = CacheLimits {
        bytes_max: 1 << 20,
        keys_max: 100,
        ttl: Duration::from_hours(1),
        grace: Duration::ZERO,
    };
    // Others stay open and in use beside them, so that their memory is wiped and not only unmapped.
    let stay = [KeyKind::Aes256, KeyKind::HmacSha512].map(|kind| {
        let stays = envelope.generate(&id(99), 1, kind).unwrap();
        let stays = envelope.open(&stays).unwrap();
        used(&stays);
        stays
    });
    let cache = Arc::new(KeyCache::new(limits, Instant::now));
    let (mut nonces, mut threads) = (Vec::new(), Vec::new());
    for (number, kind) in KeyKind::ALL.into_iter().enumerate() {
        let (cache, envelope) = (Arc::clone(&cache), Arc::clone(&envelope));
        let folder = folder.to_owned();
        let (nonce, thread) = elsewhere(move || {
            let load = || load(&folder, number, kind);
            used(&cache.open(&envelope, &id(number), 1, load).unwrap())
        });
        nonces.extend(nonce);
        threads.push(thread);
    }
    // The vault's own keys, of the same material.
    let aead = envelope
        .open_aead(&load(folder, 0, KeyKind::Aes256).unwrap())
        .unwrap();
    let mac = envelope
        .open_mac(&load(folder, 1, KeyKind::HmacSha256).unwrap())
        .unwrap();
    let context = Binding::new("test");
    let sealed = aead.seal(&context, &[7; 1000]).unwrap();
    aead.open(&context, &sealed).unwrap();
    nonces.push(hex(&sealed[9..33]));
    mac.verify(&context, &mac.tag(&context)).unwrap();

    wait("KEYS-ARE-OPEN", &nonces.join(" "));
    for number in 0..KeyKind::ALL.len() {
        cache.forget(&id(number));
    }
    drop((aead, mac));
    wait("KEYS-ARE-GONE", "");
    drop((stay, threads));
}

/// No eight in a row stand elsewhere.
fn payload_byte(place: u32) -> u8 {
    place.wrapping_mul(0x9E37_79B1).rotate_left(7).to_be_bytes()[1]
}

/// Written where it is to stay, so that the test leaves no copy of its own.
fn payload() -> SecretBytes {
    let fill = |to: &mut [u8]| {
        (0..)
            .zip(to.iter_mut())
            .for_each(|(place, byte)| *byte = payload_byte(place));
        Ok::<_, std::convert::Infallible>(to.len())
    };
    SecretBytes::filled(1000, fill).unwrap()
}

/// Done in a thread that lives on until its handle is dropped: no later call wipes what is left on its stack.
fn elsewhere<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> (T, mpsc::Sender<()>) {
    let (said, hear) = mpsc::channel();
    let (live, end) = mpsc::channel();
    std::thread::spawn(move || {
        said.send(act()).unwrap();
        let _ = end.recv();
    });
    (hear.recv().unwrap(), live)
}

fn used(key: &kms::OpenKey) -> Option<String> {
    match key.kind().usage() {
        Usage::Encrypt => {
            let (cipher, context) = (key.cipher().unwrap(), Binding::new("test"));
            let sealed = cipher.seal(&context, payload().expose()).unwrap();
            cipher.open(&context, &sealed).unwrap();
            let mut batch = cipher.sealer(2);
            let in_place = batch.seal_in_place(&context, payload()).unwrap();
            cipher.open_in_place(&context, in_place).unwrap();
            Some(hex(&sealed[25..49]))
        }
        Usage::Mac => {
            let (mac, payload) = (key.mac().unwrap(), payload());
            let tag = mac.tag(payload.expose()).unwrap();
            mac.verify(payload.expose(), &tag).unwrap();
            None
        }
        Usage::Sign => {
            // What is signed is no secret.
            let signer = key.signer().unwrap();
            let signature = signer.sign(&[7; 1000]).unwrap();
            signer.verify(&[7; 1000], &signature).unwrap();
            None
        }
        Usage::Jwe => {
            let (jwe, payload) = (key.jwe().unwrap(), payload());
            let message = jwe.seal(payload.expose(), None).unwrap();
            jwe.open(&message).unwrap();
            None
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Says a word to the parent, and waits for its answer.
fn wait(word: &str, rest: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word} {rest}").unwrap();
    out.flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}
