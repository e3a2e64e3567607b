//! Owns the making of keys and of what routes demand and make: `[[signing_key]]`, `[[route.verify]]`,
//! `[[route.sign]]` and `receipt` to [`Signing`].

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use api::signature::{Demands, is_component, is_of_request};

use super::raw_signing::{
    RawCode, RawSide, RawSign, RawSigningKey, RawVerify, skew_seconds, window_seconds,
};
use super::{SettingsError, sign_code};
use crate::error::Side;
use crate::sign::code::Code;
use crate::sign::signature::{Demanded, Made};
use crate::sign::{Algorithm, Holder, Key, Make, PublicKey, PublicKeyFault, Signing, Verify};

/// Longest time that a signature may count.
const LIFETIME_SECONDS_CEILING: u64 = 3_600;
/// Largest difference of clocks.
pub(super) const SKEW_SECONDS_CEILING: u64 = 300;

/// Headers that change on their way, or that the next hop writes anew: they can't be covered by what is made here.
const NOT_COVERED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "signature",
    "signature-input",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyFault {
    /// A name twice, or none, or none that a signature can name.
    #[error("`name` must be there, in visible ASCII, and differ from all others")]
    Name,
    /// Not an algorithm.
    #[error(
        "`alg` must be hmac-sha256, hmac-sha384, hmac-sha512, ed25519, ecdsa-p256-sha256, ecdsa-p384-sha384, rsa-pss-sha512 or rsa-v1_5-sha256"
    )]
    Algorithm,
    /// Who holds it?
    #[error("set one of `vault_key` and `public_key`")]
    Holder,
    /// The vault has no such kind.
    #[error("the vault has no keys of this `alg`: name a `public_key`")]
    NotInVault,
    /// A version of what?
    #[error("`version` is of a `vault_key`, and counts from 1")]
    Version,
    /// The file can't be read.
    #[error("`public_key` can't be read: {0}")]
    Unreadable(std::io::Error),
    /// The file is not the key.
    #[error("`public_key`: {0}")]
    PublicKey(#[from] PublicKeyFault),
}

/// What is wrong with a demand, or with a signature to make.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningRuleFault {
    /// No such key.
    #[error("there is no [[signing_key]] `{0}`")]
    Key(String),
    /// No key at all, or several for a code.
    #[error("`keys` must name at least one [[signing_key]]; with `sign_code` exactly one")]
    Keys,
    /// No such profile.
    #[error("there is no [[sign_code]] `{0}`")]
    Code(String),
    /// The key can't sign here.
    #[error("key `{0}` is a partner's public key: only the vault's keys sign")]
    Public(String),
    /// An algorithm that RFC 9421 does not have.
    #[error("key `{0}` has an algorithm that RFC 9421 does not have: use it with `sign_code`")]
    Unregistered(String),
    /// A component that can't be covered.
    #[error(
        "`{0}` can't be covered here: no component of this direction, or one that changes on its way"
    )]
    Component(String),
    /// A setting that means nothing there.
    #[error("`{0}` means nothing there, remove it")]
    Unused(&'static str),
    /// A number outside its range.
    #[error("`{key}` must be {min} to {max}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// Not `http` or `https`.
    #[error("`scheme` must be \"https\" or \"http\"")]
    Scheme,
    /// Only requests have a query, a method and a path.
    #[error("sign_code `{0}` takes the query, method or path: responses have none")]
    RequestOnly(String),
    /// Two signatures of one kind on one message.
    #[error("at most one RFC 9421 signature a direction is made")]
    Twice,
}

/// All keys and profiles.
pub(super) struct Shelf {
    keys: Vec<Arc<Key>>,
    codes: Vec<Arc<Code>>,
}

/// The files of partners' public keys.
pub(super) fn key_files(raw: &[RawSigningKey], folder: &FilePath) -> Vec<PathBuf> {
    let named = raw.iter().filter_map(|key| key.public_key.as_ref());
    named.map(|file| folder.join(file)).collect()
}

