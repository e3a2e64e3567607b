//! A room to test in: the loaded module, a directory of its own, a token with both PINs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test fixtures"
)]

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use crate::shape::{Behind, LIBRARY};

pub(crate) const SO_PIN: &str = "so-pin-1234";
pub(crate) const USER_PIN: &str = "user-pin-1234";
pub(crate) const IV: [u8; 12] = [3; 12];
pub(crate) const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

pub(crate) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) struct Room {
    module: Option<Pkcs11>,
    slot: Slot,
    directory: tempfile::TempDir,
    pub(crate) behind: Behind,
    _turn: MutexGuard<'static, ()>,
}

impl Room {
    /// A module with one token, made through the C functions.
    pub(crate) fn with_token() -> Self {
        Self::of_profile("strict")
    }

    /// The same, with a vendor's habits.
    pub(crate) fn of_profile(profile: &str) -> Self {
        Self::open(profile, "")
    }

    /// The same, with the PIN counters in this directory under the room's own.
    pub(crate) fn with_counters_in(folder: &str) -> Self {
        Self::open("strict", folder)
    }

    fn open(profile: &str, counters: &str) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = private_directory();
        let counters = match counters {
            "" => PathBuf::new(),
            folder => directory.path().join(folder),
        };
        set_environment("JINKU_HSM_COUNTER_DIR", counters.as_os_str());
        set_environment("JINKU_HSM_PROFILE", profile.as_ref());
        set_directory(directory.path());
        let behind = Behind::start(directory.path());
        let module = load();
        let slot = module.get_all_slots().unwrap()[0];
        assert!(!module.get_token_info(slot).unwrap().token_initialized());
        module.init_token(slot, &pin(SO_PIN), "jinku").unwrap();
        let session = module.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&pin(SO_PIN))).unwrap();
        session.init_pin(&pin(USER_PIN)).unwrap();
        drop(session);
        Self {
            module: Some(module),
            slot,
            directory,
            behind,
            _turn: turn,
        }
    }

    pub(crate) fn module(&self) -> &Pkcs11 {
        self.module.as_ref().unwrap()
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    pub(crate) fn token_report(&self) -> TokenInfo {
        self.module().get_token_info(self.slot).unwrap()
    }

    pub(crate) fn user_session(&self) -> Session {
        let session = self.module().open_rw_session(self.slot).unwrap();
        session.login(UserType::User, Some(&pin(USER_PIN))).unwrap();
        session
    }

    /// `C_Finalize` and `C_Initialize`.
    pub(crate) fn restart(&mut self) {
        self.module.take().unwrap().finalize().unwrap();
        self.module = Some(load());
    }

    /// Orders a fault by the command, and yields what it says.
    pub(crate) fn fault(&self, order: &[&str]) -> String {
        let done = self.order(order);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{order:?}: {said}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// Orders a fault that must be refused, and yields the reason.
    pub(crate) fn refused_fault(&self, order: &[&str]) -> String {
        let done = self.order(order);
        assert_eq!(done.status.code(), Some(1), "{order:?}");
        String::from_utf8(done.stderr).unwrap()
    }

    fn order(&self, order: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jinku-hsm"));
        command.arg("fault").args(order).arg("--dir");
        command.arg(self.directory()).output().unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn so_session(&self) -> Session {
        let session = self.module().open_rw_session(self.slot).unwrap();
        session.login(UserType::So, Some(&pin(SO_PIN))).unwrap();
        session
    }

    pub(crate) fn counter_file(&self) -> PathBuf {
        self.directory.path().join("slot-0000.counter")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.directory.path().join("slot-0000.token")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            module.finalize().ok();
        }
        self.behind.end();
    }
}

pub(crate) fn locking() -> CInitializeArgs {
    CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)
}

pub(crate) fn load() -> Pkcs11 {
    let module = Pkcs11::new(library()).unwrap();
    module.initialize(locking()).unwrap();
    module
}

