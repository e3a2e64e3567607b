//! Owns the exchange of a head's fields: segments of the path, pairs of the query, headers, of answers too.
//! They are one vault call of their own, since a head goes on before its body is read.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::exchange::Taken;
use super::{Asked, Filter, Passage, RequestHead, Vault};
use crate::body::address;
use crate::error::{FilterError, Side, UpstreamError};
use crate::field::Spelling;
use crate::rewrite::{Change, Replacement, SpellFault, spell, splice};
use crate::sign::receipt::RECEIPT;
use crate::sign::signature::{SIGNATURE, SIGNATURE_INPUT};

/// What changes in a head. It has no `Debug`: it holds what a vault gave.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeadRewriting {
    /// Headers that do not go on.
    pub without: Vec<HeaderName>,
    /// Path and query, if they change.
    pub target: Option<String>,
    /// Headers that change: all values that each has from now on; none where it goes.
    pub headers: Vec<(HeaderName, Vec<HeaderValue>)>,
}

impl HeadRewriting {
    /// Takes in what changes later; what is said last of a header counts.
    pub(crate) fn extend(&mut self, later: Self) {
        self.without
            .retain(|gone| later.headers.iter().all(|(new, _)| new != gone));
        self.without.extend(later.without);
        self.target = later.target.or(self.target.take());
        self.headers
            .retain(|(name, _)| later.headers.iter().all(|(new, _)| new != name));
        self.headers.extend(later.headers);
    }

    /// Changes the headers; the target is the front's to change.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.without {
            headers.remove(name);
        }
        for (name, values) in &self.headers {
            headers.remove(name);
            for value in values {
                headers.append(name, value.clone());
            }
        }
    }
}

/// The names of one side's headers that rules take. A trailer of such a name is one that nobody ruled on: it
/// does not go on.
#[derive(Clone)]
pub struct RuledNames(Vec<HeaderName>);

impl RuledNames {
    /// Which of these names are ruled, in any spelling that some take for a rule's.
    pub fn among<'n>(&self, names: impl Iterator<Item = &'n HeaderName>) -> Vec<HeaderName> {
        let ruled = |name: &&HeaderName| self.0.iter().any(|named| folded(named) == folded(name));
        names.filter(ruled).cloned().collect()
    }
}

impl Passage {
    /// What may not stand in the trailers of this side, if anything.
    pub fn ruled_names(&self, side: Side) -> Option<RuledNames> {
        let (_, plan) = self
            .plan(side)
            .filter(|(_, plan)| !plan.headers.is_empty())?;
        let names = plan.headers.iter().map(|(_, name)| name.clone());
        Some(RuledNames(names.collect()))
    }
}

/// CGI and its heirs read `X_Id` and `X-Id` as one header.
fn folded(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}

impl HeadRewriting {
    /// Takes away receipts that the filter did not write, and signatures of a head that is another now.
    fn leave_false(&mut self, headers: &HeaderMap) {
        let changed = self.target.is_some() || !self.headers.is_empty();
        let signatures = [SIGNATURE, SIGNATURE_INPUT].into_iter();
        let untrue = signatures.filter(|_| changed).chain([RECEIPT]);
        let there = untrue.filter(|name| headers.contains_key(name));
        self.without.extend(there);
    }
}

impl<V: Vault> Filter<V> {
    /// What becomes of a request's head, before it goes on: what rules take of its path, query and
    /// headers is rewritten, and what is not for the upstream stays here.
    ///
    /// `head` is the one that was admitted.
    pub async fn request_head(
        &self,
        passage: &Passage,
        head: &RequestHead<'_>,
    ) -> Result<HeadRewriting, FilterError> {
        let mut rewriting = self
            .head(passage, Side::Request, head.path, head.headers)
            .await?;
        rewriting.without = passage.stays_here();
        rewriting.leave_false(head.headers);
        passage.goes_on(&rewriting);
        Ok(rewriting)
    }

    /// What becomes of an answer's head, before it goes on: what rules take of its headers is rewritten.
    pub async fn response_head(
        &self,
        passage: &Passage,
        headers: &HeaderMap,
    ) -> Result<HeadRewriting, FilterError> {
        let mut rewriting = self.head(passage, Side::Response, "", headers).await?;
        rewriting.leave_false(headers);
        Ok(rewriting)
    }

