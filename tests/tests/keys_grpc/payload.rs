//! What keys do, over gRPC and over REST with the same key.

use api::v1::{
    Context, DataKeyItem, DecryptItem, DecryptRequest, EncryptItem, EncryptRequest,
    GenerateDataKeyRequest, GenerateMacRequest, GenerateRandomRequest, MacItem, ReEncryptItem,
    ReEncryptRequest, ReadPublicKeyRequest, SignItem, SignRequest, SignatureForm, VerdictResponse,
    VerifyItem, VerifyMacItem, VerifyMacRequest, VerifyRequest, data_key_result, decrypt_result,
    encrypt_result, mac_result, re_encrypt_result, sign_item, sign_result, verdict_result,
    verify_item,
};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::json;
use tests::House;
use tonic::Code;

use crate::{KEEPER, USER, base64, code, made, of, pairs, rest, unbase64};

const FORM: &[u8] = b"form 114-2231";

fn encrypt(key: &str, items: &[&[u8]], context: &[(&str, &str)]) -> EncryptRequest {
    let item = |plaintext: &&[u8]| EncryptItem {
        plaintext: plaintext.to_vec(),
        context: pairs(context),
    };
    EncryptRequest {
        key: key.to_owned(),
        items: items.iter().map(item).collect(),
        ..EncryptRequest::default()
    }
}

/// A ciphertext, and the pairs of its context.
type Sealed<'a> = (&'a [u8], &'a [(&'a str, &'a str)]);

