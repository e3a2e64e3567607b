//! Keys made, read, changed, carried in and out.

use api::v1::{
    Aliases, CreateKeyRequest, GenerateMacRequest, ImportKeyRequest, KeyVersionRequest,
    ListKeysRequest, MacItem, ResealValuesRequest, RestoreKeyRequest, ScheduleKeyDeletionRequest,
    SetKeyRequest, Tags, mac_result,
};
use ring::hmac;
use tests::{House, detokenize, has_entry, tokenize, values, wrapped};

use crate::{KEEPER, USER, code, made, of, pairs};

const MONTH_SECONDS: u64 = 30 * 24 * 3_600;

pub(crate) async fn a_key_lives_over_grpc(house: &House) {
    let keeper = house.keys(KEEPER);
    let key = made(&keeper, "aes-256", "life").await;
    assert_eq!((key.current_version, key.state.as_str()), (1, "active"));
    assert_eq!(key.owner, "key-office");

    let set = SetKeyRequest {
        key: "life".to_owned(),
        description: Some("for the test".to_owned()),
        tags: Some(Tags {
            pairs: pairs(&[("year", "114")]),
        }),
        aliases: Some(Aliases {
            names: vec!["life".to_owned(), "second-life".to_owned()],
        }),
        rotation_seconds: Some(MONTH_SECONDS),
        open_from: None,
        revision: Some(key.revision),
        reason: None,
    };
    let late = set.clone();
    let set = keeper.set_key(set, None).await.unwrap().key.unwrap();
    assert!(set.revision > key.revision);
    assert_eq!(code(keeper.set_key(late, None).await), "key-changed");
    assert_eq!(set.tags, pairs(&[("year", "114")]));
    assert!(set.rotates_at_us > Some(set.created_at_us));

    assert_eq!(version(keeper.rotate_key(of("life"), None).await), 2);
    let compromise = KeyVersionRequest {
        key: key.id.clone(),
        version: 2,
        reason: None,
    };
    let compromised = keeper.compromise_key_version(compromise, None).await;
    assert_eq!(version(compromised), 3);
    let lowest = SetKeyRequest {
        key: "second-life".to_owned(),
        open_from: Some(3),
        ..SetKeyRequest::default()
    };
    keeper.set_key(lowest, None).await.unwrap();
    let destroy = KeyVersionRequest {
        key: key.id.clone(),
        version: 1,
        reason: None,
    };
    keeper.destroy_key_version(destroy, None).await.unwrap();

    assert_eq!(
        state(keeper.disable_key(of("life"), None).await),
        "suspended"
    );
    assert_eq!(state(keeper.enable_key(of("life"), None).await), "active");
    let schedule = ScheduleKeyDeletionRequest {
        key: "life".to_owned(),
        waiting_seconds: MONTH_SECONDS,
        reason: None,
    };
    let scheduled = keeper.schedule_key_deletion(schedule, None).await;
    assert_eq!(state(scheduled), "deactivated");
    let cancelled = keeper.cancel_key_deletion(of("life"), None).await;
    assert_eq!(state(cancelled), "suspended");

    let read = keeper.describe_key(of("second-life"), None).await.unwrap();
    assert!(read.entry > 0);
    let read = read.key.unwrap();
    let states: Vec<&str> = read.versions.iter().map(|one| one.state.as_str()).collect();
    assert_eq!(states, ["destroyed", "compromised", "active"]);
    assert_eq!(
        (read.id, read.description.as_str()),
        (key.id, "for the test")
    );
}

pub(crate) async fn a_list_is_read_page_by_page(house: &House) {
    let keeper = house.keys(KEEPER);
    let whole = keeper.list_keys(ListKeysRequest::default(), None);
    let whole = whole.await.unwrap();
    assert_eq!(whole.next, "");
    let whole: Vec<String> = whole.keys.into_iter().map(|key| key.id).collect();
    assert!(whole.contains(&"value.city".to_owned()) && whole.len() > 4);
    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let limit = Some(3);
        let page = keeper.list_keys(ListKeysRequest { after, limit }, None);
        let page = page.await.unwrap();
        assert!(page.keys.len() <= 3);
        ids.extend(page.keys.into_iter().map(|key| key.id));
        after = page.next;
        if after.is_empty() {
            break;
        }
    }
    assert_eq!(ids, whole);
}

