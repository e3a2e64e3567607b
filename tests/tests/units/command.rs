//! `jinku unit`, as registrars and guards run it.

use super::*;

fn unit(house: &House, by: &str, arguments: &[&str]) -> (bool, String) {
    let connection = ["--installation", ".", "--unit", by];
    house.jinku(&[&["unit"], arguments, &connection].concat(), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_s_whole_life_by_command() {
    let house = open();
    let token = token(&house);
    let register = [
        "register",
        TAX,
        "--set",
        "title_zh=稅捐稽徵處",
        "--set",
        "clearance=restricted",
        "--set",
        "compartments=[\"tax\"]",
        "--set",
        "groups=[\"city\", \"intake\", \"revenue\"]",
        "--set",
        "certificate_uri=spiffe://jinku.example/unit/tax-bureau",
    ];
    let (good, said) = unit(&house, REGISTRAR, &[&register[..], &["--dry-run"]].concat());
    assert!(
        good && said.contains("would take another unit's approval"),
        "{said}"
    );
    let (good, said) = unit(&house, REGISTRAR, &[&register[..], &["--json"]].concat());
    assert!(good, "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    let id = said["proposal"]["id"].as_str().unwrap();
    let (good, said) = unit(&house, GUARD, &["proposals"]);
    assert!(
        good && said.contains(id) && said.contains("0 of 1"),
        "{said}"
    );
    let (good, said) = unit(&house, GUARD, &["show", id]);
    assert!(good && said.contains("稅捐稽徵處"), "{said}");
    let (good, said) = unit(&house, REGISTRAR, &["approve", id]);
    assert!(!good && said.contains("proposal-own"), "{said}");
    let (good, said) = unit(&house, GUARD, &["approve", id]);
    assert!(good && said.contains("in force at revision 1"), "{said}");
    assert_eq!(view(&house, &token), "plain");

    let (good, said) = unit(
        &house,
        REGISTRAR,
        &[
            "change",
            TAX,
            "--set",
            "clearance=confidential",
            "--set",
            "contact=a person",
        ],
    );
    assert!(
        good && said.contains("in force at revision 2: clearance, contact"),
        "{said}"
    );
    assert_eq!(view(&house, &token), "masked");
    let (good, said) = unit(
        &house,
        REGISTRAR,
        &[
            "change",
            TAX,
            "--unset",
            "contact",
            "--set",
            "token_subject=tax-bureau",
        ],
    );
    assert!(
        good && said.contains("waits for another unit's approval: token_subject"),
        "{said}"
    );
    let (good, said) = unit(&house, GUARD, &["list"]);
    assert!(
        good && said.contains("rev 2") && said.contains("file"),
        "{said}"
    );
    let (good, said) = unit(&house, GUARD, &["show", TAX]);
    assert!(good && said.contains("a person"), "{said}");
    let (good, said) = unit(&house, REGISTRAR, &["suspend", TAX]);
    assert!(good && said.contains("revision 3"), "{said}");
    refused(&asked_for(&house, &token), 401, "suspended");
    let (good, said) = unit(&house, REGISTRAR, &["resume", TAX]);
    assert!(
        good && said.contains("waits for another unit's approval"),
        "{said}"
    );
    let (good, said) = unit(&house, REGISTRAR, &["retire", TAX]);
    assert!(!good && said.contains("--yes"), "{said}");
    let (good, said) = unit(&house, REGISTRAR, &["retire", TAX, "--yes"]);
    assert!(good, "{said}");
    let (good, said) = unit(&house, GUARD, &["proposals", "--json"]);
    assert!(good && said.trim() == "[]", "{said}");
    // A guard's locks go on as before, of units of the file too.
    let (good, said) = unit(&house, GUARD, &["lock", "treasury"]);
    assert!(good && said.contains("is locked"), "{said}");
    let (good, said) = unit(&house, GUARD, &["unlock", "treasury"]);
    assert!(good && said.contains("not locked"), "{said}");
}
