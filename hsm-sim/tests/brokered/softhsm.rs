//! A vendor's module behind the server: `SoftHSM2` does through the client what it does by itself,
//! with every kind of mechanism parameter and with templates in templates.
#![expect(clippy::unwrap_used, reason = "test fixtures")]
#![expect(unsafe_code, reason = "templates in templates, by the C functions")]

use std::path::Path;
use std::ptr;
use std::sync::{MutexGuard, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::MechanismType;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki_sys as ck;
use tempfile::TempDir;

use crate::room::{self, aes, gcm, open_gcm, pin, refusal, seal_gcm};
use crate::shape::Behind;

/// Where Debian's package `softhsm2` puts its module.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// `SoftHSM2` in a server's worker, with a token and its user logged in.
struct Vendor {
    session: Session,
    client: Option<Pkcs11>,
    behind: Behind,
    directory: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Vendor {
    fn with_token() -> Self {
        let found = Path::new(MODULE).is_file();
        assert!(found, "SoftHSM2 is missing: apt-get install softhsm2");
        let turn = room::ONE_AT_A_TIME.lock();
        let turn = turn.unwrap_or_else(PoisonError::into_inner);
        let directory = room::private_directory();
        room::set_directory(directory.path());
        let tokens = directory.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let settings = format!("directories.tokendir = {}\n", tokens.display());
        std::fs::write(directory.path().join("softhsm2.conf"), settings).unwrap();
        let behind = start(directory.path());
        let client = room::load();
        let slot = client.get_all_slots().unwrap()[0];
        client
            .init_token(slot, &pin(room::SO_PIN), "vendor")
            .unwrap();
        // SoftHSM2 gives a new token another slot.
        let slot = client.get_slots_with_initialized_token().unwrap()[0];
        let session = client.open_rw_session(slot).unwrap();
        session
            .login(UserType::So, Some(&pin(room::SO_PIN)))
            .unwrap();
        session.init_pin(&pin(room::USER_PIN)).unwrap();
        session.logout().unwrap();
        session
            .login(UserType::User, Some(&pin(room::USER_PIN)))
            .unwrap();
        Self {
            session,
            client: Some(client),
            behind,
            directory,
            _turn: turn,
        }
    }

    fn ec_pair(&self) -> (ObjectHandle, ObjectHandle) {
        let public = [
            Attribute::EcParams(P256_OID.to_vec()),
            Attribute::Verify(true),
        ];
        let private = [Attribute::Derive(true), Attribute::Sign(true)];
        self.session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
            .unwrap()
    }

    fn value(&self, object: ObjectHandle, kind: AttributeType) -> Vec<u8> {
        let found = self.session.get_attributes(object, &[kind]).unwrap();
        match found.as_slice() {
            [Attribute::EcPoint(value) | Attribute::Value(value)] => value.clone(),
            other => unreachable!("{other:?}"),
        }
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            client.finalize().ok();
        }
    }
}

fn start(directory: &Path) -> Behind {
    let settings = directory.join("softhsm2.conf");
    let environment = [("SOFTHSM2_CONF", settings.to_str().unwrap())];
    Behind::start_with(directory, &["--module", MODULE], &environment)
}

#[test]
fn no_mechanism_is_hidden_from_the_client() {
    let vendor = Vendor::with_token();
    let slot = vendor.session.get_session_info().unwrap().slot_id();
    let offered = vendor.client.as_ref().unwrap().get_mechanism_list(slot);
    let offered = offered.unwrap();
    for needed in [
        MechanismType::AES_GCM,
        MechanismType::EDDSA,
        MechanismType::ECDH1_DERIVE,
        MechanismType::AES_KEY_WRAP,
        MechanismType::RSA_PKCS_OAEP,
    ] {
        assert!(offered.contains(&needed), "{needed:?}");
    }
    // SAFETY: the same module is loaded already; this only counts once more.
    let raw = unsafe { ck::Pkcs11::new(room::library()) }.unwrap();
    let mut count = 0;
    // SAFETY: no room, and the place of a count.
    let value = unsafe { raw.C_GetMechanismList(slot.id(), ptr::null_mut(), &raw mut count) };
    assert_eq!((value, count), (ck::CKR_OK, 70));
}

#[test]
fn aes_gcm_cbc_and_key_wrap_work() {
    let vendor = Vendor::with_token();
    let session = &vendor.session;
    let mut template = room::sealing_key("k");
    template.extend([Attribute::Wrap(true), Attribute::Unwrap(true)]);
    let key = session.generate_key(&aes(), &template).unwrap();
    let sealed = seal_gcm(session, key, b"aad", b"plaintext").unwrap();
    assert_eq!(
        open_gcm(session, key, b"aad", &sealed).unwrap(),
        b"plaintext"
    );
    assert!(open_gcm(session, key, b"other", &sealed).is_err());
    let mut iv = room::IV;
    session.encrypt_init(&gcm(&mut iv, b"aad"), key).unwrap();
    let mut parts = session.encrypt_update(b"plain").unwrap();
    parts.extend(session.encrypt_update(b"text").unwrap());
    parts.extend(session.encrypt_final().unwrap());
    assert_eq!(parts, sealed);

    let cbc = Mechanism::AesCbcPad([9; 16]);
    let padded = session.encrypt(&cbc, key, b"seventeen bytes!!").unwrap();
    assert_eq!(padded.len(), 32);
    assert_eq!(
        session.decrypt(&cbc, key, &padded).unwrap(),
        b"seventeen bytes!!"
    );

    let mut exportable = vec![Attribute::Extractable(true), Attribute::Sensitive(false)];
    exportable.extend(room::imported_aes(&[7; 32]));
    let secret = session.create_object(&exportable).unwrap();
    let wrapped = session
        .wrap_key(&Mechanism::AesKeyWrap, key, secret)
        .unwrap();
    assert_eq!(wrapped.len(), 40);
    let unwrapped = session
        .unwrap_key(
            &Mechanism::AesKeyWrap,
            key,
            &wrapped,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Extractable(true),
                Attribute::Sensitive(false),
            ],
        )
        .unwrap();
    assert_eq!(vendor.value(unwrapped, AttributeType::Value), [7; 32]);
}

