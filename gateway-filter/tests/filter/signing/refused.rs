//! Which signatures are believed, and what each other one is refused with.

use super::*;

#[tokio::test]
async fn each_order_of_parameters_is_believed() {
    let filter = filter(&MemoryVault::default());
    let mut orders = 0;
    for first in 0..4_usize {
        for second in (0..4).filter(|place| *place != first) {
            for third in (0..4).filter(|place| ![first, second].contains(place)) {
                let fourth = 6 - first - second - third;
                let words = [
                    format!("created={}", now()),
                    format!("expires={};alg=\"hmac-sha256\"", now() + 60),
                    "keyid=\"partner\"".to_owned(),
                    format!("nonce=\"{}\"", nonce()),
                ];
                let said = [first, second, third, fourth].map(|place| words[place].clone());
                let list = format!(
                    "(\"@method\" \"@target-uri\" \"content-type\" \"content-digest\" \"authorization\");{}",
                    said.join(";")
                );
                let digest = digest_of(BODY.as_bytes());
                let base = format!(
                    "\"@method\": POST\n\"@target-uri\": https://api.example.tw/pay/A1\n\"content-type\": application/json\n\"content-digest\": {digest}\n\"authorization\": Bearer unit\n\"@signature-params\": {list}"
                );
                let mut headers = Signed::good().headers();
                headers.insert("signature-input", format!("x={list}").parse().unwrap());
                let signature = ring_base64(&tag("partner-secret", base.as_bytes()));
                headers.insert("signature", format!("x=:{signature}:").parse().unwrap());
                sent(&filter, ("POST", "/pay/A1"), &headers, Some(BODY))
                    .await
                    .unwrap();
                orders += 1;
            }
        }
    }
    assert_eq!(orders, 24);
}

/// A good one with a change.
fn with(change: fn(&mut Signed)) -> Signed {
    let mut signed = Signed::good();
    change(&mut signed);
    signed
}

fn told(fault: SigningFault) -> (u16, String) {
    let problem = Problem::from(&FilterError::Signing(Side::Request, fault));
    (problem.status.as_u16(), problem.code.into_owned())
}

