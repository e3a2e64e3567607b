//! An entry has one spelling: it comes back as it was, and every other spelling is refused.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

use super::glance::glance;
use super::*;
use crate::{BatchWriter, Item, ItemView, decode_items, encode_items, items_root};

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("[a-zà-ü機關 -]{0,30}".prop_map(|text| text.nfc().collect()))
}

fn facts() -> impl Strategy<Value = Facts> {
    let operation = prop::sample::select(&Operation::ALL[1..]);
    let outcome = prop::sample::select(Outcome::ALL);
    let texts = (text(), text(), text(), text(), text());
    let pair = option::of((any::<u64>(), any::<[u8; 16]>()));
    let batch = option::of((any::<u64>(), any::<[u8; 32]>()));
    let key = option::of(("[a-z0-9-]{1,20}", any::<u32>()));
    let bytes = (
        any::<Option<[u8; 32]>>(),
        any::<Option<[u8; 16]>>(),
        any::<Option<[u8; 32]>>(),
        any::<Option<[u8; 32]>>(),
    );
    (operation, outcome, texts, pair, batch, key, bytes).prop_map(
        |(operation, outcome, texts, pair, batch, key, bytes)| Facts {
            unit: texts.0,
            gateway: texts.1,
            purpose: texts.2,
            domain: texts.3,
            reason: texts.4,
            actor: pair.map(|(epoch, id)| Pseudonym { epoch, id }),
            batch: batch.map(|(count, root)| Batch {
                count,
                root: Hash(root),
            }),
            key,
            policy: bytes.0,
            request: bytes.1,
            commitment: bytes.2,
            detail: bytes.3,
            ..Facts::new(operation, outcome)
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>());
    (numbers, any::<[u8; 32]>(), any::<[u8; 8]>(), facts()).prop_map(|(n, prev, id, facts)| Entry {
        seq: n.0,
        prev: Hash(prev),
        time_us: n.1,
        boot: Boot {
            id,
            monotonic_us: n.2,
        },
        facts,
    })
}

fn plain(facts: Facts) -> Entry {
    let boot = Boot {
        id: [5; 8],
        monotonic_us: 1,
    };
    Entry {
        seq: 9,
        prev: Hash([4; 32]),
        time_us: 1_000_000,
        boot,
        facts,
    }
}

fn bytes_of(facts: Facts) -> Vec<u8> {
    plain(facts).encode().unwrap()
}

fn ok() -> Facts {
    Facts::new(Operation::Detokenize, Outcome::Ok)
}

fn rule(bytes: &[u8]) -> &'static str {
    match Entry::decode(bytes) {
        Err(EntryError::Spelling { rule, .. }) => rule,
        other => panic!("{other:?}"),
    }
}

/// The bytes with the only occurrence of `from` replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert_eq!(at.len(), 1, "{from:?} is not there once");
    [&bytes[..at[0]], to, &bytes[at[0] + from.len()..]].concat()
}

#[test]
fn a_schema_version_goes_with_its_keys_alone() {
    let plain = bytes_of(ok());
    let detailed = bytes_of(Facts {
        detail: Some([7; 32]),
        ..ok()
    });
    assert_eq!((plain[2], detailed[2]), (1, 2));
    for (bytes, schema) in [(&plain, 2), (&detailed, 1), (&plain, 3), (&detailed, 3)] {
        let mut other = bytes.clone();
        other[2] = schema;
        assert!(Entry::decode(&other).is_err(), "{schema}");
    }
}

