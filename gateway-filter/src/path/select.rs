//! Owns the walk of a query over a tape, within a budget of steps: a path can't make one document
//! cost more than so many times its length.

use super::judge::Judge;
use super::query::{From, Query, Reach, Segment, Selector};
use crate::scan::Fault;
use crate::scan::tape::{Child, Kind, ROOT, Tape};

/// Steps that all rules of one document may take, for each record of its tape.
const STEPS_PER_RECORD: usize = 256;
/// And beside that, so that small documents may have filters that compare all with all.
const STEPS_ANYWAY: usize = 100_000;

/// How many steps are left.
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn of(tape: &Tape<'_>) -> Self {
        Self(
            tape.len()
                .saturating_mul(STEPS_PER_RECORD)
                .saturating_add(STEPS_ANYWAY),
        )
    }

    #[inline]
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(steps).ok_or(Fault::TooCostly)?;
        Ok(())
    }
}

/// The selected nodes, each once, in the document's order.
pub(super) fn set(
    query: &Query,
    tape: &Tape<'_>,
    current: u32,
    budget: &mut Budget,
) -> Result<Vec<u32>, Fault> {
    let mut nodes = vec![start(query, current)];
    for segment in &query.segments {
        let mut walk = Walk::new(tape, budget);
        match (segment.reach, segment.selectors.as_slice()) {
            (Reach::Descendant, [Selector::Name(name)]) => walk.named_below(&nodes, name)?,
            (Reach::Descendant, _) => {
                for node in walk.below(&nodes) {
                    walk.take(segment, node)?;
                }
            }
            (Reach::Child, _) => {
                for node in nodes {
                    walk.take(segment, node)?;
                }
            }
        }
        nodes = walk.taken;
        if !nodes.is_sorted_by(|one, next| one < next) {
            nodes.sort_unstable();
            nodes.dedup();
        }
    }
    Ok(nodes)
}

/// The nodes as RFC 9535 lists them (§2.5): what is selected twice comes twice.
pub(super) fn list(
    query: &Query,
    tape: &Tape<'_>,
    current: u32,
    budget: &mut Budget,
) -> Result<Vec<u32>, Fault> {
    let mut nodes = vec![start(query, current)];
    for segment in &query.segments {
        let mut walk = Walk::new(tape, budget);
        for node in nodes {
            match segment.reach {
                Reach::Child => walk.take(segment, node)?,
                Reach::Descendant => {
                    for below in node..tape.next(node) {
                        walk.take(segment, below)?;
                    }
                }
            }
        }
        nodes = walk.taken;
    }
    Ok(nodes)
}

fn start(query: &Query, current: u32) -> u32 {
    match query.from {
        From::Root => ROOT,
        From::Current => current,
    }
}

struct Walk<'w, 'a> {
    tape: &'w Tape<'a>,
    budget: &'w mut Budget,
    taken: Vec<u32>,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(tape: &'w Tape<'a>, budget: &'w mut Budget) -> Self {
        Self {
            tape,
            budget,
            taken: Vec::new(),
        }
    }

    /// The nodes and all below them, each once; `nodes` are in the document's order.
    fn below(&self, nodes: &[u32]) -> Vec<u32> {
        let mut all = Vec::new();
        let mut covered = 0;
        for node in nodes {
            let end = self.tape.next(*node);
            all.extend((*node).max(covered)..end.max(covered));
            covered = covered.max(end);
        }
        all
    }

    /// The members of this name below the nodes: one look at each record.
    fn named_below(&mut self, nodes: &[u32], name: &str) -> Result<(), Fault> {
        let mut covered = 0;
        for node in nodes {
            let end = self.tape.next(*node);
            for record in (*node).max(covered)..end {
                self.budget.spend(1)?;
                let key = matches!(self.tape.kind(record), Kind::Key { .. });
                if key && self.tape.is_text(record, name) {
                    self.taken.push(record + 1);
                }
            }
            covered = covered.max(end);
        }
        Ok(())
    }

    fn take(&mut self, segment: &Segment, node: u32) -> Result<(), Fault> {
        let kind = self.tape.kind(node);
        self.budget.spend(1)?;
        if !matches!(kind, Kind::Array | Kind::Object) {
            return Ok(());
        }
        for selector in &segment.selectors {
            match (selector, kind) {
                (Selector::Name(name), Kind::Object) => self.member(node, name)?,
                (Selector::Any, _) => self.children(node, |_, _| Ok(true))?,
                (Selector::Index(index), Kind::Array) => self.element(node, *index)?,
                (Selector::Slice { start, end, step }, Kind::Array) => {
                    self.slice(node, (*start, *end, *step))?;
                }
                (Selector::Filter(test), _) => {
                    self.children(node, |walk, child| {
                        Judge::new(walk.tape, walk.budget).passes(test, child.node)
                    })?;
                }
                (Selector::Name(_) | Selector::Index(_) | Selector::Slice { .. }, _) => {}
            }
        }
        Ok(())
    }

    fn member(&mut self, node: u32, name: &str) -> Result<(), Fault> {
        for child in self.tape.children(node) {
            self.budget.spend(1)?;
            if child.key.is_some_and(|key| self.tape.is_text(key, name)) {
                self.taken.push(child.node);
                break;
            }
        }
        Ok(())
    }

    fn children(
        &mut self,
        node: u32,
        wanted: impl Fn(&mut Self, Child) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let tape = self.tape;
        for child in tape.children(node) {
            self.budget.spend(1)?;
            if wanted(self, child)? {
                self.taken.push(child.node);
            }
        }
        Ok(())
    }

    fn count(&mut self, node: u32) -> Result<i64, Fault> {
        let count = self.tape.children(node).count();
        self.budget.spend(count)?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn element(&mut self, node: u32, index: i64) -> Result<(), Fault> {
        let index = if index < 0 {
            index + self.count(node)?
        } else {
            index
        };
        if let Ok(index) = usize::try_from(index) {
            let found = self.tape.children(node).nth(index);
            self.taken.extend(found.map(|child| child.node));
            self.budget.spend(index.min(self.tape.len()))?;
        }
        Ok(())
    }

    /// RFC 9535 §2.3.4.2.2.
    fn slice(
        &mut self,
        node: u32,
        (start, end, step): (Option<i64>, Option<i64>, i64),
    ) -> Result<(), Fault> {
        if step == 0 {
            return Ok(());
        }
        let length = self.count(node)?;
        let elements: Vec<u32> = self.tape.children(node).map(|child| child.node).collect();
        let from_the_end = |bound: i64| if bound < 0 { bound + length } else { bound };
        let (first, last) = if step > 0 {
            (
                from_the_end(start.unwrap_or(0)).clamp(0, length),
                from_the_end(end.unwrap_or(length)).clamp(0, length),
            )
        } else {
            let end = end.map_or(-1, |end| from_the_end(end).clamp(-1, length - 1));
            let start = start.map_or(length - 1, from_the_end);
            (start.clamp(-1, length - 1), end)
        };
        let mut at = first;
        while (step > 0 && at < last) || (step < 0 && at > last) {
            self.budget.spend(1)?;
            let element = usize::try_from(at).ok().and_then(|at| elements.get(at));
            self.taken.extend(element);
            at += step;
        }
        Ok(())
    }
}
