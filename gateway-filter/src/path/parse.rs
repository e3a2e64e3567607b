//! Owns the reading of a JSONPath's text. What the filter can't follow is refused by name here,
//! when the settings load: never ignored.

use super::{Reach, SEGMENTS_MAX, Segment, Selector};

/// Largest index RFC 9535 §2.1 allows (I-JSON, 2^53 - 1).
const INDEX_MAX: u64 = (1 << 53) - 1;

/// A path that the filter can't follow, and where it stopped reading.
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
    #[error("expected `.name`, `['name']`, `[0]`, `[*]`, `.*` or `..name`")]
    Segment,
    /// Not a name.
    #[error("expected a name or `*`; write unusual names as ['name']")]
    Name,
    /// Not a selector within brackets.
    #[error("expected 'name', an index or `*`, then `]`")]
    Bracket,
    /// A quoted name that does not end or holds a wrong escape.
    #[error("the quoted name is not closed, or an escape in it is wrong")]
    Quoted,
    /// A number that is no index.
    #[error("an index is 0 to 2^53-1, without leading zeros")]
    Index,
    /// RFC 9535 has it, a single pass can't follow it.
    #[error("an index from the end is not supported; count from 0 or use [*]")]
    NegativeIndex,
    /// RFC 9535 has it, this filter does not.
    #[error("filters `[?...]` are not supported; select the field itself")]
    Filter,
    /// RFC 9535 has it, this filter does not.
    #[error("slices `[a:b]` are not supported; use [*]")]
    Slice,
    /// RFC 9535 has it, this filter does not.
    #[error("several selectors in one bracket are not supported; write one rule for each")]
    Union,
    /// Longer than the automaton.
    #[error("a path has at most {SEGMENTS_MAX} segments")]
    TooLong,
}

/// Reads the whole text.
pub(super) fn segments(text: &str) -> Result<Vec<Segment>, PathError> {
    let mut cursor = Cursor {
        chars: text.chars().collect(),
        at: 0,
    };
    read(&mut cursor).map_err(|fault| PathError {
        path: text.to_owned(),
        character: cursor.at + 1,
        fault,
    })
}

fn read(cursor: &mut Cursor) -> Result<Vec<Segment>, PathFault> {
    if !cursor.eat('$') {
        return Err(PathFault::NoRoot);
    }
    let mut segments = Vec::new();
    while cursor.peek().is_some() {
        cursor.skip_blank();
        if segments.len() == SEGMENTS_MAX {
            return Err(PathFault::TooLong);
        }
        segments.push(segment(cursor)?);
    }
    Ok(segments)
}

fn segment(cursor: &mut Cursor) -> Result<Segment, PathFault> {
    let dots = cursor.dots();
    let bracketed = dots != Dots::One && cursor.eat('[');
    let selector = match (&dots, bracketed) {
        (_, true) => bracket(cursor)?,
        (Dots::One | Dots::Two, false) => dotted(cursor)?,
        (Dots::None, false) => return Err(PathFault::Segment),
    };
    let reach = if dots == Dots::Two {
        Reach::Descendant
    } else {
        Reach::Child
    };
    Ok(Segment { reach, selector })
}

/// `name` or `*` after a dot (RFC 9535 §2.5.1.1, member-name-shorthand).
fn dotted(cursor: &mut Cursor) -> Result<Selector, PathFault> {
    if cursor.eat('*') {
        return Ok(Selector::Any);
    }
    let mut name = String::new();
    while let Some(next) = cursor.peek() {
        let fits = next.is_ascii_alphabetic()
            || next == '_'
            || !next.is_ascii()
            || (next.is_ascii_digit() && !name.is_empty());
        if !fits {
            break;
        }
        name.push(next);
        cursor.at += 1;
    }
    if name.is_empty() {
        Err(PathFault::Name)
    } else {
        Ok(Selector::Name(name))
    }
}

fn bracket(cursor: &mut Cursor) -> Result<Selector, PathFault> {
    cursor.skip_blank();
    let selector = match cursor.peek() {
        Some('*') => {
            cursor.at += 1;
            Selector::Any
        }
        Some(quote @ ('\'' | '"')) => {
            cursor.at += 1;
            Selector::Name(quoted(cursor, quote)?)
        }
        Some('0'..='9') => index(cursor)?,
        Some('-') => return Err(PathFault::NegativeIndex),
        Some('?') => return Err(PathFault::Filter),
        Some(':') => return Err(PathFault::Slice),
        _ => return Err(PathFault::Bracket),
    };
    cursor.skip_blank();
    match cursor.peek() {
        Some(']') => cursor.at += 1,
        Some(',') => return Err(PathFault::Union),
        Some(':') => return Err(PathFault::Slice),
        _ => return Err(PathFault::Bracket),
    }
    Ok(selector)
}

