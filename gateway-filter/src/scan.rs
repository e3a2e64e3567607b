//! Owns the reading of a JSON body: one strict pass over its bytes (RFC 8259) that leaves a tape of
//! spans, no values. Yields the selected fields, or a fault with its position and never a value.

mod fault;
mod number;
mod string;
pub(crate) mod tape;
#[cfg(test)]
mod tests;
mod unique;

pub(crate) use fault::Places;
pub use fault::{Fault, Position, ScanError};

use crate::field::{Field, Spelling};
use crate::path::{Budget, Path};
use tape::{Kind, Tape};
use unique::Names;

/// How much of a document is read before it is refused.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Deepest nesting of arrays and objects.
    pub depth_max: usize,
    /// Most values in one document, counted before anything is kept of them.
    pub nodes_max: usize,
    /// Most selected fields in one document.
    pub fields_max: usize,
}

/// What a rule takes where its path leads, beside strings. `null` is nothing to take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing else: the message is refused.
    #[default]
    Text,
    /// Numbers too, and what takes a number's place must be one.
    Numbers,
    /// Numbers too, and a string takes their place.
    NumbersAsText,
    /// Whatever is there: it is dropped.
    All,
}

/// One rule's selection in a JSON document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// Position of the rule in its plan.
    pub(crate) rule: usize,
    pub(crate) path: Path,
    pub(crate) takes: Takes,
}

/// Reads the whole document and takes what `selections` select, in the document's order.
///
/// Duplicate keys are compared after their escapes are resolved: parsers disagree which of two
/// counts, so a second one would be a way around the rules.
pub(crate) fn scan<'a>(
    body: &'a [u8],
    selections: &[Selection],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    scan_some(body, selections, bounds).map(|(fields, _)| fields)
}

/// As [`scan`], and how many values there were.
pub(crate) fn scan_some<'a>(
    body: &'a [u8],
    selections: &[Selection],
    bounds: &Bounds,
) -> Result<(Vec<Field<'a>>, usize), ScanError> {
    let tape = Tape::read(body, bounds)?;
    let found = found(&tape, selections).map_err(|fault| ScanError::at(body, 0, fault))?;
    let mut fields = Vec::with_capacity(found.len().min(bounds.fields_max));
    let mut dropped_to = 0;
    for (node, index) in found {
        // What lies in a container that is dropped goes with it.
        if node < dropped_to {
            continue;
        }
        let selection = &selections[index];
        let place = tape.span(node).start;
        let fault = |fault| ScanError::at(body, place, fault);
        let Some(field) = field(&tape, node, selection).map_err(fault)? else {
            continue;
        };
        if fields.len() == bounds.fields_max {
            let fields_max = bounds.fields_max;
            return Err(fault(Fault::TooManyFields { fields_max }));
        }
        if selection.takes == Takes::All {
            dropped_to = tape.next(node);
        }
        fields.push(field);
    }
    Ok((fields, tape.values()))
}

/// The selected nodes in the document's order, each with the first selection that takes it.
fn found(tape: &Tape<'_>, selections: &[Selection]) -> Result<Vec<(u32, usize)>, Fault> {
    let mut budget = Budget::of(tape);
    let mut found: Vec<(u32, usize)> = Vec::new();
    for (index, selection) in selections.iter().enumerate() {
        let nodes = selection.path.select(tape, &mut budget)?;
        found.extend(nodes.into_iter().map(|node| (node, index)));
    }
    found.sort_unstable();
    found.dedup_by_key(|(node, _)| *node);
    Ok(found)
}

/// The field at a selected node, if there is anything to take.
fn field<'a>(
    tape: &Tape<'a>,
    node: u32,
    selection: &Selection,
) -> Result<Option<Field<'a>>, Fault> {
    let spelling = match (tape.kind(node), selection.takes) {
        (_, Takes::All) | (Kind::Text { .. }, _) | (Kind::Number, Takes::NumbersAsText) => {
            Spelling::JsonText
        }
        (Kind::Null, _) => return Ok(None),
        (Kind::Number, Takes::Numbers) => Spelling::JsonNumber,
        _ => {
            return Err(Fault::FieldNotAString {
                path: selection.path.as_str().to_owned(),
            });
        }
    };
    Ok(Some(Field {
        rule: selection.rule,
        span: tape.span(node),
        extent: tape.extent(node),
        value: tape.text(node),
        spelling,
    }))
}

