//! Structures on their way: what arrives is what was sent, and nonsense is refused, not followed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test fixtures")]

use std::mem::offset_of;
use std::sync::LazyLock;

use cryptoki_sys as ck;
use hsm_wire::{
    Budget, Flow, Hello, Malformed, Node, Reader, Shape, Span, Welcome, Writer, attributes,
    mechanism, message,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

fn leaf(bytes: &[u8]) -> Node {
    Node::leaf(Zeroizing::new(bytes.to_vec()))
}

/// A structure's bytes with numbers at places.
fn structure(bytes: usize, numbers: &[(usize, u64)]) -> Zeroizing<Vec<u8>> {
    let mut structure = Zeroizing::new(vec![0; bytes]);
    for (at, number) in numbers {
        structure[*at..at + 8].copy_from_slice(&number.to_ne_bytes());
    }
    structure
}

/// The parameter of AES-GCM with this IV and AAD.
fn gcm(iv: &[u8], aad: &[u8]) -> Node {
    let bytes = size_of::<ck::CK_GCM_PARAMS>();
    let Some(Shape::Items(layout, 1)) = mechanism(ck::CKM_AES_GCM, bytes) else {
        panic!("no layout")
    };
    let numbers = [
        (offset_of!(ck::CK_GCM_PARAMS, pIv), 0xdead),
        (offset_of!(ck::CK_GCM_PARAMS, ulIvLen), iv.len() as u64),
        (offset_of!(ck::CK_GCM_PARAMS, ulAADLen), aad.len() as u64),
        (offset_of!(ck::CK_GCM_PARAMS, ulTagBits), 128),
    ];
    let children = vec![Some(leaf(iv)), Some(leaf(aad))];
    Node::structures(layout, 1, structure(bytes, &numbers), children).unwrap()
}

/// One attribute after the other: type and value.
fn template(flow: Flow, pairs: &[(u64, Option<Node>)]) -> Node {
    let layout = attributes(flow);
    let (mut bytes, mut children) = (Zeroizing::new(Vec::new()), Vec::new());
    for (kind, value) in pairs {
        let length = value
            .as_ref()
            .map_or(0, |value| value.shape().bytes().unwrap());
        let numbers = [(0, *kind), (16, length as u64)];
        bytes.extend_from_slice(&structure(layout.bytes, &numbers));
        children.push(value.clone());
    }
    Node::structures(layout, pairs.len(), bytes, children).unwrap()
}

fn sent(node: &Node, flow: Flow) -> Result<Node, Malformed> {
    let mut message = Writer::new();
    node.write(&mut message, flow);
    read(message.bytes(), node.shape(), flow)
}

fn read(message: &[u8], shape: Shape, flow: Flow) -> Result<Node, Malformed> {
    let mut reader = Reader::new(message);
    let node = Node::read(&mut reader, Span { shape, flow }, &mut Budget::default())?;
    reader.end()?;
    Ok(node)
}

#[test]
fn a_parameter_arrives_without_addresses() {
    let parameter = gcm(&[3; 12], b"aad");
    assert_eq!(&parameter.bytes()[..8], [0; 8]);
    assert_eq!(sent(&parameter, Flow::Both), Ok(parameter));
}

#[test]
fn a_template_in_a_template_arrives() {
    let inner = template(Flow::In, &[(ck::CKA_ENCRYPT, Some(leaf(&[1])))]);
    let outer = template(
        Flow::In,
        &[
            (ck::CKA_VALUE_LEN, Some(leaf(&[32, 0, 0, 0, 0, 0, 0, 0]))),
            (ck::CKA_LABEL, None),
            (ck::CKA_UNWRAP_TEMPLATE, Some(inner)),
        ],
    );
    assert_eq!(sent(&outer, Flow::In), Ok(outer));
}

#[test]
fn templates_that_are_too_deep_are_refused() {
    let mut node = template(Flow::In, &[(ck::CKA_ENCRYPT, Some(leaf(&[1])))]);
    for _ in 0..5 {
        node = template(Flow::In, &[(ck::CKA_UNWRAP_TEMPLATE, Some(node))]);
    }
    assert_eq!(sent(&node, Flow::In), Err(Malformed));
}

#[test]
fn what_the_token_wrote_comes_back_and_nothing_else() {
    let before = gcm(&[0; 12], b"aad");
    let after = gcm(&[9; 12], b"aad");
    let mut message = Writer::new();
    before.write_back(&after, &mut message);
    let aad = message.bytes().windows(3).any(|bytes| bytes == b"aad");
    assert!(!aad);
    let back = before.read_back(&mut Reader::new(message.bytes())).unwrap();
    assert_eq!(back, after);
}

#[test]
fn a_value_comes_back_as_long_as_it_is_and_not_at_all_if_it_does_not_fit() {
    let before = template(
        Flow::Out,
        &[
            (ck::CKA_LABEL, Some(leaf(&[0; 8]))),
            (ck::CKA_ID, Some(leaf(&[0; 2]))),
        ],
    );
    let layout = attributes(Flow::Out);
    let mut bytes = structure(48, &[(0, ck::CKA_LABEL), (16, 3)]);
    bytes[24..].copy_from_slice(&structure(24, &[(0, ck::CKA_ID), (16, u64::MAX)]));
    let children = vec![Some(leaf(b"abc\0\0\0\0\0")), Some(leaf(b"xy"))];
    let after = Node::structures(layout, 2, bytes, children).unwrap();
    let mut message = Writer::new();
    before.write_back(&after, &mut message);
    let back = before.read_back(&mut Reader::new(message.bytes())).unwrap();
    let values = back.children().iter().flatten().map(Node::bytes);
    assert_eq!(values.collect::<Vec<_>>(), [&b"abc"[..], b""]);
}

#[test]
fn a_length_that_contradicts_its_bytes_is_refused() {
    let parameter = gcm(&[3; 12], b"aad");
    let mut message = Writer::new();
    parameter.write(&mut message, Flow::Both);
    for (length, place) in [(u64::MAX, 8), (13, 8), (11, 8), (1 << 40, 32)] {
        let mut forged = message.bytes().to_vec();
        forged[place..place + 8].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(
            read(&forged, parameter.shape(), Flow::Both),
            Err(Malformed),
            "{length} at {place}"
        );
    }
}

#[test]
fn a_parameter_of_another_length_or_mechanism_has_no_shape() {
    assert!(mechanism(ck::CKM_AES_GCM, 47).is_none());
    assert!(mechanism(ck::CKM_VENDOR_DEFINED | 1, 16).is_none());
    assert_eq!(mechanism(ck::CKM_AES_CBC, 16), Some(Shape::Bytes(16)));
    assert!(message(47).is_none());
}

/// Every structure that a parameter may be, and templates.
static SHAPES: LazyLock<Vec<(Shape, Flow)>> = LazyLock::new(|| {
    let kinds = [
        ck::CKM_AES_GCM,
        ck::CKM_AES_CCM,
        ck::CKM_CHACHA20,
        ck::CKM_CHACHA20_POLY1305,
        ck::CKM_RSA_PKCS_OAEP,
        ck::CKM_RSA_AES_KEY_WRAP,
        ck::CKM_EDDSA,
        ck::CKM_ECDH1_DERIVE,
        ck::CKM_ECDH_AES_KEY_WRAP,
        ck::CKM_HKDF_DERIVE,
        ck::CKM_AES_CBC_ENCRYPT_DATA,
        ck::CKM_AES_ECB_ENCRYPT_DATA,
        ck::CKM_CONCATENATE_BASE_AND_KEY,
        ck::CKM_PKCS5_PBKD2,
        ck::CKM_SP800_108_COUNTER_KDF,
        ck::CKM_SP800_108_FEEDBACK_KDF,
        ck::CKM_AES_CBC,
    ];
    let lengths = || (8..128).step_by(8);
    let parameters = kinds.into_iter().map(|kind| {
        let found = lengths().find_map(|length| mechanism(kind, length));
        found.unwrap_or_else(|| panic!("no shape for {kind:#x}"))
    });
    let mut shapes: Vec<_> = parameters.chain(lengths().filter_map(message)).collect();
    assert_eq!(shapes.len(), 20);
    let mut shapes: Vec<_> = shapes.drain(..).map(|shape| (shape, Flow::Both)).collect();
    for items in [0, 1, 3, 2000] {
        let flows = [Flow::In, Flow::Out];
        shapes.extend(flows.map(|flow| (Shape::Items(attributes(flow), items), flow)));
    }
    shapes
});

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        Hello::read(&bytes).ok();
        Welcome::read(&bytes).ok();
        for (shape, flow) in SHAPES.iter().copied() {
            read(&bytes, shape, flow).ok();
        }
    }

    /// Mostly zeros: lengths stay small, so that the reader gets further.
    #[test]
    fn almost_right_bytes_are_read_or_refused(
        places in prop::collection::vec((0_usize..300, 0_u8..4), 0..40),
    ) {
        let mut bytes = vec![0; 300];
        for (place, byte) in places {
            bytes[place] = byte;
        }
        for (shape, flow) in SHAPES.iter().copied() {
            let mut reader = Reader::new(&bytes);
            let span = Span { shape, flow };
            if let Ok(node) = Node::read(&mut reader, span, &mut Budget::default()) {
                let again = sent(&node, flow);
                prop_assert_eq!(again.as_ref(), Ok(&node));
                node.read_back(&mut Reader::new(&bytes)).ok();
            }
        }
    }

    #[test]
    fn parameters_of_all_sizes_arrive(iv in any::<Vec<u8>>(), aad in any::<Vec<u8>>()) {
        let parameter = gcm(&iv, &aad);
        prop_assert_eq!(sent(&parameter, Flow::Both), Ok(parameter));
    }
}
