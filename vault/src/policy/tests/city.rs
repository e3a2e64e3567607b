//! The sample city's own set: its cases pass, its guardrails hold, and a wrong case is found.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CLASSES, UNITS};
use crate::model::{Catalogue, Registry};
use crate::policy::{CheckReport, PolicyError, check};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

fn run(folder: &Path, units: &str) -> Result<CheckReport, PolicyError> {
    let catalogue = Arc::new(Catalogue::parse(CLASSES).unwrap());
    let registry = Registry::parse(units, &catalogue).unwrap();
    check(folder, catalogue, &registry)
}

fn said(report: &CheckReport) -> Vec<String> {
    report.failed.iter().map(ToString::to_string).collect()
}

/// The city's set with these cases instead of its own.
fn with_cases(cases: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["policies", "tests"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let (from, to) = (shipped(), folder.path());
    fs::copy(
        from.join("schema.cedarschema"),
        to.join("schema.cedarschema"),
    )
    .unwrap();
    for file in fs::read_dir(from.join("policies")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join("policies").join(file.file_name())).unwrap();
    }
    fs::write(to.join("tests/only.toml"), cases).unwrap();
    folder
}

fn case(unit: &str, class: &str, purpose: &str, expect: &str) -> String {
    format!(
        "[[case]]\nname = \"{unit} {class}\"\nunit = \"{unit}\"\naction = \"detokenize\"\n\
         domain = \"city\"\nclass = \"{class}\"\npurpose = \"{purpose}\"\nexpect = \"{expect}\"\n"
    )
}

#[test]
fn the_citys_cases_pass() {
    let report = run(&shipped(), UNITS).unwrap();
    assert_eq!(said(&report), Vec::<String>::new());
    assert!(report.passed >= 20, "{} cases", report.passed);
}

#[test]
fn a_case_that_comes_out_otherwise_is_told() {
    let folder = with_cases(&case("tax-bureau", "name", "tax-assessment", "masked"));
    let report = run(folder.path(), UNITS).unwrap();
    assert_eq!(report.passed, 0);
    assert_eq!(
        said(&report),
        ["tax-bureau name: expected masked, found plain"]
    );
}

#[test]
fn a_case_about_nobody_is_not_a_case() {
    let folder = with_cases(&case("nobody", "name", "tax-assessment", "denied"));
    assert!(matches!(
        run(folder.path(), UNITS),
        Err(PolicyError::Test { .. })
    ));
}

// No unit of the city holds a compartment and too low a clearance, so its cases can't say this.
#[test]
fn clearance_bounds_the_view_whatever_a_permit_says() {
    let (before, tax) = UNITS.split_once("name = \"tax-bureau\"").unwrap();
    let expected = [
        ("restricted", "plain"),
        ("confidential", "masked"),
        ("internal", "token"),
    ];
    for (clearance, view) in expected {
        let tax = tax.replacen("restricted", clearance, 1);
        let folder = with_cases(&case("tax-bureau", "name", "tax-assessment", view));
        let report = run(
            folder.path(),
            &format!("{before}name = \"tax-bureau\"{tax}"),
        );
        assert_eq!(said(&report.unwrap()), Vec::<String>::new(), "{clearance}");
    }
}
