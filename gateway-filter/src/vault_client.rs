//! Owns the vault as it is reached over gRPC: `api::Client` behind the filter's [`Vault`] trait, with
//! one deadline, bounded retries and a circuit breaker. Yields answers or a [`VaultError`].

mod circuit;
mod keys;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::v1::{
    DecryptJweRequest, DecryptJweResult, DetokenizeRequest, EncryptJweRequest, EncryptJweResult,
    Revealed, TokenizeRequest,
};
use api::{Client, ClientError, ClientSettings, KeysClient, ReadyClient, UnitProof};

use crate::error::VaultError;
use crate::filter::{Recorded, Vault};
use crate::metrics::{Metrics, VaultCall};
use crate::settings::VaultSettings;
use crate::sign::KeyUse;
use circuit::{Circuit, Health};

/// The first pause before a retry; the second is twice as long, and so on.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a request's name is known after the last attempt, in seconds.
const NAME_SECONDS_MORE: u64 = 10;

/// The vault over gRPC with mutual TLS.
pub struct VaultClient {
    client: Client,
    /// Connects when a rule first asks for a JWE.
    keys: KeysClient,
    /// Connects when a rule first signs or verifies.
    signing_keys: KeysClient,
    signing_by: KeysBy,
    ready: ReadyClient,
    timeout: Duration,
    retries_max: u32,
    circuit: Circuit,
    names: RequestNames,
    /// How long the vault has to know them.
    name_seconds: u32,
    metrics: Arc<Metrics>,
}

/// Why the vault's client can't be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultClientError {
    /// A file of the TLS material can't be read.
    #[error("{}: can't be read; check [vault] ca, certificate and key", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The material can't be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What may be asked twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It has a name by which the vault knows it again.
    Named,
    /// Only where the vault can't have seen it.
    Unsent,
    /// Done twice, it is one entry more.
    Harmless,
}

/// As whom keys are used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeysBy {
    /// The unit whose message it is: its proof goes along.
    Carried,
    /// A unit of the filter's own, by its certificate.
    Own,
}

/// Names for requests (`idempotency_key`): one drawn prefix for this process, and a count.
struct RequestNames {
    prefix: u128,
    count: AtomicU64,
}

impl VaultClient {
    /// Reads the TLS material and prepares the channel; it connects when first used.
    pub fn open(settings: &VaultSettings) -> Result<Self, VaultClientError> {
        Self::counted(settings, Arc::default())
    }

    /// The same, counting its calls in `metrics`.
    pub fn counted(
        settings: &VaultSettings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, VaultClientError> {
        let reached = reached(settings, settings.identity.as_ref())?;
        let (signing_keys, signing_by) = match &settings.keys {
            None => (KeysClient::new(&reached)?, KeysBy::Carried),
            own => (
                KeysClient::new(&self::reached(settings, own.as_ref())?)?,
                KeysBy::Own,
            ),
        };
        Ok(Self {
            client: Client::new(&reached)?,
            keys: KeysClient::new(&reached)?,
            signing_keys,
            signing_by,
            ready: ReadyClient::new(&reached)?,
            timeout: settings.timeout,
            retries_max: settings.retries_max,
            circuit: Circuit::new(settings.circuit_failures_max, settings.circuit_pause),
            names: RequestNames::drawn(),
            name_seconds: name_seconds(settings.timeout),
            metrics,
        })
    }

    /// Whether the vault says that it is ready, asked now.
    pub async fn is_ready(&self) -> bool {
        self.ready.ready().await
    }

    /// One call: one deadline for all of its attempts, connecting and answering together.
    async fn call<T, F>(
        &self,
        call: VaultCall,
        repeat: Repeat,
        ask: impl Fn(Duration) -> F + Send + Sync,
    ) -> Result<T, VaultError>
    where
        F: Future<Output = Result<T, ClientError>> + Send,
    {
        let began = Instant::now();
        let answer = match self.circuit.admit(began) {
            Err(retry_after) => Err(VaultError::CircuitOpen { retry_after }),
            Ok(pass) => {
                let answer = self.attempts(call, repeat, began + self.timeout, ask).await;
                pass.settle(Instant::now(), health(&answer));
                self.metrics.circuit(self.circuit.now());
                answer
            }
        };
        self.metrics
            .vault_answered(call, answer.as_ref().err(), began.elapsed());
        answer
    }

    async fn attempts<T, F>(
        &self,
        call: VaultCall,
        repeat: Repeat,
        deadline: Instant,
        ask: impl Fn(Duration) -> F + Send + Sync,
    ) -> Result<T, VaultError>
    where
        F: Future<Output = Result<T, ClientError>> + Send,
    {
        let mut attempt = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = tokio::time::timeout(left, ask(left)).await;
            let error = match answer {
                Err(_) => return Err(VaultError::DeadlineExceeded),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
            };
            let pause = pause(attempt);
            let in_time = Instant::now() + pause < deadline;
            if attempt >= self.retries_max || !repeat.allows(&error) || !in_time {
                return Err(status::meaning(&error));
            }
            attempt += 1;
            self.metrics.vault_retried(call);
            tokio::time::sleep(pause).await;
        }
    }
}