    /// An answer has no target: its `target` is empty, and no rule of its side names a place in one.
    async fn head(
        &self,
        passage: &Passage,
        side: Side,
        target: &str,
        headers: &HeaderMap,
    ) -> Result<HeadRewriting, FilterError> {
        let mut rewriting = HeadRewriting::default();
        let Some((route, plan)) = passage.head_plan(side) else {
            return Ok(rewriting);
        };
        let fields = address::select(target, &plan.segments, &plan.query, &self.rules.bounds)
            .map_err(|error| FilterError::Body(side, error))?;
        let lines = lines(&plan.headers, headers).ok_or_else(|| unreadable(side))?;
        let in_target = fields
            .iter()
            .map(|field| (field.rule, field.value.as_ref()));
        let taken: Vec<Taken<'_>> = in_target
            .chain(lines.iter().map(|(rule, _, value)| (*rule, *value)))
            .map(|(rule, value)| Taken { rule, value })
            .collect();
        let asked = Asked {
            passage,
            route,
            plan,
            side,
        };
        let mut changes = self.changes(&asked, &taken).await?.into_iter();
        let replacements: Vec<Replacement> = fields
            .iter()
            .zip(&mut changes)
            .filter_map(|(field, change)| Some(Replacement::of(field, change?)))
            .collect();
        let unfit = |fault| FilterError::Unfit(side, fault);
        if !replacements.is_empty() {
            let spliced = splice(target.as_bytes(), &replacements).map_err(unfit)?;
            let text = String::from_utf8(spliced).map_err(|_| unfit(SpellFault::Character))?;
            rewriting.target = Some(text);
        }
        rewriting.headers = rewritten(&lines, changes).map_err(unfit)?;
        Ok(rewriting)
    }
}

/// A header's line that a rule takes: rule, name, value.
type Line<'h> = (usize, &'h HeaderName, &'h str);

/// A header that a rule names, and that can be read in two ways or not at all.
fn unreadable(side: Side) -> FilterError {
    match side {
        Side::Request => FilterError::HeaderInvalid("that a rule names"),
        Side::Response => UpstreamError::HeaderInvalid.into(),
    }
}

/// `None` where a line can't be read, or has a name that some take for a rule's.
fn lines<'h>(rules: &'h [(usize, HeaderName)], headers: &'h HeaderMap) -> Option<Vec<Line<'h>>> {
    let another_spelling = |name: &HeaderName| {
        let like = |(_, named): &(usize, HeaderName)| folded(named) == folded(name);
        rules.iter().all(|(_, named)| named != name) && rules.iter().any(like)
    };
    if headers.keys().any(another_spelling) {
        return None;
    }
    let mut lines = Vec::new();
    for (rule, name) in rules {
        for value in headers.get_all(name) {
            let text = value.to_str().ok()?;
            if !text.is_empty() {
                lines.push((*rule, name, text));
            }
        }
    }
    Some(lines)
}

/// All lines of the headers of which one changes.
fn rewritten(
    lines: &[Line<'_>],
    changes: impl Iterator<Item = Option<Change>>,
) -> Result<Vec<(HeaderName, Vec<HeaderValue>)>, SpellFault> {
    let mut headers: Vec<(HeaderName, Vec<HeaderValue>, bool)> = Vec::new();
    for ((_, name, value), change) in lines.iter().zip(changes) {
        // The lines of one header stand together.
        if headers.last().is_none_or(|(last, ..)| last != *name) {
            headers.push(((*name).clone(), Vec::new(), false));
        }
        let Some((_, all, changes_here)) = headers.last_mut() else {
            continue;
        };
        *changes_here |= change.is_some();
        let text = match change {
            None => (*value).to_owned(),
            Some(Change::Drop) => continue,
            Some(Change::Text(text)) => text,
        };
        let mut spelled = Vec::with_capacity(text.len());
        spell(&text, Spelling::Header, &mut spelled)?;
        all.push(HeaderValue::from_bytes(&spelled).map_err(|_| SpellFault::Character)?);
    }
    Ok(headers
        .into_iter()
        .filter(|(.., changed)| *changed)
        .map(|(name, values, _)| (name, values))
        .collect())
}
