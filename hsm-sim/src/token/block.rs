//! AES beside GCM: CBC, CTR, ECB, OFB, CFB, CMAC (SP 800-38B), and key wrapping (RFC 3394, RFC 5649).

use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit,
    StreamCipher,
};
use aes_gcm::KeyInit;
use aes_kw::{AesKw, AesKwp, InnerInit};
use cmac::Cmac;
use zeroize::Zeroizing;

use super::hash;
use crate::error::{Error, Result};

/// Bytes of a block, of a CBC IV and of a CMAC tag.
pub(crate) const BLOCK_BYTES: usize = 16;

/// Whether the last block is filled up (PKCS #7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    None,
    Pkcs7,
}

/// How a key is wrapped under another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// RFC 3394: whole half-blocks only.
    Plain,
    /// RFC 5649: any length.
    Padded,
}

/// Evaluates an expression with the AES type of the key's length.
macro_rules! with_aes {
    ($key:expr, $type:ident => $act:expr) => {
        match $key.len() {
            16 => {
                type $type = aes::Aes128;
                $act
            }
            24 => {
                type $type = aes::Aes192;
                $act
            }
            32 => {
                type $type = aes::Aes256;
                $act
            }
            _ => Err(Error::KeySizeRange),
        }
    };
}

pub(crate) fn cbc_seal(
    key: &[u8],
    iv: &[u8; BLOCK_BYTES],
    padding: Padding,
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    if padding == Padding::None && !plaintext.len().is_multiple_of(BLOCK_BYTES) {
        return Err(Error::InputLength);
    }
    with_aes!(key, C => {
        let cbc = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(|_| Error::KeySizeRange)?;
        Ok(match padding {
            Padding::None => cbc.encrypt_padded_vec::<NoPadding>(plaintext),
            Padding::Pkcs7 => cbc.encrypt_padded_vec::<Pkcs7>(plaintext),
        })
    })
}

pub(crate) fn cbc_open(
    key: &[u8],
    iv: &[u8; BLOCK_BYTES],
    padding: Padding,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let is_whole = ciphertext.len().is_multiple_of(BLOCK_BYTES);
    if !is_whole || (padding == Padding::Pkcs7 && ciphertext.is_empty()) {
        return Err(Error::CiphertextLength);
    }
    with_aes!(key, C => {
        let cbc = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| Error::KeySizeRange)?;
        match padding {
            Padding::None => cbc.decrypt_padded_vec::<NoPadding>(ciphertext),
            Padding::Pkcs7 => cbc.decrypt_padded_vec::<Pkcs7>(ciphertext),
        }
        .map(Zeroizing::new)
        .map_err(|_| Error::CiphertextInvalid)
    })
}

/// Each block by itself: equal blocks stay visibly equal.
pub(crate) fn ecb_seal(key: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
    if !plaintext.len().is_multiple_of(BLOCK_BYTES) {
        return Err(Error::InputLength);
    }
    let mut sealed = plaintext.to_vec();
    with_aes!(key, C => {
        let cipher = C::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
        for block in sealed.chunks_exact_mut(BLOCK_BYTES) {
            cipher.encrypt_block(block.try_into().map_err(|_| Error::InputLength)?);
        }
        Ok(())
    })?;
    Ok(sealed)
}

pub(crate) fn ecb_open(key: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if !ciphertext.len().is_multiple_of(BLOCK_BYTES) {
        return Err(Error::CiphertextLength);
    }
    let mut opened = Zeroizing::new(ciphertext.to_vec());
    with_aes!(key, C => {
        let cipher = C::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
        for block in opened.chunks_exact_mut(BLOCK_BYTES) {
            cipher.decrypt_block(block.try_into().map_err(|_| Error::CiphertextLength)?);
        }
        Ok(())
    })?;
    Ok(opened)
}

/// Seals and opens alike. A counter of fewer bits than it needs would repeat its key stream.
pub(crate) fn ctr(
    key: &[u8],
    counter: &[u8; BLOCK_BYTES],
    bits: u32,
    input: &[u8],
) -> Result<Vec<u8>> {
    let blocks = input.len().div_ceil(BLOCK_BYTES) as u128;
    let low = u128::from_be_bytes(*counter) & (u128::MAX >> (128 - bits.clamp(1, 128)));
    let is_enough = bits >= 128 || low + blocks <= 1 << bits;
    if !is_enough {
        return Err(Error::InputLength);
    }
    let mut output = input.to_vec();
    with_aes!(key, C => {
        let mut stream = ctr::Ctr128BE::<C>::new_from_slices(key, counter)
            .map_err(|_| Error::KeySizeRange)?;
        stream.try_apply_keystream(&mut output).map_err(|_| Error::InputLength)
    })?;
    Ok(output)
}

