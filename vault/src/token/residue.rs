//! Residual entropy: how many values a masked view leaves possible, in the worst case.
//!
//! Who sees `A12****789` knows the check digit's rule too: of 10,000 numbers, 1,000 have the right sum.
//! Counted are values, each as one, however likely it is.

use std::ops::Range;

use super::format::CARD_DIGITS_MIN;
use super::mask::hidden_places;
use super::{Space, check_digit, value};
use crate::model::{DataClass, Format, Lengths, Mask, ValueKind};

/// What a mask leaves possible of the value that it hides least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residue {
    /// Values that have the same masked view, the value itself among them.
    pub candidates: Space,
    /// Characters of such a value.
    pub characters: u8,
    /// Whether a view shows more than a length. No mask shows less than one that does not.
    pub shows: bool,
}

/// What the class's mask leaves possible; `None` for what people write, which nobody can count.
///
/// The fewest over all values of which something is shown: each length, and each text in the
/// shown places. Exact for values of the kind in their normal form, which is what is masked.
pub fn residue(class: &DataClass) -> Option<Residue> {
    fewest(class.kind, class.mask, value::lengths(class.kind)?)
}

/// The same for who sees the token beside the masked view; `None` where tokens keep nothing of a value.
pub fn residue_beside_token(class: &DataClass) -> Option<Residue> {
    let Format::Pan(kept) = class.format else {
        return None;
    };
    let more = |own: u8, kept: usize| u8::try_from(kept).map_or(own, |kept| own.max(kept));
    let mask = Mask {
        keep_first: more(class.mask.keep_first, kept.first()),
        keep_last: more(class.mask.keep_last, kept.last()),
        ..class.mask
    };
    let lengths = value::lengths(ValueKind::Pan)?;
    let min = u8::try_from(CARD_DIGITS_MIN).ok()?;
    fewest(ValueKind::Pan, mask, Lengths { min, ..lengths })
}

fn fewest(kind: ValueKind, mask: Mask, lengths: Lengths) -> Option<Residue> {
    let mut least: Option<Residue> = None;
    for characters in lengths.min..=lengths.max {
        let length = usize::from(characters);
        let hidden = hidden_places(mask, length);
        let found = Residue {
            shows: hidden.len() < length,
            candidates: Values::of(kind, length)?.fewest(&hidden),
            characters,
        };
        let better = |other: &Residue| {
            let fewer = found.candidates.bits() < other.candidates.bits();
            (found.shows && !other.shows) || (found.shows == other.shows && fewer)
        };
        if least.as_ref().is_none_or(better) {
            least = Some(found);
        }
    }
    least
}

/// The values of a kind that have the same number of characters.
enum Values {
    /// So many choices at each place, whatever stands at the others.
    Free(Vec<u128>),
    /// Their sum is right.
    Summed(Summed),
    /// One of several patterns, no two of which have a value in common.
    Patterns(Patterns),
    Days,
}

impl Values {
    /// `None` for what people write.
    fn of(kind: ValueKind, length: usize) -> Option<Self> {
        let free = |choices: u128| Self::Free(vec![choices; length]);
        let after = |known: usize, choices| {
            let open = length.saturating_sub(known);
            Self::Free([vec![1; known], vec![choices; open]].concat())
        };
        match kind {
            ValueKind::Text | ValueKind::Email | ValueKind::NameZh | ValueKind::Address => None,
            ValueKind::Digits(_)
            | ValueKind::BankAccount
            | ValueKind::TwNhiCard
            | ValueKind::TwPassport => Some(free(10)),
            ValueKind::Alphanumeric(_) => Some(free(36)),
            ValueKind::TwMobile => Some(after(2, 10)),
            ValueKind::TwMobileBarcode => Some(after(1, 39)),
            ValueKind::TwNationalId => Some(Self::Summed(Summed::of_ids(&[1, 2, 8, 9]))),
            ValueKind::TwUiNumber => Some(Self::Summed(Summed::of_ids(&[8, 9]))),
            ValueKind::TwUbn => Some(Self::Summed(Summed::of_businesses())),
            ValueKind::Pan => Some(Self::Summed(Summed::of_cards(length))),
            ValueKind::TwPlate => Some(Self::Patterns(Patterns::of_plates(length))),
            ValueKind::Date => Some(Self::Days),
            ValueKind::Uuid => Some(Self::Free((0..length).map(uuid_choices).collect())),
        }
    }

