//! Which gateway may carry which unit: policy says so, before anything else is asked.

use tests::{House, has_entry};

use super::{GATEWAY, UNIT, accepted, bearer, probe, refused};

const POLICY: &str = "policies/policies/60-delegation.cedar";
const NOT: &str = "carry-not-permitted";

#[test]
fn a_gateway_carries_whom_policy_lets_it_carry() {
    let mut house = House::open();
    let tax = bearer(&house.access_token(UNIT));
    let parking = bearer(&house.access_token("parking-office"));
    accepted("carried", &probe(&house, Some(GATEWAY), &tax));
    let group = "resource.groups.contains(\"city\")";
    house.edit(POLICY, group, "resource == Jinku::Unit::\"parking-office\"");
    house.hang_up("new policies decide");
    refused("no longer", &probe(&house, Some(GATEWAY), &tax), 403, NOT);
    accepted("itself, with its token", &probe(&house, None, &tax));
    accepted(
        "itself, with its certificate",
        &probe(&house, Some(UNIT), &[]),
    );
    // Carried, and then denied for what it asks.
    let reply = probe(&house, Some(GATEWAY), &parking);
    refused("another", &reply, 403, "not-permitted");
    let facts = [
        ("operation", "auth-refused"),
        ("outcome", "denied"),
        ("unit", UNIT),
        ("gateway", GATEWAY),
        ("reason", NOT),
    ];
    let entries = house.audited();
    assert!(has_entry(&entries, &facts));
    let entry = entries.iter().find(|entry| entry["reason"] == NOT).unwrap();
    assert!(entry["policy"].is_string(), "{entry}");
}

#[test]
fn a_route_is_the_gateways_word_that_policy_may_ask_for() {
    let mut house = House::open();
    let tax = bearer(&house.access_token(UNIT));
    let by = |route: &str| [tax.clone(), vec![format!("jinku-route: {route}")]].concat();
    let group = "resource.groups.contains(\"city\")";
    let routes = "context has route && context.route == \"payments\"";
    house.edit(POLICY, group, routes);
    house.hang_up("new policies decide");
    accepted("its route", &probe(&house, Some(GATEWAY), &by("payments")));
    refused(
        "another",
        &probe(&house, Some(GATEWAY), &by("reports")),
        403,
        NOT,
    );
    refused("none", &probe(&house, Some(GATEWAY), &tax), 403, NOT);
    let invalid = probe(&house, Some(GATEWAY), &by("No Route"));
    refused("no name", &invalid, 400, "route-invalid");
    let twice = [by("payments"), by("payments")[1..].to_vec()].concat();
    let twice = probe(&house, Some(GATEWAY), &twice);
    refused("two routes", &twice, 400, "route-invalid");
}

#[test]
fn a_set_that_knows_no_carrying_lets_nobody_be_carried() {
    let mut house = House::open();
    let tax = bearer(&house.access_token(UNIT));
    std::fs::remove_file(house.directory().join(POLICY)).unwrap();
    house.hang_up("new policies decide");
    refused("no policy", &probe(&house, Some(GATEWAY), &tax), 403, NOT);
}
