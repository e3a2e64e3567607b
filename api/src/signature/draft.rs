//! The signer's side: a signature that is still to be made.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::component::Component;
use super::fault::SignatureFault;
use super::message::Message;
use super::structured;

/// What will be signed, and what the signature will say of itself. Parameters stand in the order of the calls.
#[derive(Clone, Debug)]
pub struct Draft {
    components: Vec<String>,
    parameters: String,
}

/// The two fields to add to the message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignatureFields {
    /// `Signature-Input`.
    pub input: String,
    /// `Signature`.
    pub signature: String,
}

impl Draft {
    /// Over these components: names alone (`@method`), or identifiers with parameters (`"@query-param";name="id"`).
    pub fn covering(components: &[&str]) -> Self {
        Self {
            components: components.iter().map(|name| (*name).to_owned()).collect(),
            parameters: String::new(),
        }
    }

    /// Made at this second since 1970.
    #[must_use]
    pub fn created(self, seconds: u64) -> Self {
        self.with("created", &seconds.to_string())
    }

    /// Counts until this second since 1970.
    #[must_use]
    pub fn expires(self, seconds: u64) -> Self {
        self.with("expires", &seconds.to_string())
    }

    /// With what makes it one of a kind.
    #[must_use]
    pub fn nonce(self, nonce: &str) -> Self {
        self.with("nonce", &quoted(nonce))
    }

    /// Under this key.
    #[must_use]
    pub fn keyid(self, keyid: &str) -> Self {
        self.with("keyid", &quoted(keyid))
    }

    /// By this algorithm, as RFC 9421 section 6.2 names it.
    #[must_use]
    pub fn alg(self, alg: &str) -> Self {
        self.with("alg", &quoted(alg))
    }

    /// For this application.
    #[must_use]
    pub fn tag(self, tag: &str) -> Self {
        self.with("tag", &quoted(tag))
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        // Writing into a text never fails.
        let _ = write!(self.parameters, ";{name}={value}");
        self
    }

    /// Signs the message under the label `sig1`. Words that no field may carry are refused.
    pub fn signed(
        &self,
        message: &Message<'_>,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<SignatureFields, SignatureFault> {
        let unsigned = self.base(message)?;
        let signature = sign(unsigned.base().as_bytes());
        Ok(unsigned.signed(&signature))
    }

    /// What is to be signed, for a key that is elsewhere.
    pub fn base(&self, message: &Message<'_>) -> Result<UnsignedBase, SignatureFault> {
        let components = self.components.iter().map(|text| Component::parse(text));
        let components: Vec<Component> = components.collect::<Result<_, _>>()?;
        let covered: Vec<&str> = components
            .iter()
            .map(|component| component.identifier.as_str())
            .collect();
        let written = format!("({}){}", covered.join(" "), self.parameters);
        let input = format!("{LABEL}={written}");
        structured::canonical_dictionary(&input).ok_or(SignatureFault::Syntax)?;
        let base = message.base(&components, &written)?;
        Ok(UnsignedBase { base, input })
    }
}

/// Labels say nothing (RFC 9421 section 4): this one is always taken.
const LABEL: &str = "sig1";

/// A signature base that waits for its signature.
pub struct UnsignedBase {
    base: String,
    input: String,
}

impl UnsignedBase {
    /// The bytes to sign (RFC 9421 section 2.5).
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The fields that carry the signature.
    pub fn signed(self, signature: &[u8]) -> SignatureFields {
        SignatureFields {
            input: self.input,
            signature: format!("{LABEL}=:{}:", STANDARD.encode(signature)),
        }
    }
}

/// RFC 9651 section 4.1.6. What can't stand in a string is found when the whole is read again.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
