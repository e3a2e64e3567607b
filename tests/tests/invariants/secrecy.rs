//! What tokens, rows, logs and answers give away: nothing.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use api::v1::{Delivery, DetokenizeRequest, RedeemRequest, TokenizeRequest};
use tests::{House, Upstream, detokenize, hsm_server, leaks, post_to, tokenize, values, workspace};
use vault::model::{Catalogue, ClassName, DataClass, Plaintext};
use vault::token::accept;

use super::{NAME, TAX, bureau, in_bank, not_available, tokens, views};

/// Writes the number of a value.
type Spell = fn(u64) -> String;

/// How many values of each class; two batches.
const MANY: usize = 2_000;

fn class(name: &str) -> DataClass {
    let text = std::fs::read_to_string(workspace().join("policies/classes.toml")).unwrap();
    let catalogue = Catalogue::parse(&text).unwrap();
    catalogue
        .class(&ClassName::parse(name).unwrap())
        .unwrap()
        .clone()
}

fn is_value(class: &DataClass, text: &str) -> bool {
    accept(class, &Plaintext::new(text.to_owned())).is_ok()
}

/// Valid values of a class, from numbers written by `spell`.
fn valid(class: &DataClass, spell: Spell) -> Vec<String> {
    let all = (0..).map(spell);
    all.filter(|text| is_value(class, text))
        .take(MANY)
        .collect()
}

async fn tokens_of_all(client: &api::Client, class: &str, values: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for batch in values.chunks(1_000) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        found.extend(tokens(client, class, &batch).await);
    }
    assert_eq!(found.len(), values.len());
    found
}

// Invariant 4: no token is a value, and a token repeats only where its class says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_04_no_token_can_be_taken_for_a_value() {
    let house = House::open();
    let client = bureau(&house);
    let spellings: [(&str, Spell); 2] = [
        ("national-id", |number| format!("A1{number:08}")),
        ("pan", |number| {
            format!("{:016}", 4_111_110_000_000_000 + number * 7_919)
        }),
    ];
    for (name, spell) in spellings {
        let class = class(name);
        let sent = valid(&class, spell);
        let issued = tokens_of_all(&client, name, &sent).await;
        for token in &issued {
            assert!(
                !is_value(&class, token),
                "a token of {name} is a value: {token}"
            );
        }
        let different: BTreeSet<&String> = issued.iter().collect();
        assert_eq!(different.len(), MANY, "two values share a token");
        assert_eq!(
            tokens_of_all(&client, name, &sent).await,
            issued,
            "{name} is repeatable"
        );
        if name == "national-id" {
            let letters: BTreeSet<_> = issued.iter().map(|token| token.as_bytes()[0]).collect();
            assert_eq!(letters.len(), 26, "the value's letter is kept");
        }
    }
    let same = tokens(&client, "name", &[NAME; 1_000]).await;
    assert_eq!(
        same.iter().collect::<BTreeSet<_>>().len(),
        1_000,
        "names are not repeatable"
    );
    let refused = client.tokenize(tokenize("name", &[&same[0]]), None).await;
    assert!(refused.is_err(), "a token was tokenized");
}

// Invariant 5: a ciphertext opens in its own row only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_05_swapped_rows_do_not_open() {
    let mut house = House::open();
    let sent = ["甲一", "乙二", "丙三", "丁四"];
    let issued = tokens(&bureau(&house), "name", &sent).await;
    assert_eq!(values(&views(&bureau(&house), &issued).await), sent);
    house.stop();
    let swap = "create temp table s as select rowid r, sealed from token where rowid in (1, 2); \
        update token set sealed = (select sealed from s where r = 3 - token.rowid) where rowid in (1, 2)";
    house.sql(swap);
    house.sql("update token set class = 'address' where rowid = 3");
    house.serve();
    let seen = views(&bureau(&house), &issued).await;
    let none = not_available();
    assert_eq!(seen[..3], [none.clone(), none.clone(), none]);
    assert_eq!(seen[3].value, sent[3]);
    house.stop();
    house.sql(swap);
    house.sql("update token set class = 'name' where rowid = 3");
    house.serve();
    assert_eq!(values(&views(&bureau(&house), &issued).await), sent);
    house.stop();
    // The same row in another domain.
    house.sql("update token set domain = 'bank' where rowid = 4");
    house.serve();
    assert_eq!(
        views(&bureau(&house), &issued[3..]).await,
        [not_available()]
    );
    let moved = bureau(&house).detokenize(in_bank(&issued[3..]), None).await;
    assert_eq!(moved.unwrap().items, [not_available()]);
}

