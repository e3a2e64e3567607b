//! New rows: a token that is free, and a value sealed under a shred key of its own.

use std::sync::Arc;

use kms::AeadKeyring;
use rand::rngs::SysRng;

use crate::commit::Withheld;
use crate::engine::{DomainKeys, Engine, EngineError};
use crate::model::{DataClass, DomainName, Life, Plaintext, Timestamp, TokenText};
use crate::seal::{self, Place, Shares};
use crate::store::{BlindIndex, Fingerprint, Indexed, ShredSlot, TokenRow};
use crate::token;

/// Spaces of fewer bits are looked up before the commit: their draws do meet.
const SMALL_SPACE_BITS: f64 = 64.0;

/// Makes the new rows of one batch.
pub(in crate::engine) struct Fresh<'a> {
    pub(in crate::engine) engine: &'a Engine,
    pub(in crate::engine) domain: &'a DomainName,
    pub(in crate::engine) keys: &'a DomainKeys,
    /// One keyring for the whole batch: both ciphertexts of a row are under one version.
    pub(in crate::engine) values: Arc<AeadKeyring>,
    pub(in crate::engine) now: Timestamp,
}

/// What is to be sealed into a new row.
pub(in crate::engine) struct Content<'a> {
    pub(in crate::engine) class: &'a DataClass,
    pub(in crate::engine) value: &'a Plaintext,
    pub(in crate::engine) life: Life,
    pub(in crate::engine) bound: bool,
    pub(in crate::engine) find: Option<Find>,
}

/// How a value can be found again.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Find {
    pub(in crate::engine) index: BlindIndex,
    /// Whether equal values get this token.
    pub(in crate::engine) again: bool,
}

impl Fresh<'_> {
    /// The row of a token that was drawn for it.
    pub(in crate::engine) fn row(
        &self,
        content: &Content<'_>,
        token: &Withheld<TokenText>,
        fingerprint: Fingerprint,
    ) -> Result<TokenRow, EngineError> {
        let (class, bound) = (content.class, content.bound);
        let (slot, shred) = self.engine.shreds.take()?;
        let place = Place {
            domain: self.domain,
            class: &class.name,
            row: fingerprint,
        };
        let shred = &shred;
        let sealed = token.column(|text| {
            let token = bound.then_some(text);
            let shares = Shares { shred, token };
            seal::close(&self.values, place, shares, content.value)
        })?;
        let indexed = |find: Find| {
            let shares = Shares { shred, token: None };
            let close = |text: &_| seal::close_token(&self.values, place, shares, text);
            Ok::<_, EngineError>(Indexed {
                index: find.index,
                form: class.normal_form,
                nth: if find.again { 0 } else { own_number(slot) },
                token: token.column(close)?,
            })
        };
        Ok(TokenRow {
            fingerprint,
            domain: self.domain.clone(),
            class: class.name.clone(),
            created_us: self.now.0,
            shred: slot,
            sealed,
            bound,
            life: content.life,
            indexed: content.find.map(indexed).transpose()?,
        })
    }

    /// Draws a token whose row is free, among those in the store and those `beside` it. The commit's unique
    /// key decides; this look saves retries.
    pub(in crate::engine) fn draw(
        &self,
        class: &DataClass,
        value: &Plaintext,
        beside: &[TokenRow],
    ) -> Result<(Withheld<TokenText>, Fingerprint), EngineError> {
        let small = token::space(class).bits() < SMALL_SPACE_BITS;
        let watch = &self.engine.space_watch;
        for met in 0..token::DRAWS_MAX {
            let token = token::issue(class, value, &mut SysRng).map_err(|_| EngineError::Keys)?;
            let fingerprint: Fingerprint =
                token.column(|text| Ok::<_, EngineError>(self.keys.fingerprint(text)))?;
            if !small {
                return Ok((token, fingerprint));
            }
            if !self.taken(fingerprint, beside)? {
                let pressure = watch.note(self.domain, &class.name, class.space, met);
                if pressure == token::Pressure::Full {
                    break;
                }
                return Ok((token, fingerprint));
            }
        }
        watch.refused(self.domain, &class.name);
        Err(EngineError::SpaceExhausted(class.name.clone()))
    }

    fn taken(&self, row: Fingerprint, beside: &[TokenRow]) -> Result<bool, EngineError> {
        let here = beside.iter().any(|known| known.fingerprint == row);
        Ok(here || self.engine.reader.is_taken(row)?)
    }
}

/// A number among the tokens of one value that no other row has; 0 is for the one that equal values get.
pub(in crate::engine) fn own_number(slot: ShredSlot) -> u64 {
    slot.0 + 1
}
