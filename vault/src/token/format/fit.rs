//! Whether a class's format and mask can serve it, asked when the catalogue is read: with the numbers.

use super::{TOKENS_MIN, card_competition, kind_stood_for, plain, space};
use crate::model::{
    Catalogue, ClassName, DataClass, Demand, Format, Length, Repeatability, ValueKind,
};
use crate::token::space::grouped;
use crate::token::{Residue, Space, residue, value};

/// So many tokens are enough for any table, whatever values may come.
const TOKENS_PLENTY: u128 = 1 << 32;

/// Why a class's format or mask can't serve it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// The format has too few tokens.
    #[error(
        "class `{class}`: the format `{format}` has {space}, and needs {least} at the least: make it \
        longer, or use `opaque`"
    )]
    TooFew {
        /// The class.
        class: ClassName,
        /// Its format.
        format: &'static str,
        /// The tokens it has.
        space: Space,
        /// What it needs.
        least: String,
    },
    /// Each value needs a token of its own, and there are not enough.
    #[error(
        "class `{class}` is repeatable: each of {values} values needs a token of its own, and the \
        format `{format}` has {space}: make it longer, or use `opaque`"
    )]
    TooFewForValues {
        /// The class.
        class: ClassName,
        /// Its format.
        format: &'static str,
        /// The tokens it has.
        space: Space,
        /// Values that may come.
        values: String,
    },
    /// Nobody could tell the tokens from values.
    #[error(
        "class `{class}`: tokens of the format `{format}` could be taken for values of the kind \
        `{kind}`: give it another length, a template with two 漢 or quoted text, or `opaque`"
    )]
    LooksReal {
        /// The class.
        class: ClassName,
        /// Its format.
        format: &'static str,
        /// Its kind.
        kind: &'static str,
    },
    /// Tokens as long as values, of a kind whose values have any length.
    #[error(
        "class `{class}`: values of the kind `{kind}` have any length: give the format `{format}` a \
        number of characters"
    )]
    NoLength {
        /// The class.
        class: ClassName,
        /// Its format.
        format: &'static str,
        /// Its kind.
        kind: &'static str,
    },
    /// Who sees a masked value could find it by trying.
    #[error(
        "class `{class}`: its mask leaves {} for a value of {} characters of the kind `{kind}`, and its \
        floor is {}: keep fewer characters, or set `candidates_min` in `mask` if so few are enough",
        residue.candidates.counted("candidates"),
        residue.characters,
        grouped(u128::from(*floor))
    )]
    MaskTooOpen {
        /// The class.
        class: ClassName,
        /// Its kind.
        kind: &'static str,
        /// What its mask leaves.
        residue: Residue,
        /// What it should leave.
        floor: u64,
    },
    /// No value is of the class's kind and of the one that its format looks like.
    #[error("class `{class}`: no value of the kind `{kind}` fits the format `{format}`")]
    NoValue {
        /// The class.
        class: ClassName,
        /// Its format.
        format: &'static str,
        /// Its kind.
        kind: &'static str,
    },
}

/// Whether each class's format can serve it, and its mask hides enough. To be asked wherever a
/// catalogue is read.
pub fn fit(catalogue: &Catalogue) -> Result<(), Unfit> {
    catalogue.classes().try_for_each(|class| {
        fit_one(class)?;
        hides_enough(class)
    })?;
    let otherwise = catalogue.domains().flat_map(|domain| &domain.tokens);
    for (class, tokens) in otherwise {
        if let Some(class) = catalogue.class(class) {
            fit_one(&DataClass {
                tokens: *tokens,
                ..class.clone()
            })?;
        }
    }
    Ok(())
}

/// No mask shows less than one that shows nothing: that is never refused.
fn hides_enough(class: &DataClass) -> Result<(), Unfit> {
    let floor = class.mask.candidates_min;
    match residue(class) {
        Some(residue) if residue.shows && !residue.candidates.is_at_least(u128::from(floor)) => {
            Err(Unfit::MaskTooOpen {
                class: class.name.clone(),
                kind: class.kind.name(),
                residue,
                floor,
            })
        }
        _ => Ok(()),
    }
}

