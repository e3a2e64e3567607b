//! Owns the reading of a JSON body: one strict pass over its bytes (RFC 8259), no tree.
//! Yields the selected fields, or a fault with its position and never a value.

mod fault;
mod number;
mod string;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;

pub use fault::{Fault, Position, ScanError};

use crate::field::Field;
use crate::path::{Path, Progress, Step};

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

/// Reads the whole document and takes the strings that `paths` select, in the document's order.
///
/// Duplicate keys are compared after their escapes are resolved: parsers disagree which of two
/// counts, so a second one would be a way around the rules.
pub(crate) fn scan<'a>(
    body: &'a [u8],
    paths: &[Path],
    bounds: &Bounds,
) -> Result<Vec<Field<'a>>, ScanError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ScanError::at(body, error.valid_up_to(), Fault::NotUtf8))?;
    let mut scanner = Scanner {
        text,
        at: 0,
        depth: 0,
        nodes: 0,
        fields: Vec::new(),
        paths,
        bounds,
    };
    scanner
        .document()
        .map_err(|fault| ScanError::at(body, scanner.at, fault))?;
    Ok(scanner.fields)
}

struct Scanner<'a, 'p> {
    text: &'a str,
    at: usize,
    depth: usize,
    nodes: usize,
    fields: Vec<Field<'a>>,
    paths: &'p [Path],
    bounds: &'p Bounds,
}

impl<'a> Scanner<'a, '_> {
    fn document(&mut self) -> Result<(), Fault> {
        self.skip_blank();
        self.value(&vec![Progress::ROOT; self.paths.len()])?;
        self.skip_blank();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Fault::Trailing)
        }
    }

    fn value(&mut self, progress: &[Progress]) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > self.bounds.nodes_max {
            return Err(Fault::TooManyNodes {
                nodes_max: self.bounds.nodes_max,
            });
        }
        let first = self.peek().ok_or(Fault::Truncated)?;
        if first == b'"' {
            return self.text_value(progress);
        }
        if let (Some(rule), true) = (self.rule(progress), first != b'n') {
            return Err(Fault::FieldNotAString {
                path: self.paths[rule].as_str().to_owned(),
            });
        }
        match first {
            b'{' => self.nested(|scanner| scanner.object(progress)),
            b'[' => self.nested(|scanner| scanner.array(progress)),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(Fault::Value),
        }
    }

    /// The first rule that selects the place.
    fn rule(&self, progress: &[Progress]) -> Option<usize> {
        self.paths
            .iter()
            .zip(progress)
            .position(|(path, at)| path.selects(*at))
    }

    fn text_value(&mut self, progress: &[Progress]) -> Result<(), Fault> {
        let start = self.at;
        let value = self.string()?;
        if let Some(rule) = self.rule(progress) {
            if self.fields.len() == self.bounds.fields_max {
                return Err(Fault::TooManyFields {
                    fields_max: self.bounds.fields_max,
                });
            }
            self.fields.push(Field {
                rule,
                span: start..self.at,
                value,
            });
        }
        Ok(())
    }

    /// One container: recursion is bounded by `depth_max`.
    fn nested(
        &mut self,
        container: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.depth == self.bounds.depth_max {
            return Err(Fault::TooDeep {
                depth_max: self.bounds.depth_max,
            });
        }
        self.depth += 1;
        self.at += 1;
        self.skip_blank();
        container(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, progress: &[Progress]) -> Result<(), Fault> {
        let mut child = vec![Progress::LOST; progress.len()];
        let mut index = 0;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.step(progress, Step::Index(index), &mut child);
            self.value(&child)?;
            index += 1;
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    fn object(&mut self, progress: &[Progress]) -> Result<(), Fault> {
        let mut child = vec![Progress::LOST; progress.len()];
        let mut seen: HashSet<Cow<'a, str>> = HashSet::new();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let start = self.at;
            let key = self.key()?;
            self.step(progress, Step::Name(&key), &mut child);
            if !seen.insert(key) {
                self.at = start;
                return Err(Fault::DuplicateKey);
            }
            self.value(&child)?;
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// A member's name and the colon after it.
    fn key(&mut self) -> Result<Cow<'a, str>, Fault> {
        match self.peek() {
            Some(b'"') => {}
            Some(_) => return Err(Fault::Key),
            None => return Err(Fault::Truncated),
        }
        let key = self.string()?;
        self.skip_blank();
        if !self.eat(b':') {
            return Err(self.unexpected(Fault::Colon));
        }
        self.skip_blank();
        Ok(key)
    }

    fn step(&self, from: &[Progress], step: Step<'_>, to: &mut [Progress]) {
        for ((path, from), to) in self.paths.iter().zip(from).zip(to) {
            *to = path.step(*from, step);
        }
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

    fn literal(&mut self, word: &str) -> Result<(), Fault> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(Fault::Value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// `fault`, or that the document ends here.
    fn unexpected(&self, fault: Fault) -> Fault {
        if self.at == self.text.len() {
            Fault::Truncated
        } else {
            fault
        }
    }
}
