//! Masks: which characters of a value stay, and when none does.

use std::ops::Range;

use super::value;
use crate::model::{DataClass, Mask, NormalForm, Plaintext, ValueKind};

/// What a class's masked view is made by.
#[derive(Clone, Copy, Debug)]
pub struct Masking {
    kind: ValueKind,
    normal_form: NormalForm,
    mask: Mask,
}

impl Masking {
    /// Shows nothing but a length.
    pub const ALL_HIDDEN: Self = Self {
        kind: ValueKind::Text,
        normal_form: NormalForm::First,
        mask: Mask {
            keep_first: 0,
            keep_last: 0,
            candidates_min: Mask::CANDIDATES_MIN,
        },
    };

    /// Of this class.
    pub fn of(class: &DataClass) -> Self {
        Self {
            kind: class.kind,
            normal_form: class.normal_form,
            mask: class.mask,
        }
    }
}

/// The normal form of `value` with its inner characters replaced by `*`.
///
/// Characters are Unicode scalar values, and the length stays visible. Everything is hidden of a
/// value that the mask would show whole, of what people write where too little would stay hidden
/// ([`hidden_min`]), and of what is no value of the class's kind: nobody counted what is left of it.
pub fn masked(value: &Plaintext, masking: Masking) -> Plaintext {
    let Masking {
        kind,
        normal_form,
        mask,
    } = masking;
    // In another writing, spaces and hyphens would take the places of what is to be hidden.
    let normal = value::normal_form(kind, normal_form, value);
    let text = normal.expose();
    let length = text.chars().count();
    let mut hidden = hidden_places(mask, length);
    if value::check_normal(kind, &normal).is_err() || !hides_enough(kind, mask, text, &hidden) {
        hidden = 0..length;
    }
    // `*` has one byte, no character less: the text is never moved in memory while it grows.
    let mut shown = String::with_capacity(text.len());
    for (place, character) in text.chars().enumerate() {
        shown.push(if hidden.contains(&place) {
            '*'
        } else {
            character
        });
    }
    Plaintext::new(shown)
}

/// Letters and digits that stay hidden in every value of a kind that people write; `None` for the
/// kinds that are counted.
///
/// Each counts as ten, as a digit would: so many of them make the class's floor. In an address each
/// second one counts (the others are 路, 段, 號 and the like), in an e-mail address those before
/// the `@`. An estimate: whoever knows what is likely has fewer to try.
pub fn hidden_min(class: &DataClass) -> Option<usize> {
    least_hidden(class.kind, class.mask)
}

fn least_hidden(kind: ValueKind, mask: Mask) -> Option<usize> {
    let mut candidates: u128 = 1;
    let mut digits = 0;
    while candidates < u128::from(mask.candidates_min) {
        candidates *= 10;
        digits += 1;
    }
    match kind {
        ValueKind::Text | ValueKind::Email | ValueKind::NameZh => Some(digits),
        ValueKind::Address => Some(2 * digits),
        _ => None,
    }
}

/// The places that a mask hides in a value of `length` characters: all, if it would hide none.
pub(super) fn hidden_places(mask: Mask, length: usize) -> Range<usize> {
    let first = usize::from(mask.keep_first);
    let last = usize::from(mask.keep_last);
    if first + last >= length {
        0..length
    } else {
        first..length - last
    }
}