fn fit_one(class: &DataClass) -> Result<(), Unfit> {
    let (format, kind) = (class.format.name(), class.kind.name());
    let name = || class.name.clone();
    let stood_for = kind_stood_for(&class.format);
    if stood_for.is_some_and(|like| class.demand == Demand::Real && !meet(class.kind, like)) {
        return Err(Unfit::NoValue {
            class: name(),
            format,
            kind,
        });
    }
    if plain::chosen(&class.format) == Some(Length::OfValue) && value::lengths(class.kind).is_none()
    {
        return Err(Unfit::NoLength {
            class: name(),
            format,
            kind,
        });
    }
    let looks_real = Unfit::LooksReal {
        class: name(),
        format,
        kind,
    };
    let (tokens, values) = competition(class).ok_or(looks_real)?;
    if !tokens.is_at_least(TOKENS_MIN) {
        return Err(Unfit::TooFew {
            class: name(),
            format,
            space: tokens,
            least: grouped(TOKENS_MIN),
        });
    }
    // Twice as many: the last ones would be looked for in vain.
    let wanted = values.and_then(|values| values.tokens()?.checked_mul(2));
    match (values, wanted) {
        (Some(values), Some(wanted))
            if class.tokens == Repeatability::Repeatable
                && !tokens.is_at_least(wanted.min(TOKENS_PLENTY)) =>
        {
            Err(Unfit::TooFewForValues {
                class: name(),
                format,
                space: tokens,
                values: grouped(values.tokens().unwrap_or(u128::MAX)),
            })
        }
        (Some(values), None)
            if class.tokens == Repeatability::Repeatable
                && values.tokens().is_none()
                && !tokens.is_at_least(TOKENS_PLENTY) =>
        {
            Err(Unfit::TooFewForValues {
                class: name(),
                format,
                space: tokens,
                values: values.to_string(),
            })
        }
        _ => Ok(()),
    }
}

/// The fewest tokens that a value has, and the values that compete for them, where both can be
/// counted. `None` if tokens could be taken for values.
fn competition(class: &DataClass) -> Option<(Space, Option<Space>)> {
    if let Format::Pan(kept) = class.format {
        let (tokens, values) = card_competition(kept);
        return Some((tokens, Some(values)));
    }
    let of_kind = value::count(kind_stood_for(&class.format).unwrap_or(class.kind));
    match (&class.format, plain::chosen(&class.format)) {
        (Format::Template(_), _) => {
            let tokens = plain::space(class.kind, &class.format, 0)?;
            Some((tokens, of_kind))
        }
        (_, Some(Length::Fixed(length))) => {
            let tokens = plain::space(class.kind, &class.format, usize::from(length))?;
            Some((tokens, of_kind))
        }
        // Values of one length compete among themselves; each length is asked.
        (_, Some(Length::OfValue)) => {
            let lengths = value::lengths(class.kind)?;
            let of_length = |length| plain::space(class.kind, &class.format, usize::from(length));
            let spaces: Option<Vec<Space>> = (lengths.min..=lengths.max).map(of_length).collect();
            let one_length = lengths.min == lengths.max;
            let fewest = spaces?
                .into_iter()
                .min_by(|a, b| a.bits().total_cmp(&b.bits()))?;
            Some((fewest, of_kind.filter(|_| one_length)))
        }
        (_, None) => Some((space(class), of_kind)),
    }
}

/// Whether a value can be of both kinds.
fn meet(kind: ValueKind, like: ValueKind) -> bool {
    use ValueKind::{Alphanumeric, Digits, Text, TwNationalId, TwUiNumber};
    match (kind, like) {
        (Text, _) | (TwNationalId, TwUiNumber) | (TwUiNumber, TwNationalId) => true,
        (Digits(own) | Alphanumeric(own), _) => {
            value::lengths(like).is_some_and(|like| own.min <= like.max && like.min <= own.max)
        }
        _ => kind == like,
    }
}
