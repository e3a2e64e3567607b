//! What a configuration may say, and how a wrong one is refused.

use super::*;

const VAULT: &str = "[vault]\nurl = \"https://127.0.0.1:8443\"\nca = \"ca.pem\"\n";
const ROUTE: &str = "[[route]]\nname = \"a\"\npath = \"/a\"\ndomain = \"city\"\n";

fn parse(text: &str) -> Result<Settings, SettingsError> {
    Settings::parse(text, FilePath::new("/etc/jinku"))
}

fn refusal(text: &str) -> String {
    parse(text).map(|_| ()).expect_err(text).to_string()
}

fn with(extra: &str) -> String {
    format!("{VAULT}{ROUTE}{extra}")
}

#[test]
fn the_example_is_a_configuration() {
    let settings = parse(include_str!("../../examples/filter.toml")).unwrap();
    assert_eq!(settings.vault.ca, FilePath::new("/etc/jinku/ca.pem"));
    assert_eq!(settings.vault.timeout, Duration::from_secs(2));
    assert_eq!(settings.rules.unmatched, Unmatched::Refuse);
    assert_eq!(settings.rules.in_flight_max, 1024);
    assert_eq!(settings.rules.body_bytes_max(), 262_144);
    assert_eq!(
        settings.rules.routes()[0].describe(),
        "payments\t*\tPOST\t/payments/{kind}\tcity\ttokenize 2, mask 1, drop 1\tdetokenize 1"
    );
    assert_eq!(settings.proxy.unwrap().upstreams, ["http://127.0.0.1:9000"]);
    assert_eq!(settings.ext_proc.listen.port(), 18080);
}

#[test]
fn defaults_stand_where_nothing_is_written() {
    let rules = parse(&with("")).unwrap().rules;
    let Bounds {
        depth_max,
        nodes_max,
        fields_max,
    } = rules.bounds;
    assert_eq!((depth_max, nodes_max, fields_max), (64, 100_000, 1_000));
    assert_eq!(rules.body_bytes_max(), 1_048_576);
    assert_eq!(rules.unmatched, Unmatched::Refuse);
}

#[test]
fn unknown_and_repeated_keys_are_refused() {
    assert!(refusal(&with("purpos = \"x\"\n")).contains("unknown field `purpos`"));
    assert!(refusal(&format!("x = 1\n{}", with(""))).contains("unknown field `x`"));
    assert!(refusal(&with("[limits]\ndepth = 1\n")).contains("unknown field `depth`"));
    assert!(refusal(&with("name = \"b\"\n")).contains("duplicate key"));
}

#[test]
fn every_limit_has_its_range() {
    for (key, max) in [
        ("body_bytes_max", 268_435_456_u64),
        ("depth_max", 256),
        ("nodes_max", 100_000_000),
        ("fields_max", 1_000_000),
        ("in_flight_max", 1_000_000),
    ] {
        let limits = |value: u64| with(&format!("[limits]\n{key} = {value}\n"));
        let expected = format!("`limits.{key}` must be 1 to {max}");
        assert_eq!(refusal(&limits(0)), expected);
        assert_eq!(refusal(&limits(max + 1)), expected);
        assert!(parse(&limits(max)).is_ok());
    }
    let slow = VAULT.to_owned() + "timeout_ms = 0\n" + ROUTE;
    assert_eq!(refusal(&slow), "`vault.timeout_ms` must be 1 to 600000");
    let own = refusal(&with("body_bytes_max = 0\n"));
    assert_eq!(own, "route `a`: `body_bytes_max` must be 1 to 268435456");
}

#[test]
fn addresses_are_checked() {
    let vault = |line: &str| format!("[vault]\nca = \"c\"\n{line}\n{ROUTE}");
    for url in ["http://127.0.0.1:1", "127.0.0.1", "https://"] {
        let text = vault(&format!("url = \"{url}\""));
        assert_eq!(
            refusal(&text),
            "`vault.url` must be https://host:port",
            "{url}"
        );
    }
    let half = vault("url = \"https://a\"\nkey = \"k\"");
    assert!(refusal(&half).contains("come together"));
    for upstream in ["ftp://a", "http://a/b", "a:1", "http://u@a"] {
        let text = with(&format!("[proxy]\nupstream = \"{upstream}\"\n"));
        assert!(
            refusal(&text).starts_with("`proxy.upstream` must be"),
            "{upstream}"
        );
    }
    let listen = with("[ext_proc]\nlisten = \"localhost\"\n");
    assert!(refusal(&listen).starts_with("`ext_proc.listen` must be an IP address"));
}

#[test]
fn a_filter_without_routes_is_refused() {
    assert!(refusal(VAULT).contains("no [[route]]"));
}

#[test]
fn routes_are_checked() {
    let again = ROUTE.replace("\"/a\"", "\"/b\"");
    assert!(refusal(&with(&again)).contains("`name` must be there and differ"));
    let hidden = ROUTE.replace("\"a\"", "\"b\"");
    assert!(refusal(&with(&hidden)).contains("route `b`: route `a` before it"));
    let one = ROUTE.replace("\"/a\"", "\"/{x}\"");
    let renamed = one.replace("\"a\"", "\"b\"").replace("{x}", "{y}");
    let text = format!("{VAULT}{one}{renamed}");
    assert!(refusal(&text).contains("route `b`: route `a` before it"));
    let route = |from: &str, to: &str| refusal(&with("").replace(from, to));
    assert!(route("\"/a\"", "\"a\"").contains("`path` starts with `/`"));
    assert!(route("domain = \"city\"", "domain = \" \"").contains("`domain` must not be empty"));
    assert!(refusal(&with("method = \"post\"\n")).contains("upper-case method"));
    assert!(refusal(&with("host = \"a:80\"\n")).contains("without port"));
    assert!(refusal(&with("purpose = \"\"\n")).contains("`purpose` must not be empty"));
}

