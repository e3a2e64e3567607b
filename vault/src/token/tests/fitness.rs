//! Which formats are refused when the catalogue is read, and what the refusal says.

use super::*;
use crate::model::Catalogue;

fn read(lines: &str) -> Result<(), String> {
    let text = format!(
        "levels = [\"public\"]\n[[class]]\nname = \"a\"\nlevel = \"public\"\n\
        mask = {{ keep_first = 0, keep_last = 0 }}\n{lines}\n[[domain]]\nname = \"city\"\nclasses = [\"a\"]\n"
    );
    let catalogue = Catalogue::parse(&text).map_err(|error| error.to_string())?;
    fit(&catalogue).map_err(|error| error.to_string())
}

fn says(lines: &str, words: &[&str]) {
    let refusal = read(lines).unwrap_err();
    for word in words {
        assert!(refusal.contains(word), "{lines}: {refusal}");
    }
}

#[test]
fn a_class_of_every_format_is_fit() {
    for class in classes() {
        let template = match &class.format {
            Format::Template(_) => continue,
            format => format.name(),
        };
        if needs_its_class(&class.format) || matches!(class.format, Format::Zh(_)) {
            continue;
        }
        let lines = format!("kind = \"{}\"\nformat = \"{template}\"", class.kind.name());
        assert_eq!(read(&lines), Ok(()));
        assert_eq!(
            read(&format!("{lines}\ntokens = \"repeatable\"")),
            Ok(()),
            "{lines}"
        );
    }
    for lines in [
        "kind = \"tw-ubn\"\nformat = \"tw-ubn\"\ntokens = \"repeatable\"",
        "kind = \"tw-ubn\"\nformat = { name = \"digits\", length = \"same\" }\ntokens = \"repeatable\"",
        "kind = \"pan\"\nformat = { name = \"digits\", length = \"same\" }",
        "kind = { name = \"digits\", min = 8, max = 10 }\nformat = { name = \"digits\", length = 12 }",
        "kind = \"name-zh\"\nformat = { name = \"zh\", length = \"same\" }\ntokens = \"repeatable\"",
        "kind = \"text\"\nformat = { name = \"zh\", length = 6 }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"LL-NNNN-漢漢\" }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"'TK'-NNNNNNNN\" }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"'TK'-NNNNNN-漢C\" }",
        "kind = \"tw-passport\"\nformat = { name = \"alphanumeric\", length = \"same\" }",
        "kind = \"pan\"\nformat = { name = \"pan\", keep = \"nothing\" }\ntokens = \"repeatable\"",
        "kind = \"text\"\nformat = \"name-zh\"\nrequire_valid = false",
    ] {
        assert_eq!(read(lines), Ok(()), "{lines}");
    }
}

#[test]
fn too_few_tokens_are_refused_with_their_number() {
    says(
        "kind = { name = \"digits\", min = 8, max = 8 }\nformat = { name = \"digits\", length = 4 }",
        &[
            "class `a`",
            "`digits`",
            "10,000 tokens (13.3 bits)",
            "65,536",
        ],
    );
    says(
        "kind = \"text\"\nformat = { name = \"template\", template = \"'TK'-NNN\" }",
        &["1,000 tokens (10.0 bits)"],
    );
    // Enough for tokens that come anew each time, too few for each of 100,000,000 values.
    let eight = "kind = { name = \"digits\", min = 8, max = 8 }\n\
        format = { name = \"template\", template = \"'T'NNNNNN\" }";
    assert_eq!(read(eight), Ok(()));
    says(
        &format!("{eight}\ntokens = \"repeatable\""),
        &[
            "repeatable",
            "1,000,000 tokens (19.9 bits)",
            "100,000,000 values",
        ],
    );
    says(
        "kind = { name = \"digits\", min = 1, max = 64 }\ntokens = \"repeatable\"\n\
        format = { name = \"template\", template = \"'T'NNNNNN\" }",
        &["2^128.0 tokens values", "1,000,000 tokens"],
    );
}

#[test]
fn tokens_that_could_be_values_are_refused() {
    for lines in [
        "kind = \"text\"\nformat = { name = \"digits\", length = 12 }",
        "kind = \"text\"\nformat = { name = \"alphanumeric\", length = 12 }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"LL-NNNN\" }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"LL-NNNN-漢\" }",
        "kind = { name = \"digits\", min = 8, max = 10 }\nformat = { name = \"digits\", length = 9 }",
        "kind = { name = \"digits\", min = 8, max = 9 }\nformat = { name = \"digits\", length = \"same\" }",
        "kind = \"tw-passport\"\nformat = { name = \"digits\", length = 9 }",
        "kind = \"tw-nhi-card\"\nformat = { name = \"digits\", length = 12 }",
        "kind = \"bank-account\"\nformat = { name = \"digits\", length = 14 }",
        "kind = \"date\"\nformat = { name = \"digits\", length = 8 }",
        "kind = \"tw-national-id\"\nformat = { name = \"alphanumeric\", length = 10 }",
        "kind = \"tw-national-id\"\nformat = { name = \"template\", template = \"LN-NNNNNNNN\" }",
        "kind = \"tw-plate\"\nformat = { name = \"template\", template = \"LLL-NNNN\" }",
        "kind = \"tw-mobile\"\nformat = { name = \"template\", template = \"'09'NNNNNNNN\" }",
        "kind = \"address\"\nformat = { name = \"template\", template = \"'臺北市測試區'NNNNNN\" }",
        "kind = { name = \"digits\", min = 8, max = 8 }\nformat = { name = \"template\", template = \"NN-NNNNNN\" }",
    ] {
        says(lines, &["could be taken for values", "`opaque`"]);
    }
}

