//! The scan against two oracles: `serde_json` for the grammar, a naive walk of its tree for paths.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A document's text: random spelling of a random value, keys unlike each other.
fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?",
        literal(),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let member = (key(), blank(), blank(), inner.clone());
        prop_oneof![
            prop::collection::vec((blank(), inner, blank()), 0..5).prop_map(|items| {
                let items: Vec<String> = items
                    .into_iter()
                    .map(|(a, item, b)| format!("{a}{item}{b}"))
                    .collect();
                format!("[{}]", items.join(","))
            }),
            prop::collection::vec(member, 0..5).prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, String, String, String)>) -> String {
    let mut seen = BTreeSet::new();
    let members: Vec<String> = members
        .into_iter()
        .filter(|(key, ..)| seen.insert(serde_json::from_str::<String>(key).unwrap()))
        .map(|(key, a, b, value)| format!("{a}{key}{b}:{a}{value}{b}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn blank() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["\"a\"", "\"b\"", "\"id\"", "\"\\u0061\"", "\"i\\u0064\""])
            .prop_map(str::to_owned),
        1 => literal(),
    ]
}

fn literal() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,4}",
        "\\PC".prop_map(|text: String| text.replace(['"', '\\'], "金")),
        prop::sample::select(vec![
            "\\n",
            "\\\"",
            "\\\\",
            "\\/",
            "\\b",
            "\\u4e2d",
            "\\uD83D\\uDE00"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// RFC 9535 over a tree, as plainly as it can be written.
fn walk(path: &str, tree: &Value) -> Vec<String> {
    let children = |at: &str, node: &Value| -> Vec<(String, Value)> {
        match node {
            Value::Array(items) => (items.iter().enumerate())
                .map(|(index, item)| (format!("{at}/{index}"), item.clone()))
                .collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, item)| (format!("{at}/{key}"), item.clone()))
                .collect(),
            _ => Vec::new(),
        }
    };
    let mut places = vec![(String::new(), tree.clone())];
    for segment in path.split('/').skip(1) {
        let (deep, name) = match segment.strip_prefix('~') {
            Some(name) => (true, name),
            None => (false, segment),
        };
        if deep {
            let mut at = 0;
            while at < places.len() {
                let below = children(&places[at].0, &places[at].1);
                places.extend(below);
                at += 1;
            }
        }
        let step = |(at, node): &(String, Value)| -> Vec<(String, Value)> {
            children(at, node)
                .into_iter()
                .filter(|(place, _)| {
                    let last = &place[at.len() + 1..];
                    match (name, node) {
                        ("*", _) => true,
                        ("0" | "1", Value::Array(_)) | (_, Value::Object(_)) => last == name,
                        _ => false,
                    }
                })
                .collect()
        };
        places = places.iter().flat_map(step).collect();
    }
    let unique: BTreeSet<String> = places.into_iter().map(|(place, _)| place).collect();
    unique.into_iter().collect()
}

const SELECTIONS: [(&str, &str); 10] = [
    ("$.a", "/a"),
    ("$..id", "/~id"),
    ("$.*", "/*"),
    ("$[*].a", "/*/a"),
    ("$..*", "/~*"),
    ("$[0]", "/0"),
    ("$..a..b", "/~a/~b"),
    ("$..[1]", "/~1"),
    ("$.a..id", "/a/~id"),
    ("$..a[*]", "/~a/*"),
];

/// Every string becomes a marked one, so that places in the tree can be told from the outside.
fn mark(tree: &Value, at: &str, places: &BTreeSet<String>) -> Value {
    match tree {
        Value::String(_) if places.contains(at) => Value::String("TOKEN \"1\"\n".to_owned()),
        Value::Array(items) => (items.iter().enumerate())
            .map(|(index, item)| mark(item, &format!("{at}/{index}"), places))
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| (key.clone(), mark(item, &format!("{at}/{key}"), places)))
            .collect(),
        other => other.clone(),
    }
}

fn only_strings(tree: &Value, places: &BTreeSet<String>) -> bool {
    fn all(tree: &Value, at: &str, places: &BTreeSet<String>) -> bool {
        let fits = !places.contains(at) || tree.is_string() || tree.is_null();
        fits && match tree {
            Value::Array(items) => (items.iter().enumerate())
                .all(|(index, item)| all(item, &format!("{at}/{index}"), places)),
            Value::Object(map) => map
                .iter()
                .all(|(key, item)| all(item, &format!("{at}/{key}"), places)),
            _ => true,
        }
    }
    all(tree, "", places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn only_the_selected_fields_change(
        text in document(),
        (before, after) in (blank(), blank()),
        selection in prop::sample::select(SELECTIONS.to_vec()),
    ) {
        let body = format!("{before}{text}{after}");
        let tree: Value = serde_json::from_str(&body).unwrap();
        // Keys with a slash would confuse the oracle's places, not the scan.
        prop_assume!(!body.contains('/') && !body.contains("\\u002f"));
        let places: BTreeSet<String> = walk(selection.1, &tree).into_iter().collect();
        let scanned = scan(body.as_bytes(), &paths(&[selection.0]), &BOUNDS);
        if !only_strings(&tree, &places) {
            let refused = scanned.err().map(|error| error.fault);
            let named = matches!(refused, Some(Fault::FieldNotAString { .. }));
            prop_assert!(named, "{refused:?}");
            return Ok(());
        }
        let fields = scanned.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut outside = Vec::new();
        let mut kept = 0;
        for field in &fields {
            let literal = &body[field.span.clone()];
            prop_assert_eq!(&serde_json::from_str::<String>(literal).unwrap(), &field.value);
            outside.push(body[kept..field.span.start].to_owned());
            kept = field.span.end;
        }
        outside.push(body[kept..].to_owned());
        let new: Vec<Replacement> = fields
            .iter()
            .map(|field| Replacement::of(field, Change::Text("TOKEN \"1\"\n".to_owned())))
            .collect();
        let spliced = splice(body.as_bytes(), &new).unwrap();
        let spliced = String::from_utf8(spliced).unwrap();
        prop_assert_eq!(&spliced, &outside.join("\"TOKEN \\\"1\\\"\\u000a\""));
        let expected = mark(&tree, "", &places);
        prop_assert_eq!(serde_json::from_str::<Value>(&spliced).unwrap(), expected);
    }

    #[test]
    fn a_document_is_taken_where_serde_json_takes_it(text in document()) {
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        prop_assert!(scan(text.as_bytes(), &[], &BOUNDS).is_ok());
    }

    /// One byte of a document is put in, taken out or changed: both take it, or neither.
    #[test]
    fn a_damaged_document_is_judged_as_serde_json_does(
        text in document(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![
            prop::sample::select(b"\"\\{}[]:,0eE+-.u\x00 \xff\xc3\xef".to_vec()),
            any::<u8>(),
        ],
        damage in 0..3u8,
    ) {
        let mut body = text.into_bytes();
        let at = at.index(body.len());
        match damage {
            0 => body[at] = byte,
            1 => { body.remove(at); }
            _ => body.insert(at, byte),
        }
        let oracle = serde_json::from_slice::<Value>(&body);
        // Numbers beyond f64 are JSON; serde_json's tree can't hold them.
        let oracle = match oracle {
            Err(error) if error.to_string().contains("number out of range") => return Ok(()),
            other => other.is_ok(),
        };
        match scan(&body, &[], &BOUNDS) {
            Ok(_) => prop_assert!(oracle),
            Err(error) if error.fault == Fault::DuplicateKey => {}
            Err(error) => prop_assert!(!oracle, "{}", error),
        }
    }
}
