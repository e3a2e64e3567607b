//! Owns the walk over a selector's characters.

/// A place in a text.
pub(crate) struct Cursor {
    chars: Vec<char>,
    pub(crate) at: usize,
}

impl Cursor {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            chars: text.chars().collect(),
            at: 0,
        }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    pub(crate) fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn eat_all(&mut self, wanted: &str) -> bool {
        let found = self.chars[self.at..]
            .iter()
            .copied()
            .take(wanted.len())
            .eq(wanted.chars());
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// As long as the characters fit.
    pub(crate) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek().filter(|next| fits(*next)) {
            taken.push(next);
            self.at += 1;
        }
        taken
    }

    pub(crate) fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }
}
