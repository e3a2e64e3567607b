//! Tickets: one unit asks, the named one redeems, once.

use api::v1::{Delivery, DetokenizeRequest, RedeemRequest, View};
use serde_json::json;
use tests::{has_entry, leaks};

use super::*;

const UNKNOWN: &str = "ticket-unknown";

/// A request for a ticket.
fn ticket_for(unit: &str, tokens: &[String]) -> DetokenizeRequest {
    DetokenizeRequest {
        delivery: Delivery::Ticket.into(),
        ticket_for: unit.to_owned(),
        ..detokenize(TAX, tokens)
    }
}

/// A ticket that the tax bureau asked for.
async fn ticket(city: &Sealing, unit: &str, tokens: &[String]) -> String {
    let answer = bureau(&city.house)
        .detokenize(ticket_for(unit, tokens), None)
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.delivery(), Delivery::Ticket);
    assert!(answer.items.is_empty());
    answer.ticket
}

fn redeem(ticket: &str) -> RedeemRequest {
    RedeemRequest {
        ticket: ticket.to_owned(),
        ..RedeemRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_named_unit_gets_its_own_view_once() {
    let mut city = Sealing::open();
    let mut tokens = city.tokens("name", &[NAME]).await;
    tokens.push("jk1_00000000000000000000000000".to_owned());
    let ticket = ticket(&city, "treasury", &tokens).await;
    assert!(ticket.starts_with("jkt_") && ticket.len() == 60);
    let treasury = city.house.client(Some("treasury"));
    let answer = treasury.redeem(redeem(&ticket), None).await.unwrap();
    let views: Vec<_> = answer.items.iter().map(|item| item.view()).collect();
    assert_eq!(views, [View::Masked, View::NotAvailable]);
    assert_ne!(answer.items[0].value, NAME);
    assert_eq!(code(treasury.redeem(redeem(&ticket), None).await), UNKNOWN);
    assert_eq!(city.house.sql("select count(*) from ticket"), "0");

    let entries = city.house.audited();
    let issue = entries
        .iter()
        .find(|entry| entry["operation"] == "ticket-issue")
        .unwrap();
    let redeemed: Vec<_> = entries
        .iter()
        .filter(|entry| entry["operation"] == "ticket-redeem")
        .collect();
    assert_eq!(issue["unit"], "tax-bureau");
    assert_eq!(issue["reason"], "for treasury");
    assert_eq!(redeemed.len(), 2);
    assert_eq!(
        (&redeemed[0]["outcome"], &redeemed[0]["purpose"]),
        (&json!("ok"), &json!(TAX))
    );
    assert_eq!(redeemed[0]["unit"], "treasury");
    assert_eq!(redeemed[1]["outcome"], "denied");
    assert_eq!(redeemed[1]["reason"], UNKNOWN);
    // Nothing was opened for the unit that asked.
    assert!(!has_entry(&entries, &[("operation", "detokenize")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_redeem_at_once_exactly_one_gets_the_values() {
    let mut city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    for _ in 0..8 {
        let ticket = ticket(&city, "treasury", &tokens).await;
        let redeeming: Vec<_> = (0..12)
            .map(|_| {
                let (client, ticket) = (city.house.client(Some("treasury")), ticket.clone());
                tokio::spawn(async move { client.redeem(redeem(&ticket), None).await })
            })
            .collect();
        let mut won = 0;
        for one in redeeming {
            match one.await.unwrap() {
                Ok(answer) => {
                    assert_eq!(answer.items[0].view(), View::Masked);
                    won += 1;
                }
                Err(error) => assert_eq!(refusal(&error).1, UNKNOWN),
            }
        }
        assert_eq!(won, 1);
    }
    let entries = city.house.audited();
    let redeemed = |outcome: &str| {
        let of =
            |entry: &&Value| entry["operation"] == "ticket-redeem" && entry["outcome"] == outcome;
        entries.iter().filter(of).count()
    };
    assert_eq!((redeemed("ok"), redeemed("denied")), (8, 88));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn used_foreign_expired_altered_and_absent_tickets_look_alike() {
    let mut city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let used = ticket(&city, "treasury", &tokens).await;
    let treasury = city.house.client(Some("treasury"));
    treasury.redeem(redeem(&used), None).await.unwrap();
    let expired = ticket(&city, "treasury", &tokens).await;
    city.house.sql("update ticket set expires_us = 1");
    let foreign = ticket(&city, "health-bureau", &tokens).await;
    let stolen = ticket(&city, "tax-bureau", &tokens).await;
    // Whoever writes into the database can't give a ticket to another unit.
    city.house
        .sql("update ticket set unit = 'treasury' where unit = 'tax-bureau'");
    let mut mistyped = foreign.clone();
    mistyped.replace_range(59..60, if foreign.ends_with('0') { "1" } else { "0" });
    let mut answers = Vec::new();
    for ticket in [
        &used,
        &expired,
        &foreign,
        &stolen,
        &mistyped,
        "",
        "jkt_",
        &"x".repeat(5_000),
    ] {
        let reply = ask(
            &city.house,
            "treasury",
            "/v1/redeem",
            &json!({ "ticket": ticket }),
        );
        refused(&reply, 404, UNKNOWN);
        let mut body = reply.json();
        body.as_object_mut().unwrap().remove("instance");
        answers.push(body);
        assert_eq!(code(treasury.redeem(redeem(ticket), None).await), UNKNOWN);
    }
    assert!(
        answers.iter().all(|body| *body == answers[0]),
        "{answers:?}"
    );
    // The foreign one still stands for whom it names, who has no right to the purpose: it is not used up.
    let health = city.house.client(Some("health-bureau"));
    for _ in 0..2 {
        assert_eq!(
            code(health.redeem(redeem(&foreign), None).await),
            "not-permitted"
        );
    }
    let entries = city.house.audited();
    let refusals = entries.iter().filter(|entry| entry["reason"] == UNKNOWN);
    assert_eq!(refusals.count(), 16);
    let denied = [
        ("operation", "ticket-redeem"),
        ("unit", "health-bureau"),
        ("reason", "not-permitted"),
    ];
    assert!(has_entry(&entries, &denied));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_asked_for_through_a_gateway_is_redeemed_sealed_on_the_units_own_channel() {
    let city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let gateway = city.house.client(Some("city-gateway"));
    let proof = city.house.proof("tax-bureau");
    let answer = gateway
        .detokenize(ticket_for("tax-bureau", &tokens), Some(&proof))
        .await;
    let ticket = answer.unwrap().ticket;
    // The gateway has the ticket, and is nobody by itself.
    assert_eq!(
        code(gateway.redeem(redeem(&ticket), None).await),
        "gateway-alone"
    );
    let body = json!({ "ticket": ticket, "delivery": "sealed" });
    let reply = ask(&city.house, "tax-bureau", "/v1/redeem", &body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let message = reply.json()["items"][0]["value"]
        .as_str()
        .unwrap()
        .to_owned();
    let (value, header) = opened(&city.bureau, &message);
    assert_eq!(
        (value.as_str(), &header["jinku"]["purpose"]),
        (NAME, &json!(TAX))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_see_nothing_gets_no_ticket() {
    let mut city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let library = city.house.client(Some("public-library"));
    let answer = library
        .detokenize(ticket_for("treasury", &tokens), None)
        .await;
    assert_eq!(code(answer), "not-permitted");
    // Nor who asks for one that cannot be answered sealed: it stays whole.
    let answer = bureau(&city.house)
        .detokenize(ticket_for("parking-office", &tokens), None)
        .await;
    let ticket = answer.unwrap().ticket;
    let parking = city.house.client(Some("parking-office"));
    assert_eq!(
        code(parking.redeem(redeem(&ticket), None).await),
        "not-permitted"
    );
    let entries = city.house.audited();
    let facts = [
        ("operation", "ticket-issue"),
        ("outcome", "denied"),
        ("unit", "public-library"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_survive_a_restart_lie_nowhere_in_clear_and_go_when_they_expire() {
    let mut city = Sealing::open_with("[keys]\nupkeep_interval_ms = 20\n");
    let tokens = city.tokens("national-id", &["A123456789"]).await;
    let standing = ticket(&city, "treasury", &tokens).await;
    city.house.kill();
    let found = leaks(
        &city.house.directory().join("data"),
        &[standing.clone(), tokens[0].clone()],
    );
    assert_eq!(found, Vec::<String>::new());
    city.house.serve();
    let short = DetokenizeRequest {
        ticket_ttl_seconds: Some(1),
        ..ticket_for("treasury", &tokens)
    };
    let short = bureau(&city.house)
        .detokenize(short, None)
        .await
        .unwrap()
        .ticket;
    let treasury = city.house.client(Some("treasury"));
    treasury.redeem(redeem(&standing), None).await.unwrap();
    while city.house.sql("select count(*) from ticket") != "0" {
        // pacing: the upkeep decides, this only spares the processor
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(code(treasury.redeem(redeem(&short), None).await), UNKNOWN);
    let entries = city.house.audited();
    assert!(has_entry(
        &entries,
        &[("operation", "ticket-redeem"), ("reason", "ticket-expired")]
    ));
}

// Invariant 15: a ticket needs the key version that it is sealed under, as a row does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_version_stays_until_its_tickets_are_redeemed() {
    let city = Sealing::open();
    let tokens = city.tokens("name", &[NAME]).await;
    let ticket = ticket(&city, "treasury", &tokens).await;
    let keeper = |act: &str, body: Value| {
        let path = format!("/v1/keys/value.city/{act}");
        ask(&city.house, "key-office", &path, &body)
    };
    assert_eq!(keeper("rotate", json!({})).status, 200);
    let moved = keeper("reseal", json!({ "place": 0, "limit": 100 }));
    assert_eq!(moved.json()["remaining"], 0, "{}", moved.body);
    let destroyed = || keeper("destroy-version", json!({ "version": 1 }));
    refused(&destroyed(), 409, "key-needed");
    let treasury = city.house.client(Some("treasury"));
    let answer = treasury.redeem(redeem(&ticket), None).await.unwrap();
    assert_eq!(answer.items[0].view(), View::Masked);
    // Nothing needs it now; it is only too young.
    refused(&destroyed(), 409, "key-fresh");
}