impl Vault for VaultClient {
    async fn tokenize(
        &self,
        mut request: TokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<String>>, VaultError> {
        if self.retries_max > 0 && request.idempotency_key.is_empty() {
            request.idempotency_key = self.names.next();
            request.idempotency_seconds = self.name_seconds;
        }
        let request = &request;
        let ask = |left| {
            let client = self.client.within(left);
            async move { client.tokenize(request.clone(), proof).await }
        };
        let answer = self.call(VaultCall::Tokenize, Repeat::Named, ask).await?;
        Ok(Recorded {
            answer: answer.tokens,
            entry: answer.entry,
        })
    }

    async fn detokenize(
        &self,
        request: DetokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Recorded<Vec<Revealed>>, VaultError> {
        let request = &request;
        let ask = |left| {
            let client = self.client.within(left);
            async move { client.detokenize(request.clone(), proof).await }
        };
        let answer = self
            .call(VaultCall::Detokenize, Repeat::Unsent, ask)
            .await?;
        Ok(Recorded {
            answer: answer.items,
            entry: answer.entry,
        })
    }

    async fn encrypt_jwe(
        &self,
        request: EncryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<EncryptJweResult>, VaultError> {
        let request = &request;
        let ask = |left| {
            let client = self.keys.within(left);
            async move { client.encrypt_jwe(request.clone(), proof).await }
        };
        let answer = self.call(VaultCall::EncryptJwe, Repeat::Unsent, ask);
        Ok(answer.await?.items)
    }

    async fn decrypt_jwe(
        &self,
        request: DecryptJweRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<DecryptJweResult>, VaultError> {
        let request = &request;
        let ask = |left| {
            let client = self.keys.within(left);
            async move { client.decrypt_jwe(request.clone(), proof).await }
        };
        let answer = self.call(VaultCall::DecryptJwe, Repeat::Unsent, ask);
        Ok(answer.await?.items)
    }

    async fn sign(&self, usage: KeyUse, proof: Option<&UnitProof>) -> Result<Vec<u8>, VaultError> {
        let (usage, proof) = (&usage, self.proof_for_keys(proof));
        let ask =
            |left| async move { keys::sign(&self.signing_keys.within(left), usage, proof).await };
        let answer = self.call(VaultCall::Sign, Repeat::Harmless, ask).await;
        answer.map_err(|error| self.of_keys(error))?
    }

    async fn verify(
        &self,
        usage: KeyUse,
        signature: Vec<u8>,
        proof: Option<&UnitProof>,
    ) -> Result<bool, VaultError> {
        if signature.len() != keys::bytes(usage.kind) {
            return Ok(false);
        }
        let (usage, signature, proof) = (&usage, &signature, self.proof_for_keys(proof));
        let ask = |left| async move {
            let keys = self.signing_keys.within(left);
            keys::verify(&keys, usage, signature.clone(), proof).await
        };
        let answer = self.call(VaultCall::Verify, Repeat::Harmless, ask).await;
        answer.map_err(|error| self.of_keys(error))?
    }
}

impl VaultClient {
    fn proof_for_keys<'p>(&self, proof: Option<&'p UnitProof>) -> Option<&'p UnitProof> {
        match self.signing_by {
            KeysBy::Carried => proof,
            KeysBy::Own => None,
        }
    }

    /// What the vault says to the filter's own unit is not for those whose message it is.
    fn of_keys(&self, error: VaultError) -> VaultError {
        let to_us = matches!(
            error,
            VaultError::Unauthenticated(_) | VaultError::Denied(_) | VaultError::Invalid(_)
        );
        if to_us && self.signing_by == KeysBy::Own {
            VaultError::Failed
        } else {
            error
        }
    }
}

/// How the vault is reached with this certificate and key.
fn reached(
    settings: &VaultSettings,
    identity: Option<&(PathBuf, PathBuf)>,
) -> Result<ClientSettings, VaultClientError> {
    let identity_pem = match identity {
        Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
        None => None,
    };
    Ok(ClientSettings {
        url: settings.url.clone(),
        ca_pem: read(&settings.ca)?,
        identity_pem,
        timeout: settings.timeout,
    })
}

impl Repeat {
    /// A lost connection only: a vault that answered has decided, and a late one is loaded enough.
    fn allows(self, error: &ClientError) -> bool {
        match self {
            Self::Named | Self::Harmless => error.is_unreachable(),
            Self::Unsent => error.is_unsent(),
        }
    }
}

impl RequestNames {
    fn drawn() -> Self {
        Self {
            prefix: rand::random(),
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("filter-{:032x}-{count:x}", self.prefix)
    }
}

/// The last attempt ends with the call's deadline; the vault's clock may be set meanwhile.
fn name_seconds(timeout: Duration) -> u32 {
    let seconds = timeout.as_secs().saturating_add(NAME_SECONDS_MORE);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Half to once and a half of the step, drawn: those who failed together do not come back together.
fn pause(attempt: u32) -> Duration {
    let step = PAUSE.saturating_mul(1 << attempt.min(6));
    step.mul_f64(0.5 + rand::random::<f64>())
}

fn health<T>(answer: &Result<T, VaultError>) -> Health {
    match answer {
        Err(VaultError::Unavailable | VaultError::DeadlineExceeded | VaultError::Failed) => {
            Health::Ill
        }
        Ok(_)
        | Err(
            VaultError::Unauthenticated(_)
            | VaultError::Denied(_)
            | VaultError::Invalid(_)
            | VaultError::Exhausted(_)
            | VaultError::Busy(_)
            | VaultError::CircuitOpen { .. }
            | VaultError::AnswerMismatch,
        ) => Health::Well,
    }
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, VaultClientError> {
    std::fs::read(file).map_err(|source| VaultClientError::Unreadable {
        file: file.to_owned(),
        source,
    })
}
