//! Two persons: who proposes does not approve, and what is approved is in force.

use serde_json::json;
use tests::{has_entry, refusal, tokenize};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_acts_at_once_when_another_person_has_approved_it_and_after_a_power_cut() {
    let mut house = open();
    let token = token(&house);
    refused(&asked_for(&house, &token), 401, "certificate-unknown");
    let id = proposed(&set(&house, REGISTRAR, &bureau()));
    refused(&asked_for(&house, &token), 401, "certificate-unknown");

    refused(
        &decide(&house, REGISTRAR, &id, "approve"),
        403,
        "proposal-own",
    );
    refused(
        &decide(&house, NOBODY, &id, "approve"),
        403,
        "not-permitted",
    );
    refused(&asked_for(&house, &token), 401, "certificate-unknown");
    let approved = done(&decide(&house, GUARD, &id, "approve"));
    assert_eq!(
        (
            &approved["outcome"],
            &approved["revision"],
            &approved["document"]["contact"]
        ),
        (&json!("done"), &json!(1), &json!("02-2394-9211"))
    );
    assert_eq!(view(&house, &token), "plain");
    refused(
        &decide(&house, GUARD, &id, "approve"),
        404,
        "proposal-unknown",
    );

    house.kill();
    house.serve();
    assert_eq!(view(&house, &token), "plain");
    house.kill();
    house.serve();
    assert_eq!(view(&house, &token), "plain");
    let entries = house.audited();
    for (operation, outcome, unit, reason) in [
        ("unit-propose", "ok", REGISTRAR, TAX),
        ("unit-approve", "denied", REGISTRAR, "proposal-own"),
        ("unit-approve", "denied", NOBODY, "not-permitted"),
        ("unit-approve", "ok", GUARD, TAX),
    ] {
        let facts = [
            ("operation", operation),
            ("outcome", outcome),
            ("unit", unit),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "{facts:?}");
    }
    // What is refused is one entry.
    let own = |entry: &&serde_json::Value| entry["reason"] == "proposal-own";
    assert_eq!(entries.iter().filter(own).count(), 1);
    let facts = [("operation", "unit-approve"), ("commitment", id.as_str())];
    assert!(has_entry(&entries, &facts));
    // The policy digest covers who is registered.
    let digests: std::collections::BTreeSet<_> = entries
        .iter()
        .filter(|entry| entry["operation"] == "detokenize")
        .map(|entry| entry["policy"].to_string())
        .collect();
    assert_eq!(digests.len(), 1, "{digests:?}");
    let proposed = entries
        .iter()
        .find(|entry| entry["operation"] == "unit-propose");
    assert!(!digests.contains(&proposed.unwrap()["policy"].to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_as_the_settings_say_approve_and_none_of_them_twice_or_for_itself() {
    let mut house = installed("[units]\napprovals = 2\n");
    in_file(&house, NOBODY, "groups", vec!["city", "guards"].into());
    house.serve();
    let id = proposed(&set(&house, REGISTRAR, &bureau()));
    let once = done(&decide(&house, GUARD, &id, "approve"));
    assert_eq!(
        (&once["outcome"], &once["proposal"]["approved_by"]),
        (&json!("proposed"), &json!([GUARD]))
    );
    refused(
        &decide(&house, GUARD, &id, "approve"),
        409,
        "proposal-approved-already",
    );
    house.kill();
    house.serve();
    refused(
        &decide(&house, GUARD, &id, "approve"),
        409,
        "proposal-approved-already",
    );
    let twice = done(&decide(&house, NOBODY, &id, "approve"));
    assert_eq!(twice["outcome"], "done");

    // Of itself, no unit approves anything.
    let raised = bureau_with("groups", json!(["city", "intake", "revenue", "guards"]));
    let id = proposed(&set(&house, REGISTRAR, &raised));
    done(&decide(&house, GUARD, &id, "approve"));
    done(&decide(&house, NOBODY, &id, "approve"));
    let more = bureau_with(
        "groups",
        json!(["city", "care", "revenue", "guards", "intake"]),
    );
    let id = proposed(&set(&house, REGISTRAR, &more));
    refused(
        &decide(&house, TAX, &id, "approve"),
        403,
        "proposal-own-unit",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_withdrawn_can_t_be_approved_any_more() {
    let house = open();
    let id = proposed(&set(&house, REGISTRAR, &bureau()));
    refused(&set(&house, REGISTRAR, &bureau()), 409, "proposal-open");
    refused(
        &decide(&house, REGISTRAR, &id, "refuse"),
        403,
        "proposal-own",
    );
    refused(
        &decide(&house, GUARD, &id, "withdraw"),
        403,
        "not-permitted",
    );
    done(&decide(&house, GUARD, &id, "refuse"));
    refused(
        &decide(&house, GUARD, &id, "approve"),
        404,
        "proposal-unknown",
    );
    let id = proposed(&set(&house, REGISTRAR, &bureau()));
    done(&decide(&house, REGISTRAR, &id, "withdraw"));
    refused(
        &decide(&house, GUARD, &id, "approve"),
        404,
        "proposal-unknown",
    );
    refused(
        &decide(&house, GUARD, "x", "approve"),
        422,
        "proposal-invalid",
    );
    refused(&decide(&house, GUARD, &id, "burn"), 404, "path-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_as_over_rest() {
    use api::v1::{
        ListProposalsRequest, ListUnitsRequest, NamedProposal, NamedUnit, SetUnitRequest,
    };
    let house = open();
    let (registrar, guard) = (house.units(Some(REGISTRAR)), house.units(Some(GUARD)));
    let wish = |dry_run| SetUnitRequest {
        document: bureau().to_string(),
        dry_run,
        reason: None,
    };
    let dry = registrar.set_unit(wish(true), None).await.unwrap();
    assert_eq!((dry.outcome.as_str(), dry.entry), ("proposed", None));
    let acted = registrar.set_unit(wish(false), None).await.unwrap();
    let proposal = acted.proposal.unwrap();
    let id = NamedProposal {
        id: proposal.id.clone(),
        reason: None,
    };
    let own = registrar.approve_unit(id.clone(), None).await.unwrap_err();
    assert_eq!(refusal(&own).1, "proposal-own");
    let all = guard.list_proposals(ListProposalsRequest {}, None).await;
    assert_eq!(all.unwrap().proposals, std::slice::from_ref(&proposal));
    let one = guard.describe_proposal(id.clone(), None).await.unwrap();
    assert_eq!(one.proposal, Some(proposal));
    let approved = guard.approve_unit(id, None).await.unwrap();
    assert_eq!((approved.outcome.as_str(), approved.revision), ("done", 1));
    let client = house.client(Some(TAX));
    client
        .tokenize(tokenize("name", &["王小明"]), None)
        .await
        .unwrap();

    let tax = NamedUnit {
        unit: TAX.to_owned(),
        reason: None,
    };
    let described = guard.describe_unit(tax.clone(), None).await.unwrap();
    assert_eq!(described.unit.unwrap().document, approved.document);
    // Each reads itself.
    house
        .units(Some(TAX))
        .describe_unit(tax.clone(), None)
        .await
        .unwrap();
    let request = ListUnitsRequest {
        after: "service-counter".to_owned(),
        limit: 1,
    };
    let page = guard.list_units(request, None).await.unwrap();
    assert_eq!(
        (page.units[0].name.as_str(), page.next.as_str()),
        (TAX, TAX)
    );
    let suspended = registrar.suspend_unit(tax.clone(), None).await.unwrap();
    assert_eq!(suspended.outcome, "done");
    let cut = client.tokenize(tokenize("name", &["王小明"]), None).await;
    assert_eq!(refusal(&cut.unwrap_err()).1, "suspended");
    let resumed = registrar.resume_unit(tax.clone(), None).await.unwrap();
    let id = NamedProposal {
        id: resumed.proposal.unwrap().id,
        reason: None,
    };
    guard.refuse_unit(id, None).await.unwrap();
    let resumed = registrar.resume_unit(tax.clone(), None).await.unwrap();
    let id = NamedProposal {
        id: resumed.proposal.unwrap().id,
        reason: None,
    };
    registrar.withdraw_unit(id, None).await.unwrap();
    let retired = registrar.retire_unit(tax, None).await.unwrap();
    assert_eq!(retired.outcome, "done");
}
