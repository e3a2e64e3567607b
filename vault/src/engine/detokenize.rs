//! Detokenize: tokens in, views out, each as policy grants it for the stated purpose.

use std::sync::Arc;

use kms::AeadKeyring;
use ledger::{Item, ItemView, Operation};

use super::delivery::{Wrapping, wrapped};
use super::guard::{Held, Passage, Passed};
use super::{ATTEMPTS_MAX, Engine, EngineError, caller_facts};
use crate::commit::{NotDurable, Record, Sequenced, Withheld};
use crate::model::{
    ClassName, DomainName, GrantId, Plaintext, RequestId, Timestamp, TokenText, View,
};
use crate::policy::{Authorized, Detokenize};
use crate::seal::{self, SealError, Shares};
use crate::store::{Change, Fingerprint, TokenRow, TokenWrite};
use crate::token::{self, Masking};

/// The class that the ledger names where a token stands nowhere.
pub(super) const NO_CLASS: &str = "none";

/// What a unit gets back for one token.
pub enum Revealed {
    /// A value, in the view that policy grants.
    Shown(Disclosure),
    /// No such token, another domain's, or no right to it: not told apart (invariant 8).
    NotAvailable,
}

/// A value in a view.
pub struct Disclosure {
    /// Which view.
    pub view: View,
    /// What the value is.
    pub class: ClassName,
    /// The value in that view; sealed to the unit's key where it asked for that, but for the view `token`.
    pub value: Plaintext,
}

/// The answer: one for each token, in the order asked.
pub struct Revelation {
    /// What was revealed.
    pub items: Vec<Revealed>,
    /// The entry that records it.
    pub entry: Sequenced,
}

