//! Words in policies that the installation does not have: a group, a class, a unit that nobody is.

use std::collections::BTreeSet;

use super::Study;
use super::lint::{Finding, Weight};
use crate::policy::words::PolicyWords;

/// What the installation knows, by the attribute that policies compare with it.
struct Known {
    words: Vec<(&'static str, &'static str, BTreeSet<String>)>,
    units: BTreeSet<String>,
    gateways: BTreeSet<String>,
    classes: BTreeSet<String>,
    levels: i64,
}

pub(super) fn findings(study: &Study) -> Vec<Finding> {
    let known = Known::of(study);
    let mut findings = Vec::new();
    for (id, words) in study.words.iter() {
        findings.extend(known.unknown(id, words));
    }
    for purpose in study.words.texts("purpose") {
        if !study.tested.contains(&purpose) {
            findings.push(Finding {
                weight: Weight::Remark,
                code: "untested-purpose",
                policy: String::new(),
                text: format!("no test speaks of purpose `{purpose}`"),
            });
        }
    }
    findings.extend(unused_templates(study));
    findings
}

impl Known {
    fn of(study: &Study) -> Self {
        let units = || study.registry.units();
        let text = ToString::to_string;
        let groups = units().flat_map(|unit| unit.groups.iter().cloned());
        let held = units().flat_map(|unit| unit.compartments.iter().map(text));
        let classes = || study.catalogue.classes();
        let asked = classes().flat_map(|class| class.compartments.iter().map(text));
        let domains = study.catalogue.domains();
        let gateways = study.registry.gateways();
        let gateways: BTreeSet<String> = gateways.map(|one| one.name.to_string()).collect();
        let fixed = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            words: vec![
                ("groups", "group", groups.collect()),
                ("compartments", "compartment", held.chain(asked).collect()),
                (
                    "domain",
                    "domain",
                    domains.map(|domain| domain.name.to_string()).collect(),
                ),
                ("gateway", "gateway", gateways.clone()),
                (
                    "delivery",
                    "delivery",
                    fixed(&["inline", "sealed", "ticket"]),
                ),
            ],
            units: units().map(|unit| unit.name.to_string()).collect(),
            gateways,
            classes: classes().map(|class| class.name.to_string()).collect(),
            levels: i64::try_from(study.catalogue.levels().len()).unwrap_or(i64::MAX),
        }
    }

    fn unknown(&self, id: &str, words: &PolicyWords) -> Vec<Finding> {
        let fault = |what: &str, word: &str| Finding {
            weight: Weight::Fault,
            code: "unknown-word",
            policy: id.to_owned(),
            text: format!("the installation has no {what} `{word}`"),
        };
        let mut findings = Vec::new();
        for (attribute, what, known) in &self.words {
            let unknown = words.texts(attribute).filter(|word| !known.contains(*word));
            findings.extend(unknown.map(|word| fault(what, word)));
        }
        for (kind, what, known) in [
            ("Jinku::Unit", "unit", &self.units),
            ("Jinku::Gateway", "gateway", &self.gateways),
            ("Jinku::DataClass", "class", &self.classes),
        ] {
            let unknown = words.entities(kind).filter(|name| !known.contains(*name));
            findings.extend(unknown.map(|name| fault(what, name)));
        }
        for attribute in ["clearance", "level"] {
            let unknown = words.numbers(attribute);
            let unknown = unknown.filter(|level| !(0..self.levels).contains(level));
            findings.extend(unknown.map(|level| fault("level", &level.to_string())));
        }
        findings
    }
}

/// A permit with slots that no link fills permits nothing. A forbid is refused where the set is read.
fn unused_templates(study: &Study) -> Vec<Finding> {
    let live = study.policies.live();
    let policies = live.set.policies();
    let text = |id: &cedar_policy::PolicyId| AsRef::<str>::as_ref(id).to_owned();
    let used: BTreeSet<String> = policies
        .policies()
        .filter_map(|policy| policy.template_id().map(text))
        .collect();
    let ids = policies.templates().map(|template| text(template.id()));
    let narrowed = |id: &String| {
        used.iter()
            .any(|known| known.starts_with(&format!("{id} for ")))
    };
    ids.filter(|id| !used.contains(id) && !narrowed(id))
        .map(|policy| Finding {
            weight: Weight::Remark,
            code: "unused-template",
            policy,
            text: "no link of links.toml uses it".to_owned(),
        })
        .collect()
}
