//! What must not be left of a key: its material, and all that is derived from it, as it would lie in memory.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use kms::{KeyKind, Usage};
use ring::digest::{SHA512, digest};
use ring::hkdf::{HKDF_SHA256, Salt};
use sha2::block_api::{compress256, compress512};

pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is in memory as long as the key is open.
    pub(crate) is_held: bool,
}

/// Of the material of every kind, used with these nonces: first of the service's cipher, then of the vault's own.
pub(crate) fn of(materials: &[(KeyKind, Vec<u8>)], nonces: &str) -> Vec<Secret> {
    let mut secrets = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>, is_held| {
        secrets.push(Secret {
            name,
            bytes,
            is_held,
        });
    };
    let nonces: Vec<&str> = nonces.split(' ').collect();
    for (kind, material) in materials {
        // Ciphers and codes keep only what is derived.
        let is_held = !matches!(kind.usage(), Usage::Encrypt | Usage::Mac);
        add(format!("{kind}: material"), material.clone(), is_held);
        match kind {
            KeyKind::Aes256 => {
                for (purpose, nonce) in [("cipher ", nonces[0]), ("", nonces[1])] {
                    let key = derived(material, &format!("jinku/v1 {purpose}xaes-256-gcm key"));
                    let commitment =
                        derived(material, &format!("jinku/v1 {purpose}commitment key"));
                    add(format!("{purpose}encryption key"), key.to_vec(), true);
                    // Kept for the next message; its first two round keys are itself.
                    let bytes = message_key(&key, nonce);
                    add(format!("{purpose}message key"), bytes, true);
                    for (name, state) in hmac_states(&commitment) {
                        add(
                            format!("{purpose}commitment {name}"),
                            big_endian(&state),
                            true,
                        );
                        add(
                            format!("{purpose}commitment {name}, as words"),
                            native(&state),
                            false,
                        );
                    }
                    add(
                        format!("{purpose}commitment key"),
                        commitment.to_vec(),
                        false,
                    );
                }
            }
            KeyKind::HmacSha256 => {
                let own = derived(material, "jinku/v1 hmac-sha-256 key");
                add("vault's own mac key".to_owned(), own.to_vec(), false);
                let raw: [u8; 32] = material.as_slice().try_into().unwrap();
                // Prepared, once: neither key is kept, the states after it are.
                for (whose, key) in [("vault's own", own), ("hmac-sha-256", raw)] {
                    for (name, state) in hmac_states(&key) {
                        add(format!("{whose} {name}"), native(&state), true);
                    }
                }
            }
            KeyKind::Ed25519 => {
                let [expanded, scalar] = ed25519(material);
                add("ed25519: expanded".to_owned(), expanded, false);
                add("ed25519: scalar".to_owned(), scalar, false);
            }
            KeyKind::EcdsaP256 => {
                let words = material.iter().rev().copied().collect();
                add("ecdsa-p256: as words".to_owned(), words, false);
            }
            // Their first two round keys are the key itself.
            KeyKind::JweDir | KeyKind::JweA256Kw => {}
            KeyKind::HmacSha384 | KeyKind::HmacSha512 => {
                for (name, bytes) in long_hmac_states(*kind, material) {
                    add(format!("{kind} {name}"), bytes, true);
                }
            }
        }
    }
    secrets
}

/// The hash of the seed, and the scalar in it (RFC 8032 section 5.1.5).
fn ed25519(seed: &[u8]) -> [Vec<u8>; 2] {
    let expanded = digest(&SHA512, seed).as_ref().to_vec();
    let mut scalar = expanded[..32].to_vec();
    scalar[0] &= 0xF8;
    scalar[31] = (scalar[31] & 0x7F) | 0x40;
    [expanded, scalar]
}

fn derived(material: &[u8], label: &str) -> [u8; 32] {
    let label = [label.as_bytes()];
    let mut key = [0; 32];
    let extracted = Salt::new(HKDF_SHA256, &[]).extract(material);
    let expanded = extracted.expand(&label, HKDF_SHA256).unwrap();
    expanded.fill(&mut key).unwrap();
    key
}

/// XAES-256-GCM's key for one nonce (C2SP XAES-256-GCM.md).
fn message_key(key: &[u8; 32], nonce: &str) -> Vec<u8> {
    let cipher = Aes256::new(key.into());
    let encrypt = |block: [u8; 16]| {
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        <[u8; 16]>::from(block)
    };
    let zero = u128::from_be_bytes(encrypt([0; 16]));
    let mask = (zero << 1) ^ ((zero >> 127) * 0x87);
    let half = |counter: u8| {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&[0, counter, b'X', 0]);
        for (byte, place) in block[4..].iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&nonce[place..place + 2], 16).unwrap();
        }
        encrypt((u128::from_be_bytes(block) ^ mask).to_be_bytes())
    };
    [half(1), half(2)].concat()
}

fn hmac_states(key: &[u8; 32]) -> [(&'static str, [u32; 8]); 2] {
    [("inner state", 0x36), ("outer state", 0x5C)].map(|(name, pad)| {
        let mut block = [pad; 64];
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        let mut state = [
            0x6A09_E667,
            0xBB67_AE85,
            0x3C6E_F372,
            0xA54F_F53A,
            0x510E_527F,
            0x9B05_688C,
            0x1F83_D9AB,
            0x5BE0_CD19,
        ];
        compress256(&mut state, &[block]);
        (name, state)
    })
}

/// The same for SHA-384 and SHA-512, whose initial states are in FIPS 180-4 sections 5.3.4 and 5.3.5.
fn long_hmac_states(kind: KeyKind, key: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    [("inner state", 0x36), ("outer state", 0x5C)].map(|(name, pad)| {
        let mut block = [pad; 128];
        block
            .iter_mut()
            .zip(key)
            .for_each(|(byte, key)| *byte ^= key);
        let mut state = if kind == KeyKind::HmacSha384 {
            [
                0xCBBB_9D5D_C105_9ED8,
                0x629A_292A_367C_D507,
                0x9159_015A_3070_DD17,
                0x152F_ECD8_F70E_5939,
                0x6733_2667_FFC0_0B31,
                0x8EB4_4A87_6858_1511,
                0xDB0C_2E0D_64F9_8FA7,
                0x47B5_481D_BEFA_4FA4,
            ]
        } else {
            [
                0x6A09_E667_F3BC_C908,
                0xBB67_AE85_84CA_A73B,
                0x3C6E_F372_FE94_F82B,
                0xA54F_F53A_5F1D_36F1,
                0x510E_527F_ADE6_82D1,
                0x9B05_688C_2B3E_6C1F,
                0x1F83_D9AB_FB41_BD6B,
                0x5BE0_CD19_137E_2179,
            ]
        };
        compress512(&mut state, &[block]);
        let bytes = state.iter().flat_map(|word| word.to_ne_bytes());
        (name, bytes.collect())
    })
}

fn big_endian(words: &[u32; 8]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn native(words: &[u32; 8]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
