//! The key service over gRPC: from a message to an act, and from its outcome to a message.

use std::sync::Arc;

use api::v1::keys_server::Keys as Contract;
use api::v1::{
    BackupKeyResponse, CreateKeyRequest, DecryptJweRequest, DecryptJweResponse, DecryptRequest,
    DecryptResponse, EncryptJweRequest, EncryptJweResponse, EncryptRequest, EncryptResponse,
    GenerateDataKeyRequest, GenerateDataKeyResponse, GenerateMacRequest, GenerateMacResponse,
    GenerateRandomRequest, GenerateRandomResponse, ImportKeyRequest, ImportParametersResponse,
    KeyRequest, KeyResponse, KeyVersionRequest, ListKeysRequest, ListKeysResponse,
    ReEncryptRequest, ReEncryptResponse, ReadPublicKeyRequest, ReadPublicKeyResponse,
    ResealValuesRequest, ResealValuesResponse, RestoreKeyRequest, ScheduleKeyDeletionRequest,
    SetKeyRequest, SignRequest, SignResponse, VerdictResponse, VerifyMacRequest, VerifyRequest,
};
use tonic::{Request, Response, Status};

use super::{key_jwe, key_life, key_use, ticket};
use crate::model::RequestId;
use crate::server::Vault;
use crate::server::corridor::{self, Ticket};
use crate::server::problem::Problem;

/// The contract's service of keys.
pub(in crate::server) struct GrpcKeys {
    vault: Arc<Vault>,
}

impl GrpcKeys {
    pub(in crate::server) fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }
}

/// One call about keys.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) vault: &'a Vault,
    pub(super) ticket: &'a Ticket,
}

impl Call<'_> {
    pub(super) fn request(&self) -> RequestId {
        self.ticket.request()
    }
}

/// Each call of the contract, and the function that answers it. What failed by itself is an entry first.
macro_rules! contract {
    ($($call:ident($request:ident) -> $response:ident = $act:path;)+) => {
        #[tonic::async_trait]
        impl Contract for GrpcKeys {
            $(async fn $call(
                &self,
                request: Request<$request>,
            ) -> Result<Response<$response>, Status> {
                let ticket = ticket(&request)?;
                let call = Call { vault: &self.vault, ticket: &ticket };
                let answer = $act(call, request.into_inner()).await;
                answered(call, answer).await
            })+
        }
    };
}

contract! {
    create_key(CreateKeyRequest) -> KeyResponse = key_life::create_key;
    list_keys(ListKeysRequest) -> ListKeysResponse = key_life::list_keys;
    describe_key(KeyRequest) -> KeyResponse = key_life::describe_key;
    set_key(SetKeyRequest) -> KeyResponse = key_life::set_key;
    enable_key(KeyRequest) -> KeyResponse = key_life::enable_key;
    disable_key(KeyRequest) -> KeyResponse = key_life::disable_key;
    rotate_key(KeyRequest) -> KeyResponse = key_life::rotate_key;
    compromise_key_version(KeyVersionRequest) -> KeyResponse = key_life::compromise_key_version;
    destroy_key_version(KeyVersionRequest) -> KeyResponse = key_life::destroy_key_version;
    schedule_key_deletion(ScheduleKeyDeletionRequest) -> KeyResponse = key_life::schedule_key_deletion;
    cancel_key_deletion(KeyRequest) -> KeyResponse = key_life::cancel_key_deletion;
    import_parameters(KeyRequest) -> ImportParametersResponse = key_life::import_parameters;
    import_key(ImportKeyRequest) -> KeyResponse = key_life::import_key;
    backup_key(KeyRequest) -> BackupKeyResponse = key_life::backup_key;
    restore_key(RestoreKeyRequest) -> KeyResponse = key_life::restore_key;
    reseal_values(ResealValuesRequest) -> ResealValuesResponse = key_life::reseal_values;
    encrypt(EncryptRequest) -> EncryptResponse = key_use::encrypt;
    decrypt(DecryptRequest) -> DecryptResponse = key_use::decrypt;
    encrypt_jwe(EncryptJweRequest) -> EncryptJweResponse = key_jwe::encrypt;
    decrypt_jwe(DecryptJweRequest) -> DecryptJweResponse = key_jwe::decrypt;
    re_encrypt(ReEncryptRequest) -> ReEncryptResponse = key_use::re_encrypt;
    generate_data_key(GenerateDataKeyRequest) -> GenerateDataKeyResponse = key_use::data_key;
    generate_wrapped_data_key(GenerateDataKeyRequest) -> GenerateDataKeyResponse = key_use::wrapped_data_key;
    generate_mac(GenerateMacRequest) -> GenerateMacResponse = key_use::mac;
    verify_mac(VerifyMacRequest) -> VerdictResponse = key_use::verify_mac;
    sign(SignRequest) -> SignResponse = key_use::sign;
    verify(VerifyRequest) -> VerdictResponse = key_use::verify;
    read_public_key(ReadPublicKeyRequest) -> ReadPublicKeyResponse = key_use::public_key;
    generate_random(GenerateRandomRequest) -> GenerateRandomResponse = key_use::random;
}

async fn answered<T>(call: Call<'_>, answer: Result<T, Problem>) -> Result<Response<T>, Status> {
    let closed = corridor::closed(call.vault, call.ticket, answer).await;
    closed
        .map(Response::new)
        .map_err(|problem| problem.status())
}
