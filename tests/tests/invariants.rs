//! The design's invariants (section 5), proven on whole installations from outside.
//!
//! 2 and 3 are in `crash.rs`, 12 is in the key service's own tests.

#[path = "invariants/order.rs"]
mod order;
#[path = "invariants/secrecy.rs"]
mod secrecy;

use api::Client;
use api::v1::{DetokenizeRequest, Revealed, View};
use tests::{House, detokenize, tokenize};

/// A purpose that policies know.
const TAX: &str = "tax-assessment";
/// A name that nobody else has.
const NAME: &str = "王密示";

/// Tokens of values of one class in the domain `city`.
async fn tokens(client: &Client, class: &str, values: &[&str]) -> Vec<String> {
    let answer = client.tokenize(tokenize(class, values), None).await;
    answer.unwrap().tokens
}

/// What the unit sees of tokens of the domain `city`.
async fn views(client: &Client, tokens: &[String]) -> Vec<Revealed> {
    let answer = client.detokenize(detokenize(TAX, tokens), None).await;
    answer.unwrap().items
}

/// What stands for a token that is nowhere.
fn not_available() -> Revealed {
    Revealed {
        view: View::NotAvailable.into(),
        ..Revealed::default()
    }
}

/// A request to detokenize in the domain `bank`.
fn in_bank(tokens: &[String]) -> DetokenizeRequest {
    DetokenizeRequest {
        domain: "bank".to_owned(),
        ..detokenize(TAX, tokens)
    }
}

/// The tax bureau's client.
fn bureau(house: &House) -> Client {
    house.client(Some("tax-bureau"))
}
