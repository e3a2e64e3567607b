//! Tokens that stand, from outside: how long they serve, what custodians do to them, and finding them.

#[path = "token_life/acts.rs"]
mod acts;
#[path = "token_life/custodian.rs"]
mod custodian;
#[path = "token_life/finding.rs"]
mod finding;
#[path = "token_life/holds.rs"]
mod holds;
#[path = "token_life/lives.rs"]
mod lives;
#[path = "token_life/moving.rs"]
mod moving;
#[path = "token_life/rights.rs"]
mod rights;

use std::time::{Duration, Instant};

use api::v1::{
    DescribedToken, DetokenizeRequest, ReplaceTokensRequest, Revealed, TokenDescription, TokenDone,
    TokenizeItem, TokenizeRequest, TokensRequest, TokensResponse, View,
};
use api::{ClientError, TokensClient};
use tests::House;

/// Tokenizes, and sees all values.
const BUREAU: &str = "tax-bureau";
/// Looks after tokens, and sees no value.
const CUSTODIAN: &str = "privacy-office";
const TAX: &str = "tax-assessment";
const CARE: &str = "token-care";
const HOLD: &str = "legal-hold";
const RETENTION: &str = "retention";

/// Classes of a domain of their own, one for each way of living.
const CLASSES: &str = r#"
[[class]]
name = "brief"
level = "internal"
kind = "text"
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }
life = { ttl_max_seconds = 3600 }

[[class]]
name = "once"
level = "internal"
kind = "text"
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }
life = { uses = 1 }

[[class]]
name = "bound"
level = "internal"
kind = "text"
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }
tokens = "bound"

[[class]]
name = "memo"
level = "internal"
kind = "text"
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }
searchable = true

[[class]]
name = "plain"
level = "internal"
kind = "text"
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }

[[class]]
name = "alike"
level = "internal"
kind = "text"
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }
tokens = "repeatable"

[[class]]
name = "code"
level = "internal"
kind = { name = "digits", min = 6, max = 8 }
format = "opaque"
mask = { keep_first = 0, keep_last = 0 }

[[class]]
name = "coded"
level = "internal"
kind = { name = "digits", min = 6, max = 8 }
format = { name = "digits", length = 12 }
mask = { keep_first = 0, keep_last = 0 }

[[domain]]
name = "lab"
classes = ["brief", "once", "bound", "memo", "plain", "alike", "code", "coded"]

[[domain]]
name = "annex"
classes = ["alike", "memo"]
tokens = { alike = "random" }

[[domain]]
name = "city"
"#;

/// Who searches, and who looks after one class only.
const POLICIES: &str = r#"
@id("lab-searches")
permit (
  principal == Jinku::Unit::"tax-bureau",
  action == Jinku::Action::"Search",
  resource
)
when { resource.domain == "lab" || resource.domain == "annex" };

@id("lab-half")
permit (
  principal == Jinku::Unit::"parking-office",
  action in [
    Jinku::Action::"AdministerToken", Jinku::Action::"EraseToken",
    Jinku::Action::"PlaceHold", Jinku::Action::"LiftHold"
  ],
  resource == Jinku::DataClass::"plain"
)
when { resource.domain == "lab" };
"#;

/// An installation with the classes above, not running.
fn lab_installed() -> House {
    let house = House::install();
    house.edit(
        "policies/classes.toml",
        "\n[[domain]]\nname = \"city\"\n",
        CLASSES,
    );
    let policies = house.directory().join("policies/policies/90-lab.cedar");
    std::fs::write(policies, POLICIES).unwrap();
    house.edit(
        "policies/units.toml",
        "requests_per_second = 100\n",
        "requests_per_second = 5000\n",
    );
    house
}

/// The same, running.
fn lab() -> House {
    let mut house = lab_installed();
    house.serve();
    house
}

fn item(class: &str, value: &str) -> TokenizeItem {
    TokenizeItem {
        class: class.to_owned(),
        value: value.to_owned(),
        ..TokenizeItem::default()
    }
}