/// All keys and profiles of the settings.
pub(super) fn shelf(
    raw_keys: &[RawSigningKey],
    raw_codes: &[RawCode],
    folder: &FilePath,
) -> Result<Shelf, SettingsError> {
    let mut keys = Vec::with_capacity(raw_keys.len());
    for raw in raw_keys {
        let key = key(raw, folder, &keys).map_err(|fault| SettingsError::SigningKey {
            key: raw.name.clone(),
            fault,
        })?;
        keys.push(Arc::new(key));
    }
    let mut codes = Vec::with_capacity(raw_codes.len());
    for raw in raw_codes {
        let code = sign_code::code(raw, &codes).map_err(|fault| SettingsError::SignCode {
            code: raw.name.clone(),
            fault,
        })?;
        codes.push(Arc::new(code));
    }
    Ok(Shelf { keys, codes })
}

fn key(
    raw: &RawSigningKey,
    folder: &FilePath,
    earlier: &[Arc<Key>],
) -> Result<Key, SigningKeyFault> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let taken = earlier.iter().any(|key| key.name == raw.name);
    if raw.name.is_empty() || taken || !raw.name.bytes().all(plain) {
        return Err(SigningKeyFault::Name);
    }
    let algorithm = Algorithm::parse(&raw.alg).ok_or(SigningKeyFault::Algorithm)?;
    let holder = match (&raw.vault_key, &raw.public_key, raw.version) {
        (Some(_), None, Some(0)) | (None, _, Some(_)) => return Err(SigningKeyFault::Version),
        (Some(key), None, version) if !key.is_empty() => Holder::Vault {
            key: key.clone(),
            version,
        },
        (None, Some(_), None) if algorithm.is_shared() => {
            return Err(PublicKeyFault::Shared.into());
        }
        (None, Some(file), None) => {
            let pem = std::fs::read(folder.join(file)).map_err(SigningKeyFault::Unreadable)?;
            Holder::Public(PublicKey::read(algorithm, &pem)?)
        }
        _ => return Err(SigningKeyFault::Holder),
    };
    if matches!(holder, Holder::Vault { .. }) && algorithm.kind().is_none() {
        return Err(SigningKeyFault::NotInVault);
    }
    Ok(Key {
        name: raw.name.clone(),
        algorithm,
        holder,
    })
}

impl Shelf {
    /// What one direction of a route demands and makes.
    pub(super) fn signing(
        &self,
        side: Side,
        (verify, sign): (&[RawVerify], &[RawSign]),
        receipt: &[RawSide],
    ) -> Result<Signing, SigningRuleFault> {
        let here = |on: RawSide| match on {
            RawSide::Request => side == Side::Request,
            RawSide::Response => side == Side::Response,
        };
        let verify = verify.iter().filter(|rule| here(rule.on));
        let verify = verify.map(|rule| self.demand(side, rule));
        let made = sign.iter().filter(|rule| here(rule.on));
        let made: Vec<Make> = made
            .map(|rule| self.make(side, rule))
            .collect::<Result<_, _>>()?;
        let (codes, signatures): (Vec<Make>, Vec<Make>) = made
            .into_iter()
            .partition(|make| matches!(make, Make::Code(..)));
        if signatures.len() > 1 {
            return Err(SigningRuleFault::Twice);
        }
        Ok(Signing {
            verify: verify.collect::<Result<_, _>>()?,
            make: codes.into_iter().chain(signatures).collect(),
            receipt: receipt.iter().copied().any(here),
        })
    }

