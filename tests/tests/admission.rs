//! May it speak now, on real binaries: hours, routes, quotas that outlast power cuts, and turns while the vault is full.

#[path = "admission/floods.rs"]
mod floods;
#[path = "admission/turns.rs"]
mod turns;

use api::ClientError;
use serde_json::json;
use tests::{House, Reply, detokenize, free_port, has_entry, now, refusal, tokenize};
use tonic::Code;
use tonic_types::StatusExt;

/// An installation with these lines in registrations of units, and these in its configuration. It does not run.
fn house_with(units: &[(&str, &str)], config: &str) -> House {
    let house = House::install();
    for (unit, lines) in units {
        let known = format!("token_subject = \"{unit}\"\n");
        house.edit("policies/units.toml", &known, &format!("{known}{lines}\n"));
    }
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        &format!("\n{config}\n[ledger]\n"),
    );
    house
}

/// Settings that serve metrics, and where.
fn metrics() -> (String, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("http://{address}/metrics");
    (format!("[metrics]\naddress = \"{address}\"\n"), url)
}

/// What a metric says; nothing where it is not there.
fn metric(url: &str, name: &str) -> Option<u64> {
    let page = House::curl_plain(url, &[]).body;
    let value = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map(|value| value.parse().unwrap())
}

/// Asks for a token over REST, and for the answer's head.
fn post(house: &House, unit: &str, path: &str) -> (Reply, String) {
    let head = tempfile::NamedTempFile::new().unwrap();
    let place = head.path().display().to_string();
    let arguments = [
        "--header",
        "content-type: application/json",
        "--dump-header",
        &place,
    ];
    let body = json!({ "domain": "city", "items": [{ "class": "name", "value": "王小明" }] });
    let reply = house.post(Some(unit), path, &arguments, body.to_string().as_bytes());
    (
        reply,
        std::fs::read_to_string(head.path()).unwrap().to_lowercase(),
    )
}

/// `Retry-After` of an answer's head.
fn retry_after(head: &str) -> Option<u64> {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    line.map(|seconds| seconds.trim().parse().unwrap())
}

/// What a gRPC refusal says of when to come again: in its details, and in its trailer.
fn retry_info(error: &ClientError) -> (Option<u64>, Option<u64>) {
    let ClientError::Refused(status) = error else {
        panic!("no refusal: {error}")
    };
    let details = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let trailer = status.metadata().get("retry-after");
    let trailer = trailer.map(|seconds| seconds.to_str().unwrap().parse().unwrap());
    (details.map(|delay| delay.as_secs()), trailer)
}

/// A zone where no midnight is near.
fn calm_zone() -> &'static str {
    let hour = now() / 3_600 % 24;
    if (2..20).contains(&hour) {
        "UTC"
    } else {
        "Asia/Tokyo"
    }
}

