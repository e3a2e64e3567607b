//! Owns the detectors: what a value looks like. Those with a check digit are trusted more than those
//! with a pattern alone.

/// How much a look is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Few texts pass by chance.
    Strong,
    /// Many do: the field's name has to agree.
    Weak,
}

pub(super) struct Detector {
    pub(super) class: &'static str,
    pub(super) weight: Weight,
    /// `… of … values` …
    pub(super) says: &'static str,
    pub(super) fits: fn(&str) -> bool,
}

pub(super) const DETECTORS: [Detector; 8] = [
    Detector {
        class: "national-id",
        weight: Weight::Strong,
        says: "pass the check digit of a Taiwanese national ID or UI number",
        fits: national_id,
    },
    Detector {
        class: "pan",
        weight: Weight::Strong,
        says: "pass the Luhn check of a card number of 13 to 19 digits",
        fits: pan,
    },
    Detector {
        class: "mobile",
        weight: Weight::Strong,
        says: "are written as Taiwanese mobile numbers",
        fits: mobile,
    },
    Detector {
        class: "email",
        weight: Weight::Strong,
        says: "are written as email addresses",
        fits: email,
    },
    Detector {
        class: "invoice-carrier",
        weight: Weight::Strong,
        says: "are written as mobile barcodes of invoices",
        fits: carrier,
    },
    Detector {
        class: "business-no",
        weight: Weight::Weak,
        says: "pass the check of a Taiwanese business number",
        fits: business_no,
    },
    Detector {
        class: "passport-no",
        weight: Weight::Weak,
        says: "have the nine digits of a Taiwanese passport",
        fits: |text| text.len() == 9 && digits(text),
    },
    Detector {
        class: "birth-date",
        weight: Weight::Weak,
        says: "are dates",
        fits: date,
    },
];

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn numbers(text: &str) -> impl Iterator<Item = u32> + '_ {
    text.chars().filter_map(|next| next.to_digit(10))
}

/// A letter, `1`, `2`, `8` or `9`, eight digits; the last one checks.
fn national_id(text: &str) -> bool {
    const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let upper = text.to_ascii_uppercase();
    let Some(place) = upper.chars().next().and_then(|next| LETTERS.find(next)) else {
        return false;
    };
    let rest = upper.get(1..).unwrap_or_default();
    if rest.len() != 9 || !digits(rest) || !rest.starts_with(['1', '2', '8', '9']) {
        return false;
    }
    let code = 10 + u32::try_from(place).unwrap_or_default();
    let weights = [8, 7, 6, 5, 4, 3, 2, 1, 1];
    let sum: u32 = numbers(rest)
        .zip(weights)
        .map(|(digit, by)| digit * by)
        .sum();
    (code / 10 + code % 10 * 9 + sum).is_multiple_of(10)
}

fn pan(text: &str) -> bool {
    let plain: String = text
        .chars()
        .filter(|next| !matches!(next, ' ' | '-'))
        .collect();
    if !(13..=19).contains(&plain.len())
        || !digits(&plain)
        || plain.starts_with(['0', '1', '7', '8', '9'])
    {
        return false;
    }
    let doubled = plain.len() % 2;
    let sum: u32 = numbers(&plain)
        .enumerate()
        .map(|(at, digit)| match (at % 2 == doubled, digit) {
            (false, digit) => digit,
            (true, 5..) => digit * 2 - 9,
            (true, _) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn mobile(text: &str) -> bool {
    let plain: String = text
        .chars()
        .filter(|next| !matches!(next, ' ' | '-'))
        .collect();
    let abroad = plain.strip_prefix("+886");
    let local = abroad.or(plain.strip_prefix('0')).unwrap_or_default();
    local.len() == 9 && local.starts_with('9') && digits(local)
}

fn email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let fits = |next: char| next.is_ascii_alphanumeric() || "._%+-".contains(next);
    !local.is_empty()
        && local.chars().all(fits)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
        && domain
            .chars()
            .all(|next| next.is_ascii_alphanumeric() || "-.".contains(next))
}

fn carrier(text: &str) -> bool {
    text.len() == 8
        && text.starts_with('/')
        && text[1..]
            .chars()
            .all(|next| next.is_ascii_uppercase() || next.is_ascii_digit() || "+-.".contains(next))
}

/// The rule of 2023: the sum of the products' digits is a multiple of five.
fn business_no(text: &str) -> bool {
    if text.len() != 8 || !digits(text) {
        return false;
    }
    let sum: u32 = numbers(text)
        .zip([1, 2, 1, 2, 1, 2, 4, 1])
        .map(|(digit, by)| digit * by / 10 + digit * by % 10)
        .sum();
    sum.is_multiple_of(5) || (text.as_bytes().get(6) == Some(&b'7') && (sum + 1).is_multiple_of(5))
}

fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let within = |text: &str, least: u32, most: u32| {
        digits(text)
            && text
                .parse()
                .is_ok_and(|number: u32| (least..=most).contains(&number))
    };
    within(year, 1900, 2100) && within(month, 1, 12) && within(day, 1, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_check_digits_are_told_from_others() {
        for id in ["A123456789", "a123456789", "A800000014"] {
            assert!(national_id(id), "{id}");
        }
        for other in [
            "A123456788",
            "A323456789",
            "A12345678",
            "1123456789",
            "金123456789",
            "",
        ] {
            assert!(!national_id(other), "{other}");
        }
        assert!(pan("4111111111111111") && pan("4111 1111-1111 1111") && pan("378282246310005"));
        assert!(!pan("4111111111111112") && !pan("411111111111") && !pan("0000000000000000"));
        assert!(business_no("04595257") && !business_no("04595258") && !business_no("0459525"));
    }

    #[test]
    fn values_with_patterns_are_told_from_others() {
        assert!(mobile("0912345678") && mobile("0912-345-678") && mobile("+886 912345678"));
        assert!(!mobile("0212345678") && !mobile("912345678") && !mobile("09123456789"));
        assert!(
            email("a.b@example.tw") && !email("a@b") && !email("@example.tw") && !email("a@.tw")
        );
        assert!(carrier("/ABC+123") && !carrier("/abc+123") && !carrier("ABC+1234"));
        assert!(date("1990-02-28") && date("1990/2/28") && !date("1990-13-01") && !date("1990-02"));
    }
}