    fn demand(&self, side: Side, raw: &RawVerify) -> Result<Verify, SigningRuleFault> {
        let keys: Vec<Arc<Key>> = raw
            .keys
            .iter()
            .map(|name| self.key(name))
            .collect::<Result<_, _>>()?;
        if let Some(name) = &raw.sign_code {
            let unused = [
                ("covered", raw.covered.is_some()),
                ("lifetime_seconds_max", raw.lifetime_seconds_max.is_some()),
                ("skew_seconds", raw.skew_seconds.is_some()),
                ("scheme", raw.scheme.is_some()),
                ("tag", raw.tag.is_some()),
            ];
            unset(&unused)?;
            let [key] = keys.as_slice() else {
                return Err(SigningRuleFault::Keys);
            };
            return Ok(Verify::Code(self.code(side, name)?, key.clone()));
        }
        if keys.is_empty() {
            return Err(SigningRuleFault::Keys);
        }
        keys.iter().try_for_each(registered)?;
        for name in raw.covered.iter().flatten() {
            let whole = !name.contains('"') || is_of_request(name);
            if !whole || !is_component(name) || !is_of(side, name) {
                return Err(SigningRuleFault::Component(name.clone()));
            }
        }
        let demands = Demands {
            lifetime_seconds_max: within(
                "lifetime_seconds_max",
                raw.lifetime_seconds_max.unwrap_or_else(window_seconds),
                (1, LIFETIME_SECONDS_CEILING),
            )?,
            skew_seconds: within(
                "skew_seconds",
                raw.skew_seconds.unwrap_or_else(skew_seconds),
                (0, SKEW_SECONDS_CEILING),
            )?,
        };
        Ok(Verify::Http(Demanded {
            keys,
            covered: raw.covered.clone(),
            demands,
            scheme: scheme(raw.scheme.as_deref())?,
            tag: raw.tag.clone(),
        }))
    }

    fn make(&self, side: Side, raw: &RawSign) -> Result<Make, SigningRuleFault> {
        let key = self.key(&raw.key)?;
        if matches!(key.holder, Holder::Public(_)) {
            return Err(SigningRuleFault::Public(raw.key.clone()));
        }
        if let Some(name) = &raw.sign_code {
            let unused = [
                ("covered", raw.covered.is_some()),
                ("lifetime_seconds", raw.lifetime_seconds.is_some()),
                ("scheme", raw.scheme.is_some()),
                ("authority", raw.authority.is_some()),
                ("tag", raw.tag.is_some()),
            ];
            unset(&unused)?;
            return Ok(Make::Code(self.code(side, name)?, key));
        }
        registered(&key)?;
        let usual: &[&str] = match side {
            Side::Request => &["@method", "@target-uri", "content-type", "content-digest"],
            Side::Response => &["@status", "content-type", "content-digest"],
        };
        let covered = raw.covered.clone().unwrap_or_else(|| {
            let usual = usual.iter().copied();
            usual.map(str::to_owned).collect()
        });
        for name in &covered {
            if !is_component(name) || !is_of(side, name) || NOT_COVERED.contains(&name.as_str()) {
                return Err(SigningRuleFault::Component(name.clone()));
            }
        }
        Ok(Make::Http(Made {
            key,
            covered,
            lifetime_seconds: within(
                "lifetime_seconds",
                raw.lifetime_seconds.unwrap_or(60),
                (1, LIFETIME_SECONDS_CEILING),
            )?,
            scheme: scheme(raw.scheme.as_deref())?,
            authority: raw.authority.clone(),
            tag: raw.tag.clone(),
        }))
    }

    fn key(&self, name: &str) -> Result<Arc<Key>, SigningRuleFault> {
        let key = self.keys.iter().find(|key| key.name == name).cloned();
        key.ok_or_else(|| SigningRuleFault::Key(name.to_owned()))
    }

    fn code(&self, side: Side, name: &str) -> Result<Arc<Code>, SigningRuleFault> {
        let code = self.codes.iter().find(|code| code.name == name).cloned();
        let code = code.ok_or_else(|| SigningRuleFault::Code(name.to_owned()))?;
        if side == Side::Response && sign_code::is_of_requests(&code) {
            return Err(SigningRuleFault::RequestOnly(name.to_owned()));
        }
        Ok(code)
    }
}

/// Whether messages of this direction have such a component.
fn is_of(side: Side, name: &str) -> bool {
    if is_of_request(name) {
        return side == Side::Response;
    }
    match name.trim_start_matches('"').strip_prefix('@') {
        None => true,
        Some(rest) => rest.starts_with("status") == (side == Side::Response),
    }
}

fn registered(key: &Arc<Key>) -> Result<(), SigningRuleFault> {
    if key.algorithm.is_registered() {
        Ok(())
    } else {
        Err(SigningRuleFault::Unregistered(key.name.clone()))
    }
}

