//! Why a value is not accepted, or no token is issued. Never holds the value.

/// Why a value is not accepted, or no token is issued. Never holds the value.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The value is not what its class expects.
    #[error("the value is not {expected}: {fault}")]
    ValueInvalid {
        /// What was expected, in words.
        expected: &'static str,
        /// What is wrong with it.
        fault: ValueFault,
    },
    /// The value has too many bytes.
    #[error("the value has more than {bytes_max} bytes")]
    ValueTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The format would keep too much of a value this short: too few tokens are left to draw from.
    #[error(
        "tokens of this format need values of {characters_min} characters or more: give the class \
        the opaque format"
    )]
    SpaceTooSmall {
        /// Characters that a value must have.
        characters_min: usize,
    },
    /// [`super::DRAWS_MAX`] draws met tokens that stand already. For the engine, which alone can see it.
    #[error("the format's free space is nearly used up: give the class the opaque format")]
    SpaceUsedUp,
    /// The source of randomness failed, or is stuck. Nothing was issued.
    #[error("the source of randomness failed: check the operating system")]
    NoRandomness,
}

/// What is wrong with a value: the first that was found. Says nothing of what stands in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueFault {
    /// Nothing is left of it without white space.
    #[error("it is empty")]
    Empty,
    /// A control character, a direction mark, a joiner, or another sign that can't be seen.
    #[error("it holds a character that can't be seen")]
    Hidden,
    /// Too few or too many characters.
    #[error("it is too short or too long")]
    Length,
    /// A character that no value of the kind has, or that stands in the wrong place.
    #[error("a character in it does not belong there")]
    Character,
    /// A number, code or name that nobody has assigned.
    #[error("it holds what nobody has assigned")]
    Unassigned,
    /// The check digit is another.
    #[error("its check digit is wrong")]
    CheckDigit,
    /// There is no such day.
    #[error("the calendar has no such day")]
    Calendar,
    /// It is a token, or looks like one of its class.
    #[error("it looks like a token")]
    Token,
}
