//! Whether an act on a key is permitted, and what is said of a key that is not there.

use std::sync::Arc;

use super::authorized::{self, Authorized, Denied, Refused};
use super::cache::Key;
use super::entities::Question;
use super::key_act::{KeyAct, OnKey, OnKeys};
use super::key_act::{List, Move, ReEncryptFrom, ReEncryptTo};
use super::{Asker, Live, Policies};
use crate::admission::Admitted;
use crate::model::{KeyRecord, Purpose};

impl Policies {
    /// May the unit do `A` to this key?
    pub fn authorize_on_key<A: KeyAct>(
        &self,
        admitted: Admitted,
        key: Arc<KeyRecord>,
        purpose: Option<Purpose>,
    ) -> Result<Authorized<OnKey<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), purpose.as_ref());
        let granted = live.grants::<A>(asker, Some(&key));
        let granted = granted.map(|()| OnKey::new(key, purpose));
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit do `A` to the key service?
    pub fn authorize_on_keys<A: KeyAct>(
        &self,
        admitted: Admitted,
    ) -> Result<Authorized<OnKeys<A>>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), None);
        let granted = live.grants::<A>(asker, None).map(|()| OnKeys::new());
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// May the unit move ciphertexts from one key to another?
    pub fn authorize_move(
        &self,
        admitted: Admitted,
        from: Arc<KeyRecord>,
        to: Arc<KeyRecord>,
        purpose: Option<Purpose>,
    ) -> Result<Authorized<Move>, Box<Refused>> {
        let live = self.live();
        let asker = Asker::of(admitted.caller(), purpose.as_ref());
        let granted = live
            .grants::<ReEncryptFrom>(asker, Some(&from))
            .and_then(|()| live.grants::<ReEncryptTo>(asker, Some(&to)));
        let granted = granted.map(|()| Move { from, to, purpose });
        authorized::decided(admitted, live.set.digest(), granted)
    }

    /// The refusal of an act on a key that is not there. Who may not list keys learns nothing of it.
    // INVARIANT 9: a key that nobody made is permitted to nobody.
    pub fn refuse_unknown_key(&self, admitted: Admitted) -> Box<Refused> {
        let live = self.live();
        let may_list = live.grants::<List>(Asker::of(admitted.caller(), None), None);
        Box::new(Refused {
            admitted,
            denial: may_list.err().unwrap_or(Denied::UnknownKey),
            policy: live.set.digest(),
        })
    }
}

impl Live {
    /// Whether `A` is permitted on a key, or, without one, on the key service.
    pub(super) fn grants<A: KeyAct>(
        &self,
        asker: Asker<'_>,
        key: Option<&KeyRecord>,
    ) -> Result<(), Denied> {
        self.grants_act(A::ACTION, asker, key)
    }

    pub(super) fn grants_act(
        &self,
        action: &'static str,
        asker: Asker<'_>,
        key: Option<&KeyRecord>,
    ) -> Result<(), Denied> {
        let decide = || {
            let vocabulary = self.set.vocabulary();
            let question = || Question::of_key(action, asker, key, vocabulary);
            self.slice(action, asker).answers_yes(question)
        };
        // A key that is only wished for has no revision yet: nothing of it is worth keeping.
        let permitted = match key {
            Some(key) if key.revision == 0 => decide(),
            _ => self.cache.key_act(Key::of_key(action, asker, key), decide),
        };
        if permitted {
            Ok(())
        } else {
            Err(Denied::NotPermitted)
        }
    }
}
