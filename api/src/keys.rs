//! A client of the key service: one method for each call of `keys.proto`.

use crate::calls::client;
use crate::v1::keys_client::KeysClient as Stub;
use crate::v1::{
    BackupKeyResponse, CreateKeyRequest, DecryptJweRequest, DecryptJweResponse, DecryptRequest,
    DecryptResponse, EncryptJweRequest, EncryptJweResponse, EncryptRequest, EncryptResponse,
    GenerateDataKeyRequest, GenerateDataKeyResponse, GenerateMacRequest, GenerateMacResponse,
    GenerateRandomRequest, GenerateRandomResponse, ImportKeyRequest, ImportParametersResponse,
    KeyRequest, KeyResponse, KeyVersionRequest, ListKeysRequest, ListKeysResponse,
    ReEncryptRequest, ReEncryptResponse, ReadPublicKeyRequest, ReadPublicKeyResponse,
    ResealValuesRequest, ResealValuesResponse, RestoreKeyRequest, ScheduleKeyDeletionRequest,
    SetKeyRequest, SignRequest, SignResponse, VerdictResponse, VerifyMacRequest, VerifyRequest,
};

client! {
    /// A client of the vault's key service. Clones share one channel.
    ///
    /// Items of a batch fail one by one, inside the answer; a [`ClientError`](crate::ClientError) is about the whole call.
    KeysClient over Stub {
        /// Makes a key. It belongs to the caller's unit.
        create_key(CreateKeyRequest) -> KeyResponse;
        /// Lists keys in the order of their ids, without their versions.
        list_keys(ListKeysRequest) -> ListKeysResponse;
        /// Reads a key and its versions.
        describe_key(KeyRequest) -> KeyResponse;
        /// Changes description, tags, aliases, schedule or lowest version.
        set_key(SetKeyRequest) -> KeyResponse;
        /// Switches a suspended key on.
        enable_key(KeyRequest) -> KeyResponse;
        /// Switches a key off. When this is answered, no request uses it any more.
        disable_key(KeyRequest) -> KeyResponse;
        /// Gives a key a new version, which protects from now on. Older ones open and verify.
        rotate_key(KeyRequest) -> KeyResponse;
        /// Declares a version compromised. If it is the current one, the key gets a new one first.
        compromise_key_version(KeyVersionRequest) -> KeyResponse;
        /// Destroys an older version that nothing needs: one below `open_from`.
        destroy_key_version(KeyVersionRequest) -> KeyResponse;
        /// Retires a key at once, and destroys it after a waiting period.
        schedule_key_deletion(ScheduleKeyDeletionRequest) -> KeyResponse;
        /// Calls that off. The key is suspended then.
        cancel_key_deletion(KeyRequest) -> KeyResponse;
        /// Gives the public key to wrap material under, and a ticket to bring it in with.
        import_parameters(KeyRequest) -> ImportParametersResponse;
        /// Brings wrapped material in, as the key's next version.
        import_key(ImportKeyRequest) -> KeyResponse;
        /// Gives a key out as a backup that opens under the same root key only.
        backup_key(KeyRequest) -> BackupKeyResponse;
        /// Brings a key back from its backup. It comes back suspended.
        restore_key(RestoreKeyRequest) -> KeyResponse;
        /// Moves stored values to the newest version of the vault's own key, one step a call.
        reseal_values(ResealValuesRequest) -> ResealValuesResponse;
        /// Encrypts payloads.
        encrypt(EncryptRequest) -> EncryptResponse;
        /// Decrypts ciphertexts.
        decrypt(DecryptRequest) -> DecryptResponse;
        /// Makes JWEs of payloads, for who has the same key.
        encrypt_jwe(EncryptJweRequest) -> EncryptJweResponse;
        /// Opens JWEs that were made under the key.
        decrypt_jwe(DecryptJweRequest) -> DecryptJweResponse;
        /// Moves ciphertexts to another key, version or context. No plaintext leaves the vault.
        re_encrypt(ReEncryptRequest) -> ReEncryptResponse;
        /// Makes data keys, plain and wrapped.
        generate_data_key(GenerateDataKeyRequest) -> GenerateDataKeyResponse;
        /// Makes data keys, wrapped only.
        generate_wrapped_data_key(GenerateDataKeyRequest) -> GenerateDataKeyResponse;
        /// Makes message authentication codes: HMAC of the whole message (RFC 2104).
        generate_mac(GenerateMacRequest) -> GenerateMacResponse;
        /// Says whether codes are their messages'.
        verify_mac(VerifyMacRequest) -> VerdictResponse;
        /// Signs messages or digests.
        sign(SignRequest) -> SignResponse;
        /// Says whether signatures are their messages'.
        verify(VerifyRequest) -> VerdictResponse;
        /// Reads the public half of a key that signs.
        read_public_key(ReadPublicKeyRequest) -> ReadPublicKeyResponse;
        /// Draws random bytes.
        generate_random(GenerateRandomRequest) -> GenerateRandomResponse;
    }
}
