//! Messages under shared keys against another implementation's, published ones, and everything that is none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{PLAINTEXT_BYTES_MAX, SharedKey, key_id, named_key};
use crate::error::Error;
use crate::jwe::compact::{Compact, unwrap};
use crate::key::{KeyId, KeyKind};

const ID: [u8; 16] = [0xA5; 16];
const KINDS: [KeyKind; 2] = [KeyKind::JweDir, KeyKind::JweA256Kw];

/// Made by jwcrypto 1.6.1 under the bytes 1 to 32.
const PEER: [&str; 2] = [
    concat!(
        "eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIiwgImtpZCI6ICJhNWE1YTVhNS1hNWE1LWE1YTUtYTVhNS1hNWE1YTVhNWE1YTU6",
        "djciLCAiY3R5IjogInRleHQvcGxhaW4ifQ..zIu7z2imwllhQ0oY.3glR7lYyt1ZNs_xMiSJKgG_ceZk.KKIw-jlCoiU8Fngdg5qvYg",
    ),
    concat!(
        "eyJhbGciOiAiQTI1NktXIiwgImVuYyI6ICJBMjU2R0NNIiwgImtpZCI6ICJhNWE1YTVhNS1hNWE1LWE1YTUtYTVhNS1hNWE1YTVhNWE1",
        "YTU6djciLCAiY3R5IjogInRleHQvcGxhaW4ifQ.Ev8-T0AJeVcybJdTDQGprJd4-BosJZP9hvnAfDRJ3qWfWskE4bbRiw.JhYptRaVGZ",
        "a2O-4j.gTZKeMoxeE1trAHoGKoKF0kGxuY.oobnxcj-6SrZ51wVAAvV5Q",
    ),
];

fn id() -> KeyId {
    KeyId::from_uuid(ID)
}

fn key_of(kind: KeyKind, id: &KeyId, version: u32) -> SharedKey {
    let bytes: [u8; 32] = std::array::from_fn(|place| u8::try_from(place + 1).unwrap());
    SharedKey::new(kind, (id, version), &bytes).unwrap()
}

fn key(kind: KeyKind) -> SharedKey {
    key_of(kind, &id(), 7)
}

#[track_caller]
fn refused(key: &SharedKey, message: &str) {
    assert!(
        matches!(key.open(message), Err(Error::Unopened)),
        "{message}"
    );
}

