//! Whoever writes the database alone registers nobody, raises nobody, and lets nobody act again.

use super::*;

/// Runs a statement while the vault is stopped, and gives what the vault says at its next start.
fn refuses_after(house: &House, statement: &str) -> String {
    house.sql(statement);
    house.refuses_to_serve()
}

// Invariant 6: rows of units are authenticated with a key that the database does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_altered_taken_away_or_put_back_is_refused() {
    let mut house = open();
    let token = token(&house);
    registered(&house, &bureau_with("clearance", "confidential"));
    assert_eq!(view(&house, &token), "masked");
    house.stop();
    house.sql("create table kept as select * from registered_unit; create table kept_state as select * from unit_registry");
    let restored = "delete from registered_unit; insert into registered_unit select * from kept; \
        delete from unit_registry; insert into unit_registry select * from kept_state";

    let said = refuses_after(
        &house,
        "update registered_unit set document = replace(document, 'confidential', 'restricted')",
    );
    assert!(said.contains("was altered") && said.contains(TAX), "{said}");
    house.sql(restored);
    let said = refuses_after(&house, "update registered_unit set revision = revision + 1");
    assert!(said.contains("was altered"), "{said}");
    house.sql(restored);
    let said = refuses_after(
        &house,
        "insert into registered_unit select 'thief', revision, replace(document, 'tax-bureau', 'thief'), salt, changed_us, tag from kept",
    );
    assert!(
        said.contains("was altered") && said.contains("thief"),
        "{said}"
    );
    house.sql(restored);
    let said = refuses_after(&house, "delete from registered_unit");
    assert!(said.contains("taken away or put back"), "{said}");
    house.sql(restored);
    let said = refuses_after(&house, "delete from unit_registry");
    assert!(said.contains("taken away or put back"), "{said}");

    // Everything as it was before the unit was suspended, each row with its right tag: the ledger knows better.
    house.sql(restored);
    house.serve();
    done(&act(&house, REGISTRAR, TAX, "suspend"));
    house.stop();
    house.sql("create table now as select * from registered_unit; create table now_state as select * from unit_registry");
    let said = refuses_after(&house, restored);
    assert!(said.contains("taken away or put back"), "{said}");
    house.sql(
        "delete from registered_unit; insert into registered_unit select * from now; \
         delete from unit_registry; insert into unit_registry select * from now_state",
    );
    house.serve();
    refused(&asked_for(&house, &token), 401, "suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_was_altered_or_made_up_is_not_approved() {
    let house = open();
    let id = proposed(&set(&house, REGISTRAR, &bureau_with("clearance", "public")));
    house.sql("update unit_proposal set body = replace(body, 'public', 'restricted')");
    refused(
        &decide(&house, GUARD, &id, "approve"),
        409,
        "proposal-altered",
    );
    // The guard's approval can't be put in for it either.
    house.sql("update unit_proposal set body = replace(body, 'restricted', 'public')");
    house.sql("update unit_proposal set body = replace(body, '\"by\":\"registry-office\"', '\"by\":\"public-library\"')");
    refused(
        &decide(&house, REGISTRAR, &id, "approve"),
        409,
        "proposal-altered",
    );
    let waiting = done(&house.curl(Some(GUARD), "/v1/unit-proposals", &[]));
    assert_eq!(waiting["proposals"], json!([]));
}
