//! A stamp has one form: whatever nobody signed in it is as it must be, but for what RFC 3161 leaves open.

use std::collections::BTreeSet;
use std::ops::Range;

use super::*;

/// `SEQUENCE { INTEGER 0 }`: that the stamp was granted, at the answer's beginning.
const GRANTED: [u8; 5] = [0x30, 3, 2, 1, 0];

/// Where the issuer's certificate stands in an answer: it is pinned, so what the answer has of it is not needed.
fn idle(authority: &Authority, answer: &[u8]) -> Range<usize> {
    authority.does(&["x509", "-in", "ca.pem", "-outform", "DER", "-out", "ca.der"]);
    let pinned = fs::read(authority.file("ca.der")).unwrap();
    let start = answer.windows(pinned.len()).position(|part| part == pinned);
    start.map_or(0..0, |start| start..start + pinned.len())
}

// Two things of an answer may be changed, and no third: whether the stamp was granted as it was asked for, and a
// certificate that the chain does not need.
#[test]
fn every_byte_counts() {
    let authority = Authority::open();
    let checkpoint = checkpoint();
    let answer = authority.answer(&stamp_request(&checkpoint, 1));
    let trust = authority.trust("ca.pem");
    let granted = answer.windows(5).position(|part| part == GRANTED).unwrap() + 4;
    let idle = idle(&authority, &answer);
    // Its tag and length are what makes it a certificate.
    let content = idle.start + 4..idle.end;
    let mut open = BTreeSet::new();
    for at in 0..answer.len() {
        for bit in 0..8 {
            let mut changed = answer.clone();
            changed[at] ^= 1 << bit;
            if verify_stamp(&changed, &checkpoint, &trust).is_ok() && !content.contains(&at) {
                open.insert((at, bit));
            }
        }
        assert!(
            verify_stamp(&answer[..at], &checkpoint, &trust).is_err(),
            "cut at {at}"
        );
    }
    // `grantedWithMods` for `granted` (RFC 3161 section 2.4.2).
    assert_eq!(open, BTreeSet::from([(granted, 0)]));
    let stretched = [answer.as_slice(), &[0]].concat();
    assert!(verify_stamp(&stretched, &checkpoint, &trust).is_err());
}

/// An element of DER: its tag, and what is in it.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let head = match content.len() {
        short @ 0..0x80 => vec![tag, u8::try_from(short).unwrap()],
        long => {
            let [high, low] = u16::try_from(long).unwrap().to_be_bytes();
            vec![tag, 0x82, high, low]
        }
    };
    [&head, content].concat()
}

/// The elements that stand in an element, whole.
fn parts(whole: &[u8]) -> Vec<Vec<u8>> {
    let length = |bytes: &[u8]| match bytes[1] {
        short @ 0..=0x7F => (2, usize::from(short)),
        0x81 => (3, usize::from(bytes[2])),
        _ => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
    };
    let mut rest = &whole[length(whole).0..];
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (head, content) = length(rest);
        parts.push(rest[..head + content].to_vec());
        rest = &rest[head + content..];
    }
    parts
}

/// The element with one of its parts changed, however deep; lengths are written anew.
fn changed(whole: &[u8], way: &[usize], change: &dyn Fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>) -> Vec<u8> {
    let mut inner = parts(whole);
    match way {
        [] => inner = change(inner),
        [at, way @ ..] => inner[*at] = changed(&inner[*at], way, change),
    }
    element(whole[0], &inner.concat())
}

/// The way to what is signed (`SignedData`) in an answer, and from there to its signature (`SignerInfo`).
const SIGNED: [usize; 3] = [1, 1, 0];
const SIGNED_BY: [usize; 4] = [1, 1, 0, 4];
const SIGNER: [usize; 5] = [1, 1, 0, 4, 0];

/// A change to the parts of an element.
type Change = Box<dyn Fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>>;

fn with(part: Vec<u8>) -> Change {
    Box::new(move |mut all| {
        all.push(part.clone());
        all
    })
}

fn put_at(at: usize, part: Vec<u8>) -> Change {
    Box::new(move |mut all| {
        all[at].clone_from(&part);
        all
    })
}

/// A good answer, to be taken apart.
struct Good {
    answer: Vec<u8>,
    checkpoint: Checkpoint,
    trust: StampTrust,
}

impl Good {
    fn answer() -> Self {
        let (authority, checkpoint) = (Authority::open(), checkpoint());
        Self {
            answer: authority.answer(&stamp_request(&checkpoint, 1)),
            trust: authority.trust("ca.pem"),
            checkpoint,
        }
    }

    fn after(&self, way: &[usize], change: &Change) -> Option<StampError> {
        let changed = changed(&self.answer, way, change);
        verify_stamp(&changed, &self.checkpoint, &self.trust).err()
    }