pub(crate) struct Scanner<'a, 'b> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    tape: Tape<'a>,
    names: Names,
    bounds: &'b Bounds,
}

impl<'a, 'b> Scanner<'a, 'b> {
    /// The tape of a whole document.
    fn read(text: &'a str, bounds: &'b Bounds) -> Result<Tape<'a>, ScanError> {
        let mut scanner = Self {
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            tape: Tape::empty(text),
            names: Names::default(),
            bounds,
        };
        scanner
            .document()
            .map_err(|fault| ScanError::at(scanner.bytes, scanner.at, fault))?;
        Ok(scanner.tape)
    }

    fn document(&mut self) -> Result<(), Fault> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(Fault::TooLong);
        }
        self.skip_blank();
        self.value()?;
        self.skip_blank();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(Fault::Trailing)
        }
    }

    fn value(&mut self) -> Result<(), Fault> {
        if self.tape.values() == self.bounds.nodes_max {
            return Err(Fault::TooManyNodes {
                nodes_max: self.bounds.nodes_max,
            });
        }
        let start = self.at;
        let kind = match self.peek().ok_or(Fault::Truncated)? {
            b'"' => Kind::Text {
                escaped: self.string()?,
            },
            b'{' => return self.nested(Kind::Object, Self::object),
            b'[' => return self.nested(Kind::Array, Self::array),
            b't' => self.literal("true", Kind::True)?,
            b'f' => self.literal("false", Kind::False)?,
            b'n' => self.literal("null", Kind::Null)?,
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Kind::Number
            }
            _ => return Err(Fault::Value),
        };
        self.tape.leaf(start, self.at, kind);
        Ok(())
    }

    /// One container: recursion is bounded by `depth_max`.
    fn nested(
        &mut self,
        kind: Kind,
        container: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.depth == self.bounds.depth_max {
            return Err(Fault::TooDeep {
                depth_max: self.bounds.depth_max,
            });
        }
        let node = self.tape.open(self.at);
        self.depth += 1;
        self.at += 1;
        self.skip_blank();
        container(self)?;
        self.depth -= 1;
        self.tape.close(node, self.at, kind);
        Ok(())
    }

    fn array(&mut self) -> Result<(), Fault> {
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self) -> Result<(), Fault> {
        if self.eat(b'}') {
            return Ok(());
        }
        let mut frame = self.names.enter();
        loop {
            let start = self.at;
            let key = self.key()?;
            if !self.names.insert(&mut frame, &self.tape, key) {
                self.at = start;
                return Err(Fault::DuplicateKey);
            }
            self.value()?;
            if self.ends(b'}')? {
                self.names.leave(&frame);
                return Ok(());
            }
        }
    }

    /// A member's name and the colon after it; yields the name's node.
    fn key(&mut self) -> Result<u32, Fault> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return Err(Fault::Key),
            None => return Err(Fault::Truncated),
        }
        let start = self.at;
        let escaped = self.string()?;
        let node = self.tape.key(start, self.at, Kind::Key { escaped });
        self.skip_blank();
        if !self.eat(b':') {
            return Err(self.unexpected(Fault::Colon));
        }
        self.skip_blank();
        Ok(node)
    }

    /// After a child: true at the container's end, false after a comma.
    fn ends(&mut self, close: u8) -> Result<bool, Fault> {
        self.skip_blank();
        if self.eat(close) {
            return Ok(true);
        }
        if !self.eat(b',') {
            return Err(self.unexpected(Fault::Separator));
        }
        self.skip_blank();
        Ok(false)
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<Kind, Fault> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(kind);
        }
        Err(Fault::Value)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(..=b' ')) && self.is_blank() {
            self.at += 1;
        }
    }

    fn is_blank(&self) -> bool {
        matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r'))
    }

    /// `fault`, or that the document ends here.
    fn unexpected(&self, fault: Fault) -> Fault {
        if self.at == self.bytes.len() {
            Fault::Truncated
        } else {
            fault
        }
    }
}
