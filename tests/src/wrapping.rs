//! Material on its way to the vault, wrapped as its owner would: by `OpenSSL` and RFC 5649.

use std::io::Write;
use std::process::{Command, Stdio};

use aes_kw::{AesKwp, KeyInit};

/// Wraps material under a public key, PEM: `CKM_RSA_AES_KEY_WRAP` with SHA-256.
pub fn wrapped(public_key_pem: &str, material: &[u8]) -> Vec<u8> {
    let ephemeral: [u8; 32] = rand::random();
    let mut key = tempfile::NamedTempFile::new().unwrap();
    key.write_all(public_key_pem.as_bytes()).unwrap();
    let mut openssl = Command::new("openssl")
        .args(["pkeyutl", "-encrypt", "-pubin", "-inkey"])
        .arg(key.path())
        .args(["-pkeyopt", "rsa_padding_mode:oaep"])
        .args(["-pkeyopt", "rsa_oaep_md:sha256"])
        .args(["-pkeyopt", "rsa_mgf1_md:sha256"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`openssl` is missing: install Debian's package openssl");
    openssl.stdin.take().unwrap().write_all(&ephemeral).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut buffer = vec![0; material.len().next_multiple_of(8) + 8];
    let cipher = AesKwp::<aes::Aes256>::new(&ephemeral.into());
    let wrapped = cipher.wrap_key(material, &mut buffer).unwrap();
    [output.stdout.as_slice(), wrapped].concat()
}
