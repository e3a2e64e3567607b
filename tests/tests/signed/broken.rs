//! Requests that were altered, or signed wrongly: each refused for its reason, and nothing is done.

use http::Method;
use tests::{Reply, Signer, Unsigned, has_entry, now};

use super::{JSON, TAX, TOKENIZE, body, done, open, refused, sent};

/// Replaces a header line.
fn altered(lines: &[String], name: &str, from: &str, to: &str) -> Vec<String> {
    let alter = |line: &String| {
        if line.starts_with(&format!("{name}:")) {
            assert!(line.contains(from), "{line}");
            line.replace(from, to)
        } else {
            line.clone()
        }
    };
    lines.iter().map(alter).collect()
}

#[test]
fn an_altered_request_proves_nobody() {
    let (mut house, signer) = open();
    let request = || Unsigned::post(&house, TOKENIZE, &body());
    let send =
        |target: &str, lines: &[String], bytes: &[u8]| house.send(None, target, lines, bytes);
    let invalid = |what: &str, reply: &Reply| refused(what, reply, 401, "signature-invalid");

    let mut other_body = body();
    *other_body.last_mut().unwrap() = b' ';
    other_body.push(b'}');
    let reply = send(TOKENIZE, &request().signed(&signer), &other_body);
    refused("another body", &reply, 401, "content-digest-mismatch");
    let reply = send(TOKENIZE, &request().signed(&signer), &body()[..20]);
    refused("a part of the body", &reply, 401, "content-digest-mismatch");
    let reply = send(TOKENIZE, &request().signed(&signer), b"");
    refused("no body at all", &reply, 401, "content-digest-mismatch");
    invalid(
        "another path",
        &send("/v1/detokenize", &request().signed(&signer), &body()),
    );
    invalid(
        "a query",
        &send("/v1/tokenize?x=1", &request().signed(&signer), &body()),
    );
    let lines = request().signed(&signer);
    let put = [&["--request", "PUT"], &headers(&lines)[..]].concat();
    invalid("another method", &house.post(None, TOKENIZE, &put, &body()));
    let digest = Unsigned::post(&house, TOKENIZE, &other_body).fields[1]
        .1
        .clone();
    let lines = request().signed(&signer);
    let own = request().fields[1].1.clone();
    let replaced = altered(&lines, "content-digest", &own, &digest);
    invalid(
        "another body and its digest",
        &send(TOKENIZE, &replaced, &other_body),
    );
    let lines = altered(
        &request().signed(&signer),
        "content-type",
        "json",
        "json; charset=utf-8",
    );
    invalid("another type", &send(TOKENIZE, &lines, &body()));
    let lines = altered(
        &request().signed(&signer),
        "signature-input",
        "expires=1",
        "expires=2",
    );
    refused(
        "another end",
        &send(TOKENIZE, &lines, &body()),
        401,
        "signature-lifetime",
    );
    let lines = altered(
        &request().signed(&signer),
        "signature-input",
        "nonce=\"",
        "nonce=\"x",
    );
    invalid("another nonce", &send(TOKENIZE, &lines, &body()));
    let host = ["--header", "host: vault.example"];
    let lines = request().signed(&signer);
    let elsewhere = [&host, &headers(&lines)[..]].concat();
    let reply = house.post(None, TOKENIZE, &elsewhere, &body());
    refused("another host", &reply, 401, "signature-elsewhere");
    let mut signed_elsewhere = request();
    signed_elsewhere.authority = "vault.example".to_owned();
    let lines = signed_elsewhere.signed(&signer);
    invalid("signed for another host", &send(TOKENIZE, &lines, &body()));
    let posing = [&host, &headers(&lines)[..]].concat();
    let reply = house.post(None, TOKENIZE, &posing, &body());
    refused("and sent as if to it", &reply, 401, "signature-elsewhere");

    assert_eq!(house.rows(), 0);
    done(&sent(&house, &request().signed(&signer)));
    let entries = house.audited();
    let facts = [
        ("operation", "auth-refused"),
        ("unit", TAX),
        ("reason", "content-digest-mismatch"),
    ];
    assert!(has_entry(&entries, &facts));
}

fn headers(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .flat_map(|line| ["--header", line.as_str()])
        .collect()
}