/// A mode that makes AES a stream: output feedback, or cipher feedback of this many bytes at a time
/// (SP 800-38A §6.3, §6.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feedback {
    Output,
    Cipher(usize),
}

/// Which way a stream runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Seal,
    Open,
}

pub(crate) fn feed(
    key: &[u8],
    iv: &[u8; BLOCK_BYTES],
    feedback: Feedback,
    way: Way,
    input: &[u8],
) -> Result<Vec<u8>> {
    let step = match feedback {
        Feedback::Output => BLOCK_BYTES,
        Feedback::Cipher(bytes) => bytes,
    };
    let (mut register, mut output) = (*iv, Vec::with_capacity(input.len()));
    with_aes!(key, C => {
        let cipher = C::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
        for segment in input.chunks(step) {
            let mut stream = register;
            cipher.encrypt_block((&mut stream).into());
            let made: Vec<u8> = segment.iter().zip(stream).map(|(byte, mask)| byte ^ mask).collect();
            let fed = match (feedback, way) {
                (Feedback::Output, _) => stream.as_slice(),
                (Feedback::Cipher(_), Way::Seal) => &made,
                (Feedback::Cipher(_), Way::Open) => segment,
            };
            register.rotate_left(fed.len() % BLOCK_BYTES);
            register[BLOCK_BYTES - fed.len()..].copy_from_slice(fed);
            output.extend_from_slice(&made);
        }
        Ok(())
    })?;
    Ok(output)
}

/// The CMAC of `message`, 16 bytes.
pub(crate) fn cmac(key: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    with_aes!(key, C => hash::mac::<Cmac<C>>(key, message))
}

/// The first three bytes of the zero block's ciphertext (PKCS#11 §4.10.2).
pub(crate) fn check_value(key: &[u8]) -> Result<[u8; 3]> {
    let mut block = [0; BLOCK_BYTES];
    with_aes!(key, C => {
        let cipher = C::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
        cipher.encrypt_block((&mut block).into());
        Ok(())
    })?;
    Ok([block[0], block[1], block[2]])
}

/// Bytes of a wrapped key of `length` bytes.
pub(crate) fn wrapped_bytes(length: usize) -> usize {
    length.div_ceil(8) * 8 + 8
}

pub(crate) fn wrap(wrapping: Wrapping, key: &[u8], target: &[u8]) -> Result<Vec<u8>> {
    let is_whole = target.len().is_multiple_of(8) && target.len() >= 16;
    if target.is_empty() || (wrapping == Wrapping::Plain && !is_whole) {
        return Err(Error::InputLength);
    }
    let mut wrapped = vec![0; wrapped_bytes(target.len())];
    with_aes!(key, C => {
        let cipher = C::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
        match wrapping {
            Wrapping::Plain => AesKw::inner_init(cipher).wrap_key(target, &mut wrapped),
            Wrapping::Padded => AesKwp::inner_init(cipher).wrap_key(target, &mut wrapped),
        }
        .map(drop)
        .map_err(|_| Error::InputLength)
    })?;
    Ok(wrapped)
}