// Invariant 6: database and configuration open nothing without the HSM they were made with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_06_the_database_opens_with_its_own_hsm_only() {
    let mut house = House::open();
    let issued = tokens(&bureau(&house), "name", &[NAME]).await;
    house.stop();
    let (own_hsm, pin) = (
        house.directory().join("hsm"),
        house.directory().join("hsm-pin"),
    );
    let own_pin = std::fs::read(&pin).unwrap();

    let owners = std::fs::Permissions::from_mode(0o700);
    let empty = tempfile::Builder::new().permissions(owners).tempdir();
    let empty = empty.unwrap();
    let log = house.directory().join("empty-hsm.log");
    let _server = hsm_server(empty.path(), &[], &log);
    house.set_environment("JINKU_HSM_DIR", empty.path());
    let said = house.refuses_to_serve();
    assert!(said.contains("no initialised token is labelled"), "{said}");

    let fresh = House::install();
    house.set_environment("JINKU_HSM_DIR", fresh.directory().join("hsm"));
    let said = house.refuses_to_serve();
    assert!(said.contains("the HSM refused the PIN"), "{said}");
    std::fs::copy(fresh.directory().join("hsm-pin"), &pin).unwrap();
    let said = house.refuses_to_serve();
    assert!(said.contains("has no root key `jinku-root`"), "{said}");

    // An HSM with a root and a signer of its own, in use elsewhere.
    let mut other = House::open();
    tokens(&bureau(&other), "name", &[NAME]).await;
    other.stop();
    house.set_environment("JINKU_HSM_DIR", other.directory().join("hsm"));
    std::fs::copy(other.directory().join("hsm-pin"), &pin).unwrap();
    let said = house.refuses_to_serve();
    assert!(said.contains("is not signed by this HSM's key"), "{said}");
    // The rows and wrapped keys alone, in another's installation with its own ledger.
    let database = house.directory().join("data/vault.db");
    other.sql(&format!(
        "attach '{}' as stolen; \
         delete from token; insert into token select * from stolen.token; \
         delete from key_material; insert into key_material select * from stolen.key_material",
        database.display()
    ));
    let said = other.refuses_to_serve();
    assert!(said.contains("does not open"), "{said}");

    house.set_environment("JINKU_HSM_DIR", own_hsm);
    std::fs::write(&pin, own_pin).unwrap();
    house.serve();
    assert_eq!(values(&views(&bureau(&house), &issued).await), [NAME]);
}

// Invariant 7: nothing that is stored or given out links a value's tokens of two domains.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_07_tokens_of_two_domains_share_nothing() {
    let house = House::open();
    let client = bureau(&house);
    let rows = [
        ("national-id", "A123456789"),
        ("mobile", "0912345678"),
        ("email", "wang@example.com"),
    ];
    for (class, value) in rows {
        let city = tokenize(class, &[value]);
        let bank = TokenizeRequest {
            domain: "bank".to_owned(),
            ..city.clone()
        };
        let mut seen = BTreeSet::new();
        for request in [city, bank] {
            let token = client
                .tokenize(request, None)
                .await
                .unwrap()
                .tokens
                .remove(0);
            assert!(seen.insert(token), "{class}: both domains have one token");
        }
    }
    for column in ["fingerprint", "blind_index", "sealed", "sealed_token"] {
        let different = house.sql(&format!("select count(distinct {column}) from token"));
        assert_eq!(different, "6", "rows share a {column}");
    }
}

// Invariant 8: absent, of another domain, and not granted look the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_08_what_may_not_be_seen_looks_absent() {
    let mut house = House::install();
    let actions =
        ["Plain", "Masked", "Token"].map(|view| format!("Jinku::Action::\"Detokenize{view}\""));
    let forbid = format!(
        "@id(\"no-mail\")\nforbid (principal, action in [{}], resource == Jinku::DataClass::\"email\");\n",
        actions.join(", ")
    );
    std::fs::write(
        house.directory().join("policies/policies/90-no-mail.cedar"),
        forbid,
    )
    .unwrap();
    house.serve();
    let client = bureau(&house);
    let mail = tokens(&client, "email", &["wang@example.com"])
        .await
        .remove(0);
    let bank = TokenizeRequest {
        domain: "bank".to_owned(),
        ..tokenize("name", &[NAME])
    };
    let of_bank = client.tokenize(bank, None).await.unwrap().tokens.remove(0);
    assert_eq!(
        client
            .detokenize(in_bank(std::slice::from_ref(&of_bank)), None)
            .await
            .unwrap()
            .items[0]
            .value,
        NAME
    );
    let asked = [
        mail,
        of_bank,
        "jk1_00000000000000000000000000000000000000".to_owned(),
        "A323456780".to_owned(),
        String::new(),
    ];
    for item in views(&client, &asked).await {
        assert_eq!(item, not_available());
    }
}

