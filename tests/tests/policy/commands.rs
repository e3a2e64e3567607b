//! `jinku policy` as a person and a script use it.

use std::path::Path;

use tests::House;

use super::{NO_NAMES, REVENUE, a_name, add_policy, document, said, view};

const BANK: &str = "policies/examples/bank";

#[test]
fn the_shipped_sets_are_checked_well() {
    for set in ["policies", BANK] {
        let (code, report) = document(&["policy", "check", "--policies", set, "--json"]);
        assert_eq!(code, 0, "{set}: {report}");
        assert_eq!(report["failed"].as_array().unwrap().len(), 0);
        assert!(report["passed"].as_u64().unwrap() >= 20);
    }
}

#[test]
fn a_check_ends_with_what_it_found() {
    let house = House::install();
    let set = house.directory().join("policies");
    let set = set.to_str().unwrap();
    let check = ["policy", "check", "--policies", set];
    assert_eq!(said(&check).0, 0);
    add_policy(&house, &NO_NAMES.replace("\"name\"", "\"nmae\""));
    let (code, text) = said(&check);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no class `nmae`"), "{text}");
    assert_eq!(said(&[&check[..], &["--lenient"]].concat()).0, 0);
    // A case that comes out otherwise.
    add_policy(&house, NO_NAMES);
    let (code, text) = said(&check);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("expected plain, found masked"), "{text}");
    add_policy(&house, "permit(");
    assert_eq!(said(&check).0, 2);
    // What lies beside it is read too, as the vault's start would.
    add_policy(&house, "");
    assert_eq!(said(&check).0, 0);
    std::fs::write(house.directory().join("policies/budgets.toml"), "budget").unwrap();
    assert_eq!(said(&check).0, 2);
}

#[test]
fn an_explanation_ends_with_the_answer() {
    let explain = |unit: &str, class: &str| {
        document(&[
            "policy",
            "explain",
            "--unit",
            unit,
            "--domain",
            "city",
            "--class",
            class,
            "--purpose",
            "tax-assessment",
            "--json",
        ])
    };
    let (code, plain) = explain(REVENUE, "name");
    assert_eq!((code, &plain["answer"]), (0, &"plain".into()));
    assert_eq!(plain["asked"][0]["permits"][0], "revenue-sees-plain");
    let (code, denied) = explain("public-library", "name");
    assert_eq!((code, &denied["answer"]), (1, &"denied".into()));
    let wider = |change: &serde_json::Value| change["wider"] == true;
    assert!(denied["changes"].as_array().unwrap().iter().any(wider));
    let nobody = [
        "policy", "explain", "--unit", "nobody", "--domain", "city", "--class", "name",
    ];
    assert_eq!(said(&nobody).0, 2);
}

#[test]
fn a_difference_is_shown_and_ends_with_one() {
    let (old, new) = (House::install(), House::install());
    let at = |house: &House| {
        house
            .directory()
            .join("policies")
            .to_str()
            .unwrap()
            .to_owned()
    };
    let (from, to) = (at(&old), at(&new));
    let diff = ["policy", "diff", &from, &to];
    assert_eq!(said(&diff).0, 0);
    add_policy(&new, NO_NAMES);
    let (code, text) = said(&diff);
    assert_eq!(code, 1);
    assert!(text.contains("Narrower"), "{text}");
    assert!(
        text.contains("tax-bureau: detokenize for tax-assessment: plain -> masked"),
        "{text}"
    );
    let (code, table) = document(&[&diff[..], &["--json"]].concat());
    assert_eq!(code, 1);
    let rows = table["changed"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["widens"] == false), "{table}");
    assert_eq!(table["policies"][0]["policy"], "no-names");
    assert_ne!(table["old"], table["new"]);
    assert_eq!(said(&["policy", "diff", &from, "nowhere"]).0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_acts_of_an_archive_are_decided_anew() {
    let mut house = House::open();
    let client = house.client(Some(REVENUE));
    let token = a_name(&client).await;
    assert_eq!(view(&client, &token).await, "plain");
    let library = house.client(Some("public-library"));
    let refused = tests::detokenize("reader-registration", &[token]);
    library.detokenize(refused, None).await.unwrap_err();
    house.stop();
    let archive = house.export("archive");
    let (archive, set) = (path(&archive), path(&house.directory().join("policies")));
    let simulate = ["policy", "simulate", &archive, "--policies", &set, "--json"];
    let (code, same) = document(&simulate);
    assert_eq!((code, &same["same"]), (0, &3.into()), "{same}");
    add_policy(&house, NO_NAMES);
    let (code, other) = document(&simulate);
    assert_eq!(code, 1);
    let act = &other["otherwise"][0];
    assert_eq!(
        (&act["unit"], &act["operation"]),
        (&REVENUE.into(), &"detokenize".into())
    );
    let expected = serde_json::json!([{ "class": "name", "was": "plain", "would": "masked" }]);
    assert_eq!(act["decisions"], expected);
    let shown = said(&simulate[..5]);
    assert!(shown.1.contains("name: plain -> masked"), "{}", shown.1);
    std::fs::remove_dir_all(Path::new(&archive).join("tile")).unwrap();
    assert_eq!(said(&simulate).0, 2);
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
