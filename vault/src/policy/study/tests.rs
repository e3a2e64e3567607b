//! Questions about the shipped sets, and about sets that are odd on purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::{Boot, Entry, Item, ItemView, Operation, Outcome, Pseudonym};

use super::*;
use crate::model::UnitName;
use crate::policy::Weight;

fn shipped(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../policies")
        .join(set)
}

fn study_of(directory: &Path) -> Study {
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let catalogue = Arc::new(Catalogue::parse(&read("classes.toml")).unwrap());
    let registry = Registry::parse(&read("units.toml"), &catalogue).unwrap();
    Study::open(directory, catalogue, registry).unwrap()
}

fn city() -> Study {
    study_of(&shipped(""))
}

/// The city's set in a folder of its own.
fn copied() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (shipped(""), folder.path());
    for name in [
        "schema.cedarschema",
        "classes.toml",
        "units.toml",
        "links.toml",
    ] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    for part in ["policies", "tests"] {
        fs::create_dir(to.join(part)).unwrap();
        for file in fs::read_dir(from.join(part)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(part).join(file.file_name())).unwrap();
        }
    }
    folder
}

/// The city's set with more policies.
fn city_with(policies: &str) -> Study {
    let folder = copied();
    fs::write(folder.path().join("policies/99-more.cedar"), policies).unwrap();
    study_of(folder.path())
}

fn facts(study: &Study, unit: &str, purpose: &str) -> Facts {
    let unit = study.registry().unit(&UnitName::parse(unit).unwrap());
    Study::plainest(unit.unwrap(), Some(Purpose::parse(purpose).unwrap()))
}

fn faults(study: &Study) -> Vec<(String, &'static str)> {
    let findings = study.lint().unwrap();
    let faults = findings.into_iter();
    faults
        .filter(|finding| finding.weight == Weight::Fault)
        .map(|finding| (finding.policy, finding.code))
        .collect()
}

#[test]
fn the_shipped_sets_pass_their_tests_and_have_no_fault() {
    for set in ["", "examples/bank"] {
        let study = study_of(&shipped(set));
        let report = study.check().unwrap();
        let failed: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        assert_eq!(failed, Vec::<String>::new(), "{set}");
        assert!(report.passed >= 20);
        assert_eq!(faults(&study), Vec::new(), "{set}");
    }
}