async fn ask(house: &House, unit: &str) -> Result<Vec<String>, ClientError> {
    let client = house.client(Some(unit));
    let issued = client.tokenize(tokenize("name", &["王小明"]), None).await?;
    Ok(issued.tokens)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_outlasts_power_cuts_and_is_never_exceeded() {
    let quota = format!("limits.zone = \"{}\"\nlimits.quota.day = 200", calm_zone());
    let mut house = house_with(&[("tax-bureau", &quota)], "");
    house.serve();
    let mut given = 0;
    for _ in 0..7 {
        ask(&house, "tax-bureau").await.unwrap();
        given += 1;
    }
    house.kill();
    house.serve();
    let client = house.client(Some("tax-bureau"));
    let refused = loop {
        match client.tokenize(tokenize("name", &["王"]), None).await {
            Ok(_) => given += 1,
            Err(refused) => break refused,
        }
    };
    // A lease is two: the power cut lost one request at the most.
    assert!((198..=200).contains(&given), "{given} requests of 200");
    assert_eq!(
        refusal(&refused),
        (Code::ResourceExhausted, "quota".to_owned())
    );
    let (details, trailer) = retry_info(&refused);
    let wait = details.unwrap();
    assert!(
        (1..=86_400).contains(&wait) && trailer == details,
        "{details:?} {trailer:?}"
    );
    let (reply, head) = post(&house, "tax-bureau", "/v1/tokenize");
    assert_eq!((reply.status, reply.code().as_str()), (429, "quota"));
    assert!(retry_after(&head).unwrap().abs_diff(wait) <= 60, "{head}");
    // Another unit is not concerned.
    ask(&house, "health-bureau").await.unwrap();
    house.kill();
    house.serve();
    let refused = ask(&house, "tax-bureau").await.unwrap_err();
    assert_eq!(refusal(&refused).1, "quota");
    let entries = house.audited();
    assert!(has_entry(
        &entries,
        &[("operation", "admission-refused"), ("reason", "quota")]
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_loses_nothing_of_a_quota() {
    let quota = format!("limits.zone = \"{}\"\nlimits.quota.day = 1000", calm_zone());
    let mut house = house_with(&[("tax-bureau", &quota)], "");
    for life in 1..=3 {
        house.serve();
        ask(&house, "tax-bureau").await.unwrap();
        house.stop();
        assert_eq!(house.sql("select sum(taken) from quota"), life.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_is_served_in_its_hours_only() {
    const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    // The epoch was a Thursday.
    let today = usize::try_from(now() / 86_400 + 3).unwrap() % 7;
    let hours = |days: &str| {
        let span = format!("days = \"{days}\", from = \"00:00\", to = \"24:00\"");
        format!("limits.hours = {{ weekly = [{{ {span} }}], holidays = \"tw\" }}")
    };
    let closed = hours(WEEK[(today + 3) % 7]);
    // Open on any day, but for the calendar's holidays: with another name it knows of none.
    let open = hours("mon-sun").replace("\"tw\"", "\"none\"");
    let units = [("tax-bureau", &*closed), ("health-bureau", &open)];
    let mut house = house_with(&units, "");
    let said = house.refuses_to_serve();
    assert!(
        said.contains("`health-bureau`") && said.contains("policy.calendars"),
        "{said}"
    );
    let calendars = house.directory().join("policies/calendars.toml");
    let known = std::fs::read_to_string(&calendars).unwrap();
    std::fs::write(
        &calendars,
        format!("{known}\n[[calendar]]\nname = \"none\"\n"),
    )
    .unwrap();
    house.serve();
    ask(&house, "health-bureau").await.unwrap();
    let refused = ask(&house, "tax-bureau").await.unwrap_err();
    assert_eq!(
        refusal(&refused),
        (Code::PermissionDenied, "hours".to_owned())
    );
    let (reply, head) = post(&house, "tax-bureau", "/v1/tokenize");
    assert_eq!((reply.status, reply.code().as_str()), (403, "hours"));
    assert_eq!(retry_after(&head), None);
    let entries = house.audited();
    let facts = [
        ("operation", "admission-refused"),
        ("outcome", "denied"),
        ("unit", "tax-bureau"),
        ("reason", "hours"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_uses_only_the_routes_that_are_open_to_it() {
    let routes = "limits.routes = [\"tokenize\"]";
    let group = "limits.group.detokenize = { requests_per_second = 1, burst = 1 }";
    let mut house = house_with(&[("tax-bureau", routes), ("health-bureau", group)], "");
    house.serve();
    let tokens = ask(&house, "tax-bureau").await.unwrap();
    let client = house.client(Some("tax-bureau"));
    let refused = client.detokenize(detokenize("tax-assessment", &tokens), None);
    let refused = refused.await.unwrap_err();
    assert_eq!(
        refusal(&refused),
        (Code::PermissionDenied, "route".to_owned())
    );
    for path in [
        "/v1/detokenize",
        "/v1/redeem",
        "/v1/tokens/disable",
        "/v1/keys",
        "/v1/grants",
    ] {
        let (reply, _) = post(&house, "tax-bureau", path);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (403, "route"),
            "{path}"
        );
    }
    // Another group is not slowed down by the one that is.
    let client = house.client(Some("health-bureau"));
    let mut codes = Vec::new();
    for _ in 0..6 {
        let call = client
            .detokenize(detokenize("medical-billing", &tokens), None)
            .await;
        codes.extend(call.err().map(|error| refusal(&error).1));
    }
    assert!(codes.contains(&"rate".to_owned()), "{codes:?}");
    for _ in 0..6 {
        ask(&house, "health-bureau").await.unwrap();
    }
    drop(client);
    let entries = house.audited();
    assert!(has_entry(
        &entries,
        &[("operation", "admission-refused"), ("reason", "route")]
    ));
}