#[test]
fn field_rules_are_checked() {
    let field = |side: &str, lines: &str| format!("[[route.{side}]]\n{lines}\n");
    let token = |path: &str| format!("field = \"{path}\"\nclass = \"c\"\naction = \"tokenize\"");
    let open = "field = \"$.b\"\naction = \"detokenize\"";
    let one = |lines: &str| refusal(&with(&field("request", lines)));
    assert!(one(&token("$.a[?@.b==]")).contains("field `$.a[?@.b==]`, character 11: expected"));
    assert!(one("field = \"$.a\"\naction = \"tokenize\"").contains("needs a `class`"));
    assert!(one(&format!("{open}\nclass = \"c\"")).contains("remove its `class`"));
    assert!(one("field = \"$.a\"\naction = \"mask\"").contains("needs `mask"));
    let hash = "field = \"$.a\"\naction = \"hash\"";
    assert!(one(hash).contains("unknown variant `hash`"));
    let twice = field("request", &token("$.a")) + &field("request", &token("$['a']"));
    assert!(refusal(&with(&twice)).contains("field `$['a']` comes twice"));
    let mixed = field("response", &token("$.a")) + &field("response", open);
    assert!(refusal(&with(&mixed)).contains("the response both tokenizes and detokenizes"));
    let many: String = (0..65)
        .map(|n| field("request", &token(&format!("$.a{n}"))))
        .collect();
    assert!(refusal(&with(&many)).contains("more than 64 fields"));
}

#[test]
fn places_are_checked() {
    let field = |side: &str, lines: &str| format!("[[route.{side}]]\n{lines}\n");
    let token = |place: &str| format!("{place}\nclass = \"c\"\naction = \"tokenize\"");
    let one = |lines: &str| refusal(&with(&field("request", lines)));
    let answer = |lines: &str| refusal(&with(&field("response", lines)));
    assert!(one("class = \"c\"\naction = \"tokenize\"").contains("exactly one of"));
    assert!(one(&token("form = \"a\"\nquery = \"a\"")).contains("exactly one of"));
    assert!(one(&token("form = \" \"")).contains("must not be empty"));
    assert!(one(&token("csv = 0")).contains("count from 1"));
    assert!(one(&token("xml = \"a\"")).contains("xml `a`: a path into XML is"));
    assert!(one(&token("xml = \"/p:a\"")).contains("not in the route's `namespaces`"));
    assert!(one(&token("segment = \"id\"")).contains("must have `{id}` once"));
    assert!(answer(&token("query = \"a\"")).contains("`query` is a place in requests alone"));
    assert!(answer(&token("segment = \"a\"")).contains("in requests alone"));
    for header in ["host", "Authorization", "a b", "content-type"] {
        let line = token(&format!("header = \"{header}\""));
        for text in [one(&line), answer(&line)] {
            assert!(text.contains("can't be a field"), "{header}: {text}");
        }
    }
    for place in [
        "form = \"a\"",
        "csv = 1",
        "xml = \"//a\"",
        "part = \"a\"",
        "query = \"a\"",
        "header = \"x-a\"",
    ] {
        let twice = field("request", &token(place)) + &field("request", &token(place));
        assert!(refusal(&with(&twice)).contains("comes twice"), "{place}");
    }
}

#[test]
fn actions_are_checked() {
    let one = |lines: &str| refusal(&with(&format!("[[route.request]]\n{lines}\n")));
    assert!(one("field = \"$\"\naction = \"drop\"").contains("can't be dropped"));
    assert!(
        one("field = \"$.a\"\naction = \"drop\"\nclass = \"c\"").contains("`class` means nothing")
    );
    assert!(
        one("field = \"$.a\"\naction = \"drop\"\nnumbers = \"keep\"")
            .contains("`numbers` means nothing")
    );
    assert!(
        one("form = \"a\"\naction = \"detokenize\"\nnumbers = \"keep\"")
            .contains("`numbers` means")
    );
    let mask = "action = \"mask\"\nmask = { keep_first = 1 }";
    assert!(
        one(&format!("field = \"$.a\"\n{mask}\nnumbers = \"keep\"")).contains("`numbers` means")
    );
    assert!(one("field = \"$.a\"\naction = \"detokenize\"\nmask = {}").contains("`mask` means"));
    assert!(
        one("field = \"$.a\"\naction = \"mask\"\nmask = { keep = 1 }").contains("unknown field")
    );
    let both = format!(
        "[[route.request]]\nfield = \"$.a\"\n{mask}\n[[route.request]]\nform = \"b\"\naction = \"drop\"\n"
    );
    let settings = parse(&with(&both)).unwrap();
    assert!(
        settings.rules.routes()[0]
            .describe()
            .ends_with("mask 1, drop 1\t-")
    );
}