#[tokio::test]
async fn what_is_not_believed_has_one_answer_whatever_the_reason() {
    let vault = MemoryVault::default();
    let filter = filter(&vault);
    for (signed, expected) in [
        (with(|signed| signed.keyid = "nobody"), Unbelieved::Key),
        (with(|signed| signed.keyid = "city"), Unbelieved::Key),
        (with(|signed| signed.secret = "guessed"), Unbelieved::Wrong),
        (with(|signed| signed.keyid = "other"), Unbelieved::Wrong),
        (
            with(|signed| signed.alg = Some("ed25519")),
            Unbelieved::Algorithm,
        ),
    ] {
        let found = fault(pay(&filter, &signed).await);
        assert_eq!(found, unbelieved(expected));
        assert_eq!(told(found), (401, "signature-invalid".to_owned()));
        assert_eq!(
            found.to_string(),
            unbelieved(Unbelieved::Replayed).to_string()
        );
    }
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn what_does_not_say_enough_is_refused_before_the_vault_sees_a_value() {
    const NO_TARGET: [&str; 4] = ["@method", "content-type", "content-digest", "authorization"];
    const NO_BODY: [&str; 4] = ["@method", "@target-uri", "content-type", "authorization"];
    const NO_PROOF: [&str; 4] = ["@method", "@target-uri", "content-type", "content-digest"];
    const NO_METHOD: [&str; 4] = [
        "@target-uri",
        "content-type",
        "content-digest",
        "authorization",
    ];
    let vault = MemoryVault::default();
    let filter = filter(&vault);
    let times = |created: u64, expires: u64| Signed {
        created,
        expires,
        ..Signed::good()
    };
    let mut cases = vec![
        (times(now() - 500, now() - 400), "expired"),
        (times(now() + 400, now() + 460), "early"),
        (times(now(), now() + 121), "lifetime"),
        (times(now(), now() - 1), "lifetime"),
        (with(|signed| signed.nonce = String::new()), "parameter"),
    ];
    for less in [NO_TARGET, NO_BODY, NO_PROOF, NO_METHOD] {
        let covered = less.to_vec();
        let signed = Signed {
            covered,
            ..Signed::good()
        };
        cases.push((signed, "coverage"));
    }
    for (signed, code) in cases {
        let found = fault(pay(&filter, &signed).await);
        assert_eq!(told(found), (401, format!("signature-{code}")), "{found}");
    }
    assert_eq!(vault.calls(), []);
}

#[tokio::test]
async fn what_is_altered_on_its_way_is_refused() {
    let filter = filter(&MemoryVault::default());
    let signed = Signed::good();
    let headers = signed.headers();
    let refused = async |target: &str, headers: &HeaderMap, body| {
        fault(sent(&filter, ("POST", target), headers, body).await)
    };
    let wrong = unbelieved(Unbelieved::Wrong);
    assert_eq!(refused("/pay/A2?x=1", &headers, Some(BODY)).await, wrong);
    assert_eq!(refused("/pay/A1?x=2", &headers, Some(BODY)).await, wrong);
    let digest = unbelieved(Unbelieved::Digest);
    assert_eq!(refused(&signed.target, &headers, Some("{}")).await, digest);
    assert_eq!(refused(&signed.target, &headers, None).await, digest);
    let mut other = headers.clone();
    other.insert(
        "content-type",
        HeaderValue::from_static("application/x+json"),
    );
    assert_eq!(refused(&signed.target, &other, Some(BODY)).await, wrong);
    let mut twice = headers.clone();
    let again = twice["signature-input"].clone();
    twice.append("signature-input", again);
    let repeated = refused(&signed.target, &twice, Some(BODY)).await;
    assert!(
        repeated.to_string().contains("repeats a name"),
        "{repeated}"
    );
    let mut without = headers.clone();
    without.remove("signature");
    without.remove("signature-input");
    assert_eq!(
        refused(&signed.target, &without, Some(BODY)).await,
        SigningFault::Missing
    );
    let mut huge = headers.clone();
    let long = format!("x=(\"{}\")", "a".repeat(20_000));
    huge.insert("signature-input", long.parse().unwrap());
    assert!(matches!(
        refused(&signed.target, &huge, Some(BODY)).await,
        SigningFault::Form(_)
    ));
    // None of these took the nonce.
    sent(&filter, ("POST", &signed.target), &headers, Some(BODY))
        .await
        .unwrap();
}

#[tokio::test]
async fn two_signatures_of_which_either_could_be_meant_are_refused() {
    let filter = filter(&MemoryVault::default());
    let (one, other) = (
        Signed::good(),
        Signed {
            keyid: "other",
            secret: "other-secret",
            ..Signed::good()
        },
    );
    let mut headers = one.headers();
    let second = other.headers();
    for name in ["signature-input", "signature"] {
        let text = second[name].to_str().unwrap().replacen("sig1", "sig2", 1);
        headers.append(name, text.parse().unwrap());
    }
    let found = fault(sent(&filter, ("POST", &one.target), &headers, Some(BODY)).await);
    assert_eq!(found, SigningFault::Several);
    // A signature of someone whom the route does not know says nothing.
    let stranger = Signed {
        keyid: "stranger",
        ..Signed::good()
    }
    .headers();
    let mut headers = Signed {
        nonce: nonce(),
        ..one.clone()
    }
    .headers();
    for name in ["signature-input", "signature"] {
        let text = stranger[name].to_str().unwrap().replacen("sig1", "sig2", 1);
        headers.append(name, text.parse().unwrap());
    }
    sent(&filter, ("POST", &one.target), &headers, Some(BODY))
        .await
        .unwrap();
}
