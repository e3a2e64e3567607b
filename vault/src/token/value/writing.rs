//! Values that people write: text, e-mail addresses, names, postal addresses.

use crate::token::{ValueFault, format, zh};

type Checked = Result<(), ValueFault>;

/// RFC 5321 §4.5.3.1.
const EMAIL_LOCAL_BYTES_MAX: usize = 64;
const EMAIL_HOST_BYTES_MAX: usize = 255;
/// RFC 1035 §2.3.4.
const HOST_LABEL_BYTES_MAX: usize = 63;

/// Characters of a name. Names of indigenous peoples in Chinese characters are long.
pub(super) const NAME_MIN: u8 = 2;
pub(super) const NAME_MAX: u8 = 40;

/// What stands between the parts of a name.
const NAME_DOT: char = '‧';

/// The 6 special municipalities, 3 cities and 13 counties.
const COUNTIES: [&str; 22] = [
    "臺北市",
    "新北市",
    "桃園市",
    "臺中市",
    "臺南市",
    "高雄市",
    "基隆市",
    "新竹市",
    "嘉義市",
    "新竹縣",
    "苗栗縣",
    "彰化縣",
    "南投縣",
    "雲林縣",
    "嘉義縣",
    "屏東縣",
    "宜蘭縣",
    "花蓮縣",
    "臺東縣",
    "澎湖縣",
    "金門縣",
    "連江縣",
];

/// White space of any length as one space.
pub(super) fn with_single_spaces(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !single.is_empty() {
            single.push(' ');
        }
        single.push_str(word);
    }
    single
}

/// RFC 5321 §2.4: hosts are the same in any case; what stands before the `@` is its host's matter.
pub(super) fn host_in_lower_case(address: &str) -> String {
    let mut normal = address.to_owned();
    if let Some(at) = address.rfind('@') {
        normal[at..].make_ascii_lowercase();
    }
    normal
}

/// Without white space, and with one kind of dot between its parts.
pub(super) fn name(text: &str) -> String {
    // A dot of one byte becomes one of three: room for all, so that nothing moves while it grows.
    let mut normal = String::with_capacity(3 * text.len());
    normal.extend(
        text.chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| match c {
                '·' | '•' | '・' | '.' | '․' => NAME_DOT,
                other => other,
            }),
    );
    normal
}

/// Without white space, and with 臺 for 台 in its county's name.
pub(super) fn address(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    normal.extend(text.chars().filter(|c| !c.is_whitespace()));
    for (short, full) in [
        ("台北市", "臺北市"),
        ("台中市", "臺中市"),
        ("台南市", "臺南市"),
        ("台東縣", "臺東縣"),
    ] {
        let begin = postal_code(&normal);
        if normal[begin..].starts_with(short) {
            normal.replace_range(begin..begin + short.len(), full);
        }
    }
    normal
}

pub(super) fn check_text(text: &str) -> Checked {
    // INVARIANT 4: what says of itself that it is a token is not tokenized again.
    if format::is_self_evident(text) {
        Err(ValueFault::Token)
    } else {
        Ok(())
    }
}

pub(super) fn check_name(text: &str) -> Checked {
    let count = text.chars().count();
    if !(usize::from(NAME_MIN)..=usize::from(NAME_MAX)).contains(&count) {
        return Err(ValueFault::Length);
    }
    let dots_inside = !text.starts_with(NAME_DOT) && !text.ends_with(NAME_DOT);
    if !dots_inside || !text.chars().all(|c| c == NAME_DOT || is_han(c)) {
        return Err(ValueFault::Character);
    }
    // INVARIANT 4: nobody is called by characters of the set alone, or by an address; tokens are.
    if zh::is_written_in(text) || format::is_self_evident(text) {
        return Err(ValueFault::Token);
    }
    Ok(())
}

pub(super) fn check_address(text: &str) -> Checked {
    // INVARIANT 4: every token of the format stands in a county that Taiwan does not have.
    let rest = COUNTIES
        .iter()
        .find_map(|county| text[postal_code(text)..].strip_prefix(county))
        .ok_or(ValueFault::Unassigned)?;
    let sign = |c: char| is_han(c) || c.is_ascii_alphanumeric() || "-~.,()#/、‧".contains(c);
    if !rest.chars().all(sign) {
        return Err(ValueFault::Character);
    }
    let place = rest.find(['區', '鄉', '鎮', '市']);
    match place {
        Some(at) if at > 0 && rest[at..].chars().count() > 2 => Ok(()),
        _ => Err(ValueFault::Length),
    }
}

pub(super) fn check_email(address: &str) -> Checked {
    let (local, host) = address.split_once('@').ok_or(ValueFault::Character)?;
    if local.is_empty() || local.len() > EMAIL_LOCAL_BYTES_MAX {
        return Err(ValueFault::Length);
    }
    if local.chars().any(char::is_whitespace) {
        return Err(ValueFault::Character);
    }
    check_mail_host(host)
}

/// A host of letters, digits and hyphens (of any script), outside the reserved `invalid`.
fn check_mail_host(host: &str) -> Checked {
    let label_bytes = host
        .split('.')
        .all(|label| (1..=HOST_LABEL_BYTES_MAX).contains(&label.len()));
    if !label_bytes || host.len() > EMAIL_HOST_BYTES_MAX {
        return Err(ValueFault::Length);
    }
    if !host
        .chars()
        .all(|c| c.is_alphanumeric() || c == '-' || c == '.')
    {
        return Err(ValueFault::Character);
    }
    // INVARIANT 4: every token of the e-mail format ends in `invalid`, no real address does.
    let top = host.rsplit('.').next();
    if top.is_some_and(|top| top.eq_ignore_ascii_case("invalid")) {
        return Err(ValueFault::Unassigned);
    }
    Ok(())
}

/// Bytes of the postal code that an address begins with: 3, 5 or 6 digits, or none.
fn postal_code(address: &str) -> usize {
    let digits = address.bytes().take_while(u8::is_ascii_digit).count();
    if matches!(digits, 3 | 5 | 6) {
        digits
    } else {
        0
    }
}

/// Chinese characters of Unicode: the unified ones, their extensions, and 〇.
fn is_han(character: char) -> bool {
    matches!(character,
        '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postal_code_is_three_five_or_six_digits() {
        for (text, bytes) in [
            ("臺北", 0),
            ("100臺北", 3),
            ("10001臺北", 5),
            ("100001臺北", 6),
            ("1000臺北", 0),
        ] {
            assert_eq!(postal_code(text), bytes, "{text}");
        }
    }

    #[test]
    fn the_counties_are_twenty_two_and_each_stands_once() {
        let all: std::collections::BTreeSet<_> = COUNTIES.into_iter().collect();
        assert_eq!(all.len(), 22);
        assert!(!all.contains("代碼縣"));
    }
}