impl Engine {
    /// Gives values back. The proof holds the views that policy grants the unit; the guard holds back what
    /// goes beyond its budgets, unless a grant is named that covers it.
    pub async fn detokenize(
        self: &Arc<Self>,
        proof: Authorized<Detokenize>,
        tokens: Vec<TokenText>,
        grant: Option<GrantId>,
        request: RequestId,
    ) -> Result<Revelation, EngineError> {
        self.batch_size(tokens.len())?;
        // The proof, and with it the slot among those in flight, is held until the answer.
        let (proof, tokens) = (Arc::new(proof), Arc::new(tokens));
        let asked = (Operation::Detokenize, grant);
        for _ in 0..ATTEMPTS_MAX {
            let passage = match self.passage(&proof, tokens.len(), grant).await? {
                Ok(passage) => passage,
                Err(held) => {
                    let held = held.noting(self.presented(proof.grant().domain(), &tokens));
                    return Err(self.held_back(&proof, held, asked, request).await);
                }
            };
            let (engine, held) = (Arc::clone(self), Arc::clone(&proof));
            let tokens = Arc::clone(&tokens);
            let opening = tokio::task::spawn_blocking(move || {
                engine.delivered(&held, &tokens, &passage, request)
            });
            let opened = opening.await.map_err(|_| EngineError::Keys)??;
            let (record, items, passed) = match opened {
                Ok(opened) => opened,
                Err(held) => return Err(self.held_back(&proof, held, asked, request).await),
            };
            match self.record_shown(record, items, passed).await {
                Ok((items, entry)) => return Ok(Revelation { items, entry }),
                // Another request took a token's last use, or a grant's last value.
                Err(NotDurable::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotDurable::Conflict.into())
    }

    /// The batch's entry, and its values in the form that was asked for.
    pub(super) fn delivered(
        &self,
        proof: &Authorized<Detokenize>,
        tokens: &[TokenText],
        passage: &Passage,
        request: RequestId,
    ) -> Result<Opened, EngineError> {
        // First: a unit that can't be answered has nothing opened.
        let wrapping = Wrapping::of(proof, tokens, request)?;
        match self.open_batch(proof, tokens, passage, request)? {
            Ok((record, items, passed)) => Ok(Ok((record, wrapped(items, wrapping)?, passed))),
            Err(held) => Ok(Err(held)),
        }
    }

    fn open_batch(
        &self,
        proof: &Authorized<Detokenize>,
        tokens: &[TokenText],
        passage: &Passage,
        request: RequestId,
    ) -> Result<Opened, EngineError> {
        none_too_long(tokens)?;
        let keys = self.domain_keys(proof.grant().domain())?;
        let fingerprints: Vec<Fingerprint> =
            tokens.iter().map(|token| keys.fingerprint(token)).collect();
        let caught = self.caught(keys, &fingerprints);
        let rows = self.rows(proof.grant().domain(), tokens, &fingerprints)?;
        // After the rows were read: they may be under a version that came a moment ago.
        let (keyring, decoy) = keys.values_and_decoy();
        let mut opening = Opening {
            grant: proof.grant(),
            keyring: &keyring,
            decoy: &decoy,
            now: self.clock.now(),
            used: Vec::new(),
            counted: Vec::with_capacity(tokens.len()),
        };
        let mut entry_items = Vec::with_capacity(tokens.len());
        let mut revealed = Vec::with_capacity(tokens.len());
        for ((token, row), fingerprint) in tokens.iter().zip(rows).zip(fingerprints) {
            let (item, shown) = self.open_one(&mut opening, token, row, fingerprint)?;
            entry_items.push((item, 1));
            revealed.push(shown);
        }
        let mut facts = caller_facts(Operation::Detokenize, proof, request);
        facts.domain = Some(proof.grant().domain().to_string());
        facts.purpose = Some(proof.grant().purpose().to_string());
        let mut change = Change {
            token_writes: opening.used.iter().copied().map(TokenWrite::Use).collect(),
            ..Change::none()
        };
        let mut passed = match self.pass(proof, passage, &opening.counted, caught) {
            Ok(passed) => passed,
            Err(held) => return Ok(Err(held)),
        };
        passed.enter(&mut facts, &mut change);
        let record = Record::batch(change, facts, entry_items)?;
        Ok(Ok((record, Withheld::gather(revealed), passed)))
    }

    /// The tokens' rows. What a typing error made of a token was never issued: the store isn't asked.
    pub(super) fn rows(
        &self,
        domain: &DomainName,
        tokens: &[TokenText],
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<Option<TokenRow>>, EngineError> {
        let sound: Vec<bool> = tokens
            .iter()
            .map(|token| !token::is_mistyped(token.expose()))
            .collect();
        let asked: Vec<Fingerprint> = fingerprints
            .iter()
            .zip(&sound)
            .filter_map(|(fingerprint, sound)| sound.then_some(*fingerprint))
            .collect();
        let found = self.reader.tokens(domain, &asked)?;
        Ok(in_their_places(&sound, found))
    }

    /// Every token walks these steps: a row (its own or the decoy), an opening, a choice.
    // INVARIANT 8: absent, another domain's and not granted differ in the last step only.
    fn open_one(
        &self,
        opening: &mut Opening<'_>,
        token: &TokenText,
        row: Option<TokenRow>,
        fingerprint: Fingerprint,
    ) -> Result<(Item, Withheld<Revealed>), EngineError> {
        // Before anything is opened: one whose time is over, or that is switched off, stands no more.
        let row = row.filter(|row| row.life.serves(opening.now) && opening.has_use(row));
        let stands = row.is_some();
        let row = row.unwrap_or_else(|| opening.decoy.clone());
        let shred = self.shreds.key(row.shred)?;
        let opened = shred.as_ref().ok_or(SealError::Unopened).and_then(|shred| {
            let token = row.bound.then_some(token);
            seal::open(opening.keyring, &row, Shares { shred, token })
        });
        if opened.is_err() {
            let erased = shred.is_none();
            tracing::error!(class = %row.class, erased, "a stored value does not open: it was erased and came back by a backup, or the database was altered");
        }
        let view = opening
            .grant
            .view(&row.class)
            .filter(|_| stands && opened.is_ok());
        if row.life.uses_left.is_some() && matches!(view, Some(View::Plain | View::Masked)) {
            opening.used.push(fingerprint);
        }
        let masking = self.catalogue.class(&row.class).map(Masking::of);
        let class = if stands { row.class.as_str() } else { NO_CLASS };
        let item = self.item(fingerprint, class, item_view(view));
        // Absent tokens, and those that policy shows nothing of, take nothing.
        if matches!(item.view, ItemView::Plain | ItemView::Masked) {
            let id = self.keys.counted_as(fingerprint, item.pseudonym);
            opening.counted.push((id, item.class.clone()));
        }
        let fitting = Fitting {
            view,
            class: row.class,
            masking,
            token: (view == Some(View::Token)).then(|| Plaintext::new(token.expose().to_owned())),
        };
        let shown = match opened {
            Ok(value) => value.with(fitting).map(fit),
            Err(_) => Withheld::nothing().map(|()| Revealed::NotAvailable),
        };
        Ok((item, shown))
    }
}

pub(super) fn none_too_long(tokens: &[TokenText]) -> Result<(), EngineError> {
    let too_long = |token: &TokenText| token.expose().len() > TokenText::BYTES_MAX;
    match tokens.iter().position(too_long) {
        Some(item) => Err(EngineError::TokenTooLong { item }),
        None => Ok(()),
    }
}

/// A batch that is opened and waits for its entry, or one that the guard holds back.
pub(super) type Opened = Result<(Record, Withheld<Vec<Revealed>>, Passed), Held>;

/// What a batch is opened with.
struct Opening<'a> {
    grant: &'a Detokenize,
    keyring: &'a AeadKeyring,
    decoy: &'a TokenRow,
    now: Timestamp,
    /// Tokens of limited use that this batch shows, once for each time.
    used: Vec<Fingerprint>,
    /// What budgets count of it: values that would be shown, with their classes.
    counted: Vec<([u8; 16], String)>,
}

impl Opening<'_> {
    /// Whether a row still has a use after those that this batch took.
    fn has_use(&self, row: &TokenRow) -> bool {
        row.life.uses_left.is_none_or(|left| {
            let used = self.used.iter().filter(|used| **used == row.fingerprint);
            used.count() < left as usize
        })
    }
}

struct Fitting {
    view: Option<View>,
    class: ClassName,
    masking: Option<Masking>,
    /// The token itself, where that is all there is to be shown.
    token: Option<Plaintext>,
}

/// The view's shape of a value. A class without a mask shows nothing when masked.
fn fit((value, fitting): (Plaintext, Fitting)) -> Revealed {
    let Fitting {
        view,
        class,
        masking,
        token,
    } = fitting;
    // INVARIANT 8: no mask for what shows nothing. What it costs goes by class and value, and the decoy has others.
    let masked = || token::masked(&value, masking.unwrap_or(Masking::ALL_HIDDEN));
    let shown = |view, value| Revealed::Shown(Disclosure { view, class, value });
    match view {
        Some(View::Plain) => shown(View::Plain, value),
        Some(View::Masked) => shown(View::Masked, masked()),
        Some(View::Token) => {
            token.map_or(Revealed::NotAvailable, |token| shown(View::Token, token))
        }
        None => Revealed::NotAvailable,
    }
}

fn item_view(view: Option<View>) -> ItemView {
    match view {
        Some(View::Plain) => ItemView::Plain,
        Some(View::Masked) => ItemView::Masked,
        Some(View::Token) => ItemView::Token,
        None => ItemView::NotAvailable,
    }
}

/// What was found for the sound ones, each in its place; nothing for the others.
fn in_their_places<T>(sound: &[bool], found: Vec<Option<T>>) -> Vec<Option<T>> {
    let mut found = found.into_iter();
    sound
        .iter()
        .map(|&sound| if sound { found.next().flatten() } else { None })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_shifts_no_answer() {
        let sound = [false, true, true, false, true];
        let found = vec![Some('a'), None, Some('c')];
        let expected = [None, Some('a'), None, None, Some('c')];
        assert_eq!(in_their_places(&sound, found), expected);
        assert_eq!(in_their_places::<char>(&[false], Vec::new()), [None]);
        assert_eq!(in_their_places::<char>(&[], Vec::new()), []);
    }
}