/// A directory that is ours alone, as a server asks for.
pub(crate) fn private_directory() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// `cargo test` builds the package's cdylib too: into `deps`, beside this test's binary.
pub(crate) fn library() -> PathBuf {
    let binary = std::env::current_exe().unwrap();
    let folders = binary.ancestors().skip(1).take(2);
    let mut found = folders
        .map(|folder| folder.join(LIBRARY))
        .filter(|so| so.exists());
    found.next().expect("the module is built with the tests")
}

pub(crate) fn set_directory(directory: &Path) {
    set_environment("JINKU_HSM_DIR", directory.as_os_str());
}

#[expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "tests hold one lock"
)]
fn set_environment(name: &str, value: &OsStr) {
    // SAFETY: `ONE_AT_A_TIME` is held, so no other thread of ours reads the environment now.
    unsafe { std::env::set_var(name, value) };
}

pub(crate) fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

/// The return value of a call that must be refused.
pub(crate) fn refusal<T>(outcome: Result<T, Error>) -> RvError {
    match outcome {
        Err(Error::Pkcs11(value, _)) => value,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

pub(crate) fn aes() -> Mechanism<'static> {
    Mechanism::AesKeyGen
}

pub(crate) fn generic() -> Mechanism<'static> {
    Mechanism::GenericSecretKeyGen
}

pub(crate) fn hmac() -> Mechanism<'static> {
    Mechanism::Sha256Hmac
}

pub(crate) fn edwards() -> Mechanism<'static> {
    Mechanism::EccEdwardsKeyPairGen
}

pub(crate) fn ed25519() -> Mechanism<'static> {
    Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519))
}

pub(crate) fn gcm<'a>(iv: &'a mut [u8], aad: &'a [u8]) -> Mechanism<'a> {
    Mechanism::AesGcm(GcmParams::new(iv, aad, 128.into()).unwrap())
}

pub(crate) fn sealing_key(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::ValueLen(32.into()),
        Attribute::Label(label.into()),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ]
}

pub(crate) fn imported_aes(value: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Value(value.to_vec()),
    ]
}

pub(crate) fn mac_key() -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::ValueLen(32.into()),
        Attribute::Sign(true),
        Attribute::Verify(true),
    ]
}

pub(crate) fn signing_pair(session: &Session, curve: &[u8]) -> (ObjectHandle, ObjectHandle) {
    let public = [
        Attribute::Token(true),
        Attribute::Verify(true),
        Attribute::EcParams(curve.to_vec()),
    ];
    let private = [Attribute::Token(true), Attribute::Sign(true)];
    session
        .generate_key_pair(&edwards(), &public, &private)
        .unwrap()
}

pub(crate) fn seal_gcm(
    session: &Session,
    key: ObjectHandle,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    session.encrypt(&gcm(&mut IV.clone(), aad), key, plaintext)
}

pub(crate) fn open_gcm(
    session: &Session,
    key: ObjectHandle,
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, Error> {
    session.decrypt(&gcm(&mut IV.clone(), aad), key, ciphertext)
}

/// Runs something slow again and again while another thread works; true if some run did not stop
/// the work for half of its own time. One run is enough: the machine may stop a thread too.
pub(crate) fn works_meanwhile(runs: usize, mut slow: impl FnMut(), work: impl Fn() + Send) -> bool {
    let (done, is_over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (done, over) = (&done, &is_over);
        scope.spawn(move || {
            while !over.load(Ordering::SeqCst) {
                work();
                done.lock().unwrap().push(Instant::now());
            }
        });
        let works = (0..runs).any(|_| {
            done.lock().unwrap().clear();
            let start = Instant::now();
            slow();
            let end = Instant::now();
            let mut moments = vec![start];
            moments.extend(done.lock().unwrap().iter().filter(|moment| **moment < end));
            moments.push(end);
            let pauses = moments.windows(2).map(|pair| pair[1] - pair[0]);
            pauses.max().unwrap() < (end - start) / 2
        });
        over.store(true, Ordering::SeqCst);
        works
    })
}
