//! The key service's JWEs over REST and from the command line.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::{House, Reply, has_entry};

use super::{KEEPER, REVENUE, Shared, act, ask, done, header_of, refused};

const TEXT: &str = "身分證 A123456789";

fn new_key(house: &House, kind: &str) -> String {
    let body = json!({ "kind": kind, "tags": { "group": "revenue" } });
    let made = done(&ask(house, KEEPER, "/v1/keys", &body));
    made["key"]["id"].as_str().unwrap().to_owned()
}

fn sealing(house: &House, key: &str) -> Reply {
    let body = json!({ "plaintext": STANDARD.encode(TEXT) });
    act(house, REVENUE, key, "encrypt-jwe", &body)
}

#[track_caller]
fn sealed(house: &House, key: &str) -> String {
    done(&sealing(house, key))["jwe"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn opening(house: &House, key: &str, jwe: &str) -> Reply {
    act(house, REVENUE, key, "decrypt-jwe", &json!({ "jwe": jwe }))
}

#[track_caller]
fn opens(house: &House, key: &str, jwe: &str) -> Value {
    let opened = done(&opening(house, key, jwe));
    let plaintext = STANDARD
        .decode(opened["plaintext"].as_str().unwrap())
        .unwrap();
    assert_eq!(String::from_utf8(plaintext).unwrap(), TEXT);
    opened
}

fn messages(house: &House, key: &str) -> String {
    house.sql(&format!(
        "select version, messages from key_messages where key = '{key}' order by 1"
    ))
}

#[test]
fn the_peer_and_the_vault_open_each_other_s_messages() {
    let mut house = House::open();
    for (alg, alias) in [("dir", "partner-dir"), ("A256KW", "partner-kw")] {
        let key = Shared::brought(&house, alg, alias);
        let body = json!({ "plaintext": STANDARD.encode(TEXT), "cty": "text/plain", "alg": alg, "purpose": "exchange" });
        let made = done(&act(&house, REVENUE, alias, "encrypt-jwe", &body));
        assert_eq!(
            (&made["key"], &made["version"]),
            (&json!(key.id), &json!(1))
        );
        let mut header = key.header(1);
        header["cty"] = json!("text/plain");
        assert_eq!(
            key.opened(made["jwe"].as_str().unwrap()),
            (TEXT.to_owned(), header)
        );
        // Without a type there is none.
        let untyped = sealed(&house, alias);
        assert_eq!(header_of(&untyped), key.header(1));

        let back = opens(&house, alias, &key.sealed(&key.header(1), TEXT));
        assert_eq!((&back["cty"], &back["version"]), (&Value::Null, &json!(1)));
        let back = opens(&house, &key.id, &key.sealed_as("json", TEXT));
        assert_eq!(back["cty"], "json");

        // From the command line; the message names its key.
        let officer =
            |arguments: &[&str], input: &[u8]| house.officer_given(REVENUE, arguments, input);
        let arguments = ["encrypt-jwe", alias, "--type", "text/plain"];
        let made = officer(&arguments, TEXT.as_bytes())
            .text()
            .trim()
            .to_owned();
        assert_eq!(key.opened(&made).0, TEXT);
        let line = format!("{}\n", key.sealed_as("json", TEXT));
        assert_eq!(officer(&["decrypt-jwe"], line.as_bytes()).text(), TEXT);
        let opened = officer(&["decrypt-jwe", "--json"], line.as_bytes()).json();
        assert_eq!(
            (&opened["cty"], &opened["key"]),
            (&json!("json"), &json!(key.id))
        );
    }
    let entries = house.audited();
    for operation in ["encrypt", "decrypt"] {
        assert!(has_entry(
            &entries,
            &[
                ("operation", operation),
                ("unit", REVENUE),
                ("outcome", "ok")
            ]
        ));
    }
    assert!(has_entry(
        &entries,
        &[("operation", "encrypt"), ("purpose", "exchange")]
    ));
}

#[test]
fn what_an_older_version_made_opens_by_its_name_as_long_as_it_may() {
    let house = House::open();
    for alg in ["dir", "A256KW"] {
        let mut key = Shared::brought(&house, alg, &format!("renewed-{}", alg.to_lowercase()));
        let old = sealed(&house, &key.id);
        let by_peer = key.sealed(&key.header(1), TEXT);
        key.renewed(&house);
        let new = sealed(&house, &key.id);
        assert_eq!(
            (header_of(&old), header_of(&new)),
            (key.header(1), key.header(2))
        );
        for (jwe, version) in [(&old, 1), (&by_peer, 1), (&new, 2)] {
            assert_eq!(opens(&house, &key.id, jwe)["version"], version);
        }
        // Another version's name is another version's message.
        let renamed = |jwe: &str, version| {
            let (_, rest) = jwe.split_once('.').unwrap();
            format!(
                "{}.{rest}",
                URL_SAFE_NO_PAD.encode(key.header(version).to_string())
            )
        };
        for version in [0, 2, 3] {
            refused(
                &opening(&house, &key.id, &renamed(&old, version)),
                422,
                "unopened",
            );
        }
        done(&act(
            &house,
            KEEPER,
            &key.id,
            "set",
            &json!({ "open_from": 2 }),
        ));
        refused(&opening(&house, &key.id, &old), 422, "key-version");
        opens(&house, &key.id, &new);
    }
}

#[test]
fn what_was_altered_and_what_another_made_does_not_open() {
    let house = House::open();
    for (alg, kind) in [("dir", "jwe-dir"), ("A256KW", "jwe-a256kw")] {
        let key = Shared::brought(&house, alg, kind);
        let jwe = sealed(&house, &key.id);
        let parts: Vec<&str> = jwe.split('.').collect();
        for place in (0..5).filter(|place| !parts[*place].is_empty()) {
            let mut altered: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            let first = if altered[place].starts_with('A') {
                "B"
            } else {
                "A"
            };
            altered[place].replace_range(0..1, first);
            refused(
                &opening(&house, &key.id, &altered.join(".")),
                422,
                "unopened",
            );
        }
        let with = |change: Value| {
            let mut header = key.header(1);
            let members = change.as_object().unwrap().clone();
            header.as_object_mut().unwrap().extend(members);
            let made = key.sealed(&header, TEXT);
            refused(&opening(&house, &key.id, &made), 422, "unopened");
        };
        with(json!({ "kid": "partner" }));
        with(json!({ "kid": format!("{}:v01", key.id) }));
        with(json!({ "zip": "DEF" }));
        let nameless = json!({ "alg": alg, "enc": "A256GCM" });
        refused(
            &opening(&house, &key.id, &key.sealed(&nameless, TEXT)),
            422,
            "unopened",
        );
        if alg == "A256KW" {
            for enc in ["A128GCM", "A192GCM", "A256CBC-HS512"] {
                with(json!({ "enc": enc }));
            }
        }
        // The same key, as another kind would use it.
        let other = match alg {
            "dir" => "A256KW",
            _ => "dir",
        };
        with(json!({ "alg": other }));
        let elsewhere = Shared::brought(&house, alg, &format!("{kind}-other"));
        refused(&opening(&house, &elsewhere.id, &jwe), 422, "unopened");
        opens(&house, &key.id, &jwe);
    }
}

#[test]
fn a_key_serves_its_unit_and_its_one_algorithm_alone() {
    let mut house = House::open();
    let (dir, cipher) = (new_key(&house, "jwe-dir"), new_key(&house, "aes-256"));
    let jwe = sealed(&house, &dir);
    let body = json!({ "plaintext": STANDARD.encode(TEXT) });
    for unit in ["treasury", "public-library", KEEPER] {
        let asked = |name: &str, body: &Value| act(&house, unit, &dir, name, body);
        refused(&asked("encrypt-jwe", &body), 403, "not-permitted");
        refused(
            &asked("decrypt-jwe", &json!({ "jwe": jwe })),
            403,
            "not-permitted",
        );
    }
    refused(&sealing(&house, &cipher), 422, "key-usage");
    refused(&opening(&house, &cipher, &jwe), 422, "key-usage");
    for name in ["encrypt", "data-key", "mac"] {
        let body = match name {
            "encrypt" => body.clone(),
            "mac" => json!({ "message": "" }),
            _ => json!({ "bytes": 32 }),
        };
        refused(&act(&house, REVENUE, &dir, name, &body), 422, "key-usage");
    }
    let wrong = json!({ "plaintext": "", "alg": "A256KW" });
    refused(
        &act(&house, REVENUE, &dir, "encrypt-jwe", &wrong),
        422,
        "key-usage",
    );
    refused(
        &act(
            &house,
            REVENUE,
            &dir,
            "decrypt-jwe",
            &json!({ "jwe": jwe, "alg": "A256KW" }),
        ),
        422,
        "key-usage",
    );
    for (name, value) in [
        ("alg", json!("A256GCMKW")),
        ("cty", json!("")),
        ("cty", json!("a\nb")),
        ("cty", json!("a".repeat(257))),
    ] {
        let body = json!({ "plaintext": "", name: value });
        refused(
            &act(&house, REVENUE, &dir, "encrypt-jwe", &body),
            422,
            "range",
        );
    }
    done(&act(&house, KEEPER, &dir, "disable", &json!({})));
    refused(&sealing(&house, &dir), 409, "key-state");
    refused(&opening(&house, &dir, &jwe), 409, "key-state");

    let entries = house.audited();
    for (operation, outcome) in [
        ("encrypt", "denied"),
        ("decrypt", "denied"),
        ("encrypt", "error"),
    ] {
        assert!(has_entry(
            &entries,
            &[("operation", operation), ("outcome", outcome)]
        ));
    }
}

#[test]
fn a_batch_is_one_entry_and_its_items_fail_one_by_one() {
    let mut house = House::open();
    let key = new_key(&house, "jwe-a256kw");
    let long = STANDARD.encode(vec![0; 1024 * 1024 + 1]);
    house.stop();
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        "\n[limits]\nbody_bytes_max = 4194304\n\n[ledger]\n",
    );
    house.serve();
    let items = json!({ "items": [
        { "plaintext": STANDARD.encode(TEXT) }, { "plaintext": long }, { "plaintext": "", "cty": "a/b" },
    ] });
    let made = done(&act(&house, REVENUE, &key, "encrypt-jwe", &items));
    assert_eq!(made["items"][1]["error"]["code"], "item-too-long");
    let jwe = |place: usize| made["items"][place]["jwe"].clone();
    let items = json!({ "items": [{ "jwe": jwe(2) }, { "jwe": "a.b.c.d.e" }, { "jwe": jwe(0) }] });
    let opened = done(&act(&house, REVENUE, &key, "decrypt-jwe", &items));
    assert_eq!(
        opened["items"][0],
        json!({ "plaintext": "", "cty": "a/b", "version": 1 })
    );
    assert_eq!(opened["items"][1]["error"]["code"], "unopened");
    assert_eq!(opened["items"][2]["plaintext"], STANDARD.encode(TEXT));
    let entries = house.audited();
    let of = |operation: &str| {
        let of_key = |entry: &&Value| entry["key"]["id"] == key && entry["operation"] == operation;
        entries.iter().filter(of_key).count()
    };
    assert_eq!((of("encrypt"), of("decrypt")), (1, 1));
}

/// NIST SP 800-38D section 8.3: the key itself encrypts under random nonces, so its messages are counted.
#[test]
fn a_version_makes_as_many_messages_as_it_may_and_no_more() {
    let mut house = House::open();
    let mut key = Shared::brought(&house, "dir", "counted");
    let jwe = sealed(&house, &key.id);
    let items = json!({ "items": vec![json!({ "plaintext": "" }); 5] });
    done(&act(&house, REVENUE, &key.id, "encrypt-jwe", &items));
    assert_eq!(messages(&house, &key.id), "1|6");
    opens(&house, &key.id, &jwe);
    assert_eq!(messages(&house, &key.id), "1|6");
    // Its owner has the other half of 2^32.
    let nearly = (1_u64 << 31) - 1;
    house.sql(&format!(
        "update key_messages set messages = {nearly} where key = '{}'",
        key.id
    ));
    refused(
        &act(&house, REVENUE, &key.id, "encrypt-jwe", &items),
        409,
        "key-exhausted",
    );
    sealed(&house, &key.id);
    refused(&sealing(&house, &key.id), 409, "key-exhausted");
    opens(&house, &key.id, &jwe);
    key.renewed(&house);
    sealed(&house, &key.id);
    assert_eq!(messages(&house, &key.id), format!("1|{}\n2|1", nearly + 1));

    let made_here = new_key(&house, "jwe-dir");
    sealed(&house, &made_here);
    house.sql(&format!(
        "update key_messages set messages = {nearly} where key = '{made_here}'"
    ));
    sealed(&house, &made_here);
    sealed(&house, &made_here);
    let wrapping = new_key(&house, "jwe-a256kw");
    sealed(&house, &wrapping);
    assert_eq!(messages(&house, &wrapping), "");
    let entries = house.audited();
    let exhausted = [
        ("operation", "encrypt"),
        ("outcome", "error"),
        ("reason", "key-exhausted"),
    ];
    assert!(has_entry(&entries, &exhausted));
}

#[test]
fn what_comes_back_from_a_backup_opens_and_counts_as_used_up() {
    let mut house = House::open();
    let (dir, wrapping) = (new_key(&house, "jwe-dir"), new_key(&house, "jwe-a256kw"));
    let jwes = [&dir, &wrapping].map(|key| sealed(&house, key));
    let backups = [&dir, &wrapping]
        .map(|key| done(&act(&house, KEEPER, key, "backup", &json!({})))["backup"].clone());
    house.stop();
    house.edit("jinku.toml", "data = \"data\"", "data = \"data-2\"");
    house.serve();
    for ((key, jwe), backup) in [&dir, &wrapping].into_iter().zip(&jwes).zip(&backups) {
        done(&ask(
            &house,
            KEEPER,
            "/v1/restore-key",
            &json!({ "backup": backup }),
        ));
        done(&act(&house, KEEPER, key, "enable", &json!({})));
        opens(&house, key, jwe);
    }
    // How many messages it had made, nobody knows.
    refused(&sealing(&house, &dir), 409, "key-exhausted");
    sealed(&house, &wrapping);
    done(&act(&house, KEEPER, &dir, "rotate", &json!({})));
    sealed(&house, &dir);
}

#[test]
fn what_was_made_after_a_backup_of_the_vault_counts_after_its_restore() {
    let mut house = House::open();
    let key = new_key(&house, "jwe-dir");
    sealed(&house, &key);
    let (good, said) = house.jinku(&["backup", "--to", "backup"], "");
    assert!(good, "{said}");
    let items = json!({ "items": vec![json!({ "plaintext": "" }); 5] });
    done(&act(&house, REVENUE, &key, "encrypt-jwe", &items));
    sealed(&house, &key);
    assert_eq!(messages(&house, &key), "1|7");
    house.stop();
    let (good, said) = house.jinku(&["restore", "--from", "backup"], "");
    assert!(good, "{said}");
    assert_eq!(messages(&house, &key), "1|7");
    house.serve();
    sealed(&house, &key);
}
