//! A flood of refusals: counted for monitoring one by one, and in the ledger by the minute.

use super::{ask, house_with, metric, metrics, post};
use tests::{House, refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_does_not_fill_the_ledger() {
    let (settings, url) = metrics();
    let slow = "limits.burst = 1";
    let mut house = house_with(&[("tax-bureau", slow)], &settings);
    let pace = "token_subject = \"tax-bureau\"\nlimits.burst = 1\nrequests_per_second = 500";
    house.edit("policies/units.toml", pace, &pace.replace("500", "1"));
    house.serve();
    let (mut given, mut refused) = (0_u64, 0_u64);
    for _ in 0..40 {
        match ask(&house, "tax-bureau").await {
            Ok(_) => given += 1,
            Err(error) => {
                assert_eq!(refusal(&error).1, "rate");
                refused += 1;
            }
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20);
    let counted = |code: &str| {
        let labels = format!("unit=\"tax-bureau\",group=\"tokenize\",code=\"{code}\"");
        metric(&url, &format!("jinku_requests_total{{{labels}}}"))
    };
    assert_eq!((counted("ok"), counted("rate")), (Some(given), Some(20)));
    // A refusal by its gateway's proof alone comes by the same door.
    let nobody = house.client(Some("city-gateway"));
    for _ in 0..3 {
        let call = nobody
            .tokenize(tests::tokenize("name", &["王"]), None)
            .await;
        assert_eq!(refusal(&call.unwrap_err()).1, "gateway-alone");
    }
    drop(nobody);
    let page = House::curl_plain(&url, &[]).body;
    assert!(
        page.contains("unit=\"\",group=\"tokenize\",code=\"gateway-alone\"} 3"),
        "{page}"
    );
    assert!(page.contains("jinku_requests_in_flight 0"), "{page}");
    let (elsewhere, _) = post(&house, "tax-bureau", "/metrics");
    assert_eq!(elsewhere.status, 404, "the vault's own port has no metrics");
    let entries = house.audited();
    let of = |operation: &str| -> Vec<(String, String)> {
        let word = |entry: &serde_json::Value, key: &str| {
            entry[key].as_str().unwrap_or_default().to_owned()
        };
        let found = entries
            .iter()
            .filter(|entry| entry["operation"] == operation);
        found
            .map(|entry| {
                (
                    word(entry, "unit") + &word(entry, "gateway"),
                    word(entry, "reason"),
                )
            })
            .collect()
    };
    let pair = |who: &str, why: &str| (who.to_owned(), why.to_owned());
    assert_eq!(of("admission-refused"), [pair("tax-bureau", "rate")]);
    assert_eq!(of("auth-refused"), [pair("city-gateway", "gateway-alone")]);
    let mut tallies = of("admission-tally");
    tallies.sort();
    let expected = [
        pair("city-gateway", "gateway-alone 2"),
        pair("tax-bureau", "rate 19"),
    ];
    assert_eq!(tallies, expected);
}

#[test]
fn metrics_are_for_this_machine_alone() {
    let house = house_with(&[], "[metrics]\naddress = \"0.0.0.0:9464\"\n");
    let said = house.refuses_to_serve();
    assert!(
        said.contains("`metrics.address` must be on loopback"),
        "{said}"
    );
}
