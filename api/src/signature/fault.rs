//! Why a signature can't be read, or does not say enough. No text repeats what was sent.

/// Why a signature was refused before any key was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// A field is not a dictionary in the form that RFC 9651 section 4.1 writes: spaces, repeated names, other types.
    #[error(
        "`signature-input` or `signature` is missing, repeats a name, or is not a dictionary in its canonical form (RFC 9421 section 4)"
    )]
    Syntax,
    /// Labels of one field have no partner in the other.
    #[error(
        "each label of `signature-input` needs one of the same name in `signature`, and the other way round"
    )]
    Labels,
    /// More components, or more signatures, than are looked at.
    #[error(
        "a message has at most {} signatures, each over at most {} components",
        super::input::SIGNATURES_MAX,
        super::input::COMPONENTS_MAX
    )]
    TooMany,
    /// A component's name or parameter means nothing here.
    #[error(
        "a covered component is not known, is not of this kind of message, or has a parameter that is not supported (`req`, `tr`, `sf` of unknown fields)"
    )]
    Component,
    /// A component is covered twice.
    #[error("a component is covered twice")]
    Repeated,
    /// A covered component is not in the message, or can't be told apart in it.
    #[error(
        "a covered component is absent from the message, repeated in it, or not of the covered form"
    )]
    Absent,
    /// A covered value has characters that no signature base may have.
    #[error("a covered value has characters beside visible ASCII: cover it with `;bs`")]
    Characters,
    /// The target can't be taken apart.
    #[error("the message's authority or target can't be used")]
    Target,
    /// A parameter is missing, or of another type than it has.
    #[error(
        "the signature needs the parameter `{0}`, in the type that RFC 9421 section 2.3 gives it"
    )]
    Parameter(&'static str),
    /// What must be covered is not.
    #[error("the signature must cover `{0}`")]
    Uncovered(&'static str),
    /// It was made in the future.
    #[error("the signature was created in the future: set the clock")]
    Early,
    /// Its time is over.
    #[error("the signature has expired: sign the request anew")]
    Expired,
    /// It would count for longer than signatures may.
    #[error(
        "the signature counts for longer than {0} s, or expires before it was created: choose a nearer `expires`"
    )]
    Lifetime(u64),
    /// The content digest is not a dictionary of byte sequences, or has neither SHA-256 nor SHA-512.
    #[error(
        "`content-digest` is not a dictionary in its canonical form with `sha-256` or `sha-512` (RFC 9530)"
    )]
    Digest,
}

impl SignatureFault {
    /// A stable code for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Syntax | Self::Labels | Self::TooMany => "signature-malformed",
            Self::Component | Self::Repeated | Self::Absent | Self::Characters | Self::Target => {
                "signature-component"
            }
            Self::Parameter(_) => "signature-parameter",
            Self::Uncovered(_) => "signature-coverage",
            Self::Early => "signature-early",
            Self::Expired => "signature-expired",
            Self::Lifetime(_) => "signature-lifetime",
            Self::Digest => "content-digest-invalid",
        }
    }
}
