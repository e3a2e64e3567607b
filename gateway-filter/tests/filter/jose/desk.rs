//! JWEs at a desk: settings that mean something, and a look ahead.

use std::path::Path;

use gateway_filter::{Media, Settings, Side};

use super::{VAULT, rules};

#[test]
fn a_look_ahead_shows_what_would_become_of_a_sample() {
    let rules = rules();
    let look = |route: &str, side, sample: &str| {
        let route = rules.route_for(Some(route), side, Media::JSON).unwrap();
        rules
            .preview(route, side, Media::JSON, sample.as_bytes())
            .ok()
            .unwrap()
    };
    let sample = r#"{"payer":"x"}"#;
    let seen = look("payload", Side::Request, sample);
    let told: Vec<_> = seen
        .found
        .iter()
        .map(|found| (found.place.as_str(), found.action.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("payload", "encrypt payload with bank"),
            ("$.payer", "tokenize name")
        ]
    );
    assert_eq!(seen.rewritten, b"JWE");
    // A sample of what comes in a JWE is what comes out of it.
    let seen = look("partner", Side::Request, sample);
    assert_eq!(seen.found[0].action, "decrypt payload with partner");
    assert_eq!(seen.rewritten, br#"{"payer":"TOKEN"}"#);
    let seen = look("fields", Side::Request, r#"{"card":"1","in":"2"}"#);
    let told: Vec<_> = seen
        .found
        .iter()
        .map(|found| found.action.as_str())
        .collect();
    assert_eq!(told, ["encrypt with bank", "decrypt with partner"]);
    assert_eq!(seen.rewritten, br#"{"card":"JWE","in":"OPENED"}"#);
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let field =
        |more: &str| format!("[[route.request]]\nfield = \"$.a\"\naction = \"encrypt\"\n{more}");
    let payload = |more: &str| format!("[route.request_payload]\n{more}");
    for (rules, words) in [
        (field(""), "needs a `key`"),
        (field("key = \"Bank\""), "no key's name"),
        (field("key = \"\""), "no key's name"),
        (field("key = \"a\"\nalg = \"A128KW\""), "`alg` must be"),
        (
            field("key = \"a\"\nclass = \"name\""),
            "`class` means nothing",
        ),
        (
            field("key = \"a\"\nnumbers = \"keep\""),
            "`numbers` means nothing",
        ),
        (
            field("key = \"a\"").replace("encrypt", "tokenize"),
            "`key` means nothing",
        ),
        (
            field("alg = \"dir\"").replace("encrypt", "drop"),
            "`alg` means nothing",
        ),
        (
            field("key = \"a\"\nnumbers = \"text\"").replace("encrypt", "decrypt"),
            "`numbers` means nothing",
        ),
        (payload("action = \"encrypt\""), "missing field `key`"),
        (
            payload("action = \"tokenize\"\nkey = \"a\""),
            "unknown variant",
        ),
        (
            payload("action = \"encrypt\"\nkey = \"a\"\ncontent_types = [\"a/b\"]"),
            "means nothing",
        ),
        (
            payload("action = \"decrypt\"\nkey = \"a\""),
            "`content_types` must name",
        ),
        (
            payload("action = \"decrypt\"\nkey = \"a\"\ncontent_types = []"),
            "`content_types` must name",
        ),
        (
            payload("action = \"decrypt\"\nkey = \"a\"\ncontent_types = [\"a/b; c=d\"]"),
            "`content_types` must name",
        ),
    ] {
        let text =
            format!("{VAULT}[[route]]\nname = \"a\"\npath = \"/a\"\ndomain = \"d\"\n{rules}");
        let refused = Settings::parse(&text, Path::new(""))
            .err()
            .map(|error| error.to_string());
        assert!(
            refused.as_ref().is_some_and(|said| said.contains(words)),
            "{words}: {refused:?}"
        );
    }
    let shown: Vec<String> = rules()
        .routes()
        .iter()
        .map(|route| route.describe())
        .collect();
    assert!(
        shown[1].contains("tokenize 1, encrypt payload with bank\tdecrypt payload with bank"),
        "{shown:?}"
    );
}

#[test]
fn the_example_is_a_set_of_routes() {
    let text = format!("{VAULT}{}", include_str!("../../../examples/jwe.toml"));
    let rules = Settings::parse(&text, Path::new("")).unwrap().rules;
    assert_eq!(rules.routes().len(), 6);
}