#[test]
fn a_signature_that_says_too_little_is_refused_before_a_key_is_asked() {
    let (house, signer) = open();
    let request = || Unsigned::post(&house, TOKENIZE, &body());
    let all = ["@method", "@target-uri", "content-type", "content-digest"];
    for missing in all {
        let covered: Vec<&str> = all.into_iter().filter(|name| *name != missing).collect();
        let lines = request().covering(&covered).signed(&signer);
        refused(missing, &sent(&house, &lines), 401, "signature-coverage");
    }
    let member = [
        "@method",
        "@target-uri",
        "content-type",
        "\"content-digest\";key=\"sha-256\"",
    ];
    let lines = request().covering(&member).signed(&signer);
    refused(
        "one digest of it",
        &sent(&house, &lines),
        401,
        "signature-coverage",
    );
    let lines = request().with("idempotency-key", "\"k\"").signed(&signer);
    refused(
        "a telling field",
        &sent(&house, &lines),
        401,
        "signature-coverage",
    );
    let digestless: Vec<String> = request().signed(&signer);
    let digestless: Vec<String> = digestless
        .into_iter()
        .filter(|line| !line.starts_with("content-digest"))
        .collect();
    refused(
        "a digest that is not there",
        &sent(&house, &digestless),
        401,
        "signature-component",
    );

    let at = |created: u64, expires: u64| {
        let mut request = request();
        (request.created, request.expires) = (created, expires);
        sent(&house, &request.signed(&signer))
    };
    let moment = now();
    refused(
        "expired",
        &at(moment - 200, moment - 60),
        401,
        "signature-expired",
    );
    refused(
        "of tomorrow",
        &at(moment + 120, moment + 180),
        401,
        "signature-early",
    );
    refused(
        "for too long",
        &at(moment, moment + 301),
        401,
        "signature-lifetime",
    );
    refused(
        "backwards",
        &at(moment, moment - 1),
        401,
        "signature-lifetime",
    );
    done(&at(moment - 10, moment + 290));

    let mut other = request();
    for alg in ["rsa-pss-sha512", "none", "HMAC-SHA256"] {
        other.alg = Some(alg.to_owned());
        refused(
            alg,
            &sent(&house, &other.signed(&signer)),
            401,
            "signature-algorithm",
        );
    }
    for alg in [
        None,
        Some("hmac-sha256".to_owned()),
        Some("ed25519".to_owned()),
    ] {
        other = request();
        other.alg = alg;
        let lines = other.signed(&signer.confused());
        refused(
            "the public half as a secret",
            &sent(&house, &lines),
            401,
            "signature-invalid",
        );
    }
    let (stranger, _) = Signer::ed25519(&signer.keyid);
    refused(
        "another key",
        &sent(&house, &request().signed(&stranger)),
        401,
        "signature-invalid",
    );
}

#[test]
fn fields_that_could_be_read_in_two_ways_are_refused() {
    let (house, signer) = open();
    let request = || Unsigned::post(&house, TOKENIZE, &body());
    let add = |more: &[String]| {
        let lines = [request().signed(&signer), more.to_vec()].concat();
        sent(&house, &lines)
    };
    let second = request().signed(&signer);
    let second = |name: &str| {
        let line = second
            .iter()
            .find(|line| line.starts_with(&format!("{name}:")));
        line.unwrap().clone()
    };
    let twice = add(&[second("signature-input"), second("signature")]);
    refused("one label twice", &twice, 401, "signature-malformed");
    let relabelled = |name: &str| second(name).replace("sig1=", "sig2=");
    let two = add(&[relabelled("signature-input"), relabelled("signature")]);
    refused("two labels", &two, 401, "signature-several");
    refused(
        "a label alone",
        &add(&[relabelled("signature")]),
        401,
        "signature-malformed",
    );
    refused(
        "two digests of one name",
        &add(&[second("content-digest")]),
        401,
        "content-digest-invalid",
    );

    for (name, from, to) in [
        ("signature-input", "(\"@method\" ", "( \"@method\" "),
        ("signature-input", ";keyid=", "; keyid="),
        ("signature-input", ";keyid=", ";keyid=\"other\";keyid="),
        ("signature-input", "sig1=(", "sig1=1, sig1=("),
        ("signature", "=:", "=\""),
        ("signature-input", ";created=", ";created=0"),
    ] {
        let lines = altered(&request().signed(&signer), name, from, to);
        refused(to, &sent(&house, &lines), 401, "signature-malformed");
    }
    let lines = altered(
        &request().signed(&signer),
        "signature-input",
        "\"@method\"",
        "\"@method\";req",
    );
    refused(
        "of a response",
        &sent(&house, &lines),
        401,
        "signature-component",
    );
    for only in ["signature", "signature-input"] {
        let reply = house.send(None, TOKENIZE, &[JSON.to_owned(), second(only)], &body());
        refused(only, &reply, 401, "signature-malformed");
    }
    let lines = request().signed(&signer);
    let hosts = [
        "--header",
        "host: localhost",
        "--header",
        "host: vault.example",
    ];
    let reply = house.post(
        None,
        TOKENIZE,
        &[&hosts, &headers(&lines)[..]].concat(),
        &body(),
    );
    assert!(reply.status >= 400, "{}", reply.body);
    let large = vec![b' '; 1024 * 1024 + 1];
    let reply = house.send(
        None,
        TOKENIZE,
        &Unsigned::post(&house, TOKENIZE, &large).signed(&signer),
        &large,
    );
    refused("too large", &reply, 413, "body-too-large");
    let mut get = request();
    get.method = Method::GET;
    let reply = house.send(None, TOKENIZE, &get.signed(&signer), &body());
    refused("signed as a GET", &reply, 401, "signature-invalid");
    assert_eq!(house.rows(), 0);
}