/// Sends good and bad requests to every door, and gives all that must not lie anywhere.
async fn noise(house: &House) -> Vec<String> {
    let client = bureau(house);
    let mut secrets: Vec<String> = [
        "K207458319",
        "K207458310",
        "4111111111111112",
        NAME,
        "0912345670",
    ]
    .map(str::to_owned)
    .to_vec();
    secrets.extend(tokens(&client, "name", &[NAME]).await);
    secrets.extend(tokens(&client, "national-id", &["K207458319"]).await);
    views(&client, &secrets.clone()).await;
    let asked = DetokenizeRequest {
        delivery: Delivery::Ticket.into(),
        ticket_for: "tax-bureau".to_owned(),
        ..detokenize(TAX, &secrets[5..])
    };
    for redeemed in [true, false] {
        let ticket = client.detokenize(asked.clone(), None).await.unwrap().ticket;
        let request = RedeemRequest {
            ticket: ticket.clone(),
            ..RedeemRequest::default()
        };
        if redeemed {
            client.redeem(request, None).await.unwrap();
        }
        secrets.push(ticket);
    }
    for (class, value) in [
        ("national-id", "K207458310"),
        ("pan", "4111111111111112"),
        ("none", NAME),
    ] {
        assert!(
            client
                .tokenize(tokenize(class, &[value]), None)
                .await
                .is_err()
        );
    }
    let proof = house.access_token("tax-bureau");
    let bearer = format!("authorization: Bearer {proof}");
    let wrong = format!("{bearer}x");
    let bodies = [
        format!(r#"{{"domain":"{NAME}","items":[]}}"#),
        format!(r#"{{"domain":"city","items":[{{"class":"name","value":{NAME}}}]}}"#),
        format!(
            r#"{{"domain":"city","purpose":"{NAME}","tokens":["{}"]}}"#,
            secrets[5]
        ),
        r#"{"payer":{"mobile":"0912345670","national_id":"K207458310"}}"#.to_owned(),
        format!(r#"{{"payer":{{"name":"{NAME}","name":"{NAME}"}}}}"#),
        format!(r#"{{"payer":{{"name":"{NAME}","mobile":"0912345670"}}}}"#),
    ];
    for (body, header) in bodies
        .iter()
        .flat_map(|body| [(body, &bearer), (body, &wrong)])
    {
        let arguments = [
            "--header",
            "content-type: application/json",
            "--header",
            header,
        ];
        for path in ["/v1/tokenize", "/v1/detokenize", "/v1/none"] {
            house.post(None, path, &arguments, body.as_bytes());
        }
        post_to(
            &format!("{}/payments/tax", house.gateway_url()),
            &arguments,
            body.as_bytes(),
        );
        post_to(
            &format!("{}/none/{NAME}", house.gateway_url()),
            &arguments,
            body.as_bytes(),
        );
    }
    secrets.push(proof);
    secrets
}

// Invariants 11 and 13: neither logs (verbose ones, too) nor ledger nor database hold a value or token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inv_11_and_13_nothing_that_was_sent_lies_on_disk() {
    let mut house = House::install();
    house.set_environment("RUST_LOG", "debug");
    house.set_environment("JINKU_FILTER_LOG", "debug");
    house.serve();
    let _upstream = Upstream::start(house.upstream_port());
    let proxy = house.proxy();
    let secrets = noise(&house).await;
    assert!(
        proxy.said().contains("DEBUG"),
        "the filter's log is not verbose"
    );
    drop(proxy);
    let entries = house.audited();
    assert!(entries.len() > 10);
    let log = std::fs::read_to_string(house.directory().join("vault.log")).unwrap();
    assert!(log.contains("DEBUG"), "the vault's log is not verbose");
    assert_eq!(leaks(&house.directory(), &secrets), Vec::<String>::new());
    assert!(entries.iter().any(|entry| entry["purpose"] == TAX));
}
