//! A token request's body: `application/x-www-form-urlencoded`, each parameter once (RFC 6749 section 3.2).

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// Most parameters of a request.
const PARAMETERS_MAX: usize = 32;

/// Parameters by name. Their texts may be tokens: they are wiped, and never shown.
pub(super) struct Form(BTreeMap<String, Zeroizing<String>>);

/// Why a body is no form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FormFault {
    /// It is not encoded as one, or has too many parameters.
    Encoding,
    /// A parameter stands twice.
    Twice,
}

impl Form {
    /// Reads a body. A parameter without a value counts as absent (RFC 6749 section 3.2).
    pub(super) fn parse(body: &[u8]) -> Result<Self, FormFault> {
        let text = std::str::from_utf8(body).map_err(|_| FormFault::Encoding)?;
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?.to_string();
            if parameters.len() >= PARAMETERS_MAX {
                return Err(FormFault::Encoding);
            }
            if parameters.insert(name, decoded(value)?).is_some() {
                return Err(FormFault::Twice);
            }
        }
        parameters.retain(|_, value| !value.is_empty());
        Ok(Self(parameters))
    }

    /// A parameter's value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// Whether a parameter stands there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

fn decoded(text: &str) -> Result<Zeroizing<String>, FormFault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit(), digit());
                let value = high.zip(low).map(|(high, low)| high * 16 + low);
                let value = value.and_then(|value| u8::try_from(value).ok());
                value.ok_or(FormFault::Encoding)?
            }
            byte => byte,
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| FormFault::Encoding)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_stand_once() {
        let body = b"grant_type=urn%3Aietf%3Aparams&scope=a+b%2Bc&empty=&flag";
        let form = Form::parse(body).unwrap();
        assert_eq!(form.value("grant_type"), Some("urn:ietf:params"));
        assert_eq!(form.value("scope"), Some("a b+c"));
        assert!(!form.has("empty") && !form.has("flag") && !form.has("other"));
        for (body, fault) in [
            ("a=1&a=2", FormFault::Twice),
            ("a=&a=2", FormFault::Twice),
            ("a=1&%61=2", FormFault::Twice),
            ("a=%", FormFault::Encoding),
            ("a=%4", FormFault::Encoding),
            ("a=%zz", FormFault::Encoding),
            ("a=%ff", FormFault::Encoding),
        ] {
            assert_eq!(Form::parse(body.as_bytes()).err(), Some(fault), "{body}");
        }
        let many: Vec<String> = (0..40).map(|number| format!("p{number}=1")).collect();
        let many = many.join("&");
        assert_eq!(
            Form::parse(many.as_bytes()).err(),
            Some(FormFault::Encoding)
        );
    }
}