pub(crate) async fn material_comes_in_with_its_ticket_only(house: &House) {
    let keeper = house.keys(KEEPER);
    let request = CreateKeyRequest {
        kind: "hmac-sha-256".to_owned(),
        origin: "external".to_owned(),
        alias: "brought".to_owned(),
        tags: pairs(&[("group", "revenue")]),
        ..CreateKeyRequest::default()
    };
    let key = keeper.create_key(request, None).await.unwrap().key.unwrap();
    assert_eq!(key.state, "pre-activation");
    let given = keeper.import_parameters(of("brought"), None).await.unwrap();
    assert_eq!(given.key, key.id);
    assert_eq!(given.algorithm, "RSA-OAEP-SHA256+AES-KWP");
    assert!(given.expires_at_us > key.created_at_us);

    let material: Vec<u8> = (0..40).collect();
    let import = ImportKeyRequest {
        key: "brought".to_owned(),
        ticket: given.ticket.clone(),
        wrapped: wrapped(&given.public_key_pem, &material),
        reason: None,
    };
    let forged = ImportKeyRequest {
        ticket: vec![0; given.ticket.len()],
        ..import.clone()
    };
    assert_eq!(code(keeper.import_key(forged, None).await), "import-ticket");
    let imported = keeper.import_key(import.clone(), None).await.unwrap();
    assert_eq!(imported.key.unwrap().state, "active");
    assert_eq!(code(keeper.import_key(import, None).await), "import-ticket");

    let request = GenerateMacRequest {
        key: "brought".to_owned(),
        items: vec![MacItem {
            message: b"form".to_vec(),
        }],
        ..GenerateMacRequest::default()
    };
    let answer = house.keys(USER).generate_mac(request, None).await.unwrap();
    let Some(mac_result::Result::Mac(made)) = &answer.items[0].result else {
        panic!("no code: {answer:?}")
    };
    let owner = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &material), b"form");
    assert_eq!(made.mac, owner.as_ref());
}

pub(crate) async fn stored_values_move_to_a_newer_version(house: &House) {
    let (keeper, tokens) = (house.keys(KEEPER), house.client(USER));
    let names = ["王小明", "李小華", "陳大文"];
    let issued = tokens.tokenize(tokenize("name", &names), None).await;
    let issued = issued.unwrap().tokens;
    assert_eq!(version(keeper.rotate_key(of("value.city"), None).await), 2);
    let step = |place| ResealValuesRequest {
        key: "value.city".to_owned(),
        place,
        limit: 2,
        reason: None,
    };
    let first = keeper.reseal_values(step(0), None).await.unwrap();
    assert_eq!((first.key.as_str(), first.moved), ("value.city", 2));
    assert_eq!(first.remaining, 1);
    let rest = keeper.reseal_values(step(first.next.unwrap()), None);
    let rest = rest.await.unwrap();
    assert_eq!((rest.moved, rest.remaining, rest.next), (1, 0, None));
    let read = tokens.detokenize(detokenize("tax-assessment", &issued), None);
    assert_eq!(values(&read.await.unwrap().items), names);
}

pub(crate) async fn a_backup_comes_back(house: &mut House) {
    let keeper = house.keys(KEEPER);
    let key = made(&keeper, "aes-256", "lost").await;
    let saved = keeper.backup_key(of("lost"), None).await.unwrap();
    assert_eq!(saved.key, key.id);
    let restore = RestoreKeyRequest {
        backup: saved.backup,
        reason: None,
    };
    let stands = keeper.restore_key(restore.clone(), None).await;
    assert_eq!(code(stands), "key-stands");

    house.stop();
    let id = &key.id;
    house.sql(&format!(
        "delete from key_alias where key = '{id}'; delete from key_material where key = '{id}'; \
         delete from key where id = '{id}'"
    ));
    house.serve();
    let keeper = house.keys(KEEPER);
    assert_eq!(
        code(keeper.describe_key(of("lost"), None).await),
        "key-unknown"
    );
    let back = keeper
        .restore_key(restore, None)
        .await
        .unwrap()
        .key
        .unwrap();
    assert_eq!((&back.id, back.state.as_str()), (id, "suspended"));
    assert_eq!(back.aliases, ["lost"]);
}

/// What was done, what was denied, and what was permitted and failed by itself.
pub(crate) fn every_act_is_an_entry(house: &mut House) {
    let entries = house.audited();
    let done = [
        "key-create",
        "key-list",
        "key-read",
        "key-set",
        "key-enable",
        "key-disable",
        "key-rotate",
        "key-reseal",
        "key-compromise",
        "key-schedule-deletion",
        "key-cancel-deletion",
        "key-destroy",
        "key-import",
        "key-backup",
        "key-restore",
        "encrypt",
        "decrypt",
        "re-encrypt",
        "data-key",
        "mac",
        "mac-verify",
        "sign",
        "verify",
        "random",
    ];
    for operation in done {
        let facts = [("operation", operation), ("outcome", "ok")];
        assert!(has_entry(&entries, &facts), "no entry says {operation}");
    }
    let refused = [
        ("encrypt", "denied", "not-permitted"),
        ("encrypt", "error", "key-state"),
        ("encrypt", "error", "key-usage"),
        ("key-import", "error", "import-ticket"),
        ("key-restore", "error", "key-stands"),
        ("key-rotate", "denied", "key-unknown"),
    ];
    for (operation, outcome, reason) in refused {
        let facts = [
            ("operation", operation),
            ("outcome", outcome),
            ("reason", reason),
        ];
        assert!(
            has_entry(&entries, &facts),
            "no entry says {operation} {reason}"
        );
    }
}

fn version(answer: Result<api::v1::KeyResponse, api::ClientError>) -> u32 {
    answer.unwrap().key.unwrap().current_version
}

fn state(answer: Result<api::v1::KeyResponse, api::ClientError>) -> String {
    answer.unwrap().key.unwrap().state
}
