//! The selector against the RFC 9535 compliance suite, and against another implementation over all
//! pairs of the suite's paths and documents.

use serde_json::Value;

use super::{Budget, Path};
use crate::scan::Bounds;
use crate::scan::tape::{Kind, ROOT, Tape};

/// jsonpath-compliance-test-suite; its licence is beside it.
const SUITE: &str = include_str!("../../tests/data/cts.json");

const BOUNDS: Bounds = Bounds {
    depth_max: 64,
    nodes_max: 1_000_000,
    fields_max: 1_000_000,
};

fn suite() -> Vec<Value> {
    let suite: Value = serde_json::from_str(SUITE).unwrap();
    suite["tests"].as_array().unwrap().clone()
}

/// The values of the nodes, each parsed again from its bytes.
fn values(tape: &Tape<'_>, nodes: &[u32]) -> Vec<Value> {
    nodes
        .iter()
        .map(|node| serde_json::from_str(tape.raw(*node)).unwrap())
        .collect()
}

/// Each node's place (`/a/0`), by its number on the tape.
fn places(tape: &Tape<'_>) -> Vec<String> {
    let mut places = vec![String::new(); tape.len()];
    let mut open = vec![ROOT];
    while let Some(node) = open.pop() {
        for (index, child) in tape.children(node).enumerate() {
            let step = match child.key {
                Some(key) => tape.text(key).replace('~', "~0").replace('/', "~1"),
                None => index.to_string(),
            };
            places[child.node as usize] = format!("{}/{step}", places[node as usize]);
            open.push(child.node);
        }
    }
    places
}

#[test]
fn the_compliance_suite_passes_whole() {
    let mut seen = (0, 0);
    for test in suite() {
        let name = test["name"].as_str().unwrap();
        let selector = test["selector"].as_str().unwrap();
        let path = selector.parse::<Path>();
        if test["invalid_selector"] == Value::Bool(true) {
            assert!(path.is_err(), "{name}: {selector} is not refused");
            seen.1 += 1;
            continue;
        }
        let path = path.unwrap_or_else(|error| panic!("{name}: {error}"));
        let document = test["document"].to_string();
        let tape = Tape::read(document.as_bytes(), &BOUNDS).unwrap();
        let list = path.list(&tape, &mut Budget::of(&tape)).unwrap();
        let found = Value::Array(values(&tape, &list));
        let fits = match test.get("results") {
            Some(any) => any.as_array().unwrap().contains(&found),
            None => test["result"] == found,
        };
        assert!(fits, "{name}: {selector} on {document} gives {found}");
        let mut set = list;
        set.sort_unstable();
        set.dedup();
        let once = path.select(&tape, &mut Budget::of(&tape)).unwrap();
        assert_eq!(once, set, "{name}: {selector}");
        seen.0 += 1;
    }
    assert!(seen.0 > 400 && seen.1 > 200, "{seen:?}");
}

#[test]
fn another_implementation_selects_the_same_places() {
    let tests = suite();
    let mut documents: Vec<String> = tests
        .iter()
        .filter_map(|test| test.get("document").map(Value::to_string))
        .collect();
    documents.sort();
    documents.dedup();
    let mut compared = 0;
    for (number, test) in tests.iter().enumerate() {
        let selector = test["selector"].as_str().unwrap();
        let (Ok(path), Ok(peer)) = (
            selector.parse::<Path>(),
            serde_json_path::JsonPath::parse(selector),
        ) else {
            continue;
        };
        // The peer orders booleans, arrays and nothing too; RFC 9535 §2.3.5.2.2 orders numbers and
        // strings alone, and the suite above has those cases.
        if selector.contains(['<', '>']) {
            continue;
        }
        // A third of the documents for each path, others for the next one.
        for document in documents.iter().skip(number % 3).step_by(3) {
            let tape = Tape::read(document.as_bytes(), &BOUNDS).unwrap();
            let places = places(&tape);
            let ours: Vec<&str> = path
                .select(&tape, &mut Budget::of(&tape))
                .unwrap()
                .into_iter()
                .map(|node| places[node as usize].as_str())
                .collect();
            let mut ours = ours;
            ours.sort_unstable();
            let tree: Value = serde_json::from_str(document).unwrap();
            let mut theirs: Vec<String> = peer
                .query_located(&tree)
                .locations()
                .map(serde_json_path::NormalizedPath::to_json_pointer)
                .collect();
            theirs.sort_unstable();
            theirs.dedup();
            assert_eq!(ours, theirs, "{selector} on {document}");
            compared += 1;
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn keys_are_no_nodes() {
    let tape = Tape::read(br#"{"a":{"b":1}}"#, &BOUNDS).unwrap();
    let path: Path = "$..*".parse().unwrap();
    let found = path.select(&tape, &mut Budget::of(&tape)).unwrap();
    assert!(
        found
            .iter()
            .all(|node| !matches!(tape.kind(*node), Kind::Key { .. }))
    );
    assert_eq!(found.len(), 2);
}
