//! Owns the reading of a JSONPath's text: segments and selectors (RFC 9535 §2.3, §2.5). What is not
//! well-formed or well-typed is refused when the settings load, and never ignored.

mod filter;
mod literal;
#[cfg(test)]
mod tests;

use super::SEGMENTS_MAX;
use super::cursor::Cursor;
use super::query::{From, Query, Reach, Segment, Selector};

/// Largest index RFC 9535 §2.1 allows (I-JSON, 2^53 - 1), and its negative the smallest.
const INDEX_MAX: i64 = (1 << 53) - 1;

/// A path that can't be read, and where reading stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`, character {character}: {fault}")]
pub struct PathError {
    path: String,
    character: usize,
    /// What is wrong there.
    pub fault: PathFault,
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// It does not start at the root.
    #[error("a path starts with `$`")]
    NoRoot,
    /// Something that no segment starts with.
    #[error("expected `.name`, `['name']`, `[0]`, `[*]`, `[?test]`, `.*` or `..name`")]
    Segment,
    /// Not a name.
    #[error("expected a name or `*`; write unusual names as ['name']")]
    Name,
    /// Not a selector within brackets.
    #[error("expected 'name', an index, a slice, `*` or `?test`, then `,` or `]`")]
    Bracket,
    /// A quoted text that does not end or holds a wrong escape.
    #[error("the quoted text is not closed, or an escape in it is wrong")]
    Quoted,
    /// A number that is no index.
    #[error("an index is within ±(2^53-1), without leading zeros")]
    Index,
    /// Not a filter's test.
    #[error("expected a test: a query, a comparison, a function, `!` or `(`")]
    Test,
    /// A literal alone, which tests nothing.
    #[error("a literal alone tests nothing: compare it")]
    LiteralAlone,
    /// Not a comparison's side.
    #[error("expected a literal, a query or a function to compare with")]
    Operand,
    /// A query that may yield several nodes where one value is needed.
    #[error("a comparison needs a query for one value: names and single indices only")]
    NotSingular,
    /// Not a number.
    #[error("not a number that JSON knows")]
    Number,
    /// Not a function of RFC 9535.
    #[error("the functions are length, count, match, search and value")]
    Function,
    /// Arguments that the function does not take.
    #[error("the function does not take these arguments")]
    Arguments,
    /// A function's result used as what it is not.
    #[error("length, count and value yield a value to compare; match and search yield a test")]
    FunctionType,
    /// Not a regular expression of RFC 9485, or one that is too large.
    #[error("the pattern is no I-Regexp (RFC 9485), or too large")]
    Pattern,
    /// Filters and brackets within each other.
    #[error("filters and parentheses are nested too deeply")]
    TooDeep,
    /// Longer than a path may be.
    #[error("a path has at most {SEGMENTS_MAX} segments")]
    TooLong,
}

/// Reads the whole text.
pub(super) fn query(text: &str) -> Result<Query, PathError> {
    let mut reader = Reader {
        cursor: Cursor::new(text),
        depth: 0,
    };
    reader.whole().map_err(|fault| PathError {
        path: text.to_owned(),
        character: reader.cursor.at + 1,
        fault,
    })
}

struct Reader {
    cursor: Cursor,
    /// How many filters and parentheses are open.
    depth: usize,
}

impl Reader {
    fn whole(&mut self) -> Result<Query, PathFault> {
        if !self.cursor.eat('$') {
            return Err(PathFault::NoRoot);
        }
        let segments = self.segments()?;
        if self.cursor.peek().is_some() {
            return Err(PathFault::Segment);
        }
        Ok(Query {
            from: From::Root,
            segments,
        })
    }

    /// All segments from here on. White space belongs to a segment only where one follows.
    fn segments(&mut self) -> Result<Vec<Segment>, PathFault> {
        let mut segments = Vec::new();
        loop {
            let before = self.cursor.at;
            self.cursor.skip_blank();
            if !matches!(self.cursor.peek(), Some('.' | '[')) {
                self.cursor.at = before;
                return Ok(segments);
            }
            if segments.len() == SEGMENTS_MAX {
                return Err(PathFault::TooLong);
            }
            segments.push(self.segment()?);
        }
    }

    fn segment(&mut self) -> Result<Segment, PathFault> {
        let reach = if self.cursor.eat_all("..") {
            Reach::Descendant
        } else {
            Reach::Child
        };
        let dotted = reach == Reach::Descendant || self.cursor.eat('.');
        let bracketed = (reach == Reach::Descendant || !dotted) && self.cursor.eat('[');
        let selectors = if bracketed {
            self.bracket()?
        } else {
            vec![self.shorthand()?]
        };
        Ok(Segment { reach, selectors })
    }

    /// `name` or `*` after a dot (RFC 9535 §2.5.1.1, member-name-shorthand).
    fn shorthand(&mut self) -> Result<Selector, PathFault> {
        if self.cursor.eat('*') {
            return Ok(Selector::Any);
        }
        let first = |next: char| next.is_ascii_alphabetic() || next == '_' || !next.is_ascii();
        if !self.cursor.peek().is_some_and(first) {
            return Err(PathFault::Name);
        }
        let name = self
            .cursor
            .take_while(|next| first(next) || next.is_ascii_digit());
        Ok(Selector::Name(name))
    }

    fn bracket(&mut self) -> Result<Vec<Selector>, PathFault> {
        let mut selectors = Vec::new();
        loop {
            self.cursor.skip_blank();
            selectors.push(self.selector()?);
            self.cursor.skip_blank();
            if self.cursor.eat(']') {
                return Ok(selectors);
            }
            if !self.cursor.eat(',') {
                return Err(PathFault::Bracket);
            }
        }
    }

    fn selector(&mut self) -> Result<Selector, PathFault> {
        match self.cursor.peek() {
            Some('*') => {
                self.cursor.at += 1;
                Ok(Selector::Any)
            }
            Some('\'' | '"') => Ok(Selector::Name(literal::quoted(&mut self.cursor)?)),
            Some('?') => {
                self.cursor.at += 1;
                self.cursor.skip_blank();
                Ok(Selector::Filter(self.test()?))
            }
            Some('0'..='9' | '-' | ':') => self.index_or_slice(),
            _ => Err(PathFault::Bracket),
        }
    }

    fn index_or_slice(&mut self) -> Result<Selector, PathFault> {
        let start = self.bound()?;
        let before = self.cursor.at;
        self.cursor.skip_blank();
        if !self.cursor.eat(':') {
            self.cursor.at = before;
            return start.map(Selector::Index).ok_or(PathFault::Bracket);
        }
        self.cursor.skip_blank();
        let end = self.bound()?;
        self.cursor.skip_blank();
        let mut step = None;
        if self.cursor.eat(':') {
            self.cursor.skip_blank();
            step = self.bound()?;
        }
        Ok(Selector::Slice {
            start,
            end,
            step: step.unwrap_or(1),
        })
    }

    /// An integer, where one stands here.
    fn bound(&mut self) -> Result<Option<i64>, PathFault> {
        if !matches!(self.cursor.peek(), Some('0'..='9' | '-')) {
            return Ok(None);
        }
        let negative = self.cursor.eat('-');
        let digits = self.cursor.take_while(|next| next.is_ascii_digit());
        let leading_zero = digits.starts_with('0') && (digits.len() > 1 || negative);
        let size = digits
            .parse()
            .ok()
            .filter(|size: &i64| *size <= INDEX_MAX && !leading_zero)
            .ok_or(PathFault::Index)?;
        Ok(Some(if negative { -size } else { size }))
    }
}
