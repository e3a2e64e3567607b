//! Owns what can be wrong with a body, and where. Neither a value nor a key is in it.

use std::fmt;

use crate::body::csv::CsvFault;
use crate::body::form::FormFault;
use crate::body::multipart::MultipartFault;
use crate::body::xml::XmlFault;

/// A body that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} ({position})")]
pub struct ScanError {
    /// What is wrong.
    pub fault: Fault,
    /// Where reading stopped.
    pub position: Position,
}

impl ScanError {
    pub(crate) fn at(body: &[u8], offset: usize, fault: Fault) -> Self {
        Self {
            fault,
            position: Position::of(body, offset),
        }
    }
}

/// A place in a body. Lines and columns count from 1, the offset from 0; columns are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Byte within the line, from 1.
    pub column: usize,
    /// Byte within the body, from 0.
    pub offset: usize,
}

impl Position {
    fn of(body: &[u8], offset: usize) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let line = 1 + before
            .split(|byte| *byte == b'\n')
            .count()
            .saturating_sub(1);
        Self {
            line,
            column: before.len() - line_start + 1,
            offset: before.len(),
        }
    }
}

/// Places of one body, asked for in its order: each byte is looked at once.
pub(crate) struct Places<'a> {
    body: &'a [u8],
    last: Position,
}

impl<'a> Places<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            last: Position::of(body, 0),
        }
    }

    pub(crate) fn of(&mut self, offset: usize) -> Position {
        let between = self.body.get(self.last.offset..offset).unwrap_or_default();
        for byte in between {
            if *byte == b'\n' {
                self.last.line += 1;
                self.last.column = 0;
            }
            self.last.column += 1;
        }
        self.last.offset += between.len();
        self.last
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}, byte {}",
            self.line, self.column, self.offset
        )
    }
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The document ends too early.
    #[error("the JSON document ends too early")]
    Truncated,
    /// Bytes after the document.
    #[error("something follows the JSON document")]
    Trailing,
    /// No JSON value starts here.
    #[error("expected a JSON value")]
    Value,
    /// No object key here.
    #[error("expected an object key in double quotes")]
    Key,
    /// No colon after a key.
    #[error("expected ':' after an object key")]
    Colon,
    /// Neither a comma nor the container's end.
    #[error("expected ',' or the end of the array or object")]
    Separator,
    /// A number that RFC 8259 does not know.
    #[error("not a JSON number")]
    Number,
    /// A raw control character within a string.
    #[error("a control character in a string must be escaped")]
    Control,
    /// An unknown escape.
    #[error("not a JSON escape")]
    Escape,
    /// Half of a surrogate pair.
    #[error("an escape names half of a surrogate pair")]
    LoneSurrogate,
    /// One key twice in an object, however it is spelled.
    #[error("an object has the same key twice")]
    DuplicateKey,
    /// Nested too deeply.
    #[error("the document is nested deeper than {depth_max} levels")]
    TooDeep {
        /// The limit.
        depth_max: usize,
    },
    /// Too many values.
    #[error("the document has more than {nodes_max} values")]
    TooManyNodes {
        /// The limit.
        nodes_max: usize,
    },
    /// Too many selected fields.
    #[error("the document has more than {fields_max} fields to replace")]
    TooManyFields {
        /// The limit.
        fields_max: usize,
    },
    /// A selected segment of the path that can be read in two ways.
    #[error("a segment of the path can be read in more than one way")]
    Segment,
    /// A form or a query that can't be read.
    #[error(transparent)]
    Form(FormFault),
    /// A CSV body that can't be read.
    #[error(transparent)]
    Csv(CsvFault),
    /// A multipart body that can't be read.
    #[error(transparent)]
    Multipart(MultipartFault),
    /// An XML body that can't be read.
    #[error(transparent)]
    Xml(XmlFault),
    /// A rule's path asks for more work than one document is worth.
    #[error("selecting the fields takes more steps than a document may cost: simplify the path")]
    TooCostly,
    /// Longer than places on the tape can say.
    #[error("the document is 4 GiB or longer")]
    TooLong,
    /// A selected field holds something else than a string or null.
    #[error("the field at {path} must be a string")]
    FieldNotAString {
        /// The rule's path, as the settings spell it.
        path: String,
    },
}