    /// The fewest that agree in all places but the hidden ones.
    fn fewest(&self, hidden: &Range<usize>) -> Space {
        match self {
            Self::Free(choices) => choices[hidden.clone()]
                .iter()
                .fold(Space::of(1), |space, &choices| space.times(choices)),
            Self::Summed(summed) => Space::of(summed.fewest(hidden)),
            Self::Patterns(patterns) => Space::of(patterns.fewest(hidden)),
            Self::Days => Space::of(value::fewest_days(hidden)),
        }
    }
}

/// RFC 9562 §4: hyphens, the version 1 to 8, the variant `10xx`, hexadecimal digits.
fn uuid_choices(place: usize) -> u128 {
    match place {
        8 | 13 | 18 | 23 => 1,
        14 => 8,
        19 => 4,
        _ => 16,
    }
}

/// What a character adds to a sum.
#[derive(Clone, Copy, Debug)]
struct Amount {
    adds: u32,
    /// Whether it may as well add one more: a business number's seventh digit 7.
    or_one_more: bool,
}

/// Texts of one length whose amounts add up to a multiple of `modulus`, 10 at the most.
#[derive(Debug)]
struct Summed {
    places: Vec<Vec<Amount>>,
    modulus: u32,
}

/// How many texts have each remainder; the second where one more may be added.
type Ways = [[u128; 2]; 10];

impl Summed {
    fn plain(places: Vec<Vec<u32>>, modulus: u32) -> Self {
        let amount = |adds| Amount {
            adds,
            or_one_more: false,
        };
        let places = places.into_iter();
        Self {
            places: places
                .map(|place| place.into_iter().map(amount).collect())
                .collect(),
            modulus,
        }
    }

    /// All letters, all assigned second characters, eight digits.
    fn of_ids(assigned: &[u32]) -> Self {
        let letters = (b'A'..=b'Z')
            .filter_map(check_digit::tw_id_letter)
            .collect();
        let old_form = (b'A'..=b'D').filter_map(check_digit::letter_code);
        let [second, rest @ ..] = check_digit::ID_WEIGHTS.map(u32::from);
        let second = assigned
            .iter()
            .copied()
            .chain(old_form)
            .map(|code| code * second)
            .collect();
        let digits = rest.map(|weight| (0..10).map(|digit| digit * weight).collect());
        let places = [letters, second].into_iter().chain(digits).collect();
        Self::plain(places, 10)
    }

    /// Doubling permutes the ten digits: each place adds each amount once.
    fn of_cards(length: usize) -> Self {
        Self::plain(vec![(0..10).collect(); length], 10)
    }

    fn of_businesses() -> Self {
        let mut numbers = Self::plain(check_digit::ubn_amounts(), 5);
        if let Some(seven) = numbers.places.get_mut(6).and_then(|place| place.get_mut(7)) {
            seven.or_one_more = true;
        }
        numbers
    }

    /// Of the remainders that the shown places can have, the one that the fewest hidden texts complete.
    fn fewest(&self, hidden: &Range<usize>) -> u128 {
        let shown = self.places[..hidden.start]
            .iter()
            .chain(&self.places[hidden.end..]);
        let (shown, hidden) = (self.ways(shown), self.ways(&self.places[hidden.clone()]));
        let mut fewest = u128::MAX;
        for (sum, or_more) in remainders().filter(|&(sum, or_more)| shown[sum][or_more] > 0) {
            let completed = remainders()
                .filter(|&(other, more)| self.accepts(sum + other, or_more | more))
                .map(|(other, more)| hidden[other][more])
                .sum();
            // What nothing completes is no value's.
            if completed > 0 {
                fewest = fewest.min(completed);
            }
        }
        fewest
    }

