//! What comes before an answer: a durable entry, a policy, a proof, a limit.

use std::process::Command;

use api::v1::View;
use api::{Client, ClientError};
use tests::{House, binary, detokenize, has_entry, refusal, tokenize, values};
use tonic::Code;

use super::{NAME, TAX, bureau, tokens, views};

fn reason<T>(answer: Result<T, ClientError>) -> (Code, String) {
    let error = answer.err().expect("it was answered");
    if let ClientError::Refused(status) = &error {
        let told = format!(
            "{} {}",
            status.message(),
            String::from_utf8_lossy(status.details())
        );
        assert!(!told.contains(NAME), "{told}");
    }
    refusal(&error)
}

async fn both(client: &Client, token: &str) -> [(Code, String); 2] {
    let request = detokenize(TAX, &[token.to_owned()]);
    [
        reason(client.detokenize(request, None).await),
        reason(client.tokenize(tokenize("name", &[NAME]), None).await),
    ]
}

// Invariant 1: while the ledger can't be written, answers are errors.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_01_no_value_leaves_while_the_ledger_waits() {
    let mut house = House::install();
    house.edit("jinku.toml", "[ledger]", "[ledger]\ndeadline_ms = 300");
    house.serve();
    let client = bureau(&house);
    let token = tokens(&client, "name", &[NAME]).await.remove(0);
    let lock = house.lock_database();
    let slow = (Code::Unavailable, "ledger-slow".to_owned());
    assert_eq!(both(&client, &token).await, [slow.clone(), slow]);
    // A denial is an entry, too: without it there is no answer but an error.
    let denied = client
        .detokenize(detokenize("curiosity", std::slice::from_ref(&token)), None)
        .await;
    assert_eq!(reason(denied).0, Code::Unavailable);
    drop(lock);
    assert_eq!(values(&views(&client, &[token]).await), [NAME]);
    drop(client);
    house.audited();
}

// Invariant 1: so they are when the database refuses the entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_01_no_value_leaves_when_the_ledger_refuses() {
    let mut house = House::install();
    house.edit("jinku.toml", "[ledger]", "[ledger]\ndeadline_ms = 9000");
    house.serve();
    let client = bureau(&house);
    let token = tokens(&client, "name", &[NAME]).await.remove(0);
    let lock = house.lock_database();
    let revealed = client
        .detokenize(detokenize(TAX, std::slice::from_ref(&token)), None)
        .await;
    assert_eq!(
        reason(revealed),
        (Code::Unavailable, "ledger-unavailable".to_owned())
    );
    drop(lock);
    assert_eq!(values(&views(&client, &[token]).await), [NAME]);
    drop(client);
    house.audited();
}

// Invariant 9: a broken policy set never decides; no policy is a denial.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_09_a_broken_policy_set_is_refused_and_deny_wins() {
    let mut house = House::install();
    let file = house
        .directory()
        .join("policies/policies/20-detokenize.cedar");
    let good = std::fs::read_to_string(&file).unwrap();
    let unknown = good.replace(
        "Jinku::Action::\"DetokenizePlain\"",
        "Jinku::Action::\"Reveal\"",
    );
    for broken in [
        "permit (principal",
        "permit (principal, action, resource);",
        &unknown,
    ] {
        std::fs::write(&file, broken).unwrap();
        let said = house.refuses_to_serve();
        assert!(
            said.contains("20-detokenize.cedar") || said.contains("schema"),
            "{said}"
        );
    }
    std::fs::write(&file, &good).unwrap();
    house.serve();
    let client = bureau(&house);
    let issued = tokens(&client, "name", &[NAME]).await;
    std::fs::write(&file, "permit (principal").unwrap();
    house.hang_up("the policies stay as they were");
    assert_eq!(values(&views(&client, &issued).await), [NAME]);
    // Deny wins over every permit.
    let deny = "@id(\"nobody\")\nforbid (principal, action == Jinku::Action::\"DetokenizePlain\", resource);\n";
    std::fs::write(&file, format!("{good}\n{deny}")).unwrap();
    house.hang_up("new policies decide");
    assert_eq!(views(&client, &issued).await[0].view(), View::Masked);
    // Nothing permits: a denial.
    std::fs::write(&file, "").unwrap();
    house.hang_up("new policies decide");
    let denied = client.detokenize(detokenize(TAX, &issued), None).await;
    assert_eq!(
        reason(denied),
        (Code::PermissionDenied, "not-permitted".to_owned())
    );
    drop(client);
    let entries = house.audited();
    let sets = entries
        .iter()
        .filter(|entry| entry["operation"] == "policy-set");
    assert_eq!(sets.count(), 2);
    assert!(has_entry(
        &entries,
        &[
            ("outcome", "denied"),
            ("reason", "not-permitted"),
            ("purpose", TAX)
        ]
    ));
}