/// The key inside, or [`Error::CiphertextInvalid`] for whatever was altered.
pub(crate) fn unwrap(wrapping: Wrapping, key: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let shortest = match wrapping {
        Wrapping::Plain => 24,
        Wrapping::Padded => 16,
    };
    if wrapped.len() < shortest || !wrapped.len().is_multiple_of(8) {
        return Err(Error::CiphertextLength);
    }
    let mut room = Zeroizing::new(vec![0; wrapped.len()]);
    let length = with_aes!(key, C => {
        let cipher = C::new_from_slice(key).map_err(|_| Error::KeySizeRange)?;
        match wrapping {
            Wrapping::Plain => AesKw::inner_init(cipher).unwrap_key(wrapped, &mut room),
            Wrapping::Padded => AesKwp::inner_init(cipher).unwrap_key(wrapped, &mut room),
        }
        .map(<[u8]>::len)
        .map_err(|_| Error::CiphertextInvalid)
    })?;
    room.truncate(length);
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::hex;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap().to_vec()
    }

    /// RFC 3394 §4.6, and an altered byte.
    #[test]
    fn wrapping_agrees_with_rfc_3394() {
        let key: Vec<u8> = (0..32).collect();
        let target = bytes("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
        let mut wrapped = wrap(Wrapping::Plain, &key, &target).unwrap();
        let known = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43b\
                     fb988b9b7a02dd21";
        assert_eq!(*hex::encode(&wrapped), known);
        assert_eq!(*unwrap(Wrapping::Plain, &key, &wrapped).unwrap(), target);
        wrapped[9] ^= 1;
        let refused = unwrap(Wrapping::Plain, &key, &wrapped);
        assert_eq!(refused.err(), Some(Error::CiphertextInvalid));
    }

    /// RFC 5649 §6.
    #[test]
    fn padded_wrapping_agrees_with_rfc_5649() {
        let key = bytes("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
        for (target, known) in [
            (
                "c37b7e6492584340bed12207808941155068f738",
                "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
            ),
            ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
        ] {
            let wrapped = wrap(Wrapping::Padded, &key, &bytes(target)).unwrap();
            assert_eq!(*hex::encode(&wrapped), known);
            assert_eq!(
                *unwrap(Wrapping::Padded, &key, &wrapped).unwrap(),
                bytes(target)
            );
        }
    }

    /// RFC 4493 §4, example 2.
    #[test]
    fn cmac_agrees_with_rfc_4493() {
        let key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
        let tag = cmac(&key, &bytes("6bc1bee22e409f96e93d7e117393172a")).unwrap();
        assert_eq!(*hex::encode(&tag), "070a16b46b4d4144f79bdd9dd04a287c");
    }

    /// SP 800-38A §F.3.13, §F.3.7 and §F.4.1: the beginnings.
    #[test]
    fn feedback_agrees_with_sp_800_38a() {
        let key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
        let iv = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let plaintext = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let cases = [
            (
                Feedback::Cipher(16),
                "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b",
            ),
            (Feedback::Cipher(1), "3b79424c9c0dd436bace9e0ed4586a4f32b9"),
            (
                Feedback::Output,
                "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825",
            ),
        ];
        for (feedback, known) in cases {
            let sealed = feed(&key, &iv, feedback, Way::Seal, &plaintext).unwrap();
            assert!(hex::encode(&sealed).starts_with(known));
            let opened = feed(&key, &iv, feedback, Way::Open, &sealed).unwrap();
            assert_eq!(opened, plaintext);
        }
    }

    /// SP 800-38A §F.5.1, and a counter that would come round.
    #[test]
    fn counting_agrees_with_sp_800_38a_and_never_comes_round() {
        let key = bytes("2b7e151628aed2a6abf7158809cf4f3c");
        let counter = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let counter: [u8; 16] = counter.try_into().unwrap();
        let plaintext = bytes("6bc1bee22e409f96e93d7e117393172a");
        let sealed = ctr(&key, &counter, 128, &plaintext).unwrap();
        assert_eq!(*hex::encode(&sealed), "874d6191b620e3261bef6864990db6ce");
        assert!(ctr(&key, &counter, 8, &plaintext).is_ok());
        let refused = ctr(&key, &counter, 8, &[0; 17]);
        assert_eq!(refused.err(), Some(Error::InputLength));
    }

    /// SP 800-38A §F.2.5, first block; then padding and what is not whole.
    #[test]
    fn cbc_agrees_with_sp_800_38a() {
        let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let iv = std::array::from_fn(|place| u8::try_from(place).unwrap());
        let plaintext = bytes("6bc1bee22e409f96e93d7e117393172a");
        let sealed = cbc_seal(&key, &iv, Padding::None, &plaintext).unwrap();
        assert_eq!(*hex::encode(&sealed), "f58c4c04d6e5f1ba779eabfb5f7bfbd6");
        let padded = cbc_seal(&key, &iv, Padding::Pkcs7, b"short").unwrap();
        assert_eq!(
            *cbc_open(&key, &iv, Padding::Pkcs7, &padded).unwrap(),
            b"short"
        );
        let refused = cbc_open(&key, &iv, Padding::None, &padded[..9]);
        assert_eq!(refused.err(), Some(Error::CiphertextLength));
        let refused = cbc_seal(&key, &iv, Padding::None, b"short");
        assert_eq!(refused.err(), Some(Error::InputLength));
    }
}