    /// Whether the sum, or one of up to `or_more` above it, is right.
    fn accepts(&self, sum: usize, or_more: usize) -> bool {
        let modulus = self.modulus as usize;
        (sum..=sum + or_more).any(|sum| sum.is_multiple_of(modulus))
    }

    fn ways<'a>(&self, places: impl IntoIterator<Item = &'a Vec<Amount>>) -> Ways {
        let mut ways: Ways = [[0; 2]; 10];
        ways[0][0] = 1;
        for amounts in places {
            let mut next: Ways = [[0; 2]; 10];
            for amount in amounts {
                for (sum, or_more) in remainders() {
                    let after = (sum + amount.adds as usize) % self.modulus as usize;
                    let more = or_more | usize::from(amount.or_one_more);
                    next[after][more] += ways[sum][or_more];
                }
            }
            ways = next;
        }
        ways
    }
}

fn remainders() -> impl Iterator<Item = (usize, usize)> {
    (0..10).flat_map(|sum| [(sum, 0), (sum, 1)])
}

/// Texts of letters and digits, told apart by where their letters stand.
#[derive(Debug)]
struct Patterns {
    /// Whether a letter stands at each place.
    letters: Vec<Vec<bool>>,
    letter_choices: u128,
    digit_choices: u128,
}

impl Patterns {
    fn of_plates(length: usize) -> Self {
        let all = (0_u32..1 << length).map(|bits| {
            let letter = |place| bits >> place & 1 == 1;
            (0..length).map(letter).collect::<Vec<bool>>()
        });
        let is_one = |letters: &Vec<bool>| {
            let text: String = letters
                .iter()
                .map(|&letter| if letter { 'A' } else { '0' })
                .collect();
            value::is_real(ValueKind::TwPlate, &text)
        };
        // Since 2012, with seven characters, neither I nor O nor 4.
        let (letter_choices, digit_choices) = if length == 7 { (24, 9) } else { (26, 10) };
        Self {
            letters: all.filter(is_one).collect(),
            letter_choices,
            digit_choices,
        }
    }

    fn fewest(&self, hidden: &Range<usize>) -> u128 {
        let agree = |one: &[bool], other: &[bool]| {
            one[..hidden.start] == other[..hidden.start] && one[hidden.end..] == other[hidden.end..]
        };
        let completed = |shown: &Vec<bool>| {
            let alike = self.letters.iter().filter(|other| agree(shown, other));
            alike
                .map(|letters| self.fillings(&letters[hidden.clone()]))
                .sum()
        };
        self.letters.iter().map(completed).min().unwrap_or(0)
    }

