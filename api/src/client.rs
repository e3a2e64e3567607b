//! A client of the vault's tokens: one method for each call of `vault.proto`.

use crate::calls::client;
use crate::v1::vault_client::VaultClient as Stub;
use crate::v1::{
    DetokenizeRequest, DetokenizeResponse, ReceiptRequest, ReceiptResponse, RedeemRequest,
    TokenizeRequest, TokenizeResponse,
};

client! {
    /// A client of the vault. Clones share one channel.
    Client over Stub {
        /// Replaces values by tokens.
        tokenize(TokenizeRequest) -> TokenizeResponse;
        /// Asks for values back.
        detokenize(DetokenizeRequest) -> DetokenizeResponse;
        /// Redeems a ticket.
        redeem(RedeemRequest) -> DetokenizeResponse;
        /// Asks for what proves an entry offline.
        receipt(ReceiptRequest) -> ReceiptResponse;
    }
}
