//! Reasons in words for every act that changes something, alike over REST and by the command, which speaks gRPC: each entry
//! commits to its reason, an officer reads it, and the auditor's tool holds it against the entry.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};
use tests::{House, Reply, binary, byte_leaks, tokenize};

const CUSTODIAN: &str = "privacy-office";
const KEEPER: &str = "key-office";
const GUARD: &str = "guard-office";
const REGISTRAR: &str = "registry-office";
const TAX: &str = "tax-bureau";
const CARE: &str = "token-care";

/// An act, as each face says it. `{id}` is what was proposed or asked for last, `{token}` a token that stands.
struct Act {
    by: &'static str,
    /// Whose affairs it is.
    domain: Option<&'static str>,
    path: String,
    body: Value,
    command: String,
}

fn act(by: &'static str, path: &str, body: Value, command: &str) -> Act {
    let domain = command.starts_with("token").then_some("city");
    Act {
        by,
        domain,
        path: path.to_owned(),
        body,
        command: command.to_owned(),
    }
}

/// What is done to tokens. The purpose stands in the body, and in the command.
fn on_tokens(act_name: &str, purpose: &str, mut body: Value, command: &str) -> Act {
    body["domain"] = "city".into();
    body["purpose"] = purpose.into();
    let command = format!("token {act_name} {command} --purpose {purpose}");
    act(CUSTODIAN, &format!("/v1/tokens/{act_name}"), body, &command)
}

/// Every act, in an order in which each can be done; keys and units of its own for each face.
fn acts(face: &str) -> Vec<Act> {
    let key = |act_name: &str, body: Value, command: &str| {
        let path = format!("/v1/keys/{face}/{act_name}");
        act(KEEPER, &path, body, &format!("key {command}"))
    };
    let mut all = vec![
        act(
            KEEPER,
            "/v1/keys",
            json!({ "kind": "aes-256", "alias": face, "tags": { "group": "revenue" } }),
            &format!("key create aes-256 --alias {face} --tag group=revenue"),
        ),
        key(
            "set",
            json!({ "description": "x" }),
            &format!("set {face} --description x"),
        ),
        key("rotate", json!({}), &format!("rotate {face}")),
        key(
            "compromise-version",
            json!({ "version": 1 }),
            &format!("compromise {face} --version 1"),
        ),
        key(
            "set",
            json!({ "open_from": 2 }),
            &format!("set {face} --open-from 2"),
        ),
        key(
            "destroy-version",
            json!({ "version": 1 }),
            &format!("destroy-version {face} --version 1 --yes"),
        ),
        key("disable", json!({}), &format!("disable {face}")),
        key("enable", json!({}), &format!("enable {face}")),
        key(
            "backup",
            json!({}),
            &format!("backup {face} --to {face}.backup"),
        ),
        key(
            "schedule-deletion",
            json!({ "waiting_seconds": 700_000 }),
            &format!("schedule-deletion {face} --waiting 700000s --yes"),
        ),
        key(
            "cancel-deletion",
            json!({}),
            &format!("cancel-deletion {face}"),
        ),
    ];
    all.extend(acts_on_tokens(face));
    all.extend(acts_on_units(face));
    all
}

fn acts_on_tokens(face: &str) -> Vec<Act> {
    let token = || json!({ "tokens": ["{token}"] });
    let with = |name: &str, value: &str| {
        let mut body = token();
        body[name] = value.into();
        body
    };
    let long_ago = "1971-01-01T00:00:00Z";
    vec![
        on_tokens("disable", CARE, token(), "token.txt"),
        on_tokens("enable", CARE, token(), "token.txt"),
        on_tokens(
            "move",
            CARE,
            with("to_class", "name"),
            "token.txt --to-class name",
        ),
        on_tokens(
            "hold",
            "legal-hold",
            with("matter", "case-1"),
            "token.txt --matter case-1",
        ),
        on_tokens(
            "release",
            "legal-hold",
            with("matter", "case-1"),
            "token.txt --matter case-1",
        ),
        on_tokens(
            "purge",
            "retention",
            json!({ "created_before": long_ago, "limit": 1_000 }),
            &format!("--created-before {long_ago} --yes"),
        ),
        on_tokens(
            "reindex",
            CARE,
            json!({ "class": "name", "limit": 1_000 }),
            "--class name",
        ),
        on_tokens(
            "erase",
            "erasure-request",
            token(),
            "--tokens-file token.txt --yes",
        ),
        on_tokens(
            "replace",
            CARE,
            token(),
            &format!("token.txt --out {face}.new --yes"),
        ),
    ]
}

