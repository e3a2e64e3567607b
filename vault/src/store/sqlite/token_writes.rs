//! What changes of tokens in the embedded store: each write finds its row as it was seen, or is a conflict.

use rusqlite::{OptionalExtension, params};

use super::tokens::HELD;
use super::{Writer, conflict};
use crate::model::{ClassName, Life};
use crate::store::row::{
    Fingerprint, Hold, Indexed, SealedValue, ShredSlot, SubjectHandle, TokenRow, TokenWrite,
};

const INSERT_TOKEN: &str = "INSERT INTO token \
    (fingerprint, domain, class, created_us, shred, sealed, bound, disabled, expires_us, uses_left, \
    blind_index, sealed_token, normal_form, nth) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

impl Writer {
    pub(super) fn insert_tokens(&self, rows: &[TokenRow]) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(INSERT_TOKEN)?;
        for row in rows {
            let indexed = row.indexed.as_ref();
            insert.execute(params![
                row.fingerprint.0,
                row.domain.as_str(),
                row.class.as_str(),
                row.created_us,
                row.shred.0,
                row.sealed.0,
                row.bound,
                row.life.disabled,
                row.life.expires.map(|expires| expires.0),
                row.life.uses_left,
                indexed.map(|indexed| indexed.index.0),
                indexed.map(|indexed| &indexed.token.0),
                indexed.map(|indexed| indexed.form.number()),
                indexed.map(|indexed| indexed.nth),
            ])?;
        }
        Ok(())
    }

    pub(super) fn write_token(&self, write: &TokenWrite) -> rusqlite::Result<()> {
        match write {
            TokenWrite::Stands(token) => self.demand(
                "SELECT 1 FROM token WHERE fingerprint = ?1",
                [token.0],
            ),
            TokenWrite::Lives(token, life) => self.lives(*token, life),
            TokenWrite::Over(token, before) => self.demand(
                "SELECT 1 FROM token WHERE fingerprint = ?1 AND expires_us < ?2",
                params![token.0, before.0],
            ),
            TokenWrite::Expire(token, expires) => self.execute(
                "UPDATE token SET expires_us = ?2 WHERE fingerprint = ?1",
                params![token.0, expires.map(|expires| expires.0)],
            ),
            TokenWrite::Disable(token, disabled) => self.execute(
                "UPDATE token SET disabled = ?2 WHERE fingerprint = ?1",
                params![token.0, disabled],
            ),
            TokenWrite::Use(token) => self.execute(
                "UPDATE token SET uses_left = uses_left - 1 WHERE fingerprint = ?1 AND uses_left > 0",
                [token.0],
            ),
            TokenWrite::StepAside(token, nth) => self.execute(
                "UPDATE token SET nth = ?2 WHERE fingerprint = ?1 AND nth = 0",
                params![token.0, nth],
            ),
            TokenWrite::Remove(token) => self.remove_unheld(*token),
            TokenWrite::Forget(token) => self.remove(*token, "TRUE"),
            TokenWrite::RemoveOf(subject, token) => self.remove_of(*subject, *token),
            TokenWrite::Used(token) => self.change(
                "UPDATE token SET uses_left = max(uses_left - 1, 0) \
                 WHERE fingerprint = ?1 AND uses_left IS NOT NULL",
                [token.0],
            ),
            TokenWrite::UnlinkAll(subject) => {
                self.change("DELETE FROM subject WHERE handle = ?1", [subject.0])
            }
            TokenWrite::NoneLeft(subject) => self.absent(
                "SELECT 1 FROM subject WHERE handle = ?1 UNION ALL SELECT 1 FROM hold WHERE handle = ?1",
                [subject.0],
            ),
            TokenWrite::Move {
                fingerprint,
                seen,
                class,
                sealed,
                indexed,
            } => self.move_row((*fingerprint, seen), class, sealed, indexed.as_ref()),
            TokenWrite::Link(subject, token) => self.link(*subject, *token),
            TokenWrite::Inherit(from, to) => self.inherit(*from, *to),
            TokenWrite::Unlink(subject, token) => self.execute(
                "DELETE FROM subject WHERE handle = ?1 AND fingerprint = ?2",
                [subject.0, token.0],
            ),
            TokenWrite::Hold(hold) => self.hold(hold),
            TokenWrite::Release(handle, matter) => self.execute(
                "DELETE FROM hold WHERE handle = ?1 AND matter = ?2",
                params![handle, matter.as_str()],
            ),
            TokenWrite::Shredded(slots) => self.shredded(slots),
        }
    }

    fn lives(&self, token: Fingerprint, life: &Life) -> rusqlite::Result<()> {
        let expires = life.expires.map(|expires| expires.0);
        self.demand(
            "SELECT 1 FROM token WHERE fingerprint = ?1 AND disabled = ?2 AND expires_us IS ?3 \
             AND uses_left IS ?4",
            params![token.0, life.disabled, expires, life.uses_left],
        )
    }

    fn link(&self, subject: SubjectHandle, token: Fingerprint) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO subject (handle, fingerprint) VALUES (?1, ?2)";
        let mut insert = self.connection.prepare_cached(sql)?;
        insert.execute([subject.0, token.0]).map(drop)
    }

    fn inherit(&self, from: Fingerprint, to: Fingerprint) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO subject (handle, fingerprint) \
            SELECT handle, ?2 FROM subject WHERE fingerprint = ?1";
        let mut insert = self.connection.prepare_cached(sql)?;
        insert.execute([from.0, to.0]).map(drop)
    }

    fn hold(&self, hold: &Hold) -> rusqlite::Result<()> {
        let (matter, domain) = (hold.matter.as_str(), hold.domain.as_str());
        self.execute(
            "INSERT INTO hold (handle, matter, domain, placed_us) VALUES (?1, ?2, ?3, ?4)",
            params![hold.handle, matter, domain, hold.placed.0],
        )
    }

    fn shredded(&self, slots: &[ShredSlot]) -> rusqlite::Result<()> {
        let sql = "DELETE FROM shred_due WHERE slot = ?1";
        let mut done = self.connection.prepare_cached(sql)?;
        slots
            .iter()
            .try_for_each(|slot| done.execute([slot.0]).map(drop))
    }

    /// Finds a row, or is a conflict.
    fn demand(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<()> {
        let found = self.connection.prepare_cached(sql)?.exists(parameters)?;
        if found { Ok(()) } else { Err(conflict()) }
    }

    fn move_row(
        &self,
        (row, seen): (Fingerprint, &SealedValue),
        class: &ClassName,
        sealed: &SealedValue,
        indexed: Option<&Indexed>,
    ) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE token SET class = ?3, sealed = ?4, blind_index = ?5, sealed_token = ?6, \
             normal_form = ?7, nth = ?8 WHERE fingerprint = ?1 AND sealed = ?2",
            params![
                row.0,
                seen.0,
                class.as_str(),
                sealed.0,
                indexed.map(|indexed| indexed.index.0),
                indexed.map(|indexed| &indexed.token.0),
                indexed.map(|indexed| indexed.form.number()),
                indexed.map(|indexed| indexed.nth),
            ],
        )
    }

    fn remove_of(&self, subject: SubjectHandle, token: Fingerprint) -> rusqlite::Result<()> {
        self.absent(
            "SELECT 1 FROM subject WHERE fingerprint = ?1 AND handle <> ?2",
            [token.0, subject.0],
        )?;
        self.remove_unheld(token)
    }

    fn remove_unheld(&self, token: Fingerprint) -> rusqlite::Result<()> {
        self.remove(token, &format!("NOT ({HELD})"))
    }

    /// Changes what there is, be it nothing.
    fn change(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<()> {
        let mut change = self.connection.prepare_cached(sql)?;
        change.execute(parameters).map(drop)
    }

    /// Finds no row, or is a conflict.
    fn absent(&self, sql: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<()> {
        let found = self.connection.prepare_cached(sql)?.exists(parameters)?;
        if found { Err(conflict()) } else { Ok(()) }
    }

    /// A condition, such as a hold, is looked for inside the transaction: one that came a moment ago counts.
    fn remove(&self, token: Fingerprint, condition: &str) -> rusqlite::Result<()> {
        self.shreds.set(true);
        let sql =
            format!("DELETE FROM token WHERE fingerprint = ?1 AND {condition} RETURNING shred");
        let mut delete = self.connection.prepare_cached(&sql)?;
        let slot: u64 = delete
            .query_row([token.0], |row| row.get(0))
            .optional()?
            .ok_or_else(conflict)?;
        for sql in [
            "DELETE FROM subject WHERE fingerprint = ?1",
            "INSERT INTO gone (fingerprint) VALUES (?1)",
        ] {
            self.connection.prepare_cached(sql)?.execute([token.0])?;
        }
        let sql = "INSERT INTO shred_due (slot) VALUES (?1)";
        self.connection
            .prepare_cached(sql)?
            .execute([slot])
            .map(drop)
    }
}
