//! What a module has less of than a caller may wish: handles of one search, and sessions.

use std::path::Path;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as Pkcs11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use kms::{Envelope, Hsm, HsmError, KeyId, KeyKind};

use super::{PIN, envelope, settings};

/// More objects than any profile gives handles for at once, which is 64.
const CROWD: usize = 70;

/// More sessions than any profile carries, which is 1,024. `SoftHSM2` carries these, too.
const SESSIONS_WISHED: usize = 1_100;

/// Another user of the module in this process: its path to the token.
pub(super) fn beside(module: &Path) -> (Pkcs11, Slot) {
    let module = Pkcs11::new(module).unwrap();
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    (module, slot)
}

pub(super) fn a_key_is_found_among_more_objects_than_one_search_gives(path: &Path, hsm: &Arc<Hsm>) {
    let ours = envelope(hsm, "root");
    let id = KeyId::random().unwrap();
    let wrapped = ours.generate(&id, 1, KeyKind::Aes256).unwrap();
    for number in 0..CROWD {
        hsm.generate_root(&format!("one-of-many-{number}")).unwrap();
    }
    ours.open(&wrapped).unwrap();
    let last = hsm.root(&format!("one-of-many-{}", CROWD - 1)).unwrap();
    let last = Envelope::new(Arc::clone(hsm), last.unwrap());
    last.open(&last.generate(&id, 2, KeyKind::Aes256).unwrap())
        .unwrap();

    // As many under one label: a search that stopped early could take one of them for the only one.
    let (module, slot) = beside(path);
    let session = module.open_rw_session(slot).unwrap();
    match session.login(UserType::User, Some(&AuthPin::new(PIN.into()))) {
        Ok(()) | Err(Pkcs11Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => panic!("{error}"),
    }
    let template = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Encrypt(true),
        Attribute::ValueLen(32.into()),
        Attribute::Label(b"crowd".to_vec()),
    ];
    for _ in 0..CROWD {
        session
            .generate_key(&Mechanism::AesKeyGen, &template)
            .unwrap();
    }
    let found = session.find_objects(&[Attribute::Label(b"crowd".to_vec())]);
    assert_eq!(found.unwrap().len(), CROWD);
    assert!(matches!(
        hsm.root("crowd"),
        Err(HsmError::AmbiguousKey { .. })
    ));
    assert!(hsm.root("root").unwrap().is_some());
}

/// Others take every session that there is. The one that is open already does all the work.
pub(super) fn threads_get_by_with_the_sessions_that_are_left(path: &Path, hsm: &Arc<Hsm>) {
    let ours = envelope(hsm, "root");
    let id = KeyId::random().unwrap();
    let wrapped = ours.generate(&id, 1, KeyKind::HmacSha256).unwrap();
    let mut wide = settings(path, PIN);
    wide.sessions_max = 64;
    let wide = Arc::new(Hsm::open(&wide).unwrap());
    let ours = envelope(&wide, "root");
    let (module, slot) = beside(path);
    let mut taken: Vec<Session> = Vec::new();
    let all = loop {
        match module.open_ro_session(slot) {
            Ok(session) if taken.len() < SESSIONS_WISHED => taken.push(session),
            Ok(_) => break false,
            Err(Pkcs11Error::Pkcs11(RvError::SessionCount, _)) => break true,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(all, !is_softhsm(&module, slot), "{} sessions", taken.len());
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| (0..5).for_each(|_| drop(ours.open(&wrapped).unwrap())));
        }
    });
    drop(taken);
    wide.alive().unwrap();
}

/// The real one: it has no limit of sessions, and knows OAEP with SHA-1 alone (2.6.1).
pub(super) fn is_softhsm(module: &Pkcs11, slot: Slot) -> bool {
    let token = module.get_token_info(slot).unwrap();
    token.manufacturer_id().starts_with("SoftHSM")
}
