//! What every PKCS#11 module must do for the key service: the same body for `SoftHSM2` and `hsm-sim`.

use std::path::Path;
use std::sync::Arc;

use kms::{Binding, Envelope, Error, Hsm, HsmError, HsmSettings, KeyId, Pin, Usage, WrappedKey};
use ring::signature::{ED25519, UnparsedPublicKey};

const LABEL: &str = "contract";

fn settings(module: &Path, pin: &str) -> HsmSettings {
    HsmSettings {
        module: module.to_owned(),
        token_label: LABEL.to_owned(),
        pin: Pin::new(pin.to_owned()),
    }
}

/// Runs the whole contract on an empty module.
pub(crate) fn run(module: &Path) {
    let (so_pin, pin) = (
        Pin::new("87654321".to_owned()),
        Pin::new("12345678".to_owned()),
    );
    assert!(matches!(
        Hsm::open(&settings(module, "12345678")),
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

    let hsm = Arc::new(Hsm::open(&settings(module, "12345678")).unwrap());
    hsm.alive().unwrap();
    wrapped_keys_open_in_the_same_hsm_only_as_what_they_are(module, &hsm);
    the_signer_signs_for_its_public_key(&hsm);
}

fn wrapped_keys_open_in_the_same_hsm_only_as_what_they_are(module: &Path, hsm: &Arc<Hsm>) {
    assert!(hsm.root("root").unwrap().is_none());
    let envelope = Envelope::new(Arc::clone(hsm), hsm.generate_root("root").unwrap());
    let id = KeyId::parse("value.city").unwrap();
    let wrapped = envelope.generate(&id, 1, Usage::Encrypt).unwrap();
    let context = Binding::new("test").field(b"row");
    let sealed = envelope
        .open_aead(&wrapped)
        .unwrap()
        .seal(&context, b"A123456789")
        .unwrap();

    // A second session, as after a restart.
    let second = Arc::new(Hsm::open(&settings(module, "12345678")).unwrap());
    let root = second.root("root").unwrap().unwrap();
    let again = Envelope::new(Arc::clone(&second), root);
    let opened = again
        .open_aead(&wrapped)
        .unwrap()
        .open(&context, &sealed)
        .unwrap();
    assert_eq!(opened.expose(), b"A123456789");

    assert!(matches!(envelope.open_mac(&wrapped), Err(Error::Usage)));
    let blob = wrapped.blob().to_vec();
    let as_mac = WrappedKey::from_parts(id.clone(), 1, Usage::Mac, blob.clone());
    assert!(
        matches!(envelope.open_mac(&as_mac), Err(Error::Unopened)),
        "usage is not bound"
    );
    let as_second = WrappedKey::from_parts(id.clone(), 2, Usage::Encrypt, blob.clone());
    assert!(
        matches!(envelope.open_aead(&as_second), Err(Error::Unopened)),
        "version is not bound"
    );
    let other = KeyId::parse("value.bank").unwrap();
    let as_other = WrappedKey::from_parts(other, 1, Usage::Encrypt, blob.clone());
    assert!(
        matches!(envelope.open_aead(&as_other), Err(Error::Unopened)),
        "id is not bound"
    );
    for place in [0, 4, 16, blob.len() - 1] {
        let mut altered = blob.clone();
        altered[place] ^= 1;
        let altered = WrappedKey::from_parts(id.clone(), 1, Usage::Encrypt, altered);
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