fn scheme(text: Option<&str>) -> Result<String, SigningRuleFault> {
    match text.unwrap_or("https") {
        known @ ("https" | "http") => Ok(known.to_owned()),
        _ => Err(SigningRuleFault::Scheme),
    }
}

fn unset(settings: &[(&'static str, bool)]) -> Result<(), SigningRuleFault> {
    match settings.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(SigningRuleFault::Unused(name)),
        None => Ok(()),
    }
}

fn within(key: &'static str, value: u64, (min, max): (u64, u64)) -> Result<u64, SigningRuleFault> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(SigningRuleFault::OutOfRange { key, min, max })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::Settings;

    const KEYS: &str = r#"
[[signing_key]]
name = "shared"
alg = "hmac-sha256"
vault_key = "k"
[[signing_key]]
name = "long"
alg = "hmac-sha512"
vault_key = "k"
"#;

    /// What the settings are refused with; nothing where they are not.
    fn refused(top: &str, route: &str) -> String {
        let text = format!(
            "[vault]\nurl = \"https://a:1\"\nca = \"c\"\n{top}\n{KEYS}\n[[route]]\nname = \"r\"\npath = \"/\"\ndomain = \"d\"\n{route}"
        );
        let read = Settings::parse(&text, Path::new("/nowhere"));
        read.map_or_else(|error| error.to_string(), |_| String::new())
    }

    fn code(more: &str) -> String {
        let more = format!("[[sign_code]]\nname = \"c\"\n{more}");
        refused(
            &more,
            "[[route.verify]]\nsign_code = \"c\"\nkeys = [\"shared\"]",
        )
    }

    #[test]
    fn keys_are_checked() {
        let key = |more: &str| refused(&format!("[[signing_key]]\n{more}"), "");
        assert_eq!(
            key("name = \"a\"\nalg = \"ed25519\"\nvault_key = \"k\"\nversion = 2"),
            ""
        );
        for (more, expected) in [
            (
                "name = \"a b\"\nalg = \"ed25519\"\nvault_key = \"k\"",
                "`name` must be there",
            ),
            (
                "name = \"a\"\nalg = \"md5\"\nvault_key = \"k\"",
                "`alg` must be",
            ),
            (
                "name = \"a\"\nalg = \"ed25519\"",
                "set one of `vault_key` and `public_key`",
            ),
            (
                "name = \"a\"\nalg = \"ed25519\"\nvault_key = \"k\"\nversion = 0",
                "counts from 1",
            ),
            (
                "name = \"a\"\nalg = \"rsa-pss-sha512\"\nvault_key = \"k\"",
                "no keys of this `alg`",
            ),
            (
                "name = \"a\"\nalg = \"hmac-sha256\"\npublic_key = \"f\"",
                "no public half",
            ),
            (
                "name = \"a\"\nalg = \"ed25519\"\npublic_key = \"f\"",
                "can't be read",
            ),
        ] {
            let text = key(more);
            assert!(text.contains(expected), "{more}: {text}");
        }
        let origin = |origin: &str| {
            let text = format!("log_origin = '{origin}'");
            refused(&text, "")
        };
        assert_eq!(origin("city.example/log"), "");
        assert!(origin("a\"b").contains("log_origin"));
    }

    #[test]
    fn demands_and_signatures_are_checked() {
        assert_eq!(refused("", "[[route.verify]]\nkeys = [\"shared\"]"), "");
        let of_request = "keys = [\"shared\"]\ncovered = [\"@status\", '\"@method\";req']";
        let answer = format!("[[route.verify]]\non = \"response\"\n{of_request}");
        assert_eq!(refused("", &answer), "");
        let answer = answer
            .replace("verify", "sign")
            .replace("keys = [\"shared\"]", "key = \"shared\"");
        assert_eq!(refused("", &answer), "");
        assert_eq!(refused("", "receipt = [\"request\", \"response\"]"), "");
        for (route, expected) in [
            (
                "[[route.verify]]\nkeys = []",
                "at least one [[signing_key]]",
            ),
            ("[[route.verify]]\nkeys = [\"x\"]", "no [[signing_key]] `x`"),
            (
                "[[route.verify]]\nkeys = [\"long\"]",
                "RFC 9421 does not have",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\nsign_code = \"x\"",
                "no [[sign_code]] `x`",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\ncovered = [\"@status\"]",
                "`@status` can't be covered",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\ncovered = [\"X\"]",
                "`X` can't be covered",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\nlifetime_seconds_max = 0",
                "must be 1 to 3600",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\nscheme = \"ftp\"",
                "`scheme` must be",
            ),
            (
                "[[route.verify]]\non = \"response\"\nkeys = [\"shared\"]\ncovered = [\"@method\"]",
                "`@method` can't",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\ncovered = ['\"@method\";req']",
                "`\"@method\";req` can't be covered",
            ),
            (
                "[[route.verify]]\non = \"response\"\nkeys = [\"shared\"]\ncovered = ['\"@status\";req']",
                "`\"@status\";req` can't be covered",
            ),
            (
                "[[route.verify]]\nkeys = [\"shared\"]\ncovered = ['\"x\";bs']",
                "`\"x\";bs` can't be covered",
            ),
            (
                "[[route.sign]]\nkey = \"shared\"\ncovered = [\"content-length\"]",
                "`content-length` can't",
            ),
            (
                "[[route.sign]]\nkey = \"shared\"\n[[route.sign]]\nkey = \"shared\"",
                "at most one",
            ),
            ("[[route.sign]]\nkey = \"long\"", "RFC 9421 does not have"),
        ] {
            let text = refused("", route);
            assert!(text.contains(expected), "{route}: {text}");
        }
    }

    #[test]
    fn profiles_are_checked() {
        let sorted = "profile = \"sorted-parameters\"\nheader = \"x-sign\"\n";
        assert_eq!(code(sorted), "");
        let stamp = "timestamp = { header = \"x-time\" }\n";
        let raw = "profile = \"raw-body\"\nheader = \"x-sign\"\n";
        let parts = "parts = [\"content\", \"timestamp\"]\n";
        assert_eq!(code(&format!("{raw}{stamp}{parts}joiner = \"\"")), "");
        assert_eq!(
            code(&format!(
                "{sorted}timestamp = {{ parameter = \"t\", unit = \"ms\" }}"
            )),
            ""
        );
        let methods = "parts = [\"method\", \"content\", \"timestamp\"]\n";
        for (more, expected) in [
            (
                "profile = \"raw-body\"".to_owned(),
                "exactly one of `header` and `parameter`",
            ),
            (
                "profile = \"raw-body\"\nparameter = \"s\"".to_owned(),
                "sorted-parameters",
            ),
            (
                "profile = \"raw-body\"\nheader = \"host\"".to_owned(),
                "means something else",
            ),
            (format!("{raw}{stamp}"), "would not cover it"),
            (format!("{raw}{parts}"), "the profile has none"),
            (format!("{raw}parts = []"), "\"content\" once"),
            (format!("{raw}{stamp}{methods}joiner = \"|\""), "one text"),
            (format!("{raw}{stamp}{methods}joiner = \"\""), "one text"),
            (format!("{raw}empty = \"keep\""), "means nothing"),
            (format!("{sorted}pair_joiner = \"\""), "must not be empty"),
            (
                format!("{sorted}values = \"percent\"\npair_joiner = \"-\""),
                "must not be empty",
            ),
            (
                format!("{sorted}nonce = {{ parameter = \"n\" }}"),
                "for ever",
            ),
            (
                format!(
                    "{sorted}timestamp = {{ parameter = \"t\" }}\nnonce = {{ parameter = \"t\" }}"
                ),
                "places of their own",
            ),
            (
                format!("{sorted}timestamp = {{ parameter = \"t\", window_seconds = 0 }}"),
                "1 to 86400",
            ),
        ] {
            let text = code(&more);
            assert!(text.contains(expected), "{more}: {text}");
        }
        let of_requests = format!("[[sign_code]]\nname = \"c\"\n{sorted}source = \"query\"");
        let on_answers =
            "[[route.verify]]\non = \"response\"\nsign_code = \"c\"\nkeys = [\"shared\"]";
        assert!(refused(&of_requests, on_answers).contains("responses have none"));
    }
}
