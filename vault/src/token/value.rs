//! What a class's values must be, and the one spelling in which two of them are compared.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{TokenError, check_digit, format, opaque};
use crate::model::{Plaintext, ValueKind};

/// RFC 5321 §4.5.3.1.
const EMAIL_LOCAL_BYTES_MAX: usize = 64;
const EMAIL_HOST_BYTES_MAX: usize = 255;
/// RFC 1035 §2.3.4.
const HOST_LABEL_BYTES_MAX: usize = 63;

/// Whether `value` is of `kind`. The error says what is expected, never what was given.
pub(super) fn check(kind: ValueKind, value: &Plaintext) -> Result<(), TokenError> {
    let normal = normal_form(kind, value);
    let (valid, expected) = match kind {
        ValueKind::Text => (
            is_text(normal.expose()),
            "text that is neither empty nor a token",
        ),
        ValueKind::TwNationalId => (
            is_tw_id(normal.expose().as_bytes()),
            "a national ID or UI number with a right check digit",
        ),
        ValueKind::TwMobile => (
            is_tw_mobile(normal.expose()),
            "a mobile number of the form 09xxxxxxxx or +8869xxxxxxxx",
        ),
        ValueKind::Pan => (
            is_pan(normal.expose().as_bytes()),
            "a card number of 12 to 19 digits with a right check digit",
        ),
        ValueKind::Email => (is_email(normal.expose()), "an e-mail address"),
    };
    if valid {
        Ok(())
    } else {
        Err(TokenError::ValueInvalid { expected })
    }
}

/// The one spelling of a value of `kind`. Of a value that is not, some text.
pub(super) fn normal_form(kind: ValueKind, value: &Plaintext) -> Plaintext {
    let compatible = nfkc(value.expose());
    let text = compatible.trim();
    Plaintext::new(match kind {
        ValueKind::Text => text.to_owned(),
        ValueKind::TwNationalId => text.to_ascii_uppercase(),
        ValueKind::Pan => without_separators(text),
        ValueKind::TwMobile => national_mobile(without_separators(text)),
        ValueKind::Email => host_in_lower_case(text),
    })
}

/// Counts before it writes: a text that moves while it grows leaves copies behind (invariant 12).
fn nfkc(text: &str) -> Zeroizing<String> {
    let bytes = text.nfkc().map(char::len_utf8).sum();
    let mut normal = Zeroizing::new(String::with_capacity(bytes));
    normal.extend(text.nfkc());
    normal
}

fn without_separators(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    kept.extend(text.chars().filter(|c| !matches!(c, ' ' | '-')));
    kept
}

fn national_mobile(number: String) -> String {
    let number = Zeroizing::new(number);
    match number.strip_prefix("+886") {
        Some(rest) => ["0", rest].concat(),
        None => number.to_string(),
    }
}

/// RFC 5321 §2.4: hosts are the same in any case; what stands before the `@` is its host's matter.
fn host_in_lower_case(address: &str) -> String {
    let mut normal = address.to_owned();
    if let Some(at) = address.rfind('@') {
        normal[at..].make_ascii_lowercase();
    }
    normal
}

fn is_text(text: &str) -> bool {
    // INVARIANT 4: what says of itself that it is a token is not tokenized again.
    !text.is_empty() && !opaque::is_one(text) && !format::is_email(text)
}

fn is_tw_id(id: &[u8]) -> bool {
    // 1, 2: citizens. 8, 9: residents since 2021. A to D: residents before, valid until 2030.
    let assigned = matches!(id.get(1), Some(b'1' | b'2' | b'8' | b'9' | b'A'..=b'D'));
    assigned && check_digit::tw_id(id) == Some(0)
}

fn is_tw_mobile(number: &str) -> bool {
    number.len() == 10 && number.starts_with("09") && number.bytes().all(|b| b.is_ascii_digit())
}

fn is_pan(digits: &[u8]) -> bool {
    (12..=19).contains(&digits.len()) && check_digit::luhn(digits) == Some(0)
}

fn is_email(address: &str) -> bool {
    let Some((local, host)) = address.split_once('@') else {
        return false;
    };
    let local_fits = !local.is_empty() && local.len() <= EMAIL_LOCAL_BYTES_MAX;
    local_fits && !local.chars().any(|c| c.is_whitespace() || c.is_control()) && is_mail_host(host)
}

