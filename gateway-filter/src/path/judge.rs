//! Owns the truth of a filter's test at one node (RFC 9535 §2.3.5.2): existence, comparisons, and
//! the five functions (§2.4).

use std::borrow::Cow;

use super::iregexp::Pattern;
use super::query::{Comparison, Extent, MatchPattern, Operand, Query, Test};
use super::select::{self, Budget};
use crate::scan::Fault;
use crate::scan::tape::{Kind, Tape};

/// What compiling a pattern that stands in the document costs, in steps.
const PATTERN_STEPS: usize = 2_000;

/// How much of a text one step reads.
const BYTES_A_STEP: usize = 16;

/// One value; nothing is `None` around it.
enum Value<'v> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'v, str>),
    /// An array or object.
    Container(u32),
}

pub(super) struct Judge<'w, 'a> {
    tape: &'w Tape<'a>,
    budget: &'w mut Budget,
}

impl<'w, 'a> Judge<'w, 'a> {
    pub(super) fn new(tape: &'w Tape<'a>, budget: &'w mut Budget) -> Self {
        Self { tape, budget }
    }

    pub(super) fn passes(&mut self, test: &Test, node: u32) -> Result<bool, Fault> {
        self.budget.spend(1)?;
        match test {
            Test::Or(tests) => {
                for test in tests {
                    if self.passes(test, node)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Test::And(tests) => {
                for test in tests {
                    if !self.passes(test, node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Test::Not(test) => Ok(!self.passes(test, node)?),
            Test::Exists(query) => Ok(!self.nodes(query, node)?.is_empty()),
            Test::Compare(left, comparison, right) => {
                let left = self.value(left, node)?;
                let right = self.value(right, node)?;
                self.compare(left.as_ref(), *comparison, right.as_ref())
            }
            Test::Matches {
                text,
                pattern,
                extent,
            } => self.matches(text, pattern, *extent, node),
        }
    }

    fn nodes(&mut self, query: &Query, node: u32) -> Result<Vec<u32>, Fault> {
        select::list(query, self.tape, node, self.budget)
    }

    fn value<'v>(&mut self, operand: &'v Operand, node: u32) -> Result<Option<Value<'v>>, Fault>
    where
        'a: 'v,
    {
        Ok(match operand {
            Operand::Null => Some(Value::Null),
            Operand::Bool(bool) => Some(Value::Bool(*bool)),
            Operand::Number(number) => Some(Value::Number(*number)),
            Operand::Text(text) => Some(Value::Text(Cow::Borrowed(text))),
            Operand::Singular(query) | Operand::Value(query) => {
                match self.nodes(query, node)?.as_slice() {
                    [one] => Some(self.at(*one)?),
                    _ => None,
                }
            }
            Operand::Length(of) => match self.value(of, node)? {
                Some(Value::Text(text)) => Some(whole(text.chars().count())),
                Some(Value::Container(node)) => Some(whole(self.count(node)?)),
                _ => None,
            },
            Operand::Count(query) => Some(whole(self.nodes(query, node)?.len())),
        })
    }

    /// The value at a node; long ones cost more.
    fn at<'v>(&mut self, node: u32) -> Result<Value<'v>, Fault>
    where
        'a: 'v,
    {
        if !matches!(self.tape.kind(node), Kind::Array | Kind::Object) {
            self.budget
                .spend(self.tape.raw(node).len() / BYTES_A_STEP)?;
        }
        Ok(match self.tape.kind(node) {
            Kind::Null => Value::Null,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            // The grammar was checked; what f64 can't hold is infinite, and so unlike the others.
            Kind::Number => Value::Number(self.tape.raw(node).parse().unwrap_or(f64::NAN)),
            Kind::Text { .. } | Kind::Key { .. } => Value::Text(self.tape.text(node)),
            Kind::Array | Kind::Object => Value::Container(node),
        })
    }

    fn count(&mut self, node: u32) -> Result<usize, Fault> {
        let count = self.tape.children(node).count();
        self.budget.spend(count)?;
        Ok(count)
    }

    fn compare(
        &mut self,
        left: Option<&Value<'_>>,
        comparison: Comparison,
        right: Option<&Value<'_>>,
    ) -> Result<bool, Fault> {
        Ok(match comparison {
            Comparison::Equal => self.equal(left, right)?,
            Comparison::NotEqual => !self.equal(left, right)?,
            Comparison::Less => less(left, right),
            Comparison::Greater => less(right, left),
            Comparison::LessOrEqual => less(left, right) || self.equal(left, right)?,
            Comparison::GreaterOrEqual => less(right, left) || self.equal(left, right)?,
        })
    }

    fn equal(
        &mut self,
        left: Option<&Value<'_>>,
        right: Option<&Value<'_>>,
    ) -> Result<bool, Fault> {
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return Ok(left.is_none() && right.is_none()),
        };
        self.budget.spend(1)?;
        match (left, right) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
            (Value::Number(left), Value::Number(right)) => {
                Ok(left.partial_cmp(right) == Some(std::cmp::Ordering::Equal))
            }
            (Value::Text(left), Value::Text(right)) => Ok(left == right),
            (Value::Container(left), Value::Container(right)) => self.same(*left, *right),
            _ => Ok(false),
        }
    }

    /// Two containers; nested as deeply as the document at most.
    fn same(&mut self, left: u32, right: u32) -> Result<bool, Fault> {
        let keyed = self.tape.kind(left) == Kind::Object;
        if self.tape.kind(right) != self.tape.kind(left)
            || self.count(left)? != self.count(right)?
        {
            return Ok(false);
        }
        let tape = self.tape;
        let mut ordered = tape.children(right);
        for child in tape.children(left) {
            let twin = match child.key.filter(|_| keyed) {
                None => ordered.next(),
                Some(key) => {
                    let name = tape.text(key);
                    self.budget.spend(self.tape.children(right).count())?;
                    tape.children(right)
                        .find(|other| other.key.is_some_and(|key| tape.is_text(key, &name)))
                }
            };
            let Some(twin) = twin else { return Ok(false) };
            let (one, other) = (self.at(child.node)?, self.at(twin.node)?);
            if !self.equal(Some(&one), Some(&other))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn matches(
        &mut self,
        text: &Operand,
        pattern: &MatchPattern,
        extent: Extent,
        node: u32,
    ) -> Result<bool, Fault> {
        let Some(Value::Text(text)) = self.value(text, node)? else {
            return Ok(false);
        };
        self.budget.spend(text.len())?;
        match pattern {
            MatchPattern::Written(pattern) => Ok(pattern.takes(&text)),
            MatchPattern::Found(operand) => {
                let Some(Value::Text(found)) = self.value(operand, node)? else {
                    return Ok(false);
                };
                self.budget.spend(PATTERN_STEPS + found.len())?;
                Ok(Pattern::new(&found, extent).is_some_and(|pattern| pattern.takes(&text)))
            }
        }
    }
}

fn less(left: Option<&Value<'_>>, right: Option<&Value<'_>>) -> bool {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left < right,
        // By scalar values (RFC 9535 §2.3.5.2.2), which is the order of UTF-8's bytes.
        (Some(Value::Text(left)), Some(Value::Text(right))) => left < right,
        _ => false,
    }
}

fn whole<'v>(count: usize) -> Value<'v> {
    // Exact: counts of a document's parts stay far below 2^32.
    Value::Number(f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
}
