//! What every PKCS#11 module must do for the key service: the same body for `SoftHSM2` and for `hsm-sim` with
//! each vendor's habits, in this process or in another.

mod limits;
mod recovery;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aes_kw::{AesKwp, KeyInit};
use kms::{
    Binding, Envelope, Error, GcmIv, Hsm, HsmError, HsmSettings, KeyId, KeyKind, Pin, SecretBytes,
    Usage, WrappedKey, unwrap_import,
};
use ring::signature::{ED25519, UnparsedPublicKey};

const LABEL: &str = "contract";
const PIN: &str = "12345678";
const SO_PIN: &str = "87654321";

/// As an installation would be configured for the module.
fn settings(module: &Path, pin: &str) -> HsmSettings {
    let pin = Pin::new(pin.to_owned());
    let mut settings = HsmSettings::new(module.to_owned(), LABEL.to_owned(), pin);
    // The simulator's profile, which says who makes the IVs.
    settings.gcm_iv = match std::env::var_os("JINKU_HSM_PROFILE") {
        Some(profile) if profile == "luna" => GcmIv::Appended,
        Some(profile) if profile == "nshield" || profile == "cloudhsm" => GcmIv::ZeroBuffer,
        _ => GcmIv::Caller,
    };
    settings
}

/// Runs the whole contract on an empty module.
pub(crate) fn run(module: &Path) {
    let (so_pin, pin) = (Pin::new(SO_PIN.to_owned()), Pin::new(PIN.to_owned()));
    assert!(matches!(
        Hsm::open(&settings(module, PIN)),
        Err(HsmError::NoToken { .. })
    ));
    Hsm::initialize_token(module, LABEL, &so_pin, &pin).unwrap();
    let again = Hsm::initialize_token(module, LABEL, &so_pin, &pin);
    assert!(matches!(again, Err(HsmError::TokenExists { .. })));
    // Before anyone logs in: afterwards the process counts as logged in, whatever the PIN.
    assert!(matches!(
        Hsm::open(&settings(module, "99999999")),
        Err(HsmError::WrongPin)
    ));

    let hsm = Arc::new(Hsm::open(&settings(module, PIN)).unwrap());
    hsm.alive().unwrap();
    wrapped_keys_open_in_the_same_hsm_only_as_what_they_are(module, &hsm);
    the_signer_signs_for_its_public_key(&hsm);
    every_kind_of_key_does_its_work(&hsm);
    only_good_material_is_wrapped(&hsm);
    a_wrapped_key_moves_to_another_root_and_to_no_other(&hsm);
    a_proof_holds_for_its_message_and_root_only(&hsm);
    a_known_root_opens_in_the_hsm_what_was_wrapped_under_it_elsewhere(&hsm);
    many_threads_share_the_sessions(&hsm);
    what_others_wrap_is_imported(module, &hsm);
    limits::a_key_is_found_among_more_objects_than_one_search_gives(module, &hsm);
    limits::threads_get_by_with_the_sessions_that_are_left(module, &hsm);
}

/// What a module must let others find again. After [`run`], and last: the token has another PIN then.
pub(crate) fn recover(module: &Path) {
    recovery::sessions_and_a_module_that_others_end_are_opened_again(module);
}

/// The token that the contract made, opened again, and its root.
pub(crate) fn opened(module: &Path) -> (Arc<Hsm>, Envelope) {
    let hsm = Arc::new(Hsm::open(&settings(module, PIN)).unwrap());
    let envelope = envelope(&hsm, "root");
    (hsm, envelope)
}

fn wrapped_keys_open_in_the_same_hsm_only_as_what_they_are(module: &Path, hsm: &Arc<Hsm>) {
    assert!(hsm.root("root").unwrap().is_none());
    let envelope = Envelope::new(Arc::clone(hsm), hsm.generate_root("root").unwrap());
    let id = KeyId::parse("value.city").unwrap();
    let wrapped = envelope.generate(&id, 1, KeyKind::Aes256).unwrap();
    let context = Binding::new("test").field(b"row");
    let sealed = envelope
        .open_aead(&wrapped)
        .unwrap()
        .seal(&context, b"A123456789")
        .unwrap();

    // A second session, as after a restart.
    let (_second, again) = opened(module);
    let key = again.open_aead(&wrapped).unwrap();
    let value = key.open(&context, &sealed).unwrap();
    assert_eq!(value.expose(), b"A123456789");

    assert!(matches!(envelope.open_mac(&wrapped), Err(Error::Usage)));
    let blob = wrapped.blob().to_vec();
    let as_mac = WrappedKey::from_parts(id.clone(), 1, KeyKind::HmacSha256, blob.clone());
    assert!(
        matches!(envelope.open_mac(&as_mac), Err(Error::Unopened)),
        "kind is not bound"
    );
    let as_second = WrappedKey::from_parts(id.clone(), 2, KeyKind::Aes256, blob.clone());
    assert!(
        matches!(envelope.open_aead(&as_second), Err(Error::Unopened)),
        "version is not bound"
    );
    let other = KeyId::parse("value.bank").unwrap();
    let as_other = WrappedKey::from_parts(other, 1, KeyKind::Aes256, blob.clone());
    assert!(
        matches!(envelope.open_aead(&as_other), Err(Error::Unopened)),
        "id is not bound"
    );
    for place in [0, 4, 16, blob.len() - 1] {
        let mut altered = blob.clone();
        altered[place] ^= 1;
        let altered = WrappedKey::from_parts(id.clone(), 1, KeyKind::Aes256, altered);
        assert!(
            matches!(envelope.open_aead(&altered), Err(Error::Unopened)),
            "byte {place}"
        );
    }
    let another = Envelope::new(Arc::clone(hsm), hsm.generate_root("another").unwrap());
    assert!(
        matches!(another.open_aead(&wrapped), Err(Error::Unopened)),
        "another root opens it"
    );
}