#[test]
fn rsa_oaep_and_pss_work() {
    let vendor = Vendor::with_token();
    let session = &vendor.session;
    let public = [
        Attribute::ModulusBits(2048.into()),
        Attribute::PublicExponent(vec![1, 0, 1]),
        Attribute::Encrypt(true),
        Attribute::Verify(true),
    ];
    let private = [Attribute::Decrypt(true), Attribute::Sign(true)];
    let (public, private) = session
        .generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)
        .unwrap();
    let oaep = Mechanism::RsaPkcsOaep(PkcsOaepParams::new(
        MechanismType::SHA1,
        PkcsMgfType::MGF1_SHA1,
        PkcsOaepSource::empty(),
    ));
    let sealed = session.encrypt(&oaep, public, b"plaintext").unwrap();
    assert_eq!(
        session.decrypt(&oaep, private, &sealed).unwrap(),
        b"plaintext"
    );
    let pss = Mechanism::Sha256RsaPkcsPss(PkcsPssParams {
        hash_alg: MechanismType::SHA256,
        mgf: PkcsMgfType::MGF1_SHA256,
        s_len: 32.into(),
    });
    let signature = session.sign(&pss, private, b"message").unwrap();
    session
        .verify(&pss, public, b"message", &signature)
        .unwrap();
    let refused = session.verify(&pss, public, b"massage", &signature);
    assert_eq!(refusal(refused), RvError::SignatureInvalid);
}

