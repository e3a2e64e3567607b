//! Structured fields (RFC 9651): read whole or refused, and only in the form that they are written in.

use http::HeaderMap;
use sfv::{Dictionary, FieldType, InnerList, Item, ListEntry, Parser};

/// Longest value of a field that is read, in bytes: the header section has a limit of its own.
const FIELD_BYTES_MAX: usize = 16 * 1024;

/// A field's lines as one value (RFC 9110 section 5.3). `None` where it is absent, or not visible ASCII.
pub(super) fn combined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let lines: Option<Vec<&str>> = lines.map(|line| line.to_str().ok().map(trimmed)).collect();
    Some(lines?.join(", "))
}

/// Without optional white space at both ends (RFC 9110 section 5.6.3).
pub(super) fn trimmed(line: &str) -> &str {
    line.trim_matches([' ', '\t'])
}

/// A dictionary in its canonical form. Names that come twice are not: of two, readers would have to choose.
pub(super) fn canonical_dictionary(text: &str) -> Option<Dictionary> {
    let read = dictionary(text)?;
    (read.serialize().as_deref() == Some(text)).then_some(read)
}

/// A dictionary as RFC 9651 section 4.2.2 reads it: of equal names the last counts.
pub(super) fn dictionary(text: &str) -> Option<Dictionary> {
    if text.len() > FIELD_BYTES_MAX {
        return None;
    }
    Parser::new(text).parse().ok()
}

/// One item with its parameters, in its canonical form.
pub(super) fn canonical_item(text: &str) -> Option<Item> {
    let item: Item = Parser::new(text).parse().ok()?;
    (item.serialize() == text).then_some(item)
}

/// A member as it would be written (RFC 9651 section 4.1).
pub(super) fn written(entry: &ListEntry) -> String {
    match entry {
        ListEntry::Item(item) => item.serialize(),
        ListEntry::InnerList(list) => written_list(list),
    }
}

/// An inner list with its parameters as it would be written.
pub(super) fn written_list(list: &InnerList) -> String {
    let list = vec![ListEntry::InnerList(list.clone())];
    list.serialize().unwrap_or_default()
}
