//! What is lost in between is found again within the call, and a PIN that became wrong is sent once.

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use kms::{HsmError, KeyId, KeyKind};

use super::limits::beside;
use super::{PIN, SO_PIN, opened};

/// Another user of the module in this process, as a broken one would be. To be run last: the PIN changes.
pub(super) fn sessions_and_a_module_that_others_end_are_opened_again(path: &Path) {
    let (hsm, envelope) = opened(path);
    let id = KeyId::random().unwrap();
    let wrapped = envelope.generate(&id, 1, KeyKind::Aes256).unwrap();
    let (module, slot) = beside(path);
    let works = || {
        assert!(hsm.root("root").unwrap().is_some(), "the key looks absent");
        envelope.open(&wrapped).unwrap();
        hsm.alive().unwrap();
    };

    // The login is lost: the HSM then shows no private object.
    module.open_ro_session(slot).unwrap().logout().unwrap();
    works();

    // Every session is lost.
    module.clone().finalize().unwrap();
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(arguments).unwrap();
    works();

    // The module itself is.
    module.clone().finalize().unwrap();
    works();

    // A PIN that became wrong is tried once, and then never again.
    let (module, slot) = beside(path);
    let session = module.open_rw_session(slot).unwrap();
    let (old, new) = (AuthPin::new(PIN.into()), AuthPin::new(SO_PIN.into()));
    session.set_pin(&old, &new).unwrap();
    session.logout().unwrap();
    for _ in 0..3 {
        assert!(matches!(hsm.root("root"), Err(HsmError::WrongPin)));
    }
    session.login(UserType::User, Some(&new)).unwrap();
    assert!(matches!(hsm.root("root"), Err(HsmError::WrongPin)));
}
