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
            read(&format!("{lines}\nrepeatable = true")),
            Ok(()),
            "{lines}"
        );
    }
    for lines in [
        "kind = \"tw-ubn\"\nformat = \"tw-ubn\"\nrepeatable = true",
        "kind = \"tw-ubn\"\nformat = { name = \"digits\", length = \"same\" }\nrepeatable = true",
        "kind = \"pan\"\nformat = { name = \"digits\", length = \"same\" }",
        "kind = { name = \"digits\", min = 8, max = 10 }\nformat = { name = \"digits\", length = 12 }",
        "kind = \"name-zh\"\nformat = { name = \"zh\", length = \"same\" }\nrepeatable = true",
        "kind = \"text\"\nformat = { name = \"zh\", length = 6 }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"LL-NNNN-漢漢\" }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"'TK'-NNNNNNNN\" }",
        "kind = \"text\"\nformat = { name = \"template\", template = \"'TK'-NNNNNN-漢C\" }",
        "kind = \"tw-passport\"\nformat = { name = \"alphanumeric\", length = \"same\" }",
        "kind = \"pan\"\nformat = { name = \"pan\", keep = \"nothing\" }\nrepeatable = true",
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
        &format!("{eight}\nrepeatable = true"),
        &[
            "repeatable",
            "1,000,000 tokens (19.9 bits)",
            "100,000,000 values",
        ],
    );
    says(
        "kind = { name = \"digits\", min = 1, max = 64 }\nrepeatable = true\n\
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

#[test]
fn the_sample_catalogue_is_fit() {
    let text = include_str!("../../../../policies/classes.toml");
    fit(&Catalogue::parse(text).unwrap()).unwrap();
}
