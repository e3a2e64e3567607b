//! Budgets of distinct values: what counts, who is refused, and that no restart resets them.

use serde_json::json;
use tests::{House, detokenize, has_entry, refusal};

use super::{NOBODY, REVENUE, TAX, an_hour, ask, done, house_with, names, read, refused, views};

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_spent_by_distinct_values_and_a_power_cut_gives_nothing_back() {
    let mut house = house_with(&an_hour(3), "");
    house.serve();
    let tokens = names(&house.client(Some(REVENUE)), 5).await;
    assert_eq!(views(&read(&house, REVENUE, &tokens[..2])), ["plain"; 2]);
    // Absent tokens, another unit's readings and repetitions cost nothing.
    let absent = vec!["jk1_djxb627akbyp9m79z563kkvn38zbh5".to_owned(); 9];
    assert_eq!(views(&read(&house, REVENUE, &absent)), ["not-available"; 9]);
    refused(&read(&house, NOBODY, &tokens), 403, "not-permitted");
    let again = [&tokens[..2], &tokens[..2]].concat();
    assert_eq!(views(&read(&house, REVENUE, &again)), ["plain"; 4]);
    // The whole request is refused, also what would have fitted.
    refused(&read(&house, REVENUE, &tokens[..4]), 429, "budget-exceeded");
    assert_eq!(views(&read(&house, REVENUE, &tokens[2..3])), ["plain"]);
    refused(
        &read(&house, REVENUE, &tokens[3..4]),
        429,
        "budget-exceeded",
    );

    house.kill();
    house.serve();
    refused(
        &read(&house, REVENUE, &tokens[3..4]),
        429,
        "budget-exceeded",
    );
    assert_eq!(views(&read(&house, REVENUE, &tokens[..3])), ["plain"; 3]);
    let over_grpc = house.client(Some(REVENUE));
    let over_grpc = over_grpc.detokenize(detokenize(TAX, &tokens[4..]), None);
    let (code, reason) = refusal(&over_grpc.await.unwrap_err());
    assert_eq!(code, tonic::Code::ResourceExhausted);
    assert_eq!(reason, "budget-exceeded");

    let entries = house.audited();
    let facts = [
        ("operation", "detokenize"),
        ("outcome", "denied"),
        ("unit", REVENUE),
        ("purpose", TAX),
        ("reason", "budget-exceeded"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_gets_the_last_place() {
    let mut house = house_with(&an_hour(3), "");
    house.serve();
    let client = house.client(Some(REVENUE));
    let tokens = names(&client, 34).await;
    assert_eq!(views(&read(&house, REVENUE, &tokens[..2])), ["plain"; 2]);
    let each = tokens[2..].iter().map(|token| {
        let (client, request) = (client.clone(), detokenize(TAX, std::slice::from_ref(token)));
        tokio::spawn(async move { client.detokenize(request, None).await.is_ok() })
    });
    let mut answered = 0;
    for one in each.collect::<Vec<_>>() {
        answered += usize::from(one.await.unwrap());
    }
    assert_eq!(answered, 1);
}

// A ticket's values count for who redeems it. What is held back is an entry of the ticket, which stays whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_the_guard_holds_back_is_entered_as_one() {
    let limit = "[limits]\ndetokenize_items_without_grant = 3\n";
    let mut house = house_with(&an_hour(1), limit);
    house.serve();
    let tokens = names(&house.client(Some(REVENUE)), 4).await;
    let wish = |tokens: &[String]| {
        let body = json!({
            "domain": "city", "purpose": TAX, "tokens": tokens,
            "delivery": "ticket", "ticket_for": REVENUE,
        });
        ask(&house, REVENUE, "/v1/detokenize", &body)
    };
    refused(&wish(&tokens), 403, "grant-needed");
    let ticket = done(&wish(&tokens[..2]))["ticket"].clone();
    let redeem = json!({ "ticket": ticket });
    for _ in 0..2 {
        let held_back = ask(&house, REVENUE, "/v1/redeem", &redeem);
        refused(&held_back, 429, "budget-exceeded");
    }
    assert_eq!(house.sql("select count(*) from ticket"), "1");

    let entries = house.audited();
    let denied = |operation: &str, reason: &str| {
        let of = |entry: &&serde_json::Value| {
            entry["operation"] == operation
                && (&entry["unit"], &entry["reason"]) == (&json!(REVENUE), &json!(reason))
                && (&entry["outcome"], &entry["purpose"]) == (&json!("denied"), &json!(TAX))
        };
        entries.iter().filter(of).count()
    };
    assert_eq!(denied("ticket-issue", "grant-needed"), 1);
    assert_eq!(denied("ticket-redeem", "budget-exceeded"), 2);
    assert_eq!(denied("detokenize", "budget-exceeded"), 0);
}

#[test]
fn an_answer_says_when_to_come_again() {
    let mut house = house_with(&an_hour(1), "");
    house.serve();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tokens = runtime.block_on(async { names(&house.client(Some(REVENUE)), 2).await });
    assert_eq!(views(&read(&house, REVENUE, &tokens[..1])), ["plain"]);
    let head = head_of(&house, &tokens[1..]);
    let seconds: u64 = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "))
        .and_then(|seconds| seconds.trim().parse().ok())
        .unwrap_or_else(|| panic!("no time: {head}"));
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    // More than the budget never fits: there is no time to wait for.
    assert!(!head_of(&house, &tokens).contains("retry-after"));
}

fn head_of(house: &House, tokens: &[String]) -> String {
    let file = house.directory().join("head");
    let dump = file.to_str().unwrap();
    let body = serde_json::json!({ "domain": "city", "purpose": TAX, "tokens": tokens });
    let arguments = ["--header", super::JSON, "--dump-header", dump];
    let reply = house.post(
        Some(REVENUE),
        "/v1/detokenize",
        &arguments,
        body.to_string().as_bytes(),
    );
    refused(&reply, 429, "budget-exceeded");
    std::fs::read_to_string(file).unwrap().to_lowercase()
}

#[test]
fn a_vault_refuses_budgets_that_it_can_t_read() {
    let house = house_with(
        "[[budget]]\nname = \"x\"\nwindow_seconds = 0\nvalues_max = 1\n",
        "",
    );
    let said = house.refuses_to_serve();
    assert!(said.contains("`window_seconds` of budget `x`"), "{said}");
}
