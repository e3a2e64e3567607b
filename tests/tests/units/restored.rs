//! A backup does not bring back what units could do when it was made.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_was_suspended_lowered_or_retired_after_the_backup_does_not_act_after_its_restore() {
    let mut house = open();
    let token = token(&house);
    registered(&house, &bureau());
    let other = |name: &str| {
        json!({
            "name": name, "title_zh": "", "title_en": "", "clearance": "restricted", "token_subject": name,
            "groups": ["intake"],
        })
    };
    for name in ["lowered", "retired", "kept"] {
        registered(&house, &other(name));
    }
    let open = proposed(&set(&house, REGISTRAR, &other("late")));
    let (good, said) = house.jinku(&["backup", "--to", "backup"], "");
    assert!(good, "{said}");
    done(&decide(&house, GUARD, &open, "refuse"));
    done(&act(&house, REGISTRAR, TAX, "suspend"));
    let mut lowered = other("lowered");
    lowered["clearance"] = json!("public");
    done(&set(&house, REGISTRAR, &lowered));
    done(&act(&house, REGISTRAR, "retired", "retire"));
    registered(&house, &other("new"));
    house.stop();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(
        good && said.contains("3 acts on registered units"),
        "{said}"
    );

    house.serve();
    refused(&asked_for(&house, &token), 401, "suspended");
    let standing = |name: &str| {
        let unit = house.curl(Some(GUARD), &format!("/v1/units/{name}"), &[]);
        done(&unit)["unit"]["document"]["standing"].clone()
    };
    assert_eq!(standing("lowered"), "suspended");
    assert_eq!(standing("retired"), "retired");
    assert_eq!(standing("kept"), "active");
    // The refused proposal did not come back, the unit that no backup has is unknown.
    refused(
        &decide(&house, GUARD, &open, "approve"),
        404,
        "proposal-unknown",
    );
    let gone = house.curl(Some(GUARD), "/v1/units/new", &[]);
    refused(&gone, 404, "unit-unknown");
    // Two persons look, and it acts again.
    let id = proposed(&act(&house, REGISTRAR, TAX, "resume"));
    done(&decide(&house, GUARD, &id, "approve"));
    assert_eq!(view(&house, &token), "plain");
    house.kill();
    house.serve();
    assert_eq!(view(&house, &token), "plain");
    house.audited();
}