#[test]
fn policies_that_decide_nothing_are_found() {
    let plain = "action == Jinku::Action::\"DetokenizePlain\", resource";
    let study = city_with(&format!(
        r#"
@id("z-nobody") permit(principal, {plain}) when {{ principal.groups.contains("wizards") }};
@id("z-never") permit(principal, {plain}) when {{ principal.groups.contains("care") && principal.groups.contains("revenue") }};
@id("z-forbidden") permit(principal, {plain} == Jinku::DataClass::"pan") when {{ principal.groups.contains("enforcement") }};
@id("z-twin") permit(principal, {plain}) when {{ principal.groups.contains("revenue") && context.purpose == "tax-assessment" }};
@id("z-narrower") permit(principal == Jinku::Unit::"tax-bureau", {plain} == Jinku::DataClass::"name") when {{ context.purpose == "tax-assessment" }};
@id("z-level") forbid(principal, {plain}) when {{ resource.level > 9 }};
@id("z-unit") permit(principal == Jinku::Unit::"moon-office", {plain}) when {{ context.purpose == "x" }};
"#
    ));
    let found = faults(&study);
    for expected in [
        ("z-nobody", "never-matches"),
        ("z-nobody", "unknown-word"),
        ("z-never", "never-matches"),
        ("z-forbidden", "always-forbidden"),
        ("z-twin", "implied"),
        ("z-narrower", "implied"),
        ("z-level", "unknown-word"),
        ("z-unit", "unknown-word"),
        ("z-unit", "never-matches"),
    ] {
        let expected = (expected.0.to_owned(), expected.1);
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let ours = |policy: &String| policy.starts_with("z-");
    assert!(found.iter().all(|(policy, _)| ours(policy)), "{found:?}");
    let remarks = study.lint().unwrap();
    let untested = |finding: &Finding| finding.code == "untested-purpose";
    assert_eq!(
        remarks.iter().filter(|finding| untested(finding)).count(),
        1
    );
}

// Of units that would be, made up from what policies speak of, and of the registry, of which there is one.
#[test]
fn policies_about_units_that_decide_nothing_are_found() {
    let proposes = "permit(principal, action == Jinku::Action::\"ProposeUnit\", resource)";
    let lists = "permit(principal, action == Jinku::Action::\"ListUnits\", resource)";
    let withdraws = "permit(principal, action == Jinku::Action::\"WithdrawUnit\", resource)";
    let study = city_with(&format!(
        r#"
@id("z-forbidden") {proposes} when {{ principal.groups.contains("care") &&
  resource.groups.contains("registrars") && resource.groups.contains("guards") }};
@id("z-lists") {lists} when {{ principal.groups.contains("guards") }};
@id("z-never") {lists} when {{ principal.groups.contains("care") && principal.groups.contains("revenue") }};
@id("z-right") {proposes} when {{ principal.groups.contains("care") && resource.act == "resume" && resource.clearance <= 1 }};
@id("z-own") {withdraws} when {{ principal.groups.contains("care") && resource.owner == principal }};
@id("z-other") {withdraws} when {{ principal.groups.contains("revenue") && resource.owner != principal && resource.name == "treasury" }};
"#
    ));
    let expected = [
        ("z-forbidden".to_owned(), "always-forbidden"),
        ("z-lists".to_owned(), "implied"),
        ("z-never".to_owned(), "never-matches"),
    ];
    let mut found = faults(&study);
    found.sort();
    assert_eq!(found, expected);
    let findings = study.lint().unwrap();
    let never = |finding: &&Finding| finding.code == "never-matches";
    let never: Vec<&str> = findings
        .iter()
        .filter(never)
        .map(|finding| finding.policy.as_str())
        .collect();
    // The shipped policies about units match, and so do the last three.
    assert_eq!(never, ["z-never"]);
}

#[test]
fn an_explanation_names_who_decided_and_what_would_change_it() {
    let study = city();
    let place = |class: &str| {
        (
            DomainName::parse("city").unwrap(),
            ClassName::parse(class).unwrap(),
        )
    };
    let explain = |unit: &str, class: &str, purpose: &str| {
        let (domain, class) = place(class);
        let facts = facts(&study, unit, purpose);
        let explained = study.explain(&facts, "detokenize", (&domain, &class));
        explained.unwrap()
    };
    let plain = explain("tax-bureau", "name", "tax-assessment");
    assert_eq!(plain.answer, "plain");
    assert_eq!(plain.asked.len(), 1);
    assert_eq!(plain.asked[0].permits, ["revenue-sees-plain"]);
    let hint = |change: &str, answer: &str, wider: bool| Hint {
        change: change.to_owned(),
        answer: answer.to_owned(),
        wider,
    };
    for expected in [
        hint("no group `revenue`", "denied", false),
        hint("the clearance `confidential`", "masked", false),
        hint("the purpose `medical-billing`", "denied", false),
    ] {
        assert!(plain.hints.contains(&expected), "{:?}", plain.hints);
    }

    let token = explain("tax-bureau", "pan", "tax-assessment");
    assert_eq!(token.answer, "token");
    assert_eq!(
        token.asked[0].forbids,
        ["plain-needs-clearance-and-compartments"]
    );
    assert_eq!(
        token.hints.first(),
        Some(&hint("the compartment `payment`", "plain", true))
    );

    let denied = explain("public-library", "name", "tax-assessment");
    assert_eq!(denied.answer, "denied");
    assert!(denied.asked.iter().all(|asked| asked.permits.is_empty()));
    // One below its level, it would be shown a mask.
    assert!(
        denied
            .hints
            .contains(&hint("the group `revenue`", "token", true))
    );
}

#[test]
fn a_comparison_shows_what_widens_and_what_narrows() {
    let old = city();
    assert!(old.compare(&city(), None).unwrap().is_same());
    let new = city_with(
        r#"@id("more") permit(principal == Jinku::Unit::"public-library", action == Jinku::Action::"DetokenizeToken", resource)
        when { context.purpose == "reader-registration" };
        @id("less") forbid(principal, action == Jinku::Action::"DetokenizePlain", resource == Jinku::DataClass::"plate-no");"#,
    );
    let compared = old.compare(&new, None).unwrap();
    let row = |units: &str, purpose: &str, old: &str, new: &str, widens: bool| {
        let found = compared.changed.iter().find(|row| {
            row.units == [units]
                && row.purpose == purpose
                && (row.old.as_str(), row.new.as_str()) == (old, new)
                && row.widens == widens
        });
        found.unwrap_or_else(|| panic!("{units} {purpose}: {:?}", compared.changed))
    };
    let wider = row(
        "public-library",
        "reader-registration",
        "denied",
        "token",
        true,
    );
    // 17 classes of the city, 5 of the bank's domain.
    assert_eq!(wider.classes.len(), 22);
    let narrower = row(
        "parking-office",
        "parking-enforcement",
        "plain",
        "masked",
        false,
    );
    assert_eq!(narrower.classes, ["city/plate-no"]);
    let edits: Vec<(&str, &str)> = compared
        .edits
        .iter()
        .map(|edit| (edit.id.as_str(), edit.edit))
        .collect();
    assert_eq!(edits, [("less", "added"), ("more", "added")]);

    // The other way round, what widened narrows.
    let back = new.compare(&old, None).unwrap();
    assert_eq!(back.changed.len(), compared.changed.len());
    assert_eq!(
        back.changed.iter().filter(|row| row.widens).count(),
        compared.changed.iter().filter(|row| !row.widens).count()
    );
    let library = UnitName::parse("public-library").unwrap();
    assert_eq!(old.compare(&new, Some(&library)).unwrap().changed.len(), 1);
}

#[test]
fn a_raised_clearance_and_a_removed_unit_are_differences_too() {
    let folder = copied();
    let units = fs::read_to_string(folder.path().join("units.toml")).unwrap();
    let (before, tax) = units.split_once("name = \"tax-bureau\"").unwrap();
    let lower = tax.replacen("\"restricted\"", "\"internal\"", 1);
    let renamed = format!("{before}name = \"tax-bureau\"{lower}")
        .replace("name = \"treasury\"", "name = \"exchequer\"");
    fs::write(folder.path().join("units.toml"), renamed).unwrap();
    let compared = city().compare(&study_of(folder.path()), None).unwrap();
    let of = |unit: &str, widens: bool| {
        let rows = compared.changed.iter();
        rows.filter(|row| row.units.contains(&unit.to_owned()) && row.widens == widens)
            .count()
    };
    assert!(of("tax-bureau", false) > 0 && of("tax-bureau", true) == 0);
    assert!(of("treasury", false) > 0 && of("treasury", true) == 0);
    assert!(of("exchequer", true) > 0 && of("exchequer", false) == 0);
}

fn act(operation: Operation, outcome: Outcome, unit: &str, purpose: Option<&str>) -> Entry {
    let mut facts = ledger::Facts::new(operation, outcome);
    facts.unit = Some(unit.to_owned());
    facts.domain = Some("city".to_owned());
    facts.purpose = purpose.map(str::to_owned);
    Entry {
        seq: 7,
        prev: ledger::leaf_hash(b""),
        time_us: 0,
        boot: Boot {
            id: [0; 8],
            monotonic_us: 0,
        },
        facts,
    }
}

fn item(class: &str, view: ItemView) -> Item {
    Item {
        pseudonym: Pseudonym {
            epoch: 1,
            id: [0; 16],
        },
        class: class.to_owned(),
        view,
    }
}

#[test]
fn acts_of_the_past_are_decided_anew() {
    let study = city_with(
        r#"@id("less") forbid(principal, action == Jinku::Action::"DetokenizePlain", resource == Jinku::DataClass::"name");
        @id("open") permit(principal == Jinku::Unit::"public-library", action == Jinku::Action::"DetokenizeToken", resource)
        when { context.purpose == "reader-registration" };"#,
    );
    let verdicts = |entry: &Entry, items: &[Item]| study.replay(&PastAct { entry, items }).verdicts;
    let seen = act(
        Operation::Detokenize,
        Outcome::Ok,
        "tax-bureau",
        Some("tax-assessment"),
    );
    let other = Verdict::Otherwise {
        was: "plain".to_owned(),
        would: "masked".to_owned(),
        class: "name".to_owned(),
    };
    let items = [
        item("name", ItemView::Plain),
        item("name", ItemView::NotAvailable),
        item("mobile", ItemView::Plain),
    ];
    assert_eq!(verdicts(&seen, &items), [other]);
    assert_eq!(verdicts(&seen, &items[2..]), [Verdict::Same]);
    assert!(matches!(
        verdicts(&seen, &items[1..2])[..],
        [Verdict::Unheld(_)]
    ));

    let mut refused = act(
        Operation::Detokenize,
        Outcome::Denied,
        "public-library",
        Some("reader-registration"),
    );
    refused.facts.reason = Some("not-permitted".to_owned());
    assert!(matches!(
        &verdicts(&refused, &[])[..],
        [Verdict::Otherwise { was, .. }] if was == "denied"
    ));
    refused.facts.purpose = Some("curiosity".to_owned());
    assert_eq!(verdicts(&refused, &[]), [Verdict::Same]);
    refused.facts.reason = Some("budget-exceeded".to_owned());
    assert_eq!(verdicts(&refused, &[]), [Verdict::NotPolicy]);

    let brought = act(Operation::Tokenize, Outcome::Ok, "service-counter", None);
    let issued = [item("pan", ItemView::Issued)];
    assert_eq!(verdicts(&brought, &issued), [Verdict::Same]);
    let gone = act(Operation::Tokenize, Outcome::Ok, "moon-office", None);
    assert!(matches!(verdicts(&gone, &issued)[..], [Verdict::Unheld(_)]));
    let key = act(Operation::Encrypt, Outcome::Ok, "tax-bureau", None);
    assert!(matches!(verdicts(&key, &[])[..], [Verdict::Unheld(_)]));
}

#[test]
fn what_the_ledger_does_not_hold_is_not_guessed() {
    let study = city_with(
        r#"@id("sealed") forbid(principal, action == Jinku::Action::"DetokenizePlain", resource == Jinku::DataClass::"name")
        unless { context.delivery == "sealed" };"#,
    );
    let entry = act(
        Operation::Detokenize,
        Outcome::Ok,
        "tax-bureau",
        Some("tax-assessment"),
    );
    let verdicts = |class: &str| {
        let items = [item(class, ItemView::Plain)];
        let entry = &entry;
        study
            .replay(&PastAct {
                entry,
                items: &items,
            })
            .verdicts
    };
    assert!(matches!(verdicts("name")[..], [Verdict::Unheld(_)]));
    assert_eq!(verdicts("mobile"), [Verdict::Same]);
}
