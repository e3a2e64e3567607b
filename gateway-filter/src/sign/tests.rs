//! Published signatures under published keys, and canonical texts one by one.

use ::http::{HeaderMap, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;

use super::code::{Code, Part, Place, Stamp, Unit};
use super::parameters::{Empty, Sorted, Source, Values};
use super::*;
use crate::media::{Coding, Format};
use crate::scan::Bounds;

/// RFC 9421 appendix B.1.2, B.1.3 and B.1.4.
const RSA_PSS: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB";
const P256: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==";
const ED25519: &str = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

fn pem(base64: &str) -> Vec<u8> {
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n").into_bytes()
}

fn holds(algorithm: Algorithm, key: &str, base: &str, signature: &str) -> bool {
    let key = PublicKey::read(algorithm, &pem(key)).unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    key.verifies(base.as_bytes(), &signature)
}

#[test]
fn the_rfcs_own_signatures_hold_and_altered_ones_do_not() {
    let b21 = "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==";
    let base = "\"@signature-params\": ();created=1618884473;keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"";
    assert!(holds(Algorithm::RsaPssSha512, RSA_PSS, base, b21));
    assert!(!holds(Algorithm::RsaV15Sha256, RSA_PSS, base, b21));
    let b24 =
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==";
    let base = "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n\"content-length\": 23\n\"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-ecc-p256\"";
    assert!(holds(Algorithm::EcdsaP256Sha256, P256, base, b24));
    let altered = base.replace("200", "201");
    assert!(!holds(Algorithm::EcdsaP256Sha256, P256, &altered, b24));
    let b26 =
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"";
    assert!(holds(Algorithm::Ed25519, ED25519, base, b26));
}

#[test]
fn a_public_key_of_another_kind_or_none_is_refused() {
    let read = |algorithm, text: &[u8]| PublicKey::read(algorithm, text).err();
    let kind = Some(PublicKeyFault::Kind);
    assert_eq!(read(Algorithm::Ed25519, &pem(P256)), kind);
    assert_eq!(read(Algorithm::EcdsaP384Sha384, &pem(P256)), kind);
    assert_eq!(read(Algorithm::EcdsaP256Sha256, &pem(ED25519)), kind);
    assert_eq!(read(Algorithm::RsaV15Sha256, &pem(P256)), kind);
    assert_eq!(
        read(Algorithm::HmacSha256, &pem(P256)),
        Some(PublicKeyFault::Shared)
    );
    let two = [pem(P256), pem(P256)].concat();
    for text in [&b""[..], b"x", &two] {
        assert_eq!(
            read(Algorithm::EcdsaP256Sha256, text),
            Some(PublicKeyFault::Pem)
        );
    }
    let whole = STANDARD.decode(P256).unwrap();
    for end in 0..whole.len() {
        let cut = pem(&STANDARD.encode(&whole[..end]));
        assert!(read(Algorithm::EcdsaP256Sha256, &cut).is_some(), "{end}");
    }
}

const BOUNDS: Bounds = Bounds {
    depth_max: 8,
    nodes_max: 100,
    fields_max: 100,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    Raw,
    Sorted,
}

fn profile(source: Source, text: Text) -> Code {
    Code {
        name: "test".to_owned(),
        source,
        sorted: (text == Text::Sorted).then(|| Sorted {
            pair_joiner: "&".to_owned(),
            value_joiner: "=".to_owned(),
            empty: Empty::Skip,
            values: Values::Plain,
        }),
        parts: vec![Part::Content],
        joiner: "\n".to_owned(),
        encoding: Encoding::HexLower,
        place: Place::Header("x-sign".parse().unwrap()),
        stamp: None,
        nonce: None,
    }
}

struct Sent {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Option<Bytes>,
    format: Format,
}

impl Sent {
    fn post(format: Format, body: &str) -> Self {
        Self {
            method: Method::POST,
            target: "/pay?q=1".to_owned(),
            headers: HeaderMap::new(),
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
            format,
        }
    }

    fn get(target: &str) -> Self {
        Self {
            method: Method::GET,
            target: target.to_owned(),
            body: None,
            ..Self::post(Format::Other, "")
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            start: Start::Request {
                method: &self.method,
                authority: "a.example",
                target: &self.target,
            },
            headers: &self.headers,
            body: self.body.as_ref(),
            media: Media {
                format: self.format,
                coding: Coding::Identity,
            },
            of: None,
        }
    }
}

fn text(code: &Code, sent: Sent) -> Result<String, SigningFault> {
    let sent = sent.with("x-sign", "00ff");
    let claimed = code.claimed(&sent.seen(), &BOUNDS, 1_800_000_000)?;
    assert_eq!(claimed.code, [0, 255]);
    Ok(String::from_utf8(claimed.text).unwrap())
}

#[test]
fn a_raw_text_is_the_body_or_the_query_of_a_get() {
    let code = profile(Source::BodyOrQuery, Text::Raw);
    let body = "{ \"a\" : 1 }\n";
    assert_eq!(
        text(&code, Sent::post(Format::Json, body)),
        Ok(body.to_owned())
    );
    assert_eq!(
        text(&code, Sent::get("/pay?b=%41&a=")),
        Ok("b=%41&a=".to_owned())
    );
    assert_eq!(text(&code, Sent::get("/pay")), Ok(String::new()));
}

#[test]
fn sorted_parameters_are_one_text_in_whatever_order_they_came() {
    let code = profile(Source::BodyOrQuery, Text::Sorted);
    let expected = Ok("a=1 2&b=王&c=x=y".to_owned());
    for form in [
        "c=x%3Dy&a=1+2&b=%E7%8E%8B&e=",
        "e=&b=%E7%8E%8B&c=x=y&a=1%202",
    ] {
        assert_eq!(
            text(&code, Sent::post(Format::Form, form)),
            expected,
            "{form}"
        );
        let get = Sent::get(&format!("/pay?{form}"));
        assert_eq!(text(&code, get), expected, "{form}");
    }
    let json = r#"{"c":"x=y","e":null,"b":"\u738b","a":"1 2"}"#;
    assert_eq!(text(&code, Sent::post(Format::Json, json)), expected);
    let json = r#"{"n":1.50,"t":true}"#;
    let numbers = text(&code, Sent::post(Format::Json, json));
    assert_eq!(numbers, Ok("n=1.50&t=true".to_owned()));
}

#[test]
fn parameters_with_two_readings_have_no_text() {
    let code = profile(Source::Body, Text::Sorted);
    for (format, body, fault) in [
        (Format::Form, "a=1&a=2", ParametersFault::Repeated),
        (Format::Form, "a=1&%61=2", ParametersFault::Repeated),
        (Format::Form, "a=1%26b=2", ParametersFault::Joiner),
        (Format::Form, "a%3D1=2", ParametersFault::Joiner),
        (Format::Form, "a=%4", ParametersFault::Unreadable),
        (
            Format::Json,
            r#"{"a":1,"a":2}"#,
            ParametersFault::Unreadable,
        ),
        (Format::Json, r#"{"a":[1]}"#, ParametersFault::Nested),
        (Format::Json, r#"{"a":{"b":1}}"#, ParametersFault::Nested),
        (Format::Json, r#"["a"]"#, ParametersFault::Unreadable),
        (Format::Json, r#"{"a":1}{"#, ParametersFault::Unreadable),
        (Format::Xml, "<a/>", ParametersFault::Unreadable),
    ] {
        let found = text(&code, Sent::post(format, body));
        assert_eq!(found, Err(fault.into()), "{body}");
    }
}

fn fresh() -> Code {
    let header = |name: &str| Place::Header(name.parse().unwrap());
    Code {
        parts: vec![
            Part::Method,
            Part::Path,
            Part::Timestamp,
            Part::Nonce,
            Part::Content,
        ],
        stamp: Some(Stamp {
            place: header("x-time"),
            unit: Unit::Milliseconds,
            window_seconds: 60,
            skew_seconds: 5,
        }),
        nonce: Some(header("x-nonce")),
        ..profile(Source::Body, Text::Raw)
    }
}

#[test]
fn times_and_nonces_are_parts_of_the_text_and_must_be_as_they_are_written() {
    let sent = |time: &str, nonce: &str| {
        Sent::post(Format::Other, "b")
            .with("x-time", time)
            .with("x-nonce", nonce)
    };
    let good = text(&fresh(), sent("1800000000000", "12345678"));
    assert_eq!(
        good,
        Ok("POST\n/pay\n1800000000000\n12345678\nb".to_owned())
    );
    for (time, nonce, fault) in [
        ("1800000000", "12345678", SigningFault::Stamp),
        ("+180000000000", "12345678", SigningFault::Stamp),
        ("1800000006000", "12345678", SigningFault::Early),
        ("1799999940000", "12345678", SigningFault::Old),
        ("1800000000000", "1234567", SigningFault::Nonce),
        ("1800000000000", "1234567\t", SigningFault::Nonce),
    ] {
        assert_eq!(
            text(&fresh(), sent(time, nonce)),
            Err(fault),
            "{time} {nonce}"
        );
    }
    let twice = sent("1800000000000", "12345678").with("x-time", "1800000000000");
    assert_eq!(text(&fresh(), twice), Err(SigningFault::Stamp));
    let without = Sent::post(Format::Other, "b");
    assert_eq!(text(&fresh(), without), Err(SigningFault::Stamp));
}

#[test]
fn a_code_is_there_once_and_in_its_one_spelling() {
    let code = profile(Source::Body, Text::Raw);
    let claimed = |sent: Sent| code.claimed(&sent.seen(), &BOUNDS, 0).err();
    let sent = || Sent::post(Format::Other, "b");
    assert_eq!(claimed(sent()), Some(SigningFault::Missing));
    let twice = sent().with("x-sign", "00").with("x-sign", "00");
    assert_eq!(claimed(twice), Some(SigningFault::Several));
    for other in ["00FF", "0", "zz", "00 ff", "＋1"] {
        let fault = claimed(sent().with("x-sign", other));
        let spelling = SigningFault::Unbelieved(Unbelieved::Spelling);
        assert!(
            [Some(spelling), Some(SigningFault::Missing)].contains(&fault),
            "{other}"
        );
    }
    for (encoding, text, other) in [
        (Encoding::HexUpper, "00FF", "00ff"),
        (Encoding::Base64, "AP8=", "AP8"),
        (Encoding::Base64Url, "AP8", "AP9"),
    ] {
        assert_eq!(encoding.bytes(text).as_deref(), Some(&[0, 255][..]));
        assert_eq!(encoding.text(&[0, 255]), text);
        assert_eq!(encoding.bytes(other), None);
    }
}

/// What is made with a profile whose words are parameters.
fn made(sent: &Sent) -> Result<(Option<String>, Option<String>), SigningFault> {
    let parameter = |name: &str| Place::Parameter(name.to_owned());
    let code = Code {
        place: parameter("sign"),
        stamp: Some(Stamp {
            place: parameter("ts"),
            unit: Unit::Seconds,
            window_seconds: 60,
            skew_seconds: 5,
        }),
        ..profile(Source::BodyOrQuery, Text::Sorted)
    };
    let (seen, now) = (sent.seen(), 1_800_000_000);
    let uncoded = code.uncoded(&seen, &BOUNDS, (now, [0; 16]))?;
    let text = uncoded.text;
    let changes = code.coded(&seen, &BOUNDS, uncoded.changes, &[0, 255])?;
    // What was made is read again.
    let again = Sent {
        target: changes
            .target
            .clone()
            .unwrap_or_else(|| sent.target.clone()),
        body: changes.body.clone().or_else(|| sent.body.clone()),
        method: sent.method.clone(),
        headers: HeaderMap::new(),
        format: sent.format,
    };
    let claimed = code.claimed(&again.seen(), &BOUNDS, now)?;
    assert_eq!((&claimed.text, claimed.code), (&text, vec![0, 255]));
    let body = changes
        .body
        .map(|body| String::from_utf8(body.to_vec()).unwrap());
    Ok((changes.target, body))
}

#[test]
fn words_of_a_profile_are_put_among_the_parameters() {
    let target = |target: &str| made(&Sent::get(target)).unwrap().0.unwrap();
    assert_eq!(target("/a?b=1"), "/a?b=1&ts=1800000000&sign=00ff");
    assert_eq!(target("/a"), "/a?ts=1800000000&sign=00ff");
    let body = |format, body: &str| made(&Sent::post(format, body)).map(|made| made.1.unwrap());
    assert_eq!(
        body(Format::Form, "b=1").unwrap(),
        "b=1&ts=1800000000&sign=00ff"
    );
    assert_eq!(
        body(Format::Json, "{ \"b\" : 1 }\n").unwrap(),
        "{ \"b\" : 1 ,\"ts\":\"1800000000\",\"sign\":\"00ff\"}\n"
    );
    assert_eq!(
        body(Format::Json, "{ }").unwrap(),
        "{ \"ts\":\"1800000000\",\"sign\":\"00ff\"}"
    );
    assert_eq!(body(Format::Form, "sign=1"), Err(SigningFault::Unplaced));
    assert_eq!(
        body(Format::Json, "[]"),
        Err(ParametersFault::Unreadable.into())
    );
    let bodiless = Sent {
        body: None,
        ..Sent::post(Format::Form, "")
    };
    assert_eq!(made(&bodiless), Err(SigningFault::Unplaced));
}

#[test]
fn an_answer_that_covers_its_status_and_body_is_enough() {
    let key = Arc::new(Key {
        name: "k".to_owned(),
        algorithm: Algorithm::HmacSha256,
        holder: Holder::Vault {
            key: "k".to_owned(),
            version: None,
        },
    });
    let demanded = signature::Demanded {
        keys: vec![key],
        covered: None,
        demands: api::signature::Demands {
            lifetime_seconds_max: 60,
            skew_seconds: 0,
        },
        scheme: "https".to_owned(),
        tag: None,
    };
    let candidate = |covered: &str, more: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for name in more {
            headers.insert(*name, "x".parse().unwrap());
        }
        let input =
            format!("s=({covered});created=1800000000;expires=1800000060;nonce=\"n\";keyid=\"k\"");
        headers.insert("signature-input", input.parse().unwrap());
        headers.insert("signature", "s=:AA==:".parse().unwrap());
        headers.insert("content-digest", "sha-256=:AA==:".parse().unwrap());
        let body = Bytes::from_static(b"b");
        let seen = Seen {
            start: Start::Response(StatusCode::OK),
            headers: &headers,
            body: Some(&body),
            media: Media::JSON,
            of: None,
        };
        demanded
            .candidate(&seen, 1_800_000_000)
            .map(|candidate| candidate.base)
    };
    assert!(
        candidate("\"@status\" \"content-digest\"", &[])
            .unwrap()
            .starts_with("\"@status\": 200\n")
    );
    for less in ["\"content-digest\"", "\"@status\"", ""] {
        let fault = candidate(less, &[]).unwrap_err();
        assert_eq!(fault.own_code(), "signature-coverage", "{less}");
    }
    // What says how the body is read counts where it is there.
    for name in ["content-type", "content-encoding"] {
        let less = candidate("\"@status\" \"content-digest\"", &[name]).unwrap_err();
        assert_eq!(less.own_code(), "signature-coverage", "{name}");
        let more = format!("\"@status\" \"content-digest\" \"{name}\"");
        assert!(candidate(&more, &[name]).is_ok(), "{name}");
    }
}

proptest! {
    /// Of two lists of parameters that differ, no two have one text.
    #[test]
    fn a_text_has_one_list_of_parameters(
        one in prop::collection::btree_map("[a&=%]{1,3}", "[a&=%]{1,3}", 0..4),
        other in prop::collection::btree_map("[a&=%]{1,3}", "[a&=%]{1,3}", 0..4),
        percent in any::<bool>(),
    ) {
        let values = if percent { Values::Percent } else { Values::Plain };
        let sorted = Sorted {
            pair_joiner: "&".to_owned(),
            value_joiner: "=".to_owned(),
            empty: Empty::Keep,
            values,
        };
        let text = |pairs: &std::collections::BTreeMap<String, String>| {
            sorted.text(pairs.clone().into_iter().collect(), None)
        };
        if let (Ok(first), Ok(second)) = (text(&one), text(&other)) {
            prop_assert_eq!(first == second, one == other);
        }
    }

    #[test]
    fn nothing_that_is_sent_makes_a_profile_panic(
        body in "[ -~]{0,40}",
        header in "[ -~]{0,20}",
        json in any::<bool>(),
    ) {
        let format = if json { Format::Json } else { Format::Form };
        let sent = Sent::post(format, &body).with("x-sign", header.trim());
        for code in [profile(Source::Body, Text::Sorted), fresh()] {
            let _ = code.claimed(&sent.seen(), &BOUNDS, 0);
        }
        let _ = made(&sent);
    }
}