// Invariant 10: a gateway proves itself and asserts nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_10_a_gateway_carries_proofs_and_is_nobody() {
    let mut house = House::open();
    let asserted = [
        "--header",
        "x-unit: tax-bureau",
        "--header",
        "x-forwarded-user: tax-bureau",
        "--header",
        "content-type: application/json",
    ];
    let body = br#"{"domain":"city","items":[{"class":"name","value":"x"}]}"#;
    let reply = house.post(Some("city-gateway"), "/v1/tokenize", &asserted, body);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (401, "gateway-alone")
    );
    let gateway = house.client(Some("city-gateway"));
    let alone = gateway.tokenize(tokenize("name", &[NAME]), None).await;
    assert_eq!(
        reason(alone),
        (Code::Unauthenticated, "gateway-alone".to_owned())
    );
    let proof = house.proof("tax-bureau");
    let token = gateway
        .tokenize(tokenize("name", &[NAME]), Some(&proof))
        .await
        .unwrap()
        .tokens;
    let seen = gateway
        .detokenize(detokenize(TAX, &token), Some(&proof))
        .await
        .unwrap();
    assert_eq!(values(&seen.items), [NAME]);
    drop(gateway);
    let entries = house.audited();
    let refused = [
        ("operation", "auth-refused"),
        ("gateway", "city-gateway"),
        ("reason", "gateway-alone"),
    ];
    assert!(has_entry(&entries, &refused));
    for operation in ["tokenize", "detokenize"] {
        let through = [
            ("operation", operation),
            ("outcome", "ok"),
            ("unit", "tax-bureau"),
            ("gateway", "city-gateway"),
        ];
        assert!(has_entry(&entries, &through), "{operation}");
    }
}