fn acts_on_units(face: &str) -> Vec<Act> {
    let name = format!("{face}-bureau");
    let document = json!({
        "name": name, "title_zh": name, "title_en": name, "clearance": "public",
        "token_subject": name, "groups": ["city"],
    });
    let set = format!("--set clearance=public --set token_subject={name} --set groups=[\"city\"]");
    let unit = |by: &'static str, word: &str, more: &str| {
        let path = format!("/v1/units/{name}/{word}");
        act(by, &path, json!({}), &format!("unit {word} {name}{more}"))
    };
    let decide = |by: &'static str, word: &str| {
        let path = format!("/v1/unit-proposals/{{id}}/{word}");
        act(by, &path, json!({}), &format!("unit {word} {{id}}"))
    };
    let grant = json!({
        "domain": "city", "purpose": "tax-assessment", "classes": ["name"], "values_max": 5, "ttl_seconds": 60,
    });
    let mut all = vec![
        act(
            REGISTRAR,
            "/v1/units",
            json!({ "document": document }),
            &format!("unit register {name} {set}"),
        ),
        decide(GUARD, "approve"),
        unit(GUARD, "lock", ""),
        unit(GUARD, "unlock", ""),
        unit(REGISTRAR, "suspend", ""),
        unit(REGISTRAR, "resume", ""),
        decide(REGISTRAR, "withdraw"),
        unit(REGISTRAR, "resume", ""),
        decide(GUARD, "refuse"),
        unit(REGISTRAR, "retire", " --yes"),
        act(
            GUARD,
            "/v1/honeytokens",
            json!({ "domain": "city", "class": "national-id", "count": 1 }),
            "honeytoken plant --domain city --class national-id",
        ),
        act(
            TAX,
            "/v1/grants",
            grant,
            "grant request --domain city --purpose tax-assessment --class name --values 5 --ttl-seconds 60",
        ),
        act(
            GUARD,
            "/v1/grants/{id}/approve",
            json!({}),
            "grant approve {id}",
        ),
        act(
            GUARD,
            "/v1/grants/{id}/revoke",
            json!({}),
            "grant revoke {id}",
        ),
    ];
    // These name a domain, whose officers look after their reasons.
    let last = all.len() - 4;
    for of_the_domain in &mut all[last..] {
        of_the_domain.domain = Some("city");
    }
    all
}

fn post(house: &House, by: &str, path: &str, body: &Value) -> Reply {
    let json_type = ["--header", "content-type: application/json"];
    house.post(Some(by), path, &json_type, body.to_string().as_bytes())
}

async fn token(house: &House) -> String {
    let client = house.client(Some(TAX));
    let answer = client.tokenize(tokenize("name", &["王小明"]), None).await;
    answer.unwrap().tokens.remove(0)
}

/// What the vault answers to an act with a reason, over REST.
fn by_rest(house: &House, act: &Act, (token, id, reason): (&str, &str, &str)) -> Value {
    let written = act.body.to_string().replace("{token}", token);
    let mut body: Value = serde_json::from_str(&written).unwrap();
    body["reason"] = reason.into();
    let reply = post(house, act.by, &act.path.replace("{id}", id), &body);
    assert_eq!(reply.status, 200, "{}: {}", act.path, reply.body);
    reply.json()
}

/// The same by the command, which has the reason from a file.
fn by_command(house: &House, act: &Act, (token, id, reason): (&str, &str, &str)) -> Value {
    let write = |file: &str, text: &str| std::fs::write(house.directory().join(file), text);
    write("token.txt", token).unwrap();
    write("reason.txt", &format!("{reason}\n")).unwrap();
    let command = act.command.replace("{id}", id);
    let words: Vec<&str> = command.split(' ').collect();
    let more = [
        "--json",
        "--reason-file",
        "reason.txt",
        "--installation",
        ".",
        "--unit",
        act.by,
    ];
    let (well, said) = house.jinku(&[&words[..], &more].concat(), "");
    assert!(well, "{command}: {said}");
    let line = said.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.unwrap_or(&said)).unwrap_or_else(|_| panic!("{command}: {said}"))
}

/// What was proposed, or asked for.
fn id_of(answer: &Value) -> Option<String> {
    let places = [
        &answer["proposal"]["id"],
        &answer["grant"]["id"],
        &answer["id"],
    ];
    places.iter().find_map(|id| Some(id.as_str()?.to_owned()))
}

fn entry_of(answer: &Value) -> u64 {
    let places = [&answer["entry"], &answer["last_entry"]];
    let entry = places.iter().find_map(|entry| entry.as_u64());
    entry.unwrap_or_else(|| panic!("no entry in {answer}"))
}

/// Asks for a reason, as an officer: the detail, or why not.
fn read(house: &House, by: &str, domain: Option<&str>, entry: u64) -> Result<String, String> {
    let mut asked = json!({ "purpose": CARE, "of": entry });
    if let Some(domain) = domain {
        asked["domain"] = domain.into();
    }
    let reply = post(house, by, "/v1/tokens/detail", &asked);
    match reply.status {
        200 => Ok(reply.json()["detail"].as_str().unwrap().to_owned()),
        _ => Err(reply.code()),
    }
}