fn index(cursor: &mut Cursor) -> Result<Selector, PathFault> {
    let start = cursor.at;
    let mut index: u64 = 0;
    while let Some(digit) = cursor.peek().and_then(|next| next.to_digit(10)) {
        index = index.saturating_mul(10).saturating_add(u64::from(digit));
        cursor.at += 1;
    }
    let leading_zero = cursor.chars.get(start) == Some(&'0') && cursor.at - start > 1;
    if leading_zero || index > INDEX_MAX {
        return Err(PathFault::Index);
    }
    Ok(Selector::Index(index))
}

/// The rest of a quoted name (RFC 9535 §2.3.1.1).
fn quoted(cursor: &mut Cursor, quote: char) -> Result<String, PathFault> {
    let mut name = String::new();
    loop {
        match cursor.next().ok_or(PathFault::Quoted)? {
            end if end == quote => return Ok(name),
            '\\' => name.push(escape(cursor, quote)?),
            control if control < ' ' => return Err(PathFault::Quoted),
            plain => name.push(plain),
        }
    }
}

fn escape(cursor: &mut Cursor, quote: char) -> Result<char, PathFault> {
    Ok(match cursor.next().ok_or(PathFault::Quoted)? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        same @ ('/' | '\\') => same,
        same if same == quote => same,
        'u' => unicode(cursor)?,
        _ => return Err(PathFault::Quoted),
    })
}

fn unicode(cursor: &mut Cursor) -> Result<char, PathFault> {
    let first = hex4(cursor)?;
    let code = match first {
        0xD800..=0xDBFF => {
            let low = (cursor.eat('\\') && cursor.eat('u'))
                .then(|| hex4(cursor))
                .transpose()?
                .filter(|low| (0xDC00..=0xDFFF).contains(low))
                .ok_or(PathFault::Quoted)?;
            0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)
        }
        other => other,
    };
    char::from_u32(code).ok_or(PathFault::Quoted)
}

fn hex4(cursor: &mut Cursor) -> Result<u32, PathFault> {
    let mut code = 0;
    for _ in 0..4 {
        let digit = cursor
            .next()
            .and_then(|next| next.to_digit(16))
            .ok_or(PathFault::Quoted)?;
        code = code * 16 + digit;
    }
    Ok(code)
}

#[derive(PartialEq, Eq)]
enum Dots {
    None,
    One,
    Two,
}

struct Cursor {
    chars: Vec<char>,
    at: usize,
}

impl Cursor {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// Takes one dot, or two.
    fn dots(&mut self) -> Dots {
        match (self.eat('.'), self.peek()) {
            (true, Some('.')) => {
                self.at += 1;
                Dots::Two
            }
            (true, _) => Dots::One,
            (false, _) => Dots::None,
        }
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PathFault;
    use crate::path::Path;

    fn fault(text: &str) -> PathFault {
        text.parse::<Path>().expect_err(text).fault
    }

    #[test]
    fn what_the_filter_cannot_follow_is_refused_by_name() {
        assert_eq!(fault("a.b"), PathFault::NoRoot);
        assert_eq!(fault(""), PathFault::NoRoot);
        assert_eq!(fault("$x"), PathFault::Segment);
        assert_eq!(fault("$.a "), PathFault::Segment);
        assert_eq!(fault("$."), PathFault::Name);
        assert_eq!(fault("$.1a"), PathFault::Name);
        assert_eq!(fault("$..."), PathFault::Name);
        assert_eq!(fault("$.a-b"), PathFault::Segment);
        assert_eq!(fault("$[-1]"), PathFault::NegativeIndex);
        assert_eq!(fault("$[?@.a]"), PathFault::Filter);
        assert_eq!(fault("$[1:2]"), PathFault::Slice);
        assert_eq!(fault("$[:2]"), PathFault::Slice);
        assert_eq!(fault("$['a','b']"), PathFault::Union);
        assert_eq!(fault("$[01]"), PathFault::Index);
        assert_eq!(fault("$[9007199254740992]"), PathFault::Index);
        assert_eq!(fault("$['a"), PathFault::Quoted);
        assert_eq!(fault(r"$['\q']"), PathFault::Quoted);
        assert_eq!(fault(r"$['\ud800']"), PathFault::Quoted);
        assert_eq!(fault("$[a]"), PathFault::Bracket);
        assert_eq!(fault("$[0"), PathFault::Bracket);
        assert_eq!(fault(&format!("${}", ".a".repeat(64))), PathFault::TooLong);
    }

    #[test]
    fn every_spelling_of_one_path_is_the_same_selection() {
        let plain: Path = "$.a.b[0]".parse().unwrap();
        for spelling in [
            r"$['a']['b'][0]",
            r#"$["a"].b[ 0 ]"#,
            r"$['\u0061'].b[0]",
            "$ .a .b [0]",
        ] {
            assert!(
                plain.selects_same_as(&spelling.parse().unwrap()),
                "{spelling}"
            );
        }
        assert!(!plain.selects_same_as(&"$.a.b['0']".parse().unwrap()));
        assert!(!plain.selects_same_as(&"$.a..b[0]".parse().unwrap()));
    }
}
