//! How values leave.

/// The form in which a unit gets values that it may see.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Delivery {
    /// In clear, inside the connection.
    #[default]
    Inline,
    /// Each sealed to the unit's own public key: who carries the answer can't read it.
    Sealed,
}

impl Delivery {
    /// The word used in the API and in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Sealed => "sealed",
        }
    }

    /// The delivery with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Inline, Self::Sealed]
            .into_iter()
            .find(|delivery| delivery.as_str() == word)
    }
}
