//! The source tree, read once, and each file taken apart into code, comments and literals.

use std::path::Path;
use std::sync::LazyLock;

/// A file of the tree, taken apart: what of it is code, what comment, what text of a literal.
pub struct Source {
    pub path: String,
    pub text: String,
    /// Code by line; comments and literals are blank.
    pub code: Vec<String>,
    /// Comments by line; all else is blank.
    pub comments: Vec<String>,
    /// String literals, with the index of the line on which each begins.
    pub literals: Vec<(usize, String)>,
    /// Which lines stand in a `#[cfg(test)]` item.
    pub test_item: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let parts = parts(text.as_bytes());
        let view = |wanted| -> Vec<String> {
            let keep = |(byte, part): (u8, &Part)| match byte {
                byte if *part == wanted || byte == b'\n' => byte,
                _ => b' ',
            };
            let bytes = text.bytes().zip(&parts).map(keep).collect();
            String::from_utf8(bytes)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect()
        };
        let code = view(Part::Code);
        let mut literals = Vec::new();
        let (mut at, mut line) = (0, 0);
        for run in parts.chunk_by(|left, right| left == right) {
            let text = &text[at..at + run.len()];
            if run[0] == Part::Literal {
                literals.push((line, text.to_owned()));
            }
            line += text.matches('\n').count();
            at += run.len();
        }
        let (comments, test_item) = (view(Part::Comment), test_items(&code));
        let (path, text) = (path.to_owned(), text.to_owned());
        Self {
            path,
            text,
            code,
            comments,
            literals,
            test_item,
        }
    }

    pub fn is_rust(&self) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|extension| extension == "rs")
    }

    /// A file of a `tests` folder, or a `tests.rs`.
    pub fn is_test_file(&self) -> bool {
        self.path.split(['/', '.']).any(|part| part == "tests")
    }

    pub fn is_test(&self, line: usize) -> bool {
        self.is_test_file() || self.test_item[line]
    }

    /// Whether the file is `home`, below the folder `home`, or of that file name.
    pub fn lives_in(&self, home: &str) -> bool {
        let below = self.path.strip_prefix(home);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == ".rs")
            || Path::new(&self.path)
                .file_name()
                .is_some_and(|name| name == home)
    }

    pub fn violation(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

/// What each byte of a Rust source is. The quotes of a literal count as code.
fn parts(bytes: &[u8]) -> Vec<Part> {
    let mut parts = vec![Part::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (part, start, end) = if rest.starts_with(b"//") {
            let length = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
            (Part::Comment, 0, length)
        } else if rest.starts_with(b"/*") {
            (Part::Comment, 0, block_comment(rest))
        } else if let Some((start, close)) = raw_string(rest) {
            (Part::Literal, start, find(rest, &close, start))
        } else if rest[0] == b'"' {
            (Part::Literal, 1, quoted(rest, b'"'))
        } else if rest[0] == b'\'' && is_character(rest) {
            (Part::Literal, 1, quoted(rest, b'\''))
        } else {
            at += 1;
            continue;
        };
        let end = end.min(rest.len());
        parts[at + start..at + end].fill(part);
        at += if part == Part::Comment { end } else { end + 1 };
    }
    parts
}

/// The end of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = match &rest[at..] {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            break;
        }
    }
    at
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> usize {
    let found = bytes[from..]
        .windows(wanted.len())
        .position(|window| window == wanted);
    found.map_or(bytes.len(), |position| from + position)
}

/// Where the text of a raw string that opens here begins, and what closes it.
fn raw_string(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    let prefix = usize::from(matches!(rest[0], b'b' | b'c'));
    let hashes = rest
        .get(prefix + 1..)?
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let start = prefix + 2 + hashes;
    (rest[prefix] == b'r' && rest.get(start - 1) == Some(&b'"'))
        .then(|| (start, [b"\"".as_slice(), &b"#".repeat(hashes)].concat()))
}

/// The closing quote of a literal with escapes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// Whether the quote opens a character, not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    let continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    let length = 1 + rest.iter().skip(2).take_while(continuation).count();
    rest.get(1) == Some(&b'\\') || rest.get(1 + length) == Some(&b'\'')
}

/// The lines of each `#[cfg(test)]` item, from its attribute to its `;` or closing brace.
fn test_items(code: &[String]) -> Vec<bool> {
    let mut marks = vec![false; code.len()];
    let mut line = 0;
    while line < code.len() {
        let first = line;
        line += 1;
        let Some(attribute) = code[first].find("#[cfg(test)]") else {
            continue;
        };
        let mut depth = 0_usize;
        let head = &code[first][attribute + "#[cfg(test)]".len()..];
        let rest = code[first + 1..].iter().map(String::as_str);
        'item: for (offset, text) in std::iter::once(head).chain(rest).enumerate() {
            marks[first + offset] = true;
            line = first + offset + 1;
            for character in text.chars() {
                depth = match character {
                    '{' => depth + 1,
                    '}' => depth.saturating_sub(1),
                    _ => depth,
                };
                if depth == 0 && matches!(character, '}' | ';') {
                    break 'item;
                }
            }
        }
    }
    marks
}

/// The files of the tree that rules read.
pub static TREE: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut sources = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if ["rs", "sql"].contains(&&*extension) || name == "Cargo.toml" {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_string_lossy();
                sources.push(Source::new(&path, &text));
            }
        }
    }
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    sources
});
