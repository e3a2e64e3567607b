//! What a registration says of when, how much and where.

use super::*;

/// What the bureau is refused with, where it is.
fn code(house: &House, token: &str) -> Option<String> {
    let reply = asked_for(house, token);
    (reply.status != 200).then(|| reply.code())
}

fn all_week(calendar: &str) -> Value {
    json!({ "weekly": [{ "days": "mon-sun", "from": "00:00", "to": "24:00" }], "holidays": calendar })
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_from_the_approval_on_and_whoever_changes_them_takes_a_second_person() {
    let mut house = open();
    let token = token(&house);
    registered(
        &house,
        &bureau_with("limits", json!({ "routes": ["tokenize", "units"] })),
    );
    assert_eq!(code(&house, &token).as_deref(), Some("route"));
    // Let in, and refused by policy; a lock is the guard's, however its path is spelled.
    let told = |path: &str| ask(&house, TAX, path, &json!({})).code();
    assert_eq!(told("/v1/units/parks/suspend"), "not-permitted");
    assert_eq!(told("/v1/units/parks/lock"), "route");
    assert_eq!(told("/v1/units/parks/l%6Fck"), "path-unknown");

    let wider = set(&house, REGISTRAR, &bureau());
    assert_eq!(done(&wider)["keys"], json!(["limits"]));
    let id = proposed(&wider);
    assert_eq!(code(&house, &token).as_deref(), Some("route"));
    done(&decide(&house, GUARD, &id, "approve"));
    assert_eq!(code(&house, &token), None);
    house.kill();
    house.serve();
    assert_eq!(code(&house, &token), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_stays_so_whatever_else_is_changed() {
    let house = open();
    let token = token(&house);
    let limited = bureau_with("limits", json!({ "quota": { "month": 2 } }));
    registered(&house, &limited);
    let codes = [(); 3].map(|()| code(&house, &token));
    assert_eq!(codes, [None, None, Some("quota".to_owned())]);
    let mut slower = limited;
    slower["requests_per_second"] = json!(400);
    done(&set(&house, REGISTRAR, &slower));
    assert_eq!(code(&house, &token).as_deref(), Some("quota"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_by_a_calendar_that_is_not_there_are_refused_and_never_on() {
    let mut house = open();
    let token = token(&house);
    let with = |calendar: &str| bureau_with("limits", json!({ "hours": all_week(calendar) }));
    refused(&set(&house, REGISTRAR, &with("none")), 422, "unit-invalid");
    let calendars = house.directory().join("policies/calendars.toml");
    let known = std::fs::read_to_string(&calendars).unwrap();
    let more = format!("{known}\n[[calendar]]\nname = \"none\"\n");
    std::fs::write(&calendars, more).unwrap();
    house.stop();
    house.serve();
    registered(&house, &with("none"));
    assert_eq!(code(&house, &token), None);
    // Taken away: the unit is not served, and can be stood down.
    std::fs::write(&calendars, known).unwrap();
    house.stop();
    house.serve();
    assert!(house.vault().said().contains("is not served at any hour"));
    assert_eq!(code(&house, &token).as_deref(), Some("hours"));
    done(&act(&house, REGISTRAR, TAX, "suspend"));
    refused(&act(&house, REGISTRAR, TAX, "resume"), 422, "unit-invalid");
    done(&act(&house, REGISTRAR, TAX, "retire"));
}