    fn fillings(&self, letters: &[bool]) -> u128 {
        let choices = |&letter| {
            if letter {
                self.letter_choices
            } else {
                self.digit_choices
            }
        };
        letters.iter().map(choices).product()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::UiForm;

    fn left(kind: ValueKind, keep_first: u8, keep_last: u8) -> Residue {
        let mask = Mask {
            keep_first,
            keep_last,
            candidates_min: 2,
        };
        fewest(kind, mask, value::lengths(kind).unwrap()).unwrap()
    }

    fn count(kind: ValueKind, keep_first: u8, keep_last: u8) -> u128 {
        left(kind, keep_first, keep_last)
            .candidates
            .tokens()
            .unwrap()
    }

    /// How many of `texts` look alike where they look least alike, by trying all.
    fn tried(texts: impl Iterator<Item = String>, hidden: &Range<usize>) -> u128 {
        let mut views: HashMap<String, u128> = HashMap::new();
        for text in texts {
            *views.entry(with(&text, hidden, "")).or_default() += 1;
        }
        views.into_values().min().unwrap()
    }

    /// `text` with other characters in the hidden places.
    fn with(text: &str, hidden: &Range<usize>, filling: &str) -> String {
        [&text[..hidden.start], filling, &text[hidden.end..]].concat()
    }

    /// Every text of these characters.
    fn all_of(choices: &[&str]) -> Vec<String> {
        choices.iter().fold(vec![String::new()], |texts, choices| {
            let longer = |text: &String| {
                choices
                    .chars()
                    .map(|c| format!("{text}{c}"))
                    .collect::<Vec<_>>()
            };
            texts.iter().flat_map(longer).collect()
        })
    }

    #[test]
    fn the_known_masks_leave_the_known_counts() {
        use ValueKind as Kind;
        let digits = |min, max| Kind::Digits(Lengths { min, max });
        for (kind, first, last, expected) in [
            (Kind::TwNationalId, 3, 3, 1_000),
            (Kind::TwNationalId, 4, 3, 100),
            (Kind::TwNationalId, 5, 0, 10_000),
            (Kind::TwNationalId, 1, 3, 80_000),
            // One hidden digit of weight 1 is no secret at all; one of weight 5 has five candidates.
            (Kind::TwNationalId, 9, 0, 1),
            (Kind::TwNationalId, 4, 5, 5),
            // Nothing shown: 26 letters, 4 + 4 second characters, 8 digits of which one follows.
            (Kind::TwNationalId, 0, 0, 26 * 8 * 10_000_000),
            (Kind::TwNationalId, 9, 9, 26 * 8 * 10_000_000),
            (Kind::TwUiNumber, 3, 3, 1_000),
            (Kind::TwUiNumber, 0, 0, 26 * 6 * 10_000_000),
            // The shortest card has twelve digits: of two hidden ones, one follows.
            (Kind::Pan, 6, 4, 10),
            (Kind::Pan, 0, 4, 10_000_000),
            (Kind::TwMobile, 4, 3, 1_000),
            (Kind::TwMobile, 0, 0, 100_000_000),
            (Kind::TwUbn, 0, 0, 22_000_000),
            (Kind::TwUbn, 7, 0, 2),
            (Kind::TwNhiCard, 0, 3, 1_000_000_000),
            (Kind::TwPassport, 0, 2, 10_000_000),
            (Kind::TwMobileBarcode, 1, 1, 39_u128.pow(6)),
            // Two letters before two hidden digits: `AA12`.
            (Kind::TwPlate, 2, 0, 100),
            (Kind::BankAccount, 0, 9, 10),
            (Kind::BankAccount, 0, 3, 10_000_000),
            (digits(4, 6), 0, 4, 10),
            (digits(16, 16), 6, 4, 1_000_000),
            (Kind::Uuid, 14, 0, 8 * 4 * 16_u128.pow(18)),
            (Kind::Date, 0, 0, 127_835),
            // A year that is no leap year; the 29th of February, of 85 leap years.
            (Kind::Date, 4, 0, 365),
            (Kind::Date, 0, 5, 85),
        ] {
            assert_eq!(
                count(kind, first, last),
                expected,
                "{kind:?} {first}+{last}"
            );
        }
        assert_eq!(left(Kind::Pan, 6, 4).characters, 12);
        assert_eq!(left(digits(4, 6), 0, 4).characters, 5);
        let long = left(Kind::Alphanumeric(Lengths { min: 40, max: 64 }), 4, 0);
        assert!((long.candidates.bits() - 36.0 * 36_f64.log2()).abs() < 1e-9);
    }

    #[test]
    fn a_view_that_shows_nothing_counts_only_where_every_one_does() {
        let any = ValueKind::Digits(Lengths::ANY);
        assert!(!left(any, 0, 0).shows && !left(ValueKind::TwUbn, 4, 4).shows);
        assert_eq!((count(any, 0, 0), left(any, 0, 0).characters), (10, 1));
        // Of one to three digits, three kept show none.
        assert_eq!((count(any, 3, 0), left(any, 3, 0).characters), (10, 4));
        assert!(left(any, 3, 0).shows);
    }

    #[test]
    fn people_s_writing_is_not_counted() {
        let class = |kind| DataClass {
            kind,
            ..crate::token::tests::class(kind, Format::Opaque)
        };
        for kind in [
            ValueKind::Text,
            ValueKind::Email,
            ValueKind::NameZh,
            ValueKind::Address,
        ] {
            assert_eq!(residue(&class(kind)), None);
            assert!(crate::token::hidden_min(&class(kind)).is_some());
        }
        assert_eq!(crate::token::hidden_min(&class(ValueKind::Pan)), None);
    }

    #[test]
    fn the_token_s_kept_digits_are_counted_beside_the_mask() {
        use crate::model::Kept;
        let class = |format| crate::token::tests::class(ValueKind::Pan, format);
        let both =
            |format| residue_beside_token(&class(format)).map(|left| left.candidates.tokens());
        // Thirteen digits, six and four of them kept, one follows.
        assert_eq!(both(Format::Pan(Kept::FirstAndLast)), Some(Some(100)));
        assert_eq!(both(Format::Pan(Kept::Last)), Some(Some(10_000_000)));
        assert_eq!(both(Format::Opaque), None);
        assert_eq!(both(Format::TwUiNumber(UiForm::New)), None);
    }

    /// Every completion of what masks show of real values, tried with the check of the kind itself;
    /// the last shown digit runs through all ten, so that each remainder is met.
    #[test]
    fn counting_agrees_with_trying_all_completions_of_real_kinds() {
        const DIGIT: &str = "0123456789";
        const LETTER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const SECOND: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        use ValueKind as Kind;
        for (kind, sample, first, last) in [
            (Kind::TwNationalId, "A123456789", 3, 3),
            (Kind::TwNationalId, "A123456789", 6, 1),
            (Kind::TwNationalId, "A123456789", 4, 5),
            (Kind::TwNationalId, "A123456789", 6, 0),
            (Kind::TwNationalId, "A123456789", 0, 7),
            (Kind::TwNationalId, "A123456789", 1, 6),
            (Kind::TwUiNumber, "A800000014", 0, 8),
            (Kind::TwUiNumber, "A800000014", 1, 6),
            (Kind::TwUbn, "04595257", 2, 2),
            (Kind::TwUbn, "04595257", 4, 0),
            (Kind::TwUbn, "04595257", 5, 1),
            (Kind::TwUbn, "04595257", 0, 4),
            (Kind::Pan, "411111111111", 6, 4),
            (Kind::Pan, "411111111111", 5, 4),
            (Kind::Pan, "411111111111", 9, 0),
        ] {
            let mask = Mask {
                keep_first: first,
                keep_last: last,
                candidates_min: 2,
            };
            let hidden = hidden_places(mask, sample.len());
            let choices: Vec<&str> = hidden
                .clone()
                .map(|place| match (kind, place) {
                    (Kind::TwNationalId | Kind::TwUiNumber, 0) => LETTER,
                    (Kind::TwNationalId | Kind::TwUiNumber, 1) => SECOND,
                    _ => DIGIT,
                })
                .collect();
            let fillings = all_of(&choices);
            // A place whose digits take all remainders, and for business numbers the seventh too.
            let turned = if last > 0 {
                sample.len() - 1
            } else {
                usize::from(first) - 1
            };
            let sevenths: &[&str] = match kind {
                Kind::TwUbn if !hidden.contains(&6) && turned != 6 => &["5", "7"],
                _ => &[""],
            };
            let shown = sevenths.iter().flat_map(|seventh| {
                let text = with(sample, &(6..6 + seventh.len()), seventh);
                let turn = move |digit: u32| with(&text, &(turned..turned + 1), &digit.to_string());
                (0..10).map(turn)
            });
            let completions = |shown: String| {
                let right =
                    |filling: &&String| value::is_real(kind, &with(&shown, &hidden, filling));
                fillings.iter().filter(right).count() as u128
            };
            let fewest = shown.map(completions).filter(|&right| right > 0).min();
            assert_eq!(
                fewest,
                Some(count_of_length(kind, mask, sample.len())),
                "{kind:?} {first}+{last}"
            );
        }
    }

    fn count_of_length(kind: ValueKind, mask: Mask, length: usize) -> u128 {
        let length = u8::try_from(length).unwrap();
        let lengths = Lengths {
            min: length,
            max: length,
        };
        fewest(kind, mask, lengths)
            .unwrap()
            .candidates
            .tokens()
            .unwrap()
    }

    #[test]
    fn counting_agrees_with_grouping_all_days() {
        let all = || {
            (1850..2200).flat_map(|year| {
                (1..13).flat_map(move |month| {
                    (1..32).map(move |day| format!("{year:04}-{month:02}-{day:02}"))
                })
            })
        };
        let days: Vec<String> = all()
            .filter(|day| value::is_real(ValueKind::Date, day))
            .collect();
        assert_eq!(days.len(), 127_835);
        for (first, last) in [(4_u8, 0_u8), (0, 5), (3, 3), (1, 1), (7, 0), (2, 6), (5, 0)] {
            let hidden = usize::from(first)..10 - usize::from(last);
            let counted = count(ValueKind::Date, first, last);
            assert_eq!(
                tried(days.iter().cloned(), &hidden),
                counted,
                "{first}+{last}"
            );
        }
    }

    #[test]
    fn counting_agrees_with_trying_all_old_plates() {
        // Three letters and three digits stand for all: the patterns are those of real plates.
        for length in 4..=5_usize {
            let texts = all_of(&vec!["ABC012"; length]);
            let plates: Vec<String> = texts
                .into_iter()
                .filter(|text| value::is_real(ValueKind::TwPlate, text))
                .collect();
            let reduced = Patterns {
                letter_choices: 3,
                digit_choices: 3,
                ..Patterns::of_plates(length)
            };
            for first in 0..length {
                for last in 0..length - first {
                    let hidden = first..length - last;
                    assert_eq!(
                        tried(plates.iter().cloned(), &hidden),
                        reduced.fewest(&hidden),
                        "{hidden:?}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn counting_agrees_with_trying_all_of_reduced_sums(
            places in proptest::collection::vec(proptest::collection::vec((0..12_u32, any::<bool>()), 1..4), 1..6),
            modulus in 2..=10_u32,
            first: proptest::sample::Index,
            end: proptest::sample::Index,
        ) {
            let length = places.len();
            let (first, end) = (first.index(length), end.index(length) + 1);
            prop_assume!(first < end);
            let amount = |&(adds, or_one_more)| Amount { adds, or_one_more };
            let summed = Summed {
                places: places.iter().map(|place| place.iter().map(amount).collect()).collect(),
                modulus,
            };
            // A text is the choice made at each place.
            let choices: Vec<String> = places.iter().map(|place| "012"[..place.len()].to_owned()).collect();
            let texts = all_of(&choices.iter().map(String::as_str).collect::<Vec<_>>());
            let right = |text: &String| {
                let chosen = text.bytes().zip(&places).map(|(c, place)| place[usize::from(c - b'0')]);
                let (sum, more) = chosen.fold((0, false), |(sum, more), (adds, one)| (sum + adds, more | one));
                sum % modulus == 0 || (more && (sum + 1) % modulus == 0)
            };
            let right: Vec<String> = texts.into_iter().filter(right).collect();
            prop_assume!(!right.is_empty());
            let hidden = first..end;
            prop_assert_eq!(tried(right.into_iter(), &hidden), summed.fewest(&hidden));
        }
    }
}
