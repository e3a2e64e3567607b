//! What a unit gets back for a token.

use std::fmt;

/// The closed set of views, strongest first. A denial is not a view.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum View {
    /// The value itself.
    Plain,
    /// The value under its class's mask.
    Masked,
    /// The token: the unit may know the class, and nothing of the value.
    Token,
}

impl View {
    /// Every view, strongest first: the order in which policy is asked.
    pub const STRONGEST_FIRST: [Self; 3] = [Self::Plain, Self::Masked, Self::Token];

    /// The word used in the API and in policy tests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Masked => "masked",
            Self::Token => "token",
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