async fn asked(house: &House, items: Vec<TokenizeItem>) -> Result<Vec<String>, ClientError> {
    let request = TokenizeRequest {
        domain: "lab".to_owned(),
        items,
        ..TokenizeRequest::default()
    };
    let answer = house.client(Some(BUREAU)).tokenize(request, None).await;
    answer.map(|answer| answer.tokens)
}

/// Tokens of items in the domain `lab`.
async fn issued(house: &House, items: Vec<TokenizeItem>) -> Vec<String> {
    asked(house, items).await.unwrap()
}

/// One token of one value.
async fn token(house: &House, class: &str, value: &str) -> String {
    issued(house, vec![item(class, value)]).await.remove(0)
}

/// What the bureau sees of tokens of the domain `lab`.
async fn seen(house: &House, tokens: &[String]) -> Vec<Revealed> {
    let request = DetokenizeRequest {
        domain: "lab".to_owned(),
        purpose: TAX.to_owned(),
        tokens: tokens.to_vec(),
        ..DetokenizeRequest::default()
    };
    let answer = house.client(Some(BUREAU)).detokenize(request, None).await;
    answer.unwrap().items
}

/// The value that one token shows; `None` where it shows nothing.
async fn value(house: &House, token: &str) -> Option<String> {
    let revealed = seen(house, &[token.to_owned()]).await.remove(0);
    (revealed.view() == View::Plain).then_some(revealed.value)
}

fn custodian(house: &House) -> TokensClient {
    house.tokens(Some(CUSTODIAN))
}

/// A request about tokens of the domain `lab`.
fn about(purpose: &str, tokens: &[String]) -> TokensRequest {
    TokensRequest {
        reason: None,
        domain: "lab".to_owned(),
        purpose: purpose.to_owned(),
        tokens: tokens.to_vec(),
    }
}

/// A request to replace tokens of the domain `lab`.
fn replacing(tokens: &[String]) -> ReplaceTokensRequest {
    ReplaceTokensRequest {
        domain: "lab".to_owned(),
        purpose: CARE.to_owned(),
        tokens: tokens.to_vec(),
        ..ReplaceTokensRequest::default()
    }
}

/// What a token is; `None` where it is not available.
async fn described(house: &House, token: &str) -> Option<TokenDescription> {
    let request = about(CARE, &[token.to_owned()]);
    let answer = custodian(house).describe_tokens(request, None).await;
    let DescribedToken { error, token } = answer.unwrap().items.remove(0);
    assert_eq!(error.is_some(), token.is_none());
    if let Some(error) = error {
        assert_eq!(error.code, "not-available");
    }
    token
}

/// The codes of what was not done; empty texts where it was.
fn codes(answer: &TokensResponse) -> Vec<String> {
    let code = |item: &TokenDone| item.error.clone().unwrap_or_default().code;
    answer.items.iter().map(code).collect()
}

/// New tokens for old ones, which must all be replaced.
async fn replaced(house: &House, tokens: &[String]) -> Vec<String> {
    let answer = custodian(house)
        .replace_tokens(replacing(tokens), None)
        .await;
    let new = |item: api::v1::ReplacedToken| {
        assert_eq!(item.error, None);
        item.token
    };
    answer.unwrap().items.into_iter().map(new).collect()
}

/// Asks again until the answer is the one waited for.
async fn wait_until<T>(mut ask: impl AsyncFnMut() -> T, reached: impl Fn(&T) -> bool) -> T {
    let started = Instant::now();
    loop {
        let answer = ask().await;
        if reached(&answer) {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it does not happen"
        );
        // pacing: the condition above decides, this only spares the processor
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The bytes of a shred key, as they are on disk.
fn shred_key(house: &House, slot: u64) -> Vec<u8> {
    let file = std::fs::read(house.directory().join("data/shreds")).unwrap();
    let at = 32 + usize::try_from(slot).unwrap() * 32;
    file[at..at + 32].to_vec()
}