    #[track_caller]
    fn refuses(&self, way: &[usize], change: &Change) {
        let error = self.after(way, change);
        assert!(matches!(error, Some(StampError::Malformed(_))), "{error:?}");
    }

    /// The bag of certificates.
    fn bag(&self) -> Vec<u8> {
        let signed = parts(&parts(&parts(&self.answer)[1])[1])[0].clone();
        parts(&signed)[3].clone()
    }
}

// Whole elements, added, left out and exchanged, with lengths that are right: what a flipped bit does not reach.
#[test]
fn nothing_is_added_to_what_nobody_signed() {
    let good = Good::answer();
    // This test takes answers apart and puts them together as they were.
    assert_eq!(changed(&good.answer, &SIGNER, &|all| all), good.answer);
    // Left open by RFC 3161: the authority's words beside the status, and certificates that nobody needs.
    let words = element(0x30, &element(0x0C, b"Operation Okay"));
    assert_eq!(good.after(&[0], &with(words)), None);
    let bag = good.bag();
    let own = parts(&bag)[0].clone();
    let more = element(bag[0], &[parts(&bag).concat(), own.clone()].concat());
    assert_eq!(good.after(&SIGNED, &put_at(3, more)), None);
    // Attributes that nobody signed, lists of revocations, certificates of another kind, a second signature.
    good.refuses(&SIGNER, &with(element(0xA1, &parts(&own)[0])));
    let revoked = element(0xA1, &element(0x30, &[]));
    let before_signers: Change = Box::new(move |mut all| {
        all.insert(4, revoked.clone());
        all
    });
    good.refuses(&SIGNED, &before_signers);
    let another = element(bag[0], &[parts(&bag).concat(), element(0xA1, &[])].concat());
    good.refuses(&SIGNED, &put_at(3, another));
    let twice: Change = Box::new(|mut all| {
        all.push(all[0].clone());
        all
    });
    good.refuses(&SIGNED_BY, &twice);
    // Why it would have failed, in one that is granted.
    good.refuses(&[0], &with(vec![3, 2, 0, 1]));
}

// DER has one spelling of a length (X.690 section 10.1), in what nobody signed as elsewhere.
#[test]
fn a_length_has_its_shortest_spelling() {
    let good = Good::answer();
    let refuses = |answer: &[u8]| {
        let judged = verify_stamp(answer, &good.checkpoint, &good.trust);
        assert!(
            matches!(judged, Err(StampError::Malformed(_))),
            "{judged:?}"
        );
    };
    let content = parts(&good.answer);
    let body = content.concat();
    let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
    assert_eq!([&[0x30, 0x82, high, low], &body[..]].concat(), good.answer);
    // Of the whole: a digit too many, one that says nothing, none; of the status: the long form of a short one.
    refuses(&[&[0x30, 0x83, 0, high, low], &body[..]].concat());
    refuses(&[&[0x30, 0x84, 0, 0, high, low], &body[..]].concat());
    refuses(&[&[0x30, 0x80], &body[..], &[0, 0]].concat());
    let status = [&[0x30, 0x81, 3], &content[0][2..]].concat();
    refuses(&element(0x30, &[status, content[1].clone()].concat()));
}

#[test]
fn versions_and_hashes_are_as_they_must_be() {
    let good = Good::answer();
    for version in [0, 1, 2, 4, 5] {
        good.refuses(&SIGNED, &put_at(0, vec![2, 1, version]));
    }
    for version in [0, 2, 3] {
        good.refuses(&SIGNER, &put_at(0, vec![2, 1, version]));
    }
    good.refuses(&SIGNED, &put_at(1, vec![0x31, 0]));
    let sha512 = element(6, &[0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 2, 3]);
    let other = element(0x31, &element(0x30, &sha512));
    good.refuses(&SIGNED, &put_at(1, other));
    // Parameters: a null or none, as RFC 5754 section 2 has it, and nothing else.
    let sha256 = element(6, &[0x60, 0x86, 0x48, 0x01, 0x65, 3, 4, 2, 1]);
    for (parameters, expected) in [
        (vec![], None),
        (vec![5, 0], None),
        (vec![5, 1, 0], Some(StampError::Algorithm)),
        (vec![2, 1, 0], Some(StampError::Algorithm)),
        (vec![5, 0, 5, 0], Some(StampError::Algorithm)),
    ] {
        let named = element(0x30, &[sha256.clone(), parameters].concat());
        let listed = put_at(1, element(0x31, &named));
        assert_eq!(good.after(&SIGNED, &listed), expected);
        assert_eq!(good.after(&SIGNER, &put_at(2, named)), expected);
    }
}
