//! Values and tokens in memory: they can't be printed, copied or serialised, and are wiped on drop.

use zeroize::Zeroizing;

/// A citizen's value, as it came or as it was opened. UTF-8.
///
/// No `Debug`, `Display`, `Clone` or `Serialize` (invariant 11); the bytes are zeroized on drop (12).
pub struct Plaintext(Zeroizing<String>);

impl Plaintext {
    /// Takes a value over.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. Whoever calls this must not let it outlive the answer.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A token's text. Not derived from any value, yet a bearer of access: it stays out of logs too.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    /// Longest token the vault makes or looks up, in bytes.
    pub const BYTES_MAX: usize = 256;

    /// Takes a token's text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The token's text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A ticket's text: whoever has it, and is the unit that it names, gets values once.
pub struct TicketText(Zeroizing<String>);

impl TicketText {
    /// Takes a ticket's text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The ticket's text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// An access token that was made here: whoever has it, and what it is bound to, is its unit for a while.
pub struct AccessTokenText(Zeroizing<String>);

impl AccessTokenText {
    /// Takes an access token's text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The access token's text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