fn decrypt(key: &str, items: &[Sealed<'_>]) -> DecryptRequest {
    let item = |(ciphertext, context): &(&[u8], &[(&str, &str)])| DecryptItem {
        ciphertext: ciphertext.to_vec(),
        context: pairs(context),
    };
    DecryptRequest {
        key: key.to_owned(),
        items: items.iter().map(item).collect(),
        ..DecryptRequest::default()
    }
}

/// The outcomes of a decryption: a plaintext, or a code.
fn opened(answer: api::v1::DecryptResponse) -> Vec<Result<Vec<u8>, String>> {
    let one = |item: api::v1::DecryptResult| match item.result.unwrap() {
        decrypt_result::Result::Decrypted(opened) => Ok(opened.plaintext),
        decrypt_result::Result::Error(error) => Err(error.code),
    };
    answer.items.into_iter().map(one).collect()
}

fn sealed(answer: api::v1::EncryptResponse) -> Vec<Vec<u8>> {
    let one = |item: api::v1::EncryptResult| match item.result.unwrap() {
        encrypt_result::Result::Encrypted(made) => made.ciphertext,
        encrypt_result::Result::Error(error) => panic!("{}", error.code),
    };
    answer.items.into_iter().map(one).collect()
}

pub(crate) async fn ciphertexts_cross_the_faces(house: &House) {
    made(&house.keys(KEEPER), "aes-256", "files").await;
    let user = house.keys(USER);
    let context = [("case", "114-2231")];

    let over_grpc = user.encrypt(encrypt("files", &[FORM], &context), None);
    let over_grpc = sealed(over_grpc.await.unwrap()).remove(0);
    let body = json!({ "ciphertext": base64(&over_grpc), "context": { "case": "114-2231" } });
    let answer = rest(house, "/v1/keys/files/decrypt", &body);
    assert_eq!(unbase64(&answer["plaintext"]), FORM);

    let body = json!({ "plaintext": base64(FORM), "context": { "case": "114-2231" } });
    let over_rest = unbase64(&rest(house, "/v1/keys/files/encrypt", &body)["ciphertext"]);
    for key in ["files", ""] {
        let answer = user.decrypt(decrypt(key, &[(&over_rest, &context)]), None);
        assert_eq!(opened(answer.await.unwrap()), [Ok(FORM.to_vec())], "{key}");
    }

    made(&house.keys(KEEPER), "aes-256", "archive").await;
    let move_it = ReEncryptRequest {
        key: "files".to_owned(),
        to: "archive".to_owned(),
        items: vec![ReEncryptItem {
            ciphertext: over_rest,
            context: pairs(&context),
            new_context: Some(Context {
                pairs: pairs(&[("year", "114")]),
            }),
        }],
        ..ReEncryptRequest::default()
    };
    let moved = user.re_encrypt(move_it, None).await.unwrap();
    let Some(re_encrypt_result::Result::ReEncrypted(one)) = &moved.items[0].result else {
        panic!("it did not move: {moved:?}")
    };
    let answer = user.decrypt(
        decrypt("archive", &[(&one.ciphertext, &[("year", "114")])]),
        None,
    );
    let answer = answer.await.unwrap();
    assert_eq!(answer.key, moved.key);
    assert_eq!(opened(answer), [Ok(FORM.to_vec())]);
}

pub(crate) async fn an_item_that_fails_stands_alone(house: &House) {
    let user = house.keys(USER);
    let context = [("case", "1")];
    let made = user.encrypt(encrypt("files", &[b"one", b"two"], &context), None);
    let made = sealed(made.await.unwrap());
    let mut altered = made[0].clone();
    *altered.last_mut().unwrap() ^= 1;
    let items: [Sealed<'_>; 5] = [
        (&made[0], &context),
        (&altered, &context),
        (&made[1], &[("case", "2")]),
        (b"no ciphertext", &context),
        (&made[1], &context),
    ];
    let answer = user.decrypt(decrypt("files", &items), None).await.unwrap();
    let unopened = || Err("unopened".to_owned());
    let expected = [
        Ok(b"one".to_vec()),
        unopened(),
        unopened(),
        unopened(),
        Ok(b"two".to_vec()),
    ];
    assert_eq!(opened(answer), expected);
}

pub(crate) async fn data_keys_open_again(house: &House) {
    let user = house.keys(USER);
    let request = GenerateDataKeyRequest {
        key: "files".to_owned(),
        items: vec![DataKeyItem {
            bytes: 32,
            context: pairs(&[]),
        }],
        ..GenerateDataKeyRequest::default()
    };
    let both = user.generate_data_key(request.clone(), None).await.unwrap();
    let wrapped = user.generate_wrapped_data_key(request, None).await.unwrap();
    let made = |answer: api::v1::GenerateDataKeyResponse| match answer.items[0].result.clone() {
        Some(data_key_result::Result::DataKey(made)) => made,
        other => panic!("no data key: {other:?}"),
    };
    let (both, wrapped) = (made(both), made(wrapped));
    assert_eq!(wrapped.plaintext, None);
    let items: [Sealed<'_>; 2] = [(&both.ciphertext, &[]), (&wrapped.ciphertext, &[])];
    let plain = opened(user.decrypt(decrypt("", &items), None).await.unwrap());
    assert_eq!(plain[0], Ok(both.plaintext.unwrap()));
    assert_eq!(plain[1].as_ref().unwrap().len(), 32);

    let drawn = user.generate_random(GenerateRandomRequest { bytes: 48 }, None);
    assert_eq!(drawn.await.unwrap().bytes.len(), 48);
}

fn verdicts(answer: VerdictResponse) -> Vec<bool> {
    let one = |item: api::v1::VerdictResult| match item.result.unwrap() {
        verdict_result::Result::Verdict(verdict) => verdict.valid,
        verdict_result::Result::Error(error) => panic!("{}", error.code),
    };
    answer.items.into_iter().map(one).collect()
}

pub(crate) async fn codes_are_the_same_on_both_faces(house: &House) {
    made(&house.keys(KEEPER), "hmac-sha-384", "codes").await;
    let user = house.keys(USER);
    let request = GenerateMacRequest {
        key: "codes".to_owned(),
        items: vec![MacItem {
            message: FORM.to_vec(),
        }],
        ..GenerateMacRequest::default()
    };
    let answer = user.generate_mac(request, None).await.unwrap();
    assert_eq!(answer.algorithm, "hmac-sha-384");
    let Some(mac_result::Result::Mac(made)) = &answer.items[0].result else {
        panic!("no code: {answer:?}")
    };
    let body = json!({ "message": base64(FORM) });
    let over_rest = rest(house, "/v1/keys/codes/mac", &body);
    assert_eq!(unbase64(&over_rest["mac"]), made.mac);
    let item = |message: &[u8]| VerifyMacItem {
        message: message.to_vec(),
        mac: made.mac.clone(),
        version: Some(1),
    };
    let request = VerifyMacRequest {
        key: "codes".to_owned(),
        items: vec![item(FORM), item(b"another form")],
        ..VerifyMacRequest::default()
    };
    let answer = user.verify_mac(request, None).await.unwrap();
    assert_eq!(verdicts(answer), [true, false]);
}

fn sign(key: &str, input: sign_item::Input) -> SignRequest {
    SignRequest {
        key: key.to_owned(),
        items: vec![SignItem {
            input: Some(input),
            form: SignatureForm::Der.into(),
        }],
        ..SignRequest::default()
    }
}

fn signature(answer: api::v1::SignResponse) -> Vec<u8> {
    match answer.items[0].result.clone() {
        Some(sign_result::Result::Signature(made)) => made.signature,
        other => panic!("no signature: {other:?}"),
    }
}

pub(crate) async fn signatures_are_the_same_on_both_faces(house: &House) {
    made(&house.keys(KEEPER), "ed25519", "seal").await;
    made(&house.keys(KEEPER), "ecdsa-p256", "stamp").await;
    let user = house.keys(USER);
    let message = sign_item::Input::Message(FORM.to_vec());
    let signed = user.sign(sign("seal", message), None).await.unwrap();
    assert_eq!(signed.algorithm, "ed25519");
    let signed = signature(signed);
    // Ed25519 draws nothing (RFC 8032 section 5.1.6): both faces sign alike.
    let over_rest = rest(
        house,
        "/v1/keys/seal/sign",
        &json!({ "message": base64(FORM) }),
    );
    assert_eq!(unbase64(&over_rest["signature"]), signed);

    let key = "seal".to_owned();
    let public = user.read_public_key(ReadPublicKeyRequest { key, version: None }, None);
    let public = public.await.unwrap();
    let jwk: serde_json::Value = serde_json::from_str(&public.jwk).unwrap();
    assert_eq!(jwk["kid"], format!("{}:v1", public.key));
    // The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key (RFC 8410 section 4).
    let body: String = public
        .pem
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let spki = unbase64(&json!(body));
    UnparsedPublicKey::new(&ED25519, &spki[spki.len() - 32..])
        .verify(FORM, &signed)
        .unwrap();

    let digest = ring::digest::digest(&ring::digest::SHA256, FORM);
    let digest = sign_item::Input::Digest(digest.as_ref().to_vec());
    let stamped = user.sign(sign("stamp", digest), None).await.unwrap();
    let stamped = signature(stamped);
    let item = |message: &[u8]| VerifyItem {
        input: Some(verify_item::Input::Message(message.to_vec())),
        signature: stamped.clone(),
        form: SignatureForm::Der.into(),
        version: None,
    };
    let request = VerifyRequest {
        key: "stamp".to_owned(),
        items: vec![item(FORM), item(b"another form")],
        ..VerifyRequest::default()
    };
    let answer = user.verify(request, None).await.unwrap();
    assert_eq!(verdicts(answer), [true, false]);
}

pub(crate) async fn refusals_say_why(house: &House) {
    let (keeper, user) = (house.keys(KEEPER), house.keys(USER));
    let one = |key: &str| encrypt(key, &[FORM], &[]);
    assert_eq!(
        code(keeper.encrypt(one("files"), None).await),
        "not-permitted"
    );
    assert_eq!(
        code(user.rotate_key(of("files"), None).await),
        "not-permitted"
    );
    // Who may not list keys does not learn which there are.
    assert_eq!(
        code(user.encrypt(one("nothing"), None).await),
        "not-permitted"
    );
    assert_eq!(
        code(keeper.rotate_key(of("nothing"), None).await),
        "key-unknown"
    );
    assert_eq!(
        code(user.encrypt(one("Files"), None).await),
        "key-name-invalid"
    );
    assert_eq!(code(user.encrypt(one("codes"), None).await), "key-usage");
    let nothing = encrypt("files", &[], &[]);
    assert_eq!(code(user.encrypt(nothing, None).await), "batch-empty");
    let unnamed = user.decrypt(decrypt("", &[]), None).await;
    assert_eq!(code(unnamed), "unopened");
    keeper.disable_key(of("files"), None).await.unwrap();
    assert_eq!(code(user.encrypt(one("files"), None).await), "key-state");

    let mut items = sign("stamp", sign_item::Input::Message(FORM.to_vec()));
    items.items.push(SignItem {
        input: Some(sign_item::Input::Digest(vec![0; 31])),
        form: 0,
    });
    let refused = user.sign(items, None).await.unwrap_err();
    assert_eq!(
        tests::refusal(&refused),
        (Code::InvalidArgument, "digest".to_owned())
    );
    let mut form = sign("stamp", sign_item::Input::Message(FORM.to_vec()));
    form.items[0].form = 7;
    assert_eq!(code(user.sign(form, None).await), "message-invalid");
    let stranger = house.keys(None);
    assert_eq!(
        code(stranger.encrypt(one("files"), None).await),
        "credential-missing"
    );
}
