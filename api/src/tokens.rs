//! A client of tokens that stand: one method for each call of `tokens.proto`.

use crate::calls::client;
use crate::v1::tokens_client::TokensClient as Stub;
use crate::v1::{
    DescribeTokensResponse, DetailRequest, EraseDetailResponse, EraseTokensRequest,
    EraseTokensResponse, HoldRequest, ListHoldsRequest, ListHoldsResponse, MoveTokensRequest,
    PurgeTokensRequest, PurgeTokensResponse, ReadDetailResponse, ReindexTokensRequest,
    ReindexTokensResponse, ReplaceTokensRequest, ReplaceTokensResponse, SearchRequest,
    SearchResponse, TokensRequest, TokensResponse,
};

client! {
    /// A client of the vault's tokens that stand. Clones share one channel.
    ///
    /// Items of a batch fail one by one, inside the answer; a [`ClientError`](crate::ClientError) is about the whole call.
    TokensClient over Stub {
        /// Says what tokens are, without their values.
        describe_tokens(TokensRequest) -> DescribeTokensResponse;
        /// Switches tokens off: from the entry on they show nothing.
        disable_tokens(TokensRequest) -> TokensResponse;
        /// Switches them on again.
        enable_tokens(TokensRequest) -> TokensResponse;
        /// Gives values new tokens. The old ones stop for good. Keep the answer.
        replace_tokens(ReplaceTokensRequest) -> ReplaceTokensResponse;
        /// Moves tokens to another class. Their text stays.
        move_tokens(MoveTokensRequest) -> TokensResponse;
        /// Removes tokens by their age, or counts them, one step a call.
        purge_tokens(PurgeTokensRequest) -> PurgeTokensResponse;
        /// Erases tokens, or whatever is about a subject, for good.
        erase_tokens(EraseTokensRequest) -> EraseTokensResponse;
        /// Places a legal hold, on tokens or on a subject.
        place_hold(HoldRequest) -> TokensResponse;
        /// Lifts a legal hold. Those for other matters go on.
        lift_hold(HoldRequest) -> TokensResponse;
        /// Lists the legal holds on tokens or on a subject.
        list_holds(ListHoldsRequest) -> ListHoldsResponse;
        /// Finds the tokens of exactly one value.
        search(SearchRequest) -> SearchResponse;
        /// Indexes a class's values anew after its normal form was changed, one step a call.
        reindex_tokens(ReindexTokensRequest) -> ReindexTokensResponse;
        /// Reads the reason that was given for an act.
        read_detail(DetailRequest) -> ReadDetailResponse;
        /// Erases it; the act's entry keeps a hash.
        erase_detail(DetailRequest) -> EraseDetailResponse;
    }
}
