//! Who may erase what, what is kept, and what the answers say.

use tests::{House, has_entry, refusal};
use tonic::Code;

use super::*;
use api::v1::ErasedItem;

// Invariant 8: absent, another domain's and not permitted look alike; the permitted ones go, one by one.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_erased_one_by_one() {
    let mut house = House::open();
    let tokens = issued(&house, "name", &["王一", "王二", "王三"], None).await;
    let asked = [
        tokens[0].clone(),
        "tok_no_such_token".to_owned(),
        tokens[1].clone(),
        tokens[0].clone(),
    ];
    let answer = erase(&house, by_tokens(&asked)).await;
    let expected = [
        ErasedItem::Erased,
        ErasedItem::NotAvailable,
        ErasedItem::Erased,
        ErasedItem::Erased,
    ];
    assert_eq!(answer.items().collect::<Vec<_>>(), expected);
    assert_eq!((answer.erased, answer.unlinked), (2, 0));
    assert_eq!(redeemed(&house, &tokens[0]).await, "");
    assert_eq!(redeemed(&house, &tokens[1]).await, "");
    assert_eq!(redeemed(&house, &tokens[2]).await, "王三");
    // Again: nothing is there, and a certificate says so.
    let again = erase(&house, by_tokens(&tokens[..2])).await;
    assert!(again.items().all(|item| item == ErasedItem::NotAvailable));
    assert_eq!(again.erased, 0);
    let report = judged(&house, &again.certificate.unwrap());
    assert_eq!(report["items"][0]["view"], "not-available");
    let nobody = erase(&house, by_subject("nobody")).await;
    assert_eq!((nobody.erased, nobody.unlinked), (0, 0));
    let report = judged(&house, &nobody.certificate.unwrap());
    assert_eq!(report["items"].as_array().unwrap().len(), 0);
    let entries = house.audited();
    let mut erasures = entries.iter().filter(|entry| entry["operation"] == "erase");
    assert!(erasures.all(|entry| entry["unit"] == "privacy-office" && entry["outcome"] == "ok"));
    // What an officer typed stands nowhere in the ledger.
    let archive = house.directory().join("archive");
    assert!(tests::leaks(&archive, &["nobody".to_owned(), SUBJECT.to_owned()]).is_empty());
}

