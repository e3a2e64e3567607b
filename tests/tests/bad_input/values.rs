//! Values, format by format, over the wire: what is refused, at which item, with nothing stored; and what is the same
//! value written otherwise.

use serde_json::{Value, json};
use tests::{House, Reply};

use super::rest::post;
use super::{TAX, expect_problem};

/// A class of the catalogue: a kind of values, a format of tokens.
struct Class {
    kind: &'static str,
    format: &'static str,
    good: &'static str,
    /// Too short or too long, or with a wrong check digit.
    bad: &'static [&'static str],
}

const fn class(
    kind: &'static str,
    format: &'static str,
    good: &'static str,
    bad: &'static [&'static str],
) -> Class {
    Class {
        kind,
        format,
        good,
        bad,
    }
}

const DIGITS: &str = r#"{ name = "digits", min = 8, max = 8 }"#;
const UUID: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";

/// Every format that there is, with a kind that is strict.
const CLASSES: [Class; 21] = [
    class(
        r#""tw-national-id""#,
        r#""tw-national-id""#,
        "A123456789",
        &["A12345678", "A1234567890", "A123456788"],
    ),
    class(
        r#""tw-ui-number""#,
        r#""tw-ui-number""#,
        "A800000014",
        &["A80000001", "A800000015"],
    ),
    class(
        r#""tw-ui-number""#,
        r#"{ name = "tw-ui-number", form = "old" }"#,
        "AB12345677",
        &["AB1234567", "AB12345676"],
    ),
    class(
        r#""tw-ubn""#,
        r#""tw-ubn""#,
        "04595257",
        &["0459525", "045952577", "04595258"],
    ),
    class(
        r#""tw-mobile""#,
        r#""tw-mobile""#,
        "0912345678",
        &["091234567", "09123456789"],
    ),
    class(
        r#""tw-nhi-card""#,
        r#""tw-nhi-card""#,
        "000012345678",
        &["00001234567"],
    ),
    class(
        r#""tw-passport""#,
        r#""tw-passport""#,
        "312345678",
        &["31234567", "3123456789"],
    ),
    class(
        r#""tw-plate""#,
        r#""tw-plate""#,
        "ABC-1235",
        &["ABC", "ABC-12355"],
    ),
    class(
        r#""tw-mobile-barcode""#,
        r#""tw-mobile-barcode""#,
        "/ABC+123",
        &["/ABC+12", "/ABC+1234"],
    ),
    class(
        r#""bank-account""#,
        r#""bank-account""#,
        "700-0000123-4567890",
        &["700-123456"],
    ),
    class(
        r#""pan""#,
        r#""pan""#,
        "4111111111111111",
        &["41111111111", "4111111111111112"],
    ),
    class(
        r#""email""#,
        r#""email""#,
        "wang@example.com",
        &["@c.tw", "a@token.invalid"],
    ),
    class(r#""name-zh""#, r#""name-zh""#, "王小明", &["王", "王Wang"]),
    class(
        r#""address""#,
        r#""address""#,
        "臺北市測試區示範路三段12號5樓之1",
        &["臺北市", "代碼縣測試區示範路1號"],
    ),
    class(
        r#""date""#,
        r#""date""#,
        "2026-03-02",
        &["2026-02-29", "2026-13-01"],
    ),
    class(
        r#""uuid""#,
        r#""uuid""#,
        UUID,
        &["f81d4fae", "00000000-0000-0000-0000-000000000000"],
    ),
    class(
        DIGITS,
        r#"{ name = "digits", length = 12 }"#,
        "12345678",
        &["1234567", "123456789"],
    ),
    class(
        DIGITS,
        r#"{ name = "alphanumeric", length = 10 }"#,
        "12345678",
        &["1234567"],
    ),
    class(
        DIGITS,
        r#"{ name = "zh", length = 6 }"#,
        "12345678",
        &["1234567"],
    ),
    class(
        DIGITS,
        r#"{ name = "template", template = "'T'NNNNNNNNNNXX" }"#,
        "12345678",
        &["1234567"],
    ),
    class(DIGITS, r#""opaque""#, "12345678", &["1234567"]),
];

impl Class {
    /// The good value, spoilt in every way that the eye may miss.
    fn spoilt(&self) -> Vec<String> {
        let middle = self.good.char_indices().nth(2).map_or(1, |(at, _)| at);
        let (before, after) = self.good.split_at(middle);
        let hidden = ["\0", "\u{200f}", "\u{202e}", "\u{200b}", "\u{feff}"];
        // RFC 6531: an e-mail address may hold any script.
        let seen: &[&str] = match self.kind {
            r#""email""# => &[],
            // A combining accent, an emoji with a skin tone, a Cyrillic letter, an Arabic and a Thai digit.
            _ => &["\u{301}", "👍🏽", "А", "٣", "๓"],
        };
        let with = |sign: &&str| format!("{before}{sign}{after}");
        let bad = self.bad.iter().map(|bad| (*bad).to_owned());
        bad.chain(hidden.iter().chain(seen).map(with)).collect()
    }

    /// The good value in full-width characters, and between ideographic spaces.
    fn wide(&self) -> String {
        let wide = |sign: char| match sign {
            '!'..='~' => char::from_u32(u32::from(sign) + 0xFEE0).unwrap(),
            other => other,
        };
        format!(
            "\u{3000}{}\u{3000}",
            self.good.chars().map(wide).collect::<String>()
        )
    }
}

fn name(number: usize) -> String {
    format!("trial-{number}")
}

/// A vault with a repeatable class for each format, in the city.
fn house() -> House {
    let mut house = House::install();
    let entry = |(number, class): (usize, &Class)| {
        let (name, Class { kind, format, .. }) = (name(number), class);
        format!(
            "[[class]]\nname = \"{name}\"\nlevel = \"internal\"\nkind = {kind}\nformat = {format}\n\
             mask = {{ keep_first = 0, keep_last = 0 }}\ntokens = \"repeatable\"\n\n"
        )
    };
    let classes: String = CLASSES.iter().enumerate().map(entry).collect();
    let names = (0..CLASSES.len()).map(|number| format!("\"{}\", ", name(number)));
    let domain = "[[domain]]\nname = \"city\"\nclasses = [\n";
    let more = format!("{classes}{domain}    {}\n", names.collect::<String>());
    house.edit("policies/classes.toml", domain, &more);
    house.serve();
    house
}

fn tokenize(house: &House, class: &str, values: &[&str]) -> Reply {
    let item = |value: &&str| json!({ "class": class, "value": value });
    let items: Vec<Value> = values.iter().map(item).collect();
    let body = json!({ "domain": "city", "items": items });
    post(house, "/v1/tokenize", &body.to_string())
}

fn tokens(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let tokens = reply.json()["tokens"].as_array().unwrap().clone();
    let text = |token: &Value| token.as_str().unwrap().to_owned();
    tokens.iter().map(text).collect()
}

fn views(house: &House, tokens: &[&str]) -> Vec<String> {
    let body = json!({ "domain": "city", "purpose": TAX, "tokens": tokens });
    let reply = post(house, "/v1/detokenize", &body.to_string());
    assert_eq!(reply.status, 200, "{reply:?}");
    let items = reply.json()["items"].as_array().unwrap().clone();
    let view = |item: &Value| item["view"].as_str().unwrap().to_owned();
    items.iter().map(view).collect()
}

#[test]
fn one_bad_value_of_any_format_is_told_by_its_place_and_nothing_of_its_batch_is_stored() {
    let house = house();
    for (number, class) in CLASSES.iter().enumerate() {
        let long = "9".repeat(5_000);
        for bad in class.spoilt().into_iter().chain([String::new(), long]) {
            let what = format!("{} {} {bad:?}", class.kind, class.format);
            let reply = tokenize(&house, &name(number), &[class.good, &bad, class.good]);
            let code = if bad.len() > 4_096 {
                "value-too-long"
            } else {
                "value-invalid"
            };
            expect_problem(&what, &reply, 422, code);
            assert_eq!(reply.json()["item"], 1, "{what}");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(bad.len() < 4 || !detail.contains(&bad), "{what}: {detail}");
        }
        assert_eq!(house.rows(), 0, "{} {}", class.kind, class.format);
    }
}

#[test]
fn a_value_written_wide_or_sent_twice_is_one_value_and_its_token_mistyped_is_none() {
    let house = house();
    for (number, class) in CLASSES.iter().enumerate() {
        let (what, before) = (format!("{} {}", class.kind, class.format), house.rows());
        let wide = class.wide();
        let values = [class.good, &wide, class.good];
        let issued = tokens(&tokenize(&house, &name(number), &values));
        assert!(issued.iter().all(|token| *token == issued[0]), "{what}");
        assert_eq!(house.rows(), before + 1, "{what}");
        let token = issued[0].as_str();
        let mut mistyped: Vec<char> = token.chars().collect();
        let last = mistyped.last_mut().unwrap();
        *last = if *last == '2' { '3' } else { '2' };
        let mistyped: String = mistyped.into_iter().collect();
        let shown = views(&house, &[token, &mistyped, token]);
        assert_eq!(shown, ["plain", "not-available", "plain"], "{what}");
    }
    // Of a class whose tokens are new each time, equal values in one batch are rows of their own.
    let issued = tokens(&tokenize(&house, "name", &["王重複"; 3]));
    assert!(issued[0] != issued[1] && issued[1] != issued[2] && issued[0] != issued[2]);
    let all: Vec<&str> = issued.iter().map(String::as_str).collect();
    assert_eq!(views(&house, &all), ["plain"; 3]);
}

// A check character that was typed wrongly, each of them: the answer is that for a token that never was.
#[test]
fn a_token_with_a_wrong_check_character_looks_absent() {
    let house = House::open();
    let token = tokens(&tokenize(&house, "name", &["王查驗"])).remove(0);
    let absent = views(&house, &["jk1_djxb627akbyp9m79z563kkvn38zbh5"]);
    assert_eq!(absent, ["not-available"]);
    let signs: Vec<char> = token.chars().collect();
    for place in signs.len() - 4..signs.len() {
        let mut mistyped = signs.clone();
        mistyped[place] = if signs[place] == 'k' { 'm' } else { 'k' };
        let mistyped: String = mistyped.into_iter().collect();
        assert_eq!(views(&house, &[&mistyped]), absent, "character {place}");
    }
    assert_eq!(views(&house, &[&token]), ["plain"]);
}

#[test]
fn a_mebibyte_and_a_million_items_are_refused_and_the_vault_goes_on() {
    let huge = "9".repeat(1 << 20);
    let items = vec![r#"{"class":"name","value":"x"}"#; 1_000_000].join(",");
    let million = format!(r#"{{"domain":"city","items":[{items}]}}"#);
    let tokens = vec![r#""x""#; 1_000_000].join(",");
    let million_tokens = format!(r#"{{"domain":"city","purpose":"{TAX}","tokens":[{tokens}]}}"#);
    let mut house = House::install();
    // With the default, all of them are bodies that are too large.
    let limits = "[limits]\nbody_bytes_max = 67108864\nrequest_timeout_ms = 60000\n";
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        &format!("\n{limits}\n[ledger]\n"),
    );
    house.serve();
    let value = json!({ "domain": "city", "items": [{ "class": "name", "value": huge }] });
    let token = json!({ "domain": "city", "purpose": TAX, "tokens": [huge] });
    for (path, body, code) in [
        ("/v1/tokenize", value.to_string(), "value-too-long"),
        ("/v1/detokenize", token.to_string(), "token-too-long"),
        ("/v1/tokenize", million, "batch-too-long"),
        ("/v1/detokenize", million_tokens, "batch-too-long"),
    ] {
        expect_problem(code, &post(&house, path, &body), 422, code);
    }
    assert_eq!(house.rows(), 0);
    assert_eq!(tokenize(&house, "name", &["王如常"]).status, 200);
}
