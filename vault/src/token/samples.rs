//! The sample platform (`policies/`) against this room: every file is read, every field is covered.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::*;
use crate::model::{Catalogue, ClassName, DomainName, Registry, UnitName, ValueKind};

const BODIES: [&str; 3] = [
    include_str!("../../../policies/sample/parking-fee.json"),
    include_str!("../../../policies/sample/medical-fee.json"),
    include_str!("../../../policies/sample/tax.json"),
];

fn catalogue() -> Catalogue {
    Catalogue::parse(include_str!("../../../policies/classes.toml")).unwrap()
}

fn registry() -> Registry {
    Registry::parse(include_str!("../../../policies/units.toml"), &catalogue()).unwrap()
}

/// One selected field of a route: its path, and its class where it has one.
type Rule = (String, Option<ClassName>);

/// The fields of the one route with this method.
fn rules(method: &str, side: &str, action: &str) -> Vec<Rule> {
    let routes: toml::Table =
        toml::from_str(include_str!("../../../policies/routes.toml")).unwrap();
    let of_method = |route: &&toml::Value| route["method"].as_str() == Some(method);
    let route = routes["route"]
        .as_array()
        .unwrap()
        .iter()
        .find(of_method)
        .unwrap();
    assert_eq!(route["domain"].as_str(), Some("city"));
    let fields = route[side].as_array().unwrap();
    assert!(
        fields
            .iter()
            .all(|field| field["action"].as_str() == Some(action))
    );
    let class =
        |field: &toml::Value| Some(ClassName::parse(field.get("class")?.as_str()?).unwrap());
    fields
        .iter()
        .map(|field| (field["field"].as_str().unwrap().to_owned(), class(field)))
        .collect()
}

/// All strings of `body` with the names on the way to each; items of arrays are `*`.
fn strings(body: &Value) -> Vec<(String, String)> {
    let below = |name: &str, child: &Value| {
        strings(child)
            .into_iter()
            .map(|(way, text)| (format!(".{name}{way}"), text))
            .collect()
    };
    let children: Vec<Vec<_>> = match body {
        Value::String(text) => vec![vec![(String::new(), text.clone())]],
        Value::Object(members) => members
            .iter()
            .map(|(name, child)| below(name, child))
            .collect(),
        Value::Array(items) => items.iter().map(|child| below("*", child)).collect(),
        _ => Vec::new(),
    };
    children.concat()
}

/// Whether a rule `$..a.b[*].c` takes the place at this way. The sample has no other paths.
fn takes(rule: &str, way: &str) -> bool {
    let wanted = rule.strip_prefix("$.").unwrap().replace("[*]", ".*");
    assert!(wanted.starts_with('.'), "{rule}");
    way.ends_with(&wanted)
}

#[test]
fn every_domain_and_unit_of_the_sample_is_there() {
    let catalogue = catalogue();
    let city = catalogue
        .domain(&DomainName::parse("city").unwrap())
        .unwrap();
    assert_eq!(city.classes.len(), catalogue.classes().count());
    let bank = catalogue
        .domain(&DomainName::parse("bank").unwrap())
        .unwrap();
    let of_bank: Vec<_> = bank.classes.iter().map(ClassName::as_str).collect();
    assert_eq!(of_bank, ["national-id", "name", "pan", "mobile", "email"]);

    let registry = registry();
    for unit in registry.units() {
        let uri = format!("spiffe://jinku.example/unit/{}", unit.name);
        assert_eq!(registry.unit_by_uri(&uri).unwrap().name, unit.name);
        assert_eq!(
            registry.unit_by_subject(unit.name.as_str()).unwrap().name,
            unit.name
        );
    }
    assert!(
        registry
            .gateway_by_uri("spiffe://jinku.example/gateway/city-gateway")
            .is_some()
    );
}

#[test]
fn clearances_and_compartments_separate_the_units() {
    let (catalogue, registry) = (catalogue(), registry());
    let reaches = |unit: &str, class: &str| {
        let unit = registry.unit(&UnitName::parse(unit).unwrap()).unwrap();
        let class = catalogue.class(&ClassName::parse(class).unwrap()).unwrap();
        unit.clearance >= class.level && unit.compartments.is_superset(&class.compartments)
    };
    for class in ["national-id", "name", "mobile", "address", "email"] {
        assert!(
            reaches("tax-bureau", class) && !reaches("parking-office", class),
            "{class}"
        );
    }
    assert!(reaches("treasury", "pan") && !reaches("tax-bureau", "pan"));
    for class in ["medical-record-no", "diagnosis"] {
        assert!(
            reaches("health-bureau", class) && !reaches("tax-bureau", class),
            "{class}"
        );
    }
    for class in catalogue.classes() {
        assert!(
            !reaches("public-library", class.name.as_str()),
            "{}",
            class.name
        );
        assert!(
            !reaches("service-counter", class.name.as_str()),
            "{}",
            class.name
        );
    }
}

#[test]
fn no_mask_of_the_sample_gives_its_value_away() {
    for class in catalogue().classes() {
        if let Some(left) = residue(class) {
            let candidates = left.candidates.tokens().unwrap();
            assert!(candidates >= 10_000, "{} leaves {candidates}", class.name);
        }
    }
}

#[test]
fn every_sample_value_is_accepted_and_every_rule_finds_one() {
    let (catalogue, rules) = (catalogue(), rules("POST", "request", "tokenize"));
    let mut found = BTreeSet::new();
    for body in BODIES {
        for (way, text) in strings(&serde_json::from_str(body).unwrap()) {
            let Some((path, class)) = rules.iter().find(|(path, _)| takes(path, &way)) else {
                continue;
            };
            let class = catalogue.class(class.as_ref().unwrap()).unwrap();
            let value = Plaintext::new(text);
            let issued = issue(class, &value, &mut StdRng::seed_from_u64(1)).map(drop);
            assert_eq!(issued, Ok(()), "{way}");
            found.insert(path);
        }
    }
    assert_eq!(found.len(), rules.len());
}

#[test]
fn no_sample_value_passes_the_gateway_unselected() {
    let rules = rules("POST", "request", "tokenize");
    let telling = [
        ValueKind::TwNationalId,
        ValueKind::Pan,
        ValueKind::TwMobile,
        ValueKind::Email,
    ];
    for body in BODIES {
        for (way, text) in strings(&serde_json::from_str(body).unwrap()) {
            let value = Plaintext::new(text);
            let looks_real = telling
                .iter()
                .any(|&kind| value::is_real(kind, value.expose()));
            let selected = rules.iter().any(|(path, _)| takes(path, &way));
            assert!(selected || !looks_real, "{way}");
        }
    }
}

#[test]
fn what_is_tokenized_on_the_way_in_is_detokenized_on_the_way_out() {
    let paths = |rules: Vec<Rule>| rules.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    let inward = paths(rules("POST", "request", "tokenize"));
    assert_eq!(inward, paths(rules("GET", "response", "detokenize")));
}
