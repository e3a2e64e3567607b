//! The scan, case by case; `random` holds it against two oracles.

mod random;

use super::{Bounds, Fault, ScanError, Selection, Takes, scan};
use crate::rewrite::{Change, Replacement, splice};

const BOUNDS: Bounds = Bounds {
    depth_max: 64,
    nodes_max: 100_000,
    fields_max: 1_000,
};

fn paths(texts: &[&str]) -> Vec<Selection> {
    taking(texts, Takes::Text)
}

fn taking(texts: &[&str], takes: Takes) -> Vec<Selection> {
    let selection = |(rule, text): (usize, &&str)| Selection {
        rule,
        path: text.parse().unwrap(),
        takes,
    };
    texts.iter().enumerate().map(selection).collect()
}

fn values(body: &str, texts: &[&str]) -> Vec<String> {
    let fields = scan(body.as_bytes(), &paths(texts), &BOUNDS);
    fields
        .unwrap()
        .into_iter()
        .map(|field| field.value.into_owned())
        .collect()
}

fn error(body: impl AsRef<[u8]>) -> ScanError {
    scan(body.as_ref(), &[], &BOUNDS).err().expect("refused")
}

fn fault(body: impl AsRef<[u8]>) -> Fault {
    error(body).fault
}

#[test]
fn selected_fields_come_in_the_documents_order() {
    let body = r#"{"b":{"id":"1"},"a":[{"id":"2"},{"x":{"id":"3"}}],"id":null}"#;
    assert_eq!(values(body, &["$..id"]), ["1", "2", "3"]);
    assert_eq!(values(body, &["$.a[*].id"]), ["2"]);
    assert_eq!(values(body, &["$.a[1].x.id"]), ["3"]);
    assert_eq!(values(body, &["$.*.id"]), ["1"]);
    assert_eq!(values(body, &["$['b']['id']"]), ["1"]);
    assert_eq!(values(body, &["$.missing", "$.a[9].id"]), [""; 0]);
    assert_eq!(values(r#" "whole" "#, &["$"]), ["whole"]);
    assert_eq!(values(r#"[["x"],"y"]"#, &["$[1]", "$[0][*]"]), ["x", "y"]);
}

#[test]
fn an_index_is_no_name_and_a_name_no_index() {
    assert_eq!(values(r#"{"0":"x"}"#, &["$[0]"]), [""; 0]);
    assert_eq!(values(r#"["x"]"#, &["$['0']"]), [""; 0]);
}

#[test]
fn an_escaped_key_is_the_same_key() {
    assert_eq!(values(r#"{"\u0061":"x"}"#, &["$.a"]), ["x"]);
    assert_eq!(values(r#"{"\ud83d\ude00":"x"}"#, &["$['😀']"]), ["x"]);
}

#[test]
fn duplicate_keys_are_refused_however_they_are_spelled() {
    assert_eq!(fault(r#"{"a":1,"a":2}"#), Fault::DuplicateKey);
    assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), Fault::DuplicateKey);
    assert_eq!(fault(r#"[{"x":{"\/":1,"/":2}}]"#), Fault::DuplicateKey);
    assert!(scan(br#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#, &[], &BOUNDS).is_ok());
}

#[test]
fn the_first_rule_that_selects_a_field_wins() {
    let fields = scan(br#"{"a":"x","b":"y"}"#, &paths(&["$.b", "$.*"]), &BOUNDS).unwrap();
    assert_eq!(
        fields.iter().map(|field| field.rule).collect::<Vec<_>>(),
        [1, 0]
    );
    assert_eq!(fields[1].span, 13..16);
}

#[test]
fn a_selected_field_is_a_string_or_null() {
    for body in [
        "{\"a\":1}",
        "{\"a\":true}",
        "{\"a\":[\"x\"]}",
        "{\"a\":{}}",
        "{\"a\":-0.5}",
    ] {
        let refused = scan(body.as_bytes(), &paths(&["$.a"]), &BOUNDS)
            .err()
            .unwrap();
        assert_eq!(
            refused.fault,
            Fault::FieldNotAString {
                path: "$.a".to_owned()
            },
            "{body}"
        );
        assert_eq!(refused.position.offset, 5);
    }
    assert_eq!(values(r#"{"a":null}"#, &["$.a"]), [""; 0]);
}

#[test]
fn a_number_is_taken_where_the_rule_says_so() {
    let body = br#"{"a":12345678901234567890,"b":null,"c":"x"}"#;
    let fields = scan(body, &taking(&["$.*"], Takes::Numbers), &BOUNDS).unwrap();
    let values: Vec<_> = fields.iter().map(|field| field.value.as_ref()).collect();
    assert_eq!(values, ["12345678901234567890", "x"]);
    let change = |text: &str| Change::Text(text.to_owned());
    let new = [
        Replacement::of(&fields[0], change("98")),
        Replacement::of(&fields[1], change("98")),
    ];
    let spliced = splice(body, &new).unwrap();
    assert_eq!(spliced, br#"{"a":98,"b":null,"c":"98"}"#);
    let fields = scan(body, &taking(&["$.a"], Takes::NumbersAsText), &BOUNDS).unwrap();
    let spliced = splice(body, &[Replacement::of(&fields[0], change("098"))]).unwrap();
    assert_eq!(spliced, br#"{"a":"098","b":null,"c":"x"}"#);
    let refused = scan(br#"{"a":true}"#, &taking(&["$.a"], Takes::Numbers), &BOUNDS);
    assert!(refused.is_err());
}

#[test]
fn what_is_dropped_goes_whole() {
    let body = r#"{"a":{"id":"1"},"b":[{"id":"2"},{"id":"3"}],"c":null}"#;
    let without = |texts: &[&str]| {
        let fields = scan(body.as_bytes(), &taking(texts, Takes::All), &BOUNDS).unwrap();
        let drops: Vec<_> = fields
            .iter()
            .map(|field| Replacement::of(field, Change::Drop))
            .collect();
        String::from_utf8(splice(body.as_bytes(), &drops).unwrap()).unwrap()
    };
    assert_eq!(without(&["$.a", "$..id"]), r#"{"b":[{},{}],"c":null}"#);
    assert_eq!(
        without(&["$.b[0]"]),
        r#"{"a":{"id":"1"},"b":[{"id":"3"}],"c":null}"#
    );
    assert_eq!(
        without(&["$.b[1]", "$.c"]),
        r#"{"a":{"id":"1"},"b":[{"id":"2"}]}"#
    );
    assert_eq!(without(&["$.*"]), "{}");
    assert_eq!(without(&["$.c", "$.b[*]"]), r#"{"a":{"id":"1"},"b":[]}"#);
}

#[test]
fn keys_are_told_apart_in_small_objects_and_large() {
    let object = |count: usize, last: &str| {
        let keys: Vec<String> = (0..count)
            .map(|n| format!("\"key-number-{n}\":0"))
            .collect();
        format!("{{{},{last}:0}}", keys.join(","))
    };
    for count in [1, 2, 23, 24, 25, 26, 300] {
        assert!(scan(object(count, "\"other\"").as_bytes(), &[], &BOUNDS).is_ok());
        for again in [0, count / 2, count - 1] {
            let plain = object(count, &format!("\"key-number-{again}\""));
            assert_eq!(fault(plain), Fault::DuplicateKey, "{count} {again}");
            let escaped = object(count, &format!("\"key\\u002dnumber-{again}\""));
            assert_eq!(fault(escaped), Fault::DuplicateKey, "{count} {again}");
        }
    }
    // Nested objects do not see each other's keys.
    let inner = object(30, "\"x\"");
    let nested = format!("{{\"a\":{inner},\"b\":{inner},\"x\":0}}");
    assert!(scan(nested.as_bytes(), &[], &BOUNDS).is_ok());
}

/// Objects with many keys, one within the other: each has its own.
#[test]
fn an_object_takes_up_its_keys_again_behind_those_within_it() {
    let keys = |from: usize, to: usize| {
        let keys = (from..to).map(|n| format!("\"k{n}\":0,"));
        keys.collect::<String>()
    };
    for (outer, inner) in [(30, 30), (3, 30), (30, 3), (24, 25)] {
        let within = format!("{{{}\"x\":0}}", keys(0, inner));
        let document = |last: &str| {
            let before = keys(0, outer);
            format!("{{{before}\"a\":{within},\"b\":[{within}],\"{last}\":0}}")
        };
        assert!(scan(document("x").as_bytes(), &[], &BOUNDS).is_ok());
        let first = "k0".to_owned();
        for again in [first, format!("k{}", outer - 1), "a".into(), "b".into()] {
            assert_eq!(
                fault(document(&again)),
                Fault::DuplicateKey,
                "{outer} {again}"
            );
        }
        let new = format!("k{outer}");
        assert!(scan(document(&new).as_bytes(), &[], &BOUNDS).is_ok());
    }
}

#[test]
fn a_path_that_costs_too_much_is_refused() {
    let body = format!("[{}0]", "0,".repeat(20_000));
    let paths = paths(&["$[?count($[*]) > 0]"]);
    let refused = scan(body.as_bytes(), &paths, &BOUNDS).err().unwrap();
    assert_eq!(refused.fault, Fault::TooCostly);
    let long = "x".repeat(500_000);
    let body = format!("{{\"a\":\"{long}\",\"b\":[{}0]}}", "0,".repeat(20_000));
    for costly in [
        "$.b[?length($.a) == 1]",
        "$.b[?$.a == $.a]",
        "$.b[?search($.a, 'y')]",
    ] {
        let refused = scan(body.as_bytes(), &self::paths(&[costly]), &BOUNDS)
            .err()
            .unwrap();
        assert_eq!(refused.fault, Fault::TooCostly, "{costly}");
    }
}

#[test]
fn nesting_stops_at_its_limit() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(scan(nested(64).as_bytes(), &[], &BOUNDS).is_ok());
    assert_eq!(fault(nested(65)), Fault::TooDeep { depth_max: 64 });
    assert_eq!(
        fault("[".repeat(1_000_000)),
        Fault::TooDeep { depth_max: 64 }
    );
    assert_eq!(
        fault("{\"a\":".repeat(65)),
        Fault::TooDeep { depth_max: 64 }
    );
}

#[test]
fn the_deepest_allowed_nesting_fits_the_stack() {
    let bounds = Bounds {
        depth_max: 256,
        ..BOUNDS
    };
    let body = format!("{}{}", "[".repeat(256), "]".repeat(256));
    assert!(scan(body.as_bytes(), &paths(&["$..a"; 1]), &bounds).is_ok());
}

#[test]
fn values_stop_at_their_budget() {
    let bounds = Bounds {
        nodes_max: 4,
        ..BOUNDS
    };
    assert!(scan(b"[1,2,3]", &[], &bounds).is_ok());
    let refused = scan(b"[1,2,3,4]", &[], &bounds).err().unwrap();
    assert_eq!(refused.fault, Fault::TooManyNodes { nodes_max: 4 });
}

#[test]
fn fields_stop_at_their_limit() {
    let bounds = Bounds {
        fields_max: 2,
        ..BOUNDS
    };
    assert!(scan(br#"["a","b"]"#, &paths(&["$[*]"]), &bounds).is_ok());
    let refused = scan(br#"["a","b","c"]"#, &paths(&["$[*]"]), &bounds)
        .err()
        .unwrap();
    assert_eq!(refused.fault, Fault::TooManyFields { fields_max: 2 });
}

#[test]
fn each_fault_is_named() {
    assert_eq!(fault(b"[\"\xff\"]"), Fault::NotUtf8);
    assert_eq!(fault("\u{feff}{}"), Fault::Value);
    assert_eq!(fault("{} {}"), Fault::Trailing);
    assert_eq!(fault("[1] tru"), Fault::Trailing);
    assert_eq!(fault("tru"), Fault::Value);
    assert_eq!(fault("[1,]"), Fault::Value);
    assert_eq!(fault("{\"a\":1,}"), Fault::Key);
    assert_eq!(fault("{a:1}"), Fault::Key);
    assert_eq!(fault("{\"a\" 1}"), Fault::Colon);
    assert_eq!(fault("[1 2]"), Fault::Separator);
    assert_eq!(fault("[1"), Fault::Truncated);
    assert_eq!(fault("  "), Fault::Truncated);
    assert_eq!(fault("\"a"), Fault::Truncated);
    assert_eq!(fault("\"\\ud800\""), Fault::LoneSurrogate);
    assert_eq!(fault("\"\\ud800\\u0041\""), Fault::LoneSurrogate);
    assert_eq!(fault("\"\\ud800\\ue000\""), Fault::LoneSurrogate);
    assert_eq!(fault("\"\\udc00\""), Fault::LoneSurrogate);
    assert_eq!(fault("\"\\x\""), Fault::Escape);
    assert_eq!(fault("\"\\u00g0\""), Fault::Escape);
    assert_eq!(fault("\"\t\""), Fault::Control);
    for number in [
        "01", "-", "1.", ".5", "1e", "+1", "0x1", "1e+", "--1", "1.e1",
    ] {
        assert!(
            matches!(fault(number), Fault::Number | Fault::Value),
            "{number}"
        );
    }
}

#[test]
fn a_fault_has_its_place() {
    let position = error("{\n  \"a\": 1,\n  \"a\": 2\n}").position;
    assert_eq!(
        (position.line, position.column, position.offset),
        (3, 3, 14)
    );
    let text = error(b"[\n\"\xff").to_string();
    assert_eq!(text, "the body is not UTF-8 (line 2, column 2, byte 3)");
}