fn the_signer_signs_for_its_public_key(hsm: &Arc<Hsm>) {
    assert!(hsm.signer("ledger").unwrap().is_none());
    let signer = hsm.generate_signer("ledger").unwrap();
    let signature = hsm.sign(&signer, b"checkpoint").unwrap();
    let found = hsm.signer("ledger").unwrap().unwrap();
    assert_eq!(found.public_key(), signer.public_key());
    let key = UnparsedPublicKey::new(&ED25519, signer.public_key());
    key.verify(b"checkpoint", &signature).unwrap();
    assert!(key.verify(b"another", &signature).is_err());
}

fn envelope(hsm: &Arc<Hsm>, label: &str) -> Envelope {
    let root = match hsm.root(label).unwrap() {
        Some(root) => root,
        None => hsm.generate_root(label).unwrap(),
    };
    Envelope::new(Arc::clone(hsm), root)
}

fn every_kind_of_key_does_its_work(hsm: &Arc<Hsm>) {
    let envelope = envelope(hsm, "root");
    for kind in KeyKind::ALL {
        let id = KeyId::random().unwrap();
        let wrapped = envelope.generate(&id, 3, kind).unwrap();
        let (key, again) = (
            envelope.open(&wrapped).unwrap(),
            envelope.open(&wrapped).unwrap(),
        );
        assert_eq!((key.id(), key.version(), key.kind()), (&id, 3, kind));
        match kind.usage() {
            Usage::Encrypt => {
                let context = Binding::new("test");
                let sealed = key.cipher().unwrap().seal(&context, b"m").unwrap();
                let opened = again.cipher().unwrap().open(&context, &sealed).unwrap();
                assert_eq!(opened.expose(), b"m");
            }
            Usage::Mac => {
                let tag = key.mac().unwrap().tag(b"m").unwrap();
                again.mac().unwrap().verify(b"m", &tag).unwrap();
            }
            Usage::Sign => {
                let signature = key.signer().unwrap().sign(b"m").unwrap();
                again.signer().unwrap().verify(b"m", &signature).unwrap();
            }
            Usage::Jwe => {
                let message = key.jwe().unwrap().seal(b"m", None).unwrap();
                let opened = again.jwe().unwrap().open(&message).unwrap();
                assert_eq!(opened.plaintext.expose(), b"m");
            }
        }
        for other in KeyKind::ALL.into_iter().filter(|other| *other != kind) {
            let blob = wrapped.blob().to_vec();
            let renamed = WrappedKey::from_parts(id.clone(), 3, other, blob);
            let refused = envelope.open(&renamed).err();
            assert!(
                matches!(refused, Some(Error::Unopened)),
                "{kind} as {other}"
            );
        }
    }
}

fn only_good_material_is_wrapped(hsm: &Arc<Hsm>) {
    let envelope = envelope(hsm, "root");
    let wrap = |kind, material: Vec<u8>| {
        let id = KeyId::random().unwrap();
        envelope.wrap(&id, 1, kind, &SecretBytes::new(material))
    };
    assert!(matches!(
        wrap(KeyKind::Aes256, vec![0; 32]),
        Err(Error::MaterialWeak)
    ));
    let short: Vec<u8> = (0..16).collect();
    assert!(matches!(
        wrap(KeyKind::Aes256, short),
        Err(Error::MaterialLength { .. })
    ));
    let imported: Vec<u8> = (0..100).collect();
    let wrapped = wrap(KeyKind::HmacSha512, imported.clone()).unwrap();
    let tag = envelope
        .open(&wrapped)
        .unwrap()
        .mac()
        .unwrap()
        .tag(b"m")
        .unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA512, &imported);
    ring::hmac::verify(&key, b"m", &tag).unwrap();
}

fn a_wrapped_key_moves_to_another_root_and_to_no_other(hsm: &Arc<Hsm>) {
    let (old, new) = (envelope(hsm, "root"), envelope(hsm, "next"));
    let id = KeyId::random().unwrap();
    let wrapped = old.generate(&id, 1, KeyKind::HmacSha256).unwrap();
    let tag = old
        .open(&wrapped)
        .unwrap()
        .mac()
        .unwrap()
        .tag(b"m")
        .unwrap();
    let moved = old.rewrap(&wrapped, &new).unwrap();
    let key = new.open(&moved).unwrap();
    key.mac().unwrap().verify(b"m", &tag).unwrap();
    assert!(matches!(new.open(&wrapped), Err(Error::Unopened)));
    assert!(matches!(old.open(&moved), Err(Error::Unopened)));
}

