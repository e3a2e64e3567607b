//! Access tokens of the vault's own (RFC 9068), for units that no identity provider serves, and for gateways that
//! carry a unit (RFC 8693). Each is bound to whoever asked for it, and is an entry before it leaves.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger::{Facts, Operation, Outcome};
use serde::Serialize;

use super::{Engine, EngineError};
use crate::admission::Admitted;
use crate::commit::{NotDurable, Record, Sequenced};
use crate::identity::{OneUse, Use};
use crate::model::{AccessTokenText, KeyRef, RequestId, Timestamp, UnitName};
use crate::store::{Change, ProofWrite};

/// Spent proofs that are forgotten in one step of the upkeep.
const FORGOTTEN_MAX: u32 = 1_000;

/// What every token of the vault's own says.
#[derive(Clone, Debug)]
pub struct TokenTerms {
    /// The `iss`.
    pub issuer: String,
    /// The `aud`.
    pub audience: String,
    /// The key that signs: Ed25519.
    pub key: KeyRef,
    /// How long one counts; whole seconds.
    pub life: Duration,
}

/// What a token is bound to.
#[derive(Clone, Copy)]
pub enum TokenBinding {
    /// SHA-256 of a client certificate (RFC 8705 section 3.1).
    Certificate([u8; 32]),
    /// Thumbprint of a DPoP key (RFC 9449 section 6.1).
    Key([u8; 32]),
}

/// What is asked for.
pub struct TokenWish {
    /// What it is bound to.
    pub binding: TokenBinding,
    /// It ends no later, in seconds since 1970: when the token ends that it is exchanged for.
    pub ends_max: Option<u64>,
    /// Digest of the policy set that let a gateway carry the unit.
    pub policy: [u8; 32],
}

/// A token, on its way to who asked.
pub struct IssuedAccessToken {
    /// Its text.
    pub token: AccessTokenText,
    /// Whom it is for.
    pub unit: UnitName,
    /// For how many seconds it counts from now on.
    pub seconds: u64,
    /// The version of the key that signed it.
    pub version: u32,
    /// The entry that records it.
    pub entry: Sequenced,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: u64,
    exp: u64,
    /// The request's id, by which its entry is found.
    jti: String,
    cnf: Confirmation,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor<'a>>,
}

#[derive(Serialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jkt: Option<String>,
}

#[derive(Serialize)]
struct Actor<'a> {
    sub: &'a str,
}

impl Engine {
    /// Makes a token for the admitted unit, or, where a gateway carries it, for that gateway.
    pub async fn issue_access_token(
        self: &Arc<Self>,
        admitted: &Admitted,
        terms: &TokenTerms,
        wish: TokenWish,
        request: RequestId,
    ) -> Result<IssuedAccessToken, EngineError> {
        let key = self.token_signer(&terms.key).await?;
        let caller = admitted.caller();
        let unit = caller.unit().name.as_str();
        let gateway = caller.gateway().map(|gateway| gateway.name.as_str());
        let now = self.clock.now().seconds();
        let exp = (now + terms.life.as_secs()).min(wish.ends_max.unwrap_or(u64::MAX));
        let claims = Claims {
            iss: &terms.issuer,
            sub: unit,
            aud: &terms.audience,
            client_id: gateway.unwrap_or(unit),
            iat: now,
            exp,
            jti: request.to_string(),
            cnf: Confirmation::of(wish.binding),
            act: gateway.map(|sub| Actor { sub }),
        };
        // Texts and numbers: `serde_json` writes them all.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, key.kid());
        let unsigned = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let token = key.sign(&unsigned)?.with(unsigned).map(whole);
        let operation = match gateway {
            None => Operation::AccessTokenIssue,
            Some(_) => Operation::AccessTokenExchange,
        };
        let mut facts = Facts::new(operation, Outcome::Ok);
        facts.unit = Some(unit.to_owned());
        facts.gateway = gateway.map(str::to_owned);
        facts.policy = Some(wish.policy);
        facts.request = Some(request.0);
        facts.key = Some(key.named());
        let version = key.named().1;
        let record = Record::single(Change::none(), facts);
        // INVARIANT 1: no token leaves before its entry is durable.
        let (token, entry) = self.committer.record(record, token).await?;
        Ok(IssuedAccessToken {
            token,
            unit: caller.unit().name.clone(),
            seconds: exp.saturating_sub(now),
            version,
            entry,
        })
    }

    /// Whether something that counts once was used before, as far as that is durable by now.
    pub async fn use_of(self: &Arc<Self>, once: OneUse) -> Result<Use, EngineError> {
        let look = move |engine: &Self| Ok(engine.reader.has_spent_proof(once.id)?);
        let spent = self.blocking(look).await?;
        Ok(if spent { Use::Again } else { Use::First })
    }

    /// Spends something that counts once, durably: also after a restart it counts no more.
    pub async fn spend(&self, once: OneUse) -> Result<Use, EngineError> {
        let write = ProofWrite::Spend {
            id: once.id,
            expires: once.expires,
        };
        match self.committer.write_proof(write).await {
            Ok(()) => Ok(Use::First),
            Err(NotDurable::Conflict) => Ok(Use::Again),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets spent proofs go that count no longer, up to 1,000 of them; whether there were any.
    pub async fn forget_proofs(self: &Arc<Self>) -> Result<bool, EngineError> {
        let now: Timestamp = self.clock.now();
        let old = self.blocking(move |engine| Ok(engine.reader.has_expired_proof(now)?));
        if !old.await? {
            return Ok(false);
        }
        let write = ProofWrite::Forget(now, FORGOTTEN_MAX);
        self.committer.write_proof(write).await?;
        Ok(true)
    }
}

impl Confirmation {
    fn of(binding: TokenBinding) -> Self {
        let text = |hash: [u8; 32]| Some(URL_SAFE_NO_PAD.encode(hash));
        match binding {
            TokenBinding::Certificate(hash) => Self {
                certificate: text(hash),
                jkt: None,
            },
            TokenBinding::Key(hash) => Self {
                certificate: None,
                jkt: text(hash),
            },
        }
    }
}

fn whole((signature, signed): (Vec<u8>, String)) -> AccessTokenText {
    let signature = URL_SAFE_NO_PAD.encode(signature);
    AccessTokenText::new(format!("{signed}.{signature}"))
}