fn hides_enough(kind: ValueKind, mask: Mask, text: &str, hidden: &Range<usize>) -> bool {
    let Some(least) = least_hidden(kind, mask) else {
        return true;
    };
    let counted = text
        .chars()
        .take_while(|&c| kind != ValueKind::Email || c != '@')
        .enumerate()
        .filter(|(place, c)| hidden.contains(place) && c.is_alphanumeric());
    counted.count() >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(kind: ValueKind, text: &str, keep: (u8, u8), candidates_min: u64) -> String {
        let masking = Masking {
            kind,
            normal_form: NormalForm::First,
            mask: Mask {
                keep_first: keep.0,
                keep_last: keep.1,
                candidates_min,
            },
        };
        masked(&Plaintext::new(text.to_owned()), masking)
            .expose()
            .to_owned()
    }

    fn shown(kind: ValueKind, text: &str, keep_first: u8, keep_last: u8) -> String {
        shown_of(kind, text, (keep_first, keep_last), 10)
    }

    #[test]
    fn a_mask_keeps_the_ends_and_hides_the_middle() {
        let id = ValueKind::TwNationalId;
        assert_eq!(shown(id, "A123456789", 3, 3), "A12****789");
        let pan = shown(ValueKind::Pan, "4111111111111111", 6, 4);
        assert_eq!(pan, "411111******1111");
        assert_eq!(shown(ValueKind::Text, "王測試", 1, 0), "王**");
        assert_eq!(shown(ValueKind::Text, "王測試", 1, 1), "王*試");
        let mobile = shown(ValueKind::TwMobile, "0912345678", 0, 3);
        assert_eq!(mobile, "*******678");
        assert_eq!(shown(ValueKind::Text, "secret", 0, 0), "******");
    }

    #[test]
    fn a_mask_that_would_hide_nothing_hides_everything() {
        for (text, first, last, expected) in [
            ("王測", 1, 1, "**"),
            ("abcd", 2, 2, "****"),
            ("abcde", 2, 2, "ab*de"),
            ("a", 255, 255, "*"),
            ("", 1, 1, ""),
        ] {
            assert_eq!(shown(ValueKind::Text, text, first, last), expected);
        }
    }

    #[test]
    fn another_writing_of_a_value_shows_no_more_of_it() {
        let id = ValueKind::TwNationalId;
        // As written, the white space would be what the mask hides.
        for text in [" A123456789", "A123456789\n", "　ａ１２３４５６７８９　"] {
            assert_eq!(shown(id, text, 0, 10), "**********", "{text}");
            assert_eq!(shown(id, text, 1, 3), "A******789", "{text}");
        }
        let mobile = ValueKind::TwMobile;
        for text in ["0912-345-678", "+886 912 345 678", "0912345678"] {
            assert_eq!(shown(mobile, text, 4, 4), "0912**5678", "{text}");
        }
        let pan = shown(ValueKind::Pan, "4111 1111 1111 1111", 0, 4);
        assert_eq!(pan, "************1111");
        let day = shown(ValueKind::Date, "民國115年3月2日", 4, 0);
        assert_eq!(day, "2026******");
    }

    #[test]
    fn what_people_write_stays_hidden_where_too_little_would() {
        let text = |text, first, last| shown_of(ValueKind::Text, text, (first, last), 10_000);
        assert_eq!(text("12345", 1, 0), "1****");
        assert_eq!(text("1234", 1, 0), "****");
        // Whoever sees a mask knows where hyphens stand.
        assert_eq!(text("AB-1234", 0, 2), "*****34");
        assert_eq!(text("AB-123", 0, 2), "******");
        let mail = |text| shown_of(ValueKind::Email, text, (1, 0), 10_000);
        assert_eq!(mail("wang.test@example.com"), "w********************");
        assert_eq!(mail("wangs@a.tw"), "w*********");
        // A long host hides nothing: most addresses have one of a few.
        assert_eq!(mail("wang@a-long-host.example.com"), "*".repeat(28));
        let address = |text| shown_of(ValueKind::Address, text, (6, 0), 10_000);
        assert_eq!(
            address("臺北市測試區示範路三段12號5樓"),
            "臺北市測試區**********"
        );
        assert_eq!(address("臺北市測試區示範路1號"), "***********");
        assert_eq!(shown(ValueKind::NameZh, "王測", 1, 0), "王*");
        let two = shown_of(ValueKind::NameZh, "王測", (1, 0), 11);
        assert_eq!(two, "**");
    }

    #[test]
    fn as_many_values_look_alike_as_the_vault_counts() {
        let id = ValueKind::TwNationalId;
        let numbers = (0..10_000).map(|hidden| format!("A12{hidden:04}789"));
        let alike = numbers.filter(|number| shown(id, number, 3, 3) == "A12****789");
        assert_eq!(alike.count(), 1_000);
        let cards = (0..100).map(|hidden| format!("411111{hidden:02}1111"));
        let alike = cards.filter(|card| shown(ValueKind::Pan, card, 6, 4) == "411111**1111");
        assert_eq!(alike.count(), 10);
    }

    #[test]
    fn what_is_no_value_of_the_kind_stays_hidden() {
        for (kind, text) in [
            (ValueKind::TwNationalId, "A123456788"),
            (ValueKind::TwNationalId, "王測試"),
            (ValueKind::Pan, "4111111111111112"),
            (ValueKind::Date, "1150230"),
        ] {
            assert_eq!(shown(kind, text, 1, 1), "*".repeat(text.chars().count()));
        }
    }
}
