//! What a request tells before its body is read: which group of routes it is for, and how long its caller waits.

use std::time::Duration;

use http::HeaderMap;

use crate::model::RouteGroup;

/// Where access tokens are made: the one path of its group, and the same for both faces.
pub(in crate::server) const TOKEN_PATH: &str = "/oauth/token";

/// The group of a path, on both faces.
pub(super) fn group(path: &str) -> RouteGroup {
    if path == TOKEN_PATH {
        return RouteGroup::AccessTokens;
    }
    match path.strip_prefix("/v1/") {
        Some(rest) => of_rest(rest),
        None => of_grpc(path),
    }
}

fn of_rest(path: &str) -> RouteGroup {
    match path.split('/').next().unwrap_or_default() {
        "tokenize" => RouteGroup::Tokenize,
        "detokenize" | "redeem" => RouteGroup::Detokenize,
        "tokens" => RouteGroup::Tokens,
        "receipts" => RouteGroup::Receipts,
        "keys" | "decrypt" | "random" | "restore-key" => RouteGroup::Keys,
        "honeytokens" | "grants" => RouteGroup::Guard,
        "unit-proposals" => RouteGroup::Units,
        "policy-set" => RouteGroup::Policy,
        "units" => of_unit(path),
        _ => RouteGroup::Other,
    }
}

/// A lock is the guard's, on the paths of units too.
fn of_unit(path: &str) -> RouteGroup {
    match path.split('/').nth(2) {
        Some("lock" | "unlock") => RouteGroup::Guard,
        _ => RouteGroup::Units,
    }
}

fn of_grpc(path: &str) -> RouteGroup {
    let Some((service, call)) = path
        .strip_prefix("/jinku.v1.")
        .and_then(|path| path.split_once('/'))
    else {
        return RouteGroup::Other;
    };
    match (service, call) {
        ("Vault", "Tokenize") => RouteGroup::Tokenize,
        ("Vault", "Detokenize" | "Redeem") => RouteGroup::Detokenize,
        ("Vault", "Receipt") => RouteGroup::Receipts,
        ("Tokens", _) => RouteGroup::Tokens,
        ("Keys", _) => RouteGroup::Keys,
        ("Guard", _) => RouteGroup::Guard,
        ("Units", _) => RouteGroup::Units,
        ("Policy", _) => RouteGroup::Policy,
        _ => RouteGroup::Other,
    }
}

/// `grpc-timeout`, as gRPC over HTTP/2 has it: up to eight digits and a unit. What can't be read is not there.
pub(super) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_faces_of_a_use_case_are_in_one_group() {
        for (rest, grpc, expected) in [
            ("tokenize", "Vault/Tokenize", RouteGroup::Tokenize),
            ("detokenize", "Vault/Detokenize", RouteGroup::Detokenize),
            ("redeem", "Vault/Redeem", RouteGroup::Detokenize),
            ("receipts/7", "Vault/Receipt", RouteGroup::Receipts),
            ("tokens/replace", "Tokens/ReplaceTokens", RouteGroup::Tokens),
            ("keys/a/encrypt", "Keys/Encrypt", RouteGroup::Keys),
            ("grants", "Guard/RequestGrant", RouteGroup::Guard),
            ("units/a/lock", "Guard/LockUnit", RouteGroup::Guard),
            ("units/a/unlock", "Guard/UnlockUnit", RouteGroup::Guard),
            ("units", "Units/ListUnits", RouteGroup::Units),
            ("units/lock", "Units/DescribeUnit", RouteGroup::Units),
            ("units/a/suspend", "Units/SuspendUnit", RouteGroup::Units),
            (
                "unit-proposals/a/approve",
                "Units/ApproveUnit",
                RouteGroup::Units,
            ),
            ("policy-set", "Policy/DescribePolicySet", RouteGroup::Policy),
            (
                "policy-set/approve",
                "Policy/ApprovePolicySet",
                RouteGroup::Policy,
            ),
        ] {
            assert_eq!(group(&format!("/v1/{rest}")), expected);
            assert_eq!(group(&format!("/jinku.v1.{grpc}")), expected);
        }
        assert_eq!(group(TOKEN_PATH), RouteGroup::AccessTokens);
        for path in [
            "",
            "/",
            "/oauth",
            "/oauth/token/",
            "/oauth/jwks",
            "/v1",
            "/v1/",
            "/v2/tokenize",
            "/v1/tokenizer",
            "/jinku.v1.Vault",
            "/x.Vault/Tokenize",
        ] {
            assert_eq!(group(path), RouteGroup::Other, "{path}");
        }
    }

    #[test]
    fn a_caller_s_patience_is_read_as_grpc_writes_it() {
        for (text, expected) in [
            ("250m", Some(Duration::from_millis(250))),
            ("2S", Some(Duration::from_secs(2))),
            ("99999999H", Some(Duration::from_hours(99_999_999))),
            ("7u", Some(Duration::from_micros(7))),
            ("123456789S", None),
            ("S", None),
            ("-1S", None),
            ("1s", None),
            ("1秒", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(text.as_bytes()).unwrap();
            headers.insert("grpc-timeout", value);
            assert_eq!(patience(&headers), expected, "{text}");
        }
        assert_eq!(patience(&HeaderMap::new()), None);
    }
}