#[test]
fn a_format_and_a_kind_that_never_meet_are_refused() {
    for lines in [
        "kind = \"email\"\nformat = \"pan\"",
        "kind = \"name-zh\"\nformat = \"tw-plate\"",
        "kind = { name = \"digits\", min = 20, max = 22 }\nformat = \"pan\"",
    ] {
        says(lines, &["no value of the kind"]);
    }
    says(
        "kind = \"email\"\nformat = { name = \"zh\", length = \"same\" }",
        &["have any length", "number of characters"],
    );
    // Asked for nothing, any value is taken, and tokens are what they are.
    assert_eq!(
        read("kind = \"email\"\nformat = \"date\"\nrequire_valid = false"),
        Ok(())
    );
}

/// A class of this kind and mask.
fn masked_as(kind: &str, mask: &str) -> Result<(), String> {
    let text = format!(
        "levels = [\"public\"]\ndomain = []\n[[class]]\nname = \"a\"\nlevel = \"public\"\nformat = \"opaque\"\n\
        kind = {kind}\nmask = {{ {mask} }}\n"
    );
    let catalogue = Catalogue::parse(&text).map_err(|error| error.to_string())?;
    fit(&catalogue).map_err(|error| error.to_string())
}

#[test]
fn a_mask_under_its_class_s_floor_is_refused_with_the_number() {
    for (kind, mask, words) in [
        (
            "\"tw-national-id\"",
            "keep_first = 3, keep_last = 3",
            [
                "class `a`",
                "1,000 candidates (10.0 bits) for a value of 10 characters",
                "floor is 10,000",
            ],
        ),
        (
            "\"pan\"",
            "keep_first = 6, keep_last = 4",
            [
                "10 candidates (3.3 bits) for a value of 12 characters",
                "kind `pan`",
                "keep fewer characters",
            ],
        ),
        (
            "\"date\"",
            "keep_first = 4, keep_last = 0, candidates_min = 366",
            ["365 candidates", "floor is 366", "`candidates_min`"],
        ),
        (
            "{ name = \"digits\", min = 4, max = 6 }",
            "keep_first = 0, keep_last = 4",
            [
                "10 candidates (3.3 bits) for a value of 5 characters",
                "kind `digits`",
                "keep fewer",
            ],
        ),
    ] {
        let refusal = masked_as(kind, mask).unwrap_err();
        for word in words {
            assert!(refusal.contains(word), "{kind}: {refusal}");
        }
    }
}

#[test]
fn a_mask_at_its_floor_is_taken_and_so_is_one_that_shows_nothing() {
    for (kind, mask) in [
        (
            "\"tw-national-id\"",
            "keep_first = 3, keep_last = 3, candidates_min = 1000",
        ),
        ("\"tw-national-id\"", "keep_first = 1, keep_last = 3"),
        (
            "\"date\"",
            "keep_first = 4, keep_last = 0, candidates_min = 365",
        ),
        // No mask shows less, whatever the floor.
        ("\"digits\"", "keep_first = 0, keep_last = 0"),
        (
            "\"date\"",
            "keep_first = 0, keep_last = 0, candidates_min = 1000000",
        ),
        // As many kept as there are: nothing is shown.
        ("\"tw-ubn\"", "keep_first = 4, keep_last = 4"),
        // Kept for each value, when it is shown.
        ("\"text\"", "keep_first = 200, keep_last = 3"),
    ] {
        assert_eq!(masked_as(kind, mask), Ok(()), "{kind} {mask}");
    }
}

/// The table of masks in `policies/README.md`: kind, characters kept, what the document says is left.
fn table_of_masks() -> Vec<(String, u8, u8, String)> {
    let text = include_str!("../../../../policies/README.md");
    let table = text.split("### Masks").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.filter(|line| !line.starts_with("| `kind`"));
    rows.map(|row| {
        let cells: Vec<&str> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let (first, last) = cells[2].split_once('+').unwrap();
        let kept = |text: &str| text.parse().unwrap();
        (
            cells[1].to_owned(),
            kept(first),
            kept(last),
            cells[3].to_owned(),
        )
    })
    .collect()
}

#[test]
fn the_table_of_masks_says_what_is_counted() {
    let rows = table_of_masks();
    assert!(rows.len() > 10);
    for (kind, keep_first, keep_last, says) in rows {
        let kind = KINDS
            .into_iter()
            .find(|known| known.name() == kind)
            .unwrap();
        let mask = Mask {
            keep_first,
            keep_last,
            candidates_min: 2,
        };
        let class = DataClass {
            mask,
            ..class(kind, Format::Opaque)
        };
        let left = residue(&class).unwrap().candidates;
        let counted = left.counted("candidates");
        let number = counted.split(' ').next().unwrap();
        assert_eq!(says, format!("{number} ({:.1})", left.bits()), "{kind:?}");
    }
}

#[test]
fn the_sample_catalogue_is_fit() {
    let text = include_str!("../../../../policies/classes.toml");
    fit(&Catalogue::parse(text).unwrap()).unwrap();
}