// A value that is about two people goes with the second.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_several_goes_with_the_last() {
    let mut house = House::open();
    let id = ["A123456789"];
    let first = issued(&house, "national-id", &id, Some("one")).await;
    let second = issued(&house, "national-id", &id, Some("two")).await;
    assert_eq!(first, second);
    let answer = erase(&house, by_subject("one")).await;
    assert_eq!((answer.erased, answer.unlinked), (0, 1));
    assert_eq!(redeemed(&house, &first[0]).await, id[0]);
    let again = erase(&house, by_subject("one")).await;
    assert_eq!((again.erased, again.unlinked), (0, 0));
    let answer = erase(&house, by_subject("two")).await;
    assert_eq!((answer.erased, answer.unlinked), (1, 0));
    assert_eq!(redeemed(&house, &first[0]).await, "");
    // An equal value gets another token: the old one is nobody's for good.
    let fresh = issued(&house, "national-id", &id, None).await;
    assert_ne!(fresh, first);
    house.audited();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_legal_hold_covers_stays() {
    let mut house = House::open();
    let held = issued(&house, "name", &["王留"], Some(SUBJECT)).await;
    let other = issued(&house, "name", &["王走"], Some(SUBJECT)).await;
    house.sql(
        "insert into hold select fingerprint, 'case-7', 'city', 1 from token order by rowid limit 1",
    );
    let officer = house.tokens(Some("privacy-office"));
    let refused = officer
        .erase_tokens(by_subject(SUBJECT), None)
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&refused),
        (Code::FailedPrecondition, "held".to_owned())
    );
    assert_eq!(
        redeemed(&house, &other[0]).await,
        "王走",
        "half of it was erased"
    );
    let answer = erase(&house, by_tokens(&[held[0].clone(), other[0].clone()])).await;
    let expected = [ErasedItem::Held, ErasedItem::Erased];
    assert_eq!(answer.items().collect::<Vec<_>>(), expected);
    assert_eq!(redeemed(&house, &held[0]).await, "王留");
    // A hold on the subject itself.
    house.sql("delete from hold");
    house.sql("insert into hold select handle, 'case-8', 'city', 1 from subject limit 1");
    let body = r#"{"domain":"city","purpose":"erasure-request","subject":"citizen-0042"}"#;
    let json = ["--header", "content-type: application/json"];
    let reply = house.post(
        Some("privacy-office"),
        "/v1/tokens/erase",
        &json,
        body.as_bytes(),
    );
    assert_eq!((reply.status, reply.code()), (409, "held".to_owned()));
    house.sql("delete from hold");
    let answer = erase(&house, by_subject(SUBJECT)).await;
    assert_eq!(answer.erased, 1);
    let entries = house.audited();
    let refused = |entry: &&serde_json::Value| {
        entry["operation"] == "erase" && entry["outcome"] == "error" && entry["reason"] == "held"
    };
    assert_eq!(entries.iter().filter(refused).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_erase_some_classes_erases_no_subject() {
    let mut house = House::install();
    let policy = house.directory().join("policies/policies/90-test.cedar");
    let text = r#"@id("parking-erases-names")
permit (principal, action == Jinku::Action::"Erase", resource == Jinku::DataClass::"name")
when { principal.groups.contains("enforcement") };"#;
    std::fs::write(&policy, text).unwrap();
    let units = std::fs::read_to_string(house.directory().join("policies/units.toml")).unwrap();
    assert!(
        units.contains("\"enforcement\""),
        "the sample's groups changed"
    );
    house.serve();
    let name = issued(&house, "name", &["王一"], Some(SUBJECT)).await;
    let id = issued(&house, "national-id", &["A123456789"], Some(SUBJECT)).await;
    let officer = house.tokens(Some("parking-office"));
    let refused = officer
        .erase_tokens(by_subject(SUBJECT), None)
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&refused),
        (Code::PermissionDenied, "not-permitted".to_owned())
    );
    let both = by_tokens(&[id[0].clone(), name[0].clone()]);
    let answer = officer.erase_tokens(both, None).await.unwrap();
    let expected = [ErasedItem::NotAvailable, ErasedItem::Erased];
    assert_eq!(answer.items().collect::<Vec<_>>(), expected);
    assert_eq!(redeemed(&house, &id[0]).await, "A123456789");
    // Invariant 8: nor does the certificate tell that it stands, and what it is.
    let report = judged(&house, &answer.certificate.unwrap());
    let item = &report["items"][0];
    assert_eq!(
        (&item["class"], &item["view"]),
        (&"none".into(), &"not-available".into())
    );
    let tax = house.tokens(Some("tax-bureau"));
    let refused = tax.erase_tokens(by_tokens(&id), None).await.unwrap_err();
    assert_eq!(
        refusal(&refused),
        (Code::PermissionDenied, "not-permitted".to_owned())
    );
    let entries = house.audited();
    for unit in ["parking-office", "tax-bureau"] {
        let denied = [
            ("operation", "erase"),
            ("outcome", "denied"),
            ("unit", unit),
        ];
        assert!(has_entry(&entries, &denied), "{unit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_read_is_refused_and_nothing_is_erased() {
    let house = House::open();
    let token = issued(&house, "name", &["王一"], Some(SUBJECT))
        .await
        .remove(0);
    let json = ["--header", "content-type: application/json"];
    let post = |body: &str| {
        let path = "/v1/tokens/erase";
        let reply = house.post(Some("privacy-office"), path, &json, body.as_bytes());
        assert!(
            !reply.body.contains(SUBJECT) && !reply.body.contains(&token),
            "{reply:?}"
        );
        (reply.status, reply.code())
    };
    let with = |what: &str| format!(r#"{{"domain":"city","purpose":"{ERASURE}"{what}}}"#);
    let both = format!(r#","tokens":["{token}"],"subject":"{SUBJECT}""#);
    let long = format!(r#","subject":"{}""#, "a".repeat(257));
    for (body, status, code) in [
        (with(""), 400, "erase-what"),
        (with(&both), 400, "erase-what"),
        (with(r#","tokens":[]"#), 422, "batch-empty"),
        (with(r#","subject":"""#), 422, "subject-invalid"),
        (with(&long), 422, "subject-invalid"),
        (with(r#","token":"x""#), 400, "body-shape"),
        (with(r#","subject":42"#), 400, "body-shape"),
        (
            format!(r#"{{"domain":"city","subject":"{SUBJECT}"}}"#),
            400,
            "purpose-missing",
        ),
        (
            with(&format!(r#","tokens":["{}"]"#, "a".repeat(300))),
            422,
            "token-too-long",
        ),
        ("{".to_owned(), 400, "body-not-json"),
    ] {
        assert_eq!(post(&body), (status, code.to_owned()), "{body}");
    }
    let many = vec!["\"x\""; 1_001].join(",");
    assert_eq!(
        post(&with(&format!(r#","tokens":[{many}]"#))),
        (422, "batch-too-long".to_owned())
    );
    assert_eq!(redeemed(&house, &token).await, "王一");
}

// The command: nothing secret on its line, nothing without consent, and a certificate that holds.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_erases_by_file_and_asks_first() {
    let mut house = House::open();
    let tokens = issued(&house, "name", &["王一", "王二"], Some(SUBJECT)).await;
    let list = issued(&house, "name", &["王三"], None).await;
    std::fs::write(house.directory().join("subject"), format!("{SUBJECT}\n")).unwrap();
    std::fs::write(
        house.directory().join("list"),
        format!("{}\nnone\n", list[0]),
    )
    .unwrap();
    let officer = [
        "token",
        "--installation",
        ".",
        "--unit",
        "privacy-office",
        "erase",
    ];
    let words = ["--domain", "city", "--purpose", ERASURE];
    let run = |more: &[&str]| house.jinku(&[&officer[..], &words, more].concat(), "");
    let (good, said) = run(&["--subject-file", "subject"]);
    assert!(!good && said.contains("say --yes"), "{said}");
    assert_eq!(redeemed(&house, &tokens[0]).await, "王一");
    let (good, said) = run(&["--subject-file", "subject", "--yes", "--receipt", "proof"]);
    assert!(
        good && said.contains("2 tokens and their values are gone"),
        "{said}"
    );
    let proof = std::fs::read_to_string(house.directory().join("proof")).unwrap();
    let report = judged(&house, &proof);
    let entry = report["entry"]["seq"].to_string();
    let (good, said) = run(&["--tokens-file", "list", "--yes", "--receipt", "proof"]);
    assert!(!good && said.contains("there already"), "{said}");
    let (good, said) = run(&["--tokens-file", "list", "--yes"]);
    // As with every act on tokens: something that was asked for was not done.
    assert!(!good && said.contains("token 2: not-available"), "{said}");
    assert!(
        said.contains("1 tokens and their values are gone"),
        "{said}"
    );
    assert!(!said.contains(&list[0]), "{said}");
    let unit = ["--installation", ".", "--unit", "privacy-office"];
    let receipt = [&["receipt", &entry, "--out", "later"], &unit[..]].concat();
    let (good, said) = house.jinku(&receipt, "");
    assert!(good, "{said}");
    let later = std::fs::read_to_string(house.directory().join("later")).unwrap();
    assert_eq!(judged(&house, &later)["entry"], report["entry"]);
    house.audited();
}