#[test]
fn two_sides_of_ecdh_agree_and_signatures_hold() {
    let vendor = Vendor::with_token();
    let session = &vendor.session;
    let (ours, theirs) = (vendor.ec_pair(), vendor.ec_pair());
    let derived = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen(32.into()),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ];
    let agree = |private, public| {
        let point = vendor.value(public, AttributeType::EcPoint);
        let parameter = Ecdh1DeriveParams::new(EcKdf::null(), &point);
        let secret = session.derive_key(&Mechanism::Ecdh1Derive(parameter), private, &derived);
        vendor.value(secret.unwrap(), AttributeType::Value)
    };
    assert_eq!(agree(ours.1, theirs.0), agree(theirs.1, ours.0));
    let signature = session.sign(&Mechanism::Ecdsa, ours.1, &[5; 32]).unwrap();
    session
        .verify(&Mechanism::Ecdsa, ours.0, &[5; 32], &signature)
        .unwrap();
    let (public, private) = room::signing_pair(session, b"\x13\x0cedwards25519");
    let signature = session.sign(&room::ed25519(), private, b"message").unwrap();
    session
        .verify(&room::ed25519(), public, b"message", &signature)
        .unwrap();
}

#[test]
fn objects_of_the_vendors_token_survive_a_crash_of_the_server() {
    let mut vendor = Vendor::with_token();
    let key = vendor
        .session
        .generate_key(&aes(), &room::sealing_key("kept"))
        .unwrap();
    let sealed = seal_gcm(&vendor.session, key, b"", b"plaintext").unwrap();
    vendor.behind.kill();
    assert_eq!(
        refusal(vendor.session.find_objects(&[])),
        RvError::DeviceRemoved
    );
    vendor.behind = start(vendor.directory.path());
    let client = vendor.client.as_ref().unwrap();
    let slot = client.get_slots_with_initialized_token().unwrap()[0];
    let again = client.open_rw_session(slot).unwrap();
    again
        .login(UserType::User, Some(&pin(room::USER_PIN)))
        .unwrap();
    let label = [Attribute::Label(b"kept".to_vec())];
    let found = again.find_objects(&label).unwrap();
    assert_eq!(
        open_gcm(&again, found[0], b"", &sealed).unwrap(),
        b"plaintext"
    );
}

/// An attribute of this value, for the C functions.
fn attribute<T>(kind: ck::CK_ATTRIBUTE_TYPE, value: &mut T) -> ck::CK_ATTRIBUTE {
    ck::CK_ATTRIBUTE {
        type_: kind,
        pValue: ptr::from_mut(value).cast(),
        ulValueLen: size_of::<T>() as ck::CK_ULONG,
    }
}

/// The handle behind cryptoki's type, which it does not show.
fn raw_session(client: &ck::Pkcs11, slot: ck::CK_SLOT_ID) -> ck::CK_SESSION_HANDLE {
    let (flags, mut session) = (ck::CKF_SERIAL_SESSION | ck::CKF_RW_SESSION, 0);
    // SAFETY: null for callbacks, room for a handle.
    let value =
        unsafe { client.C_OpenSession(slot, flags, ptr::null_mut(), None, &raw mut session) };
    assert_eq!(value, ck::CKR_OK);
    session
}