fn a_proof_holds_for_its_message_and_root_only(hsm: &Arc<Hsm>) {
    let (ours, other) = (envelope(hsm, "root"), envelope(hsm, "next"));
    let proof = ours.authenticate(b"manifest").unwrap();
    ours.verify(b"manifest", &proof).unwrap();
    assert!(matches!(
        ours.verify(b"manifesto", &proof),
        Err(Error::Unopened)
    ));
    assert!(matches!(
        other.verify(b"manifest", &proof),
        Err(Error::Unopened)
    ));
    for place in 0..proof.len() {
        let mut altered = proof.clone();
        altered[place] ^= 1;
        let refused = ours.verify(b"manifest", &altered);
        assert!(matches!(refused, Err(Error::Unopened)), "byte {place}");
    }
}

fn a_known_root_opens_in_the_hsm_what_was_wrapped_under_it_elsewhere(hsm: &Arc<Hsm>) {
    let key: Vec<u8> = (7..39).collect();
    let installed = hsm.install_root("known", &SecretBytes::new(key)).unwrap();
    let envelope = Envelope::new(Arc::clone(hsm), installed);
    let wrapped = envelope
        .generate(&KeyId::random().unwrap(), 1, KeyKind::Aes256)
        .unwrap();
    envelope.open(&wrapped).unwrap();
    let weak = hsm.install_root("weak", &SecretBytes::new(vec![0; 32]));
    assert!(matches!(weak, Err(Error::MaterialWeak)));
    let again = hsm.install_root("known", &SecretBytes::new((0..32).collect()));
    assert!(matches!(again, Err(Error::Hsm(HsmError::KeyExists { .. }))));
    assert!(matches!(
        hsm.generate_root("known"),
        Err(HsmError::KeyExists { .. })
    ));
}

fn many_threads_share_the_sessions(hsm: &Arc<Hsm>) {
    let envelope = envelope(hsm, "root");
    let id = KeyId::random().unwrap();
    let wrapped = envelope.generate(&id, 1, KeyKind::HmacSha256).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..20).for_each(|_| drop(envelope.open(&wrapped).unwrap())));
        }
    });
}

fn what_others_wrap_is_imported(module: &Path, hsm: &Arc<Hsm>) {
    assert!(hsm.import_key("import").unwrap().is_none());
    assert!(matches!(
        hsm.generate_import_key("import", 1024),
        Err(HsmError::ImportKeyBits)
    ));
    let key = hsm.generate_import_key("import", 2048).unwrap();
    assert_eq!(hsm.import_key("import").unwrap().unwrap().pem(), key.pem());
    let material: Vec<u8> = (0..48).collect();
    let wrapped = wrapped_by_openssl(&key.pem(), &material);
    match unwrap_import(hsm, &key, &wrapped) {
        // SoftHSM2 2.6.1 knows OAEP with SHA-1 alone.
        Err(Error::Hsm(HsmError::NoOaepSha256)) => {
            let (module, slot) = limits::beside(module);
            assert!(limits::is_softhsm(&module, slot));
            return;
        }
        opened => assert_eq!(opened.unwrap().expose(), material),
    }
    for place in (0..wrapped.len()).step_by(5) {
        let mut altered = wrapped.clone();
        altered[place] ^= 1;
        let refused = unwrap_import(hsm, &key, &altered);
        assert!(matches!(refused, Err(Error::Unopened)), "byte {place}");
    }
    for length in [0, 255, 256, 271, wrapped.len() - 1] {
        let refused = unwrap_import(hsm, &key, &wrapped[..length]);
        assert!(matches!(refused, Err(Error::Unopened)), "{length} bytes");
    }
}

/// As an owner of a key would do it: RSA-OAEP of an ephemeral key by `OpenSSL`, then AES-KWP.
fn wrapped_by_openssl(pem: &str, material: &[u8]) -> Vec<u8> {
    let ephemeral: [u8; 32] = std::array::from_fn(|n| 200 - u8::try_from(n).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("import.pem");
    std::fs::write(&key, pem).unwrap();
    let mut openssl = Command::new("openssl")
        .args(["pkeyutl", "-encrypt", "-pubin", "-inkey"])
        .arg(&key)
        .args(["-pkeyopt", "rsa_padding_mode:oaep"])
        .args(["-pkeyopt", "rsa_oaep_md:sha256"])
        .args(["-pkeyopt", "rsa_mgf1_md:sha256"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(&ephemeral).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    let cipher = AesKwp::<aes::Aes256>::new(&ephemeral.into());
    let mut buffer = vec![0; material.len().next_multiple_of(8) + 8];
    let wrapped = cipher.wrap_key(material, &mut buffer).unwrap();
    [output.stdout.as_slice(), wrapped].concat()
}
