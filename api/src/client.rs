//! A client of the vault's tokens.

use tonic::transport::Channel;

use crate::channel::{RESPONSE_BYTES_MAX, answer, channel, with_proof};
use crate::v1::vault_client::VaultClient;
use crate::v1::{
    DetokenizeRequest, DetokenizeResponse, ReceiptRequest, ReceiptResponse, RedeemRequest,
    TokenizeRequest, TokenizeResponse,
};
use crate::{ClientError, ClientSettings, UnitProof};

/// A client of the vault. Clones share one channel.
#[derive(Clone)]
pub struct Client {
    stub: VaultClient<Channel>,
}

impl Client {
    /// Prepares the channel; it connects when it is first used, and again when it was lost.
    pub fn new(settings: &ClientSettings) -> Result<Self, ClientError> {
        let stub =
            VaultClient::new(channel(settings)?).max_decoding_message_size(RESPONSE_BYTES_MAX);
        Ok(Self { stub })
    }

    /// Replaces values by tokens.
    pub async fn tokenize(
        &self,
        request: TokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<TokenizeResponse, ClientError> {
        answer(self.stub.clone().tokenize(with_proof(request, proof)).await)
    }

    /// Asks for values back.
    pub async fn detokenize(
        &self,
        request: DetokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<DetokenizeResponse, ClientError> {
        answer(
            self.stub
                .clone()
                .detokenize(with_proof(request, proof))
                .await,
        )
    }

    /// Redeems a ticket.
    pub async fn redeem(
        &self,
        request: RedeemRequest,
        proof: Option<&UnitProof>,
    ) -> Result<DetokenizeResponse, ClientError> {
        answer(self.stub.clone().redeem(with_proof(request, proof)).await)
    }

    /// Asks for what proves an entry offline.
    pub async fn receipt(
        &self,
        request: ReceiptRequest,
        proof: Option<&UnitProof>,
    ) -> Result<ReceiptResponse, ClientError> {
        answer(self.stub.clone().receipt(with_proof(request, proof)).await)
    }
}