fn header_of(message: &str) -> Value {
    let header = message.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

/// The message with another header; its tag is of the first one.
fn with_header(message: &str, header: &str) -> String {
    let (_, rest) = message.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

/// A message whose tag is right for that header.
fn sealed_under(header: &str) -> String {
    let bytes: [u8; 32] = std::array::from_fn(|place| u8::try_from(place + 1).unwrap());
    super::sealed(header, (&bytes, &[]), b"value", 100).unwrap()
}

#[test]
fn another_implementations_messages_open_under_their_kind_of_key_alone() {
    for (kind, message) in KINDS.into_iter().zip(PEER) {
        let opened = key(kind).open(message).ok().unwrap();
        assert_eq!(opened.plaintext.expose(), "身分證 A123456789".as_bytes());
        assert_eq!(opened.cty.as_deref(), Some("text/plain"));
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            refused(&key(other), message);
        }
    }
}

#[test]
fn a_message_says_its_suite_key_and_type_and_nothing_else() {
    for (kind, alg, key_chars) in [(KINDS[0], "dir", 0), (KINDS[1], "A256KW", 54)] {
        let kid = "a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5:v7";
        let message = key(kind).seal(b"value", Some("a/b; c=\"d\"")).unwrap();
        let expected = json!({ "alg": alg, "enc": "A256GCM", "kid": kid, "cty": "a/b; c=\"d\"" });
        assert_eq!(header_of(&message), expected);
        assert_eq!(message.split('.').nth(1).unwrap().len(), key_chars);
        assert_eq!(named_key(&message).unwrap(), (id(), 7));
        let plain = key(kind).seal(b"value", None).unwrap();
        assert_eq!(
            header_of(&plain),
            json!({ "alg": alg, "enc": "A256GCM", "kid": kid })
        );
        assert_eq!(key(kind).open(&plain).ok().unwrap().cty, None);
        let again = key(kind).seal(b"value", None).unwrap();
        let parts = plain.split('.').zip(again.split('.'));
        let alike = parts.filter(|(one, other)| one == other).count();
        assert_eq!(alike, if key_chars == 0 { 2 } else { 1 });
    }
}

#[test]
fn another_key_version_kind_or_name_does_not_open() {
    for kind in KINDS {
        let message = key(kind).seal(b"value", None).unwrap();
        refused(&key_of(kind, &id(), 8), &message);
        refused(&key_of(kind, &KeyId::from_uuid([1; 16]), 7), &message);
        let other = SharedKey::new(kind, (&id(), 7), &[9; 32]).unwrap();
        refused(&other, &message);
    }
    for kind in KeyKind::ALL
        .into_iter()
        .filter(|kind| !KINDS.contains(kind))
    {
        assert!(SharedKey::new(kind, (&id(), 1), &[9; 32]).is_err());
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    for kind in KINDS {
        let message = key(kind).seal(b"value", Some("text/plain")).unwrap();
        for place in 0..message.len() {
            for bit in 0..7 {
                let mut flipped = message.clone().into_bytes();
                flipped[place] ^= 1 << bit;
                refused(&key(kind), &String::from_utf8(flipped).unwrap());
            }
        }
        for end in 0..message.len() {
            refused(&key(kind), &message[..end]);
        }
        for more in [".", "=", "A", " ", "\n", ".AAAA"] {
            refused(&key(kind), &format!("{message}{more}"));
            refused(&key(kind), &format!("{more}{message}"));
        }
    }
}

#[test]
fn a_header_is_refused_for_what_it_says_not_for_its_tag() {
    let dir = key(KeyKind::JweDir);
    let kid = key_id(&id(), 7);
    let with = |more: &str| format!(r#"{{"alg":"dir","enc":"A256GCM","kid":"{kid}"{more}}}"#);
    assert!(dir.open(&sealed_under(&with(""))).is_ok());
    // What is not known is ignored (RFC 7516 section 4), unless it says that it must be understood.
    assert!(
        dir.open(&sealed_under(&with(r#","iat":1,"typ":"JOSE""#)))
            .is_ok()
    );
    for more in [
        r#","crit":["iat"],"iat":1"#,
        r#","crit":[]"#,
        r#","zip":"DEF""#,
        r#","cty":7"#,
        r#","cty":null"#,
        r#","alg":"dir""#,
        r#","kid":"a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5:v7""#,
        r#","x":{"a":1,"a":2}"#,
    ] {
        refused(&dir, &sealed_under(&with(more)));
    }
    for header in [
        r#"{"alg":"dir","enc":"A256GCM"}"#.to_owned(),
        format!(r#"{{"enc":"A256GCM","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"dir","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"dir","enc":"A128GCM","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"none","enc":"A256GCM","kid":"{kid}"}}"#),
        format!(r#"{{"alg":["dir"],"enc":"A256GCM","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"A256KW","enc":"A256GCM","kid":"{kid}"}}"#),
        r#"{"alg":"dir","enc":"A256GCM","kid":"a5a5a5a5-a5a5-a5a5-a5a5-a5a5a5a5a5a5:v07"}"#
            .to_owned(),
        r#"{"alg":"dir","enc":"A256GCM","kid":"A5A5A5A5-a5a5-a5a5-a5a5-a5a5a5a5a5a5:v7"}"#
            .to_owned(),
        "[]".to_owned(),
        String::new(),
    ] {
        refused(&dir, &sealed_under(&header));
        refused(&dir, &with_header(&sealed_under(&with("")), &header));
    }
    // With `dir` there is no encrypted key (RFC 7516 section 5.2, step 10).
    let message = dir.seal(b"value", None).unwrap();
    refused(&dir, &message.replacen("..", ".AAAA.", 1));
}

#[test]
fn a_name_has_one_spelling() {
    let named = |kid: &str| {
        let header = json!({ "kid": kid }).to_string();
        named_key(&format!("{}.", URL_SAFE_NO_PAD.encode(header)))
    };
    assert_eq!(named("tax:v4294967295").unwrap().1, u32::MAX);
    for kid in [
        "",
        "tax",
        "tax:v",
        "tax:v01",
        "tax:v+1",
        "tax:v4294967296",
        ":v1",
        "Tax:v1",
        "tax:1",
    ] {
        assert!(matches!(named(kid), Err(Error::Unopened)), "{kid}");
    }
    for text in ["", ".", "AAAA.", "e30.", &"A".repeat(100_000)] {
        assert!(named_key(text).is_err());
    }
}

/// Wycheproof, `json_web_encryption_test.json` of version 1, its key for `A256KW`: cases 29 and 23.
#[test]
fn wycheproof_a256kw() {
    let key = URL_SAFE_NO_PAD
        .decode("W1vBUI1-5HARc-qyT8hcYBt6q9sFNsztBrhlbl9W2CA")
        .unwrap();
    let key: [u8; 32] = key.try_into().unwrap();
    let message = concat!(
        "eyJhbGciOiJBMjU2S1ciLCJlbmMiOiJBMjU2R0NNIn0.0uzdircIKEX1LKM-NK5jyBQ0c5WW4tBZCwI3B6X07fSB67IX7h9SIw.",
        "_dL_tfX7vZyBAnYz._NcT.MY4RukMeEmU1VlcJ1i7Q4w",
    );
    let parsed = Compact::parse(message, "A256KW", 100).unwrap();
    let content_key = unwrap(&key, &parsed.key).unwrap();
    let (plaintext, _) = parsed.open(&content_key).unwrap();
    assert_eq!(plaintext.expose(), b"foo");
    let a128gcm = "eyJhbGciOiJBMjU2S1ciLCJlbmMiOiJBMTI4R0NNIn0.vFtNypyvyX3ZUuXZuWdq-oz0LrxFWccH.aleRxWxKrolqgOBo.TzV5.EdgzybAq-mZDpIYHwadHQQ";
    assert!(Compact::parse(a128gcm, "A256KW", 100).is_none());
    // Its header names no key: it opens for nobody who asks for one by name.
    let ours = SharedKey::new(KeyKind::JweA256Kw, (&id(), 1), &key).unwrap();
    refused(&ours, message);
}

/// RFC 3394 section 4.6: 256 bits of key under a 256-bit key.
#[test]
fn rfc_3394_section_4_6() {
    let wrapping: [u8; 32] = std::array::from_fn(|place| u8::try_from(place).unwrap());
    let wrapped = [
        0x28, 0xC9, 0xF4, 0x04, 0xC4, 0xB8, 0x10, 0xF4, 0xCB, 0xCC, 0xB3, 0x5C, 0xFB, 0x87, 0xF8,
        0x26, 0x3F, 0x57, 0x86, 0xE2, 0xD8, 0x0E, 0xD3, 0x26, 0xCB, 0xC7, 0xF0, 0xE7, 0x1A, 0x99,
        0xF4, 0x3B, 0xFB, 0x98, 0x8B, 0x9B, 0x7A, 0x02, 0xDD, 0x21,
    ];
    let key = unwrap(&wrapping, &wrapped).unwrap();
    let expected: Vec<u8> = [
        &[
            0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD,
            0xEE, 0xFF,
        ][..],
        &wrapping[..16],
    ]
    .concat();
    assert_eq!(&key[..], expected);
    let mut altered = wrapped;
    altered[39] ^= 1;
    assert!(unwrap(&wrapping, &altered).is_err());
    assert!(unwrap(&wrapping, &wrapped[..32]).is_err());
}

#[test]
fn what_is_too_long_is_said() {
    let key = key(KeyKind::JweA256Kw);
    let over = vec![0; PLAINTEXT_BYTES_MAX + 1];
    assert!(matches!(key.seal(&over, None), Err(Error::TooLong { .. })));
    let cty = "a".repeat(8_192);
    assert!(matches!(
        key.seal(b"", Some(&cty)),
        Err(Error::TooLong { .. })
    ));
}

proptest! {
    #[test]
    fn what_is_sealed_opens(plaintext: Vec<u8>, cty: Option<String>, version: u32) {
        for kind in KINDS {
            let key = key_of(kind, &id(), version);
            let message = key.seal(&plaintext, cty.as_deref()).unwrap();
            let opened = key.open(&message).ok().unwrap();
            prop_assert_eq!(opened.plaintext.expose(), &plaintext);
            prop_assert_eq!(&opened.cty, &cty);
            prop_assert_eq!(named_key(&message).unwrap(), (id(), version));
        }
    }

    #[test]
    fn no_text_opens_or_makes_the_parsers_fall(text in ".{0,200}|[A-Za-z0-9_-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){4}") {
        for kind in KINDS {
            prop_assert!(key(kind).open(&text).is_err());
        }
        let _ = named_key(&text);
    }
}