proptest! {
    #[test]
    fn an_entry_comes_back_as_it_was(entry in entry()) {
        let bytes = entry.encode().unwrap();
        prop_assert_eq!(Entry::decode(&bytes).unwrap(), entry);
    }

    #[test]
    fn whatever_decodes_is_the_one_spelling(
        entry in entry(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = entry.encode().unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = Entry::decode(&bytes) {
            prop_assert_eq!(read.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = (Entry::decode(&bytes), Item::decode(&bytes), decode_items(&bytes));
    }

    #[test]
    fn a_cut_or_lengthened_entry_is_refused(entry in entry(), at in any::<prop::sample::Index>()) {
        let bytes = entry.encode().unwrap();
        prop_assert!(Entry::decode(&bytes[..at.index(bytes.len())]).is_err());
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert_eq!(rule(&longer), "bytes after the end");
    }
}

#[test]
fn the_bytes_of_an_entry_are_these() {
    let entry = plain(Facts {
        unit: Some("tax".to_owned()),
        ..ok()
    });
    let head = [0xa8, 0, 1, 1, 9, 2, 0x58, 32];
    let rest = [
        3, 0x1a, 0, 0x0f, 0x42, 0x40, 4, 0x82, 0x48, 5, 5, 5, 5, 5, 5, 5, 5, 1, 5, 3, 6, 0,
    ];
    let unit = [7, 0x63, b't', b'a', b'x'];
    let expected = [&head[..], &[4; 32], &rest, &unit].concat();
    assert_eq!(entry.encode().unwrap(), expected);
}

#[test]
fn a_number_not_in_its_shortest_form_is_refused() {
    let bytes = bytes_of(ok());
    let long = "not the shortest form";
    assert_eq!(
        rule(&replaced(
            &bytes,
            &[0xa7, 0, 1, 1, 9],
            &[0xa7, 0, 1, 1, 0x18, 9]
        )),
        long
    );
    assert_eq!(
        rule(&replaced(
            &bytes,
            &[0xa7, 0, 1, 1, 9],
            &[0xa7, 0, 1, 1, 0x19, 0, 9]
        )),
        long
    );
    let time = [3, 0x1a, 0, 0x0f, 0x42, 0x40];
    let padded = [3, 0x1b, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40];
    assert_eq!(rule(&replaced(&bytes, &time, &padded)), long);
    assert_eq!(
        rule(&replaced(&bytes, &[0xa7, 0, 1], &[0xb8, 7, 0, 1])),
        long
    );
    assert_eq!(
        rule(&replaced(&bytes, &[2, 0x58, 32], &[2, 0x59, 0, 32])),
        long
    );
}

#[test]
fn keys_out_of_order_twice_or_unknown_are_refused() {
    let bytes = bytes_of(Facts {
        unit: Some("tax".to_owned()),
        gateway: Some("edge".to_owned()),
        ..ok()
    });
    let (unit, gateway) = (b"\x07\x63tax", b"\x08\x64edge");
    let both = [&unit[..], gateway].concat();
    let order = "a key twice or out of order";
    let swapped = [&gateway[..], unit].concat();
    assert_eq!(rule(&replaced(&bytes, &both, &swapped)), order);
    assert_eq!(rule(&replaced(&bytes, gateway, b"\x07\x64edge")), order);
    assert_eq!(rule(&replaced(&bytes, gateway, b"\x00\x64edge")), order);
    assert_eq!(
        rule(&replaced(&bytes, gateway, b"\x15\x64edge")),
        "an unknown key"
    );
    let missing = "a required key is missing or out of order";
    assert_eq!(rule(&replaced(&bytes, &[6, 0, 7], &[7, 0, 7])), missing);
}

#[test]
fn other_kinds_of_items_are_refused() {
    let bytes = bytes_of(Facts {
        unit: Some("tax".to_owned()),
        ..ok()
    });
    let unit = b"\x07\x63tax";
    for other in [
        &b"\x07\x7f\x63tax\xff"[..], // indefinite text
        b"\x07\x43tax",              // bytes
        b"\x07\xc0\x63tax",          // a tag
        b"\x07\xf6",                 // null
        b"\x07\xf5",                 // true
        b"\x07\xf9\x3c\x00",         // a float
        b"\x07\x20",                 // a negative integer
        b"\x07\x80",                 // an array
    ] {
        assert!(
            Entry::decode(&replaced(&bytes, unit, other)).is_err(),
            "{other:?}"
        );
    }
    let indefinite_map = [&[0xbf], &bytes[1..], &[0xff]].concat();
    assert_eq!(rule(&indefinite_map), "an indefinite or reserved length");
}

#[test]
fn text_that_is_not_clean_is_refused_both_ways() {
    let bytes = bytes_of(Facts {
        unit: Some("tax".to_owned()),
        ..ok()
    });
    for unclean in [
        "e\u{301}", "a\u{7}b", "a\nb", "a\u{85}b", "\u{212b}", "\u{0}",
    ] {
        let facts = Facts {
            unit: Some(unclean.to_owned()),
            ..ok()
        };
        assert_eq!(plain(facts).encode(), Err(EntryError::Text), "{unclean:?}");
        let length = 0x60 + u8::try_from(unclean.len()).unwrap();
        let written = [&[7, length], unclean.as_bytes()].concat();
        let read = Entry::decode(&replaced(&bytes, b"\x07\x63tax", &written));
        assert!(read.is_err(), "{unclean:?}");
    }
    let not_utf8 = replaced(&bytes, b"\x07\x63tax", b"\x07\x63\xff\xfe\xfd");
    assert_eq!(rule(&not_utf8), "text that is not UTF-8");
}

#[test]
fn unknown_numbers_are_refused() {
    let bytes = bytes_of(ok());
    assert_eq!(
        rule(&replaced(&bytes, &[0xa7, 0, 1], &[0xa7, 0, 3])),
        "an unknown schema version"
    );
    assert_eq!(
        rule(&replaced(&bytes, &[5, 3, 6, 0], &[5, 0x18, 255, 6, 0])),
        "an unknown operation"
    );
    assert_eq!(
        rule(&replaced(&bytes, &[5, 3, 6, 0], &[5, 3, 6, 3])),
        "an unknown outcome"
    );
    let key = bytes_of(Facts {
        key: Some(("k".to_owned(), 7)),
        ..ok()
    });
    let wide = replaced(
        &key,
        b"\x61k\x07",
        b"\x61k\x1b\x00\x00\x00\x01\x00\x00\x00\x00",
    );
    assert_eq!(rule(&wide), "a key version above 32 bits");
}

#[test]
fn an_entry_has_at_most_4096_bytes() {
    let of_length = |length| Facts {
        purpose: Some("a".repeat(length)),
        ..ok()
    };
    let over = plain(of_length(4096)).encode();
    assert_eq!(over, Err(EntryError::TooLong));
    let room = ENTRY_BYTES_MAX - bytes_of(ok()).len() - 4;
    assert_eq!(bytes_of(of_length(room)).len(), ENTRY_BYTES_MAX);
    assert_eq!(
        plain(of_length(room + 1)).encode(),
        Err(EntryError::TooLong)
    );
    assert_eq!(
        Entry::decode(&[0; ENTRY_BYTES_MAX + 1]),
        Err(EntryError::TooLong)
    );
}

#[test]
fn the_genesis_entry_carries_the_format_and_no_other_does() {
    let genesis = plain(Facts::genesis());
    let bytes = genesis.encode().unwrap();
    assert_eq!(
        Entry::decode(&bytes).unwrap().facts.format.as_deref(),
        Some(FORMAT)
    );
    let other = Facts {
        format: Some("x".to_owned()),
        ..ok()
    };
    assert_eq!(plain(other).encode(), Err(EntryError::FormatOutsideGenesis));
    let smuggled = replaced(&bytes, &[5, 0, 6, 0], &[5, 1, 6, 0]);
    assert_eq!(
        Entry::decode(&smuggled),
        Err(EntryError::FormatOutsideGenesis)
    );
}

#[test]
fn the_format_text_names_every_number() {
    for operation in Operation::ALL {
        assert!(
            FORMAT.contains(&format!("{operation}: {}", operation.code())),
            "{operation}"
        );
    }
    for view in ItemView::ALL {
        assert!(
            FORMAT.contains(&format!("{view}: {}", view.code())),
            "{view}"
        );
    }
}

#[test]
fn items_come_back_as_they_were_and_in_one_spelling() {
    let item = |class: &str, view| Item {
        pseudonym: Pseudonym {
            epoch: 300,
            id: [3; 16],
        },
        class: class.to_owned(),
        view,
    };
    let items: Vec<Item> = ItemView::ALL
        .iter()
        .map(|view| item("pan", *view))
        .collect();
    let bytes = encode_items(&items).unwrap();
    assert_eq!(decode_items(&bytes).unwrap(), items);
    let mut runs = BatchWriter::default();
    let twice = [&items[..1], &items[..1], &items[1..]].concat();
    runs.push(&items[0], 2).unwrap();
    items[1..]
        .iter()
        .for_each(|item| runs.push(item, 1).unwrap());
    let (batch, run_bytes) = runs.finish();
    assert_eq!(decode_items(&run_bytes).unwrap(), twice);
    assert_eq!(
        (batch.count, batch.root),
        (twice.len() as u64, items_root(&twice).unwrap())
    );
    assert!(decode_items(&bytes[..bytes.len() - 1]).is_err());
    let encoded = items[0].encode();
    let long_epoch = replaced(&encoded, &[0x19, 0x01, 0x2c], &[0x1a, 0, 0, 0x01, 0x2c]);
    assert!(Item::decode(&long_epoch).is_err());
    assert!(Item::decode(&[encoded.as_slice(), &[0]].concat()).is_err());
    let unknown_view = [&encoded[..encoded.len() - 1], &[7]].concat();
    assert!(Item::decode(&unknown_view).is_err());
    for refused in [
        item("e\u{301}", ItemView::Plain),
        item(&"a".repeat(1024), ItemView::Plain),
    ] {
        assert!(encode_items(std::slice::from_ref(&refused)).is_err());
        assert!(items_root(&[refused]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_read_without_copying_is_what_is_decoded(
        entry in entry(), at in any::<prop::sample::Index>(),
        cut in 0_usize..4, put in vec(any::<u8>(), 0..4)
    ) {
        let good = entry.encode().unwrap();
        let at = at.index(good.len());
        let end = (at + cut).min(good.len());
        let bad = [&good[..at], put.as_slice(), &good[end..]].concat();
        for bytes in [good, bad] {
            let viewed = decode::view(&bytes).map(view::EntryView::to_entry);
            prop_assert_eq!(viewed, Entry::decode(&bytes));
        }
    }

    // What is seen at a glance is what is decoded; and nearly everything is.
    #[test]
    fn what_is_seen_at_a_glance_is_what_is_decoded(
        entry in entry(), at in any::<prop::sample::Index>(),
        cut in 0_usize..4, put in vec(any::<u8>(), 0..4)
    ) {
        let good = entry.encode().unwrap();
        let at = at.index(good.len());
        let end = (at + cut).min(good.len());
        let bad = [&good[..at], put.as_slice(), &good[end..]].concat();
        for bytes in [&good, &bad] {
            if let Some(seen) = glance(bytes) {
                let read = Entry::decode(bytes).unwrap();
                prop_assert_eq!((seen.seq, seen.prev, seen.time_us), (read.seq, read.prev, read.time_us));
                prop_assert_eq!((seen.boot, seen.operation), (read.boot, read.facts.operation));
                prop_assert_eq!(seen.batch, read.facts.batch);
            }
        }
        let Facts { operation, unit, gateway, purpose, domain, reason, key, .. } = &entry.facts;
        let texts = [unit, gateway, purpose, domain, reason].into_iter().flatten();
        let short = texts.chain(key.iter().map(|(id, _)| id)).all(|text| text.len() < 256);
        let rare = [Operation::Genesis, Operation::SignerRotate].contains(operation) || entry.facts.detail.is_some();
        prop_assert_eq!(glance(&good).is_some(), short && !rare);
    }
}