// Invariant 14: a limit outside its range is refused by its name.
#[test]
fn inv_14_a_limit_out_of_its_range_is_refused_by_name() {
    let house = House::install();
    let good = std::fs::read_to_string(house.directory().join("jinku.toml")).unwrap();
    let rows = [
        ("limits", "body_bytes_max", ["10", "67108865"]),
        ("limits", "header_bytes_max", ["8191", "1048577"]),
        ("limits", "batch_items_max", ["0", "1000001"]),
        ("limits", "requests_in_flight_max", ["0", "1000001"]),
        ("limits", "requests_waiting_max", ["1000001", "2000000"]),
        ("limits", "queue_wait_ms", ["0", "3600001"]),
        ("limits", "connections_max", ["0", "1000001"]),
        ("limits", "request_timeout_ms", ["0", "3600001"]),
        ("limits", "header_timeout_ms", ["0", "3600001"]),
        ("ledger", "deadline_ms", ["0", "3600001"]),
        ("ledger", "publish_interval_ms", ["0", "3600001"]),
    ];
    let reference = std::fs::read_to_string(tests::workspace().join("vault/examples/jinku.toml"));
    let reference = reference.unwrap();
    for (table, key, outside) in rows {
        assert!(
            reference.contains(&format!("\n{key} = ")),
            "`{key}` is not in the reference"
        );
        for value in outside {
            let text = match table {
                "ledger" => good.replace("[ledger]", &format!("[ledger]\n{key} = {value}")),
                _ => format!("{good}\n[limits]\n{key} = {value}\n"),
            };
            std::fs::write(house.directory().join("jinku.toml"), text).unwrap();
            let said = house.refuses_to_serve();
            assert!(
                said.contains(&format!("`{table}.{key}` must be between")),
                "{said}"
            );
        }
    }
    let filter = std::fs::read_to_string(house.directory().join("filter.toml")).unwrap();
    for (key, value) in [
        ("body_bytes_max", "1_048_576"),
        ("depth_max", "64"),
        ("nodes_max", "65_536"),
        ("fields_max", "256"),
    ] {
        let odd = filter.replace(&format!("{key} = {value}"), &format!("{key} = 0"));
        assert_ne!(odd, filter);
        std::fs::write(house.directory().join("odd.toml"), odd).unwrap();
        let mut check = Command::new(binary("jinku-filter"));
        let output = check
            .args(["check", "--config"])
            .arg(house.directory().join("odd.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(&format!("`limits.{key}` must be")),
            "{said}"
        );
    }
}

// Invariant 14: who goes over a limit is told which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_14_going_over_a_limit_is_a_typed_error() {
    let mut house = House::install();
    let limits = "[limits]\nbatch_items_max = 2\nrequest_timeout_ms = 300\nbody_bytes_max = 1024\n\n[ledger]";
    house.edit("jinku.toml", "[ledger]", limits);
    let units = "policies/units.toml";
    house.edit(
        units,
        "token_subject = \"parking-office\"\nrequests_per_second = 500",
        "token_subject = \"parking-office\"\nrequests_per_second = 1",
    );
    house.edit(
        units,
        "token_subject = \"treasury\"",
        "token_subject = \"treasury\"\nnetworks = [\"10.0.0.0/8\"]",
    );
    house.edit(
        units,
        "token_subject = \"health-bureau\"",
        "token_subject = \"health-bureau\"\nvalid_until = \"2020-01-01T00:00:00Z\"",
    );
    house.edit(
        units,
        "token_subject = \"service-counter\"",
        "token_subject = \"service-counter\"\nstanding = \"suspended\"",
    );
    house.serve();
    let ask = async |unit: &str, values: &[&str]| {
        let client = house.client(Some(unit));
        client.tokenize(tokenize("name", values), None).await
    };
    let invalid = Code::InvalidArgument;
    assert_eq!(
        reason(ask("tax-bureau", &["a", "b", "c"]).await),
        (invalid, "batch-too-long".to_owned())
    );
    let denied = Code::PermissionDenied;
    assert_eq!(
        reason(ask("treasury", &["a"]).await),
        (denied, "address".to_owned())
    );
    assert_eq!(
        reason(ask("health-bureau", &["a"]).await),
        (denied, "validity".to_owned())
    );
    assert_eq!(
        reason(ask("service-counter", &["a"]).await),
        (Code::Unauthenticated, "suspended".to_owned())
    );
    let lock = house.lock_database();
    assert_eq!(
        reason(ask("tax-bureau", &["a"]).await),
        (Code::DeadlineExceeded, "timeout".to_owned())
    );
    drop(lock);
    assert_eq!(
        ask("tax-bureau", &["a", "b"]).await.unwrap().tokens.len(),
        2
    );
    let body = format!(r#"{{"domain":"{}"}}"#, "x".repeat(1_024));
    let json = ["--header", "content-type: application/json"];
    let reply = house.post(Some("tax-bureau"), "/v1/tokenize", &json, body.as_bytes());
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "body-too-large")
    );
    // The burst is one request: of many in a row, some are too many.
    let client = house.client(Some("parking-office"));
    let mut codes = Vec::new();
    for _ in 0..8 {
        let call = client.tokenize(tokenize("name", &["a"]), None).await;
        codes.extend(call.err().map(|error| refusal(&error)));
    }
    assert!(
        codes.contains(&(Code::ResourceExhausted, "rate".to_owned())),
        "{codes:?}"
    );
    drop(client);
    let entries = house.audited();
    for (operation, reason) in [
        ("admission-refused", "address"),
        ("admission-refused", "validity"),
        ("admission-refused", "rate"),
        ("auth-refused", "suspended"),
    ] {
        let facts = [
            ("operation", operation),
            ("outcome", "denied"),
            ("reason", reason),
        ];
        assert!(has_entry(&entries, &facts), "no entry says {reason}");
    }
}