#[test]
fn a_template_in_a_template_goes_there_and_comes_back() {
    let vendor = Vendor::with_token();
    let slot = vendor.session.get_session_info().unwrap().slot_id().id();
    // SAFETY: the same module is loaded already; this only counts once more.
    let raw = unsafe { ck::Pkcs11::new(room::library()) }.unwrap();
    let session = raw_session(&raw, slot);
    let (mut yes, mut no, mut length) = (ck::CK_TRUE, ck::CK_FALSE, 32 as ck::CK_ULONG);
    let mut inner = [
        attribute(ck::CKA_EXTRACTABLE, &mut no),
        attribute(ck::CKA_ENCRYPT, &mut yes),
    ];
    let (mut wraps, mut sensitive) = (ck::CK_TRUE, ck::CK_TRUE);
    let mut template = [
        attribute(ck::CKA_VALUE_LEN, &mut length),
        attribute(ck::CKA_UNWRAP, &mut wraps),
        attribute(ck::CKA_SENSITIVE, &mut sensitive),
        attribute(ck::CKA_UNWRAP_TEMPLATE, &mut inner),
    ];
    let mut mechanism = ck::CK_MECHANISM {
        mechanism: ck::CKM_AES_KEY_GEN,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    };
    let (mut key, count) = (0, template.len() as ck::CK_ULONG);
    // SAFETY: a template of this length, whose values live; room for a handle.
    let value = unsafe {
        raw.C_GenerateKey(
            session,
            &raw mut mechanism,
            template.as_mut_ptr(),
            count,
            &raw mut key,
        )
    };
    assert_eq!(value, ck::CKR_OK);

    // How long? Then room for two attributes; then room behind each.
    let mut asked = ck::CK_ATTRIBUTE {
        type_: ck::CKA_UNWRAP_TEMPLATE,
        pValue: ptr::null_mut(),
        ulValueLen: 0,
    };
    // SAFETY: one attribute, without room.
    let value = unsafe { raw.C_GetAttributeValue(session, key, &raw mut asked, 1) };
    assert_eq!(value, ck::CKR_OK);
    assert_eq!(asked.ulValueLen, 48);
    let mut rooms = [[7_u8; 1]; 2];
    let [first, second] = &mut rooms;
    let mut found = [
        attribute(ck::CKA_EXTRACTABLE, first),
        attribute(ck::CKA_ENCRYPT, second),
    ];
    let mut asked = attribute(ck::CKA_UNWRAP_TEMPLATE, &mut found);
    // SAFETY: one attribute with room for two, each with room for one byte.
    let value = unsafe { raw.C_GetAttributeValue(session, key, &raw mut asked, 1) };
    assert_eq!(value, ck::CKR_OK);
    assert_eq!(found.map(|attribute| attribute.ulValueLen), [1, 1]);
    assert_eq!(rooms, [[0], [1]]);
}

#[test]
fn lengths_are_asked_for_and_short_rooms_refused() {
    let vendor = Vendor::with_token();
    let slot = vendor.session.get_session_info().unwrap().slot_id().id();
    // SAFETY: the same module is loaded already; this only counts once more.
    let raw = unsafe { ck::Pkcs11::new(room::library()) }.unwrap();
    let session = raw_session(&raw, slot);
    let mut mechanism = ck::CK_MECHANISM {
        mechanism: ck::CKM_SHA256,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    };
    let (mut input, mut output, mut length) = (*b"message", [0_u8; 40], 0);
    // SAFETY: a mechanism, an input of its length, room of the stated length or none.
    unsafe {
        assert_eq!(raw.C_DigestInit(session, &raw mut mechanism), ck::CKR_OK);
        let mut digest = |room: *mut u8, length: &mut ck::CK_ULONG| {
            raw.C_Digest(session, input.as_mut_ptr(), 7, room, length)
        };
        assert_eq!(digest(ptr::null_mut(), &mut length), ck::CKR_OK);
        assert_eq!(length, 32);
        length = 31;
        assert_eq!(
            digest(output.as_mut_ptr(), &mut length),
            ck::CKR_BUFFER_TOO_SMALL
        );
        assert_eq!((length, output), (32, [0; 40]));
        length = 40;
        assert_eq!(digest(output.as_mut_ptr(), &mut length), ck::CKR_OK);
        assert_eq!((length, &output[32..]), (32, &[0; 8][..]));
        assert_ne!(output[..32], [0; 32]);
        let wrong = raw.C_DigestInit(session, ptr::null_mut());
        assert_eq!(wrong, ck::CKR_ARGUMENTS_BAD);
    }
    let refused = vendor.session.generate_random_slice(&mut []);
    assert!(refused.is_ok());
}
