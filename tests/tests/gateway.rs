//! The gateway filter in a running house: readiness, a vault that is slow, away, or back, and settings that
//! change under it.

use serde_json::Value;
use tests::{House, Program, Reply, Upstream, free_port, post_to, sample};

const JSON: &str = "content-type: application/json";

/// A vault, the filter as a proxy with its monitoring, and an upstream.
struct City {
    house: House,
    upstream: Upstream,
    filter: Program,
    url: String,
    monitor: String,
}

impl City {
    fn open() -> Self {
        let house = House::open();
        let upstream = Upstream::start(house.upstream_port());
        let monitor = format!("127.0.0.1:{}", free_port());
        let more = format!("[monitor]\nlisten = \"{monitor}\"\n\n[proxy]\nlisten");
        house.edit("filter.toml", "[proxy]\nlisten", &more);
        let filter = house.proxy();
        let url = house.gateway_url();
        Self {
            house,
            upstream,
            filter,
            url,
            monitor: format!("http://{monitor}"),
        }
    }

    fn pay(&self) -> Reply {
        let unit = self.house.access_token("service-counter");
        let bearer = format!("authorization: Bearer {unit}");
        let arguments = ["--header", JSON, "--header", &bearer];
        let url = format!("{}/payments/tax", self.url);
        post_to(&url, &arguments, sample("tax").as_bytes())
    }

    fn asked(&self, path: &str) -> Reply {
        House::curl_plain(&format!("{}{path}", self.monitor), &[])
    }

    fn wait_for(&mut self, line: &str) {
        let url = format!("{}/metrics", self.monitor);
        self.filter
            .wait_for(|| House::curl_plain(&url, &[]).body.contains(line));
    }
}

#[test]
fn the_filter_is_ready_only_while_the_vault_answers_and_closed_while_it_does_not() {
    let mut city = City::open();
    assert_eq!(city.asked("/live").status, 200);
    assert_eq!(city.asked("/ready").status, 200);
    assert_eq!(city.pay().status, 200);
    let calls = "jinku_filter_vault_calls_total{call=\"tokenize\",outcome=\"ok\"} 1";
    assert!(city.asked("/metrics").body.contains(calls));

    // It hangs: the connection stands, and nothing comes.
    city.house.vault().signal("STOP");
    let late = city.pay();
    assert_eq!((late.status, late.code().as_str()), (504, "vault-timeout"));
    assert_eq!(city.asked("/ready").status, 503);
    city.house.vault().signal("CONT");

    city.house.kill();
    let away = city.pay();
    assert_eq!(
        (away.status, away.code().as_str()),
        (503, "vault-unavailable")
    );
    assert_eq!(city.asked("/ready").status, 503);
    assert_eq!(city.asked("/live").status, 200);
    assert_eq!(city.upstream.seen().len(), 1);

    city.house.serve();
    assert_eq!(city.asked("/ready").status, 200);
    assert_eq!(city.pay().status, 200);
    let page = city.asked("/metrics").body;
    for outcome in [
        "passed\"} 2",
        "vault-timeout\"} 1",
        "vault-unavailable\"} 1",
    ] {
        assert!(page.contains(&format!("outcome=\"{outcome}")), "{page}");
    }
    // What is counted and logged tells no value.
    let log = city.filter.said();
    for value in ["F120000002", "陳樣本"] {
        assert!(!page.contains(value) && !log.contains(value), "{value}");
    }
}

#[test]
fn routes_change_on_a_hangup_and_broken_ones_change_nothing() {
    let mut city = City::open();
    city.house
        .edit("filter.toml", "path = \"/payments/", "path = \"/taxes/");
    city.filter.signal("HUP");
    city.wait_for("jinku_filter_reloads_total{outcome=\"ok\"} 1");
    let moved = city.pay();
    assert_eq!(
        (moved.status, moved.code().as_str()),
        (404, "route-unmatched")
    );
    city.house
        .edit("filter.toml", "path = \"/taxes/", "path = \"taxes/");
    city.filter.signal("HUP");
    city.wait_for("jinku_filter_reloads_total{outcome=\"refused\"} 1");
    assert!(
        city.filter
            .said()
            .contains("the settings stay as they were")
    );
    city.house
        .edit("filter.toml", "path = \"taxes/", "path = \"/payments/");
    city.filter.signal("HUP");
    city.wait_for("jinku_filter_reloads_total{outcome=\"ok\"} 2");
    let paid = city.pay();
    assert_eq!(paid.status, 200, "{paid:?}");
    let seen = city.upstream.last();
    let document: Value = serde_json::from_str(seen.text()).unwrap();
    assert_ne!(document["payer"]["national_id"], "F120000002");
}
