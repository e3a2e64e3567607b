//! Units carried to another installation.

use super::*;

fn carried(house: &House, arguments: &[&str]) -> (bool, String) {
    let connection = ["--installation", ".", "--unit", REGISTRAR];
    house.jinku(&[&["unit"], arguments, &connection].concat(), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_and_imported_elsewhere_is_the_same() {
    let (from, to) = (open(), open());
    let key = json!({ "kty": "OKP", "crv": "X25519", "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08" });
    let mut full = bureau_with("public_key", key);
    full["networks"] = json!(["127.0.0.0/8", "::1/128"]);
    full["valid_from"] = json!("2026-01-01T00:00:00+08:00");
    full["valid_until"] = json!("2099-01-01T00:00:00+08:00");
    full["contact"] = json!("稅務資訊科 \"02\" \\ 'x' # no comment");
    let small = json!({
        "name": "small", "title_zh": "", "title_en": "", "clearance": "public", "token_subject": "small",
    });
    for document in [&full, &small] {
        registered(&from, document);
    }
    done(&act(&from, REGISTRAR, "small", "suspend"));
    let gone = bureau_with("name", "gone");
    let mut gone = gone;
    gone["certificate_uri"] = json!("spiffe://jinku.example/unit/gone");
    gone["token_subject"] = json!("gone");
    registered(&from, &gone);
    done(&act(&from, REGISTRAR, "gone", "retire"));

    let file = to.directory().join("carried.toml");
    let (good, said) = carried(&from, &["export", "--to", file.to_str().unwrap()]);
    assert!(good && said.contains("2 units"), "{said}");
    let (good, said) = carried(&to, &["import", "carried.toml", "--json"]);
    assert!(good, "{said}");
    let lines: Value = serde_json::from_str(&said).unwrap();
    for line in lines.as_array().unwrap() {
        assert_eq!(line["outcome"], "proposed", "{said}");
        let id = line["proposal"].as_str().unwrap();
        done(&decide(&to, GUARD, id, "approve"));
    }
    for name in [TAX, "small"] {
        let shown = |house: &House| {
            let unit = done(&house.curl(Some(GUARD), &format!("/v1/units/{name}"), &[]));
            unit["unit"]["document"].clone()
        };
        assert_eq!(shown(&from), shown(&to));
    }
    let (good, said) = carried(&to, &["export"]);
    assert!(
        good && said.trim() == std::fs::read_to_string(&file).unwrap().trim(),
        "{said}"
    );
    let missing = to.curl(Some(GUARD), "/v1/units/gone", &[]);
    refused(&missing, 404, "unit-unknown");
    // As a file at start it is the same registry.
    let units = to.directory().join("policies/units.toml");
    let mut text = std::fs::read_to_string(&units).unwrap();
    text += &std::fs::read_to_string(&file).unwrap();
    std::fs::write(units, text).unwrap();
    let mut third = to;
    third.stop();
    let said = third.refuses_to_serve();
    assert!(said.contains("is registered too"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_proposes_only_what_differs_and_says_before_what_it_would() {
    let house = open();
    registered(&house, &bureau());
    let file = house.directory().join("wished.toml");
    let lower = bureau_with("requests_per_second", 5);
    let new = json!({
        "name": "new", "title_zh": "新", "title_en": "", "clearance": "public", "token_subject": "new",
    });
    let of_file = bureau_with("name", GUARD);
    let text = |units: &[&Value]| {
        let units = json!({ "unit": units });
        toml::to_string(&units).unwrap()
    };
    std::fs::write(&file, text(&[&bureau(), &new])).unwrap();
    let (good, said) = carried(&house, &["import", "wished.toml", "--dry-run"]);
    assert!(good, "{said}");
    assert!(
        said.contains("unchanged  tax-bureau") && said.contains("proposed   new"),
        "{said}"
    );
    let waiting = || done(&house.curl(Some(GUARD), "/v1/unit-proposals", &[]))["proposals"].clone();
    assert_eq!(waiting(), json!([]));

    let (good, said) = carried(&house, &["import", "wished.toml"]);
    assert!(good && said.contains("proposed   new"), "{said}");
    let (good, said) = carried(&house, &["import", "wished.toml"]);
    assert!(good && said.contains("waits      new"), "{said}");
    assert_eq!(waiting().as_array().unwrap().len(), 1);
    std::fs::write(&file, text(&[&lower, &of_file])).unwrap();
    let (good, said) = carried(&house, &["import", "wished.toml"]);
    assert!(!good && said.contains("done       tax-bureau"), "{said}");
    assert!(
        said.contains("refused    guard-office") && said.contains("unit-in-file"),
        "{said}"
    );
}