/// A host of letters, digits and hyphens (of any script), outside the reserved `invalid`.
fn is_mail_host(host: &str) -> bool {
    let label = |text: &str| {
        (1..=HOST_LABEL_BYTES_MAX).contains(&text.len())
            && text.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    // INVARIANT 4: every token of the e-mail format ends in `invalid`, no real address does.
    host.len() <= EMAIL_HOST_BYTES_MAX
        && host.split('.').all(label)
        && host.rsplit('.').next() != Some("invalid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(kind: ValueKind, text: &str) -> bool {
        check(kind, &Plaintext::new(text.to_owned())).is_ok()
    }

    fn normal(kind: ValueKind, text: &str) -> String {
        normal_form(kind, &Plaintext::new(text.to_owned()))
            .expose()
            .to_owned()
    }

    #[test]
    fn ids_of_all_three_forms_are_accepted() {
        for id in [
            "A123456789",
            "A800000014",
            "AB12345677",
            " a123456789 ",
            "Ａ１２３４５６７８９",
        ] {
            assert!(is(ValueKind::TwNationalId, id), "{id}");
        }
    }

    #[test]
    fn ids_with_a_wrong_sum_or_an_unassigned_second_character_are_refused() {
        // Right sums, enough for a legacy check; no issuer assigns the second character.
        for id in ["A023456787", "A323456783", "AE23456785"] {
            assert_eq!(check_digit::tw_id(id.as_bytes()), Some(0), "{id}");
            assert!(!is(ValueKind::TwNationalId, id), "{id}");
        }
        for id in [
            "A123456788",
            "A12345678",
            "A1234567890",
            "A 123456789",
            "",
            "1234567890",
        ] {
            assert!(!is(ValueKind::TwNationalId, id), "{id}");
        }
    }

    #[test]
    fn card_numbers_are_read_with_separators_and_their_sum_checked() {
        for pan in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
        ] {
            assert!(is(ValueKind::Pan, pan), "{pan}");
        }
        for pan in [
            "4111111111111112",
            "41111111x11111111",
            "00000000000",
            "00000000000000000000",
        ] {
            assert!(!is(ValueKind::Pan, pan), "{pan}");
        }
        assert!(is(ValueKind::Pan, "000000000000") && is(ValueKind::Pan, &"0".repeat(19)));
    }

    #[test]
    fn mobile_numbers_have_one_normal_form() {
        for number in [
            "0912345678",
            "0912-345-678",
            "+886912345678",
            "+886 912 345 678",
        ] {
            assert!(is(ValueKind::TwMobile, number), "{number}");
            assert_eq!(normal(ValueKind::TwMobile, number), "0912345678");
        }
        for number in [
            "0212345678",
            "091234567",
            "09123456789",
            "+8860912345678",
            "886912345678",
        ] {
            assert!(!is(ValueKind::TwMobile, number), "{number}");
        }
    }

    #[test]
    fn addresses_need_one_at_and_a_host_that_may_exist() {
        for address in [
            "a@example.com",
            "王@例子.tw",
            "a.b+c@sub.example.com",
            "a@x-y.tw",
            "a@localhost",
        ] {
            assert!(is(ValueKind::Email, address), "{address}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let refused = [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@b..c",
            "a@.b",
            "a@b.",
            &long,
            "a@token.invalid",
            "a@TOKEN.INVALID",
            "a@sub.invalid",
            "a@token．invalid",
        ];
        for address in refused {
            assert!(!is(ValueKind::Email, address), "{address}");
        }
        assert_eq!(
            normal(ValueKind::Email, " Wang@Example.COM "),
            "Wang@example.com"
        );
    }

    #[test]
    fn text_is_anything_but_nothing() {
        assert!(is(ValueKind::Text, "王測試") && is(ValueKind::Text, "0"));
        assert!(!is(ValueKind::Text, "") && !is(ValueKind::Text, " \u{3000}\n"));
        assert_eq!(normal(ValueKind::Text, "　王 測試 "), "王 測試");
    }
}
