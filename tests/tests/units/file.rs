//! `units.toml` read again on a signal, beside registered units.

use tests::has_entry;

use super::*;

const ANEW: &str = "the units of units.toml are in force anew";
const STAY: &str = "the units stay as they were";

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_read_again_on_a_signal_and_the_last_good_one_stays() {
    let mut house = open();
    let token = token(&house);
    let path = house.directory().join("policies/units.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let mut unit = bureau();
    unit["compartments"] = json!(["tax"]);
    let with_tax = format!("{before}\n[[unit]]\n{}", toml::to_string(&unit).unwrap());
    std::fs::write(&path, &with_tax).unwrap();
    refused(&asked_for(&house, &token), 401, "certificate-unknown");
    house.hang_up(ANEW);
    assert_eq!(view(&house, &token), "plain");

    std::fs::write(&path, "no units").unwrap();
    house.hang_up(STAY);
    assert_eq!(view(&house, &token), "plain");
    std::fs::write(&path, format!("{with_tax}\n# The same.\n")).unwrap();
    house.hang_up("units.toml says what it said before");

    // Who is in the file can't be registered; who is registered can't stand in the file.
    refused(&set(&house, REGISTRAR, &bureau()), 409, "unit-in-file");
    std::fs::write(&path, &before).unwrap();
    house.hang_up(ANEW);
    refused(&asked_for(&house, &token), 401, "certificate-unknown");
    registered(&house, &bureau());
    assert_eq!(view(&house, &token), "plain");
    std::fs::write(&path, &with_tax).unwrap();
    house.hang_up(STAY);
    assert!(house.vault().said().contains("is registered too"));
    assert_eq!(view(&house, &token), "plain");
    house.stop();
    let said = house.refuses_to_serve();
    assert!(said.contains("is registered too"), "{said}");
    std::fs::write(&path, &before).unwrap();
    house.serve();
    assert_eq!(view(&house, &token), "plain");
    let entries = house.audited();
    assert!(has_entry(
        &entries,
        &[("operation", "units-reload"), ("outcome", "ok")]
    ));
}

// A unit that is registered later falls under the budgets of its groups at once.
#[tokio::test(flavor = "multi_thread")]
async fn budgets_of_a_group_bind_a_unit_that_comes_later() {
    let mut house = installed("");
    let budget = "[[budget]]\nname = \"hourly\"\ngroups = [\"intake\"]\nwindow_seconds = 3600\nvalues_max = 1\n";
    std::fs::write(house.directory().join("policies/budgets.toml"), budget).unwrap();
    house.serve();
    let one = token(&house);
    registered(&house, &bureau());
    assert_eq!(view(&house, &one), "plain");
    let body = json!({ "domain": "city", "items": [{ "class": "name", "value": "王小明" }] });
    let other = done(&ask(&house, TAX, "/v1/tokenize", &body));
    let other = other["tokens"][0].as_str().unwrap();
    refused(&asked_for(&house, other), 429, "budget-exceeded");
    house.kill();
    house.serve();
    refused(&asked_for(&house, other), 429, "budget-exceeded");
}