/// The auditor's tool, offline: whether the opened reason is the entry's.
fn judged(house: &House, entry: u64, detail: &str) -> (Option<i32>, String) {
    let file = house.directory().join("given.detail");
    std::fs::write(&file, detail).unwrap();
    let output = Command::new(binary("jinku-ledger"))
        .arg("record")
        .arg(house.directory().join("opened"))
        .args(["--seq", &entry.to_string(), "--key-file"])
        .arg(house.directory().join("data/ledger-key"))
        .arg("--detail")
        .arg(&file)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_that_changes_something_takes_a_reason_alike_by_every_face() {
    let mut house = House::open();
    let mut reasons = Vec::new();
    for face in ["rest", "command"] {
        let (mut id, mut standing) = (String::new(), token(&house).await);
        for (number, act) in acts(face).iter().enumerate() {
            let reason = format!("第{number}件 by {face}: 王小姐's letter");
            let said = (standing.as_str(), id.as_str(), reason.as_str());
            let answer = match face {
                "rest" => by_rest(&house, act, said),
                _ => by_command(&house, act, said),
            };
            let entry = entry_of(&answer);
            id = id_of(&answer).unwrap_or(id);
            if act.path.ends_with("/erase") {
                standing = token(&house).await;
            }
            let detail = read(&house, CUSTODIAN, act.domain, entry);
            let detail = detail.unwrap_or_else(|code| panic!("{}: {code}", act.command));
            let told: Value = serde_json::from_str(&detail).unwrap();
            assert_eq!(told["text"], reason, "{face}: {}", act.command);
            reasons.push((entry, act.domain, reason, detail));
        }
    }
    // Who may not: a keeper of keys, and whoever looks for it in another place.
    let (of_a_key, _, _, _) = reasons[0].clone();
    assert_eq!(
        read(&house, KEEPER, None, of_a_key),
        Err("not-permitted".to_owned())
    );
    let elsewhere = read(&house, CUSTODIAN, Some("city"), of_a_key);
    assert_eq!(elsewhere, Err("detail-unknown".to_owned()));
    house.stop();
    house.export("opened");
    let mut wrong = String::new();
    for (entry, _, reason, detail) in &reasons {
        let (exit, said) = judged(&house, *entry, detail);
        if exit != Some(0) || !said.contains(reason) {
            writeln!(wrong, "{entry}: {exit:?}: {said}").unwrap();
        }
        let (exit, _) = judged(&house, *entry, &detail.replace("letter", "e-mail"));
        assert_eq!(exit, Some(2), "{entry}");
    }
    assert!(wrong.is_empty(), "{wrong}");
    let leaks = byte_leaks(
        &house.directory().join("data"),
        &[("a reason", "王小姐".as_bytes())],
    );
    assert!(leaks.is_empty(), "{leaks:?}");
    // One that is in no domain's affairs is erased as any other.
    house.serve();
    let erase = format!(
        "ledger erase-detail {of_a_key} --no-domain --yes --installation . --unit {CUSTODIAN} --purpose erasure-request"
    );
    let (well, said) = house.jinku(&erase.split(' ').collect::<Vec<_>>(), "");
    assert!(well, "{said}");
    let gone = read(&house, CUSTODIAN, None, of_a_key);
    assert_eq!(gone, Err("detail-unknown".to_owned()));
    house.audited();
}

// Keys and units are in no domain: only who looks after all of them reads why.
#[tokio::test(flavor = "multi_thread")]
async fn a_reason_in_no_domain_is_read_by_those_who_look_after_all_of_them() {
    let house = House::install();
    let file = house.directory().join("policies/policies/40-tokens.cedar");
    let policies = std::fs::read_to_string(&file).unwrap();
    let forbids = "\n@id(\"not-the-bank\")\nforbid (principal, action == Jinku::Action::\"DescribeToken\", resource)\n\
                   when { resource.domain == \"bank\" };\n";
    std::fs::write(&file, policies + forbids).unwrap();
    let mut house = house;
    house.serve();
    let lock = json!({ "reason": "by telephone" });
    let locked = post(&house, GUARD, "/v1/units/public-library/lock", &lock);
    let disable = json!({ "domain": "city", "purpose": CARE, "tokens": [token(&house).await], "reason": "lost" });
    let disabled = post(&house, CUSTODIAN, "/v1/tokens/disable", &disable);
    let entry = |reply: &Reply| entry_of(&reply.json());
    assert!(read(&house, CUSTODIAN, Some("city"), entry(&disabled)).is_ok());
    let of_a_unit = read(&house, CUSTODIAN, None, entry(&locked));
    assert_eq!(of_a_unit, Err("not-permitted".to_owned()));
    for bad in ["", "a\u{7}", &"a".repeat(1_025)] {
        for path in ["/v1/units/public-library/unlock", "/v1/keys/none/disable"] {
            let reply = post(&house, GUARD, path, &json!({ "reason": bad }));
            assert_eq!(reply.code(), "reason-invalid", "{path}");
        }
    }
    house.audited();
}
