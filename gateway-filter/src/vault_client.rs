//! Owns the vault as it is reached over gRPC: `api::Client` behind the filter's [`Vault`] trait,
//! and the one reading of gRPC statuses. Yields answers or a [`VaultError`].

use std::time::Duration;

use api::v1::{DetokenizeRequest, Revealed, TokenizeRequest};
use api::{Client, ClientError, ClientSettings, UnitProof};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::error::{Refusal, VaultError};
use crate::filter::Vault;
use crate::settings::VaultSettings;

/// `ErrorInfo.domain` of the vault's own statuses; others come from the transport.
const ERROR_DOMAIN: &str = "jinku";
/// Longest problem code taken over from the vault, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Longest text taken over from the vault, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// The vault over gRPC with mutual TLS.
pub struct VaultClient {
    client: Client,
    timeout: Duration,
}

/// Why the vault's client can't be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultClientError {
    /// A file of the TLS material can't be read.
    #[error("{}: can't be read; check [vault] ca, certificate and key", .file.display())]
    Unreadable {
        /// The file.
        file: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The material can't be used.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl VaultClient {
    /// Reads the TLS material and prepares the channel; it connects when first used.
    pub fn open(settings: &VaultSettings) -> Result<Self, VaultClientError> {
        let identity_pem = match &settings.identity {
            Some((certificate, key)) => Some((read(certificate)?, read(key)?)),
            None => None,
        };
        let client = Client::new(&ClientSettings {
            url: settings.url.clone(),
            ca_pem: read(&settings.ca)?,
            identity_pem,
            timeout: settings.timeout,
        })?;
        Ok(Self {
            client,
            timeout: settings.timeout,
        })
    }

    /// One deadline for connecting and answering together.
    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, ClientError>> + Send,
    ) -> Result<T, VaultError> {
        tokio::time::timeout(self.timeout, call)
            .await
            .map_err(|_| VaultError::DeadlineExceeded)?
            .map_err(|error| refused(&error))
    }
}

impl Vault for VaultClient {
    async fn tokenize(
        &self,
        request: TokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<String>, VaultError> {
        Ok(self
            .bounded(self.client.tokenize(request, proof))
            .await?
            .tokens)
    }

    async fn detokenize(
        &self,
        request: DetokenizeRequest,
        proof: Option<&UnitProof>,
    ) -> Result<Vec<Revealed>, VaultError> {
        Ok(self
            .bounded(self.client.detokenize(request, proof))
            .await?
            .items)
    }
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, VaultClientError> {
    std::fs::read(file).map_err(|source| VaultClientError::Unreadable {
        file: file.to_owned(),
        source,
    })
}

fn refused(error: &ClientError) -> VaultError {
    match error {
        ClientError::Refused(status) => status_meaning(status),
        _ => VaultError::Failed,
    }
}

fn status_meaning(status: &Status) -> VaultError {
    match status.code() {
        Code::Unauthenticated => VaultError::Unauthenticated(refusal(status)),
        Code::PermissionDenied => VaultError::Denied(refusal(status)),
        Code::InvalidArgument => VaultError::Invalid(refusal(status)),
        Code::ResourceExhausted => VaultError::Exhausted(refusal(status)),
        Code::Unavailable => VaultError::Unavailable,
        // tonic reports its own timeout as `Cancelled`.
        Code::DeadlineExceeded | Code::Cancelled => VaultError::DeadlineExceeded,
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => VaultError::Failed,
    }
}

/// The vault's own words; a status that something between wrote is not quoted.
fn refusal(status: &Status) -> Refusal {
    let own = status
        .get_details_error_info()
        .filter(|error| error.domain == ERROR_DOMAIN);
    let Some(error) = own else {
        return Refusal::default();
    };
    let code = Some(error.reason).filter(|code| is_code(code));
    let detail = status
        .message()
        .chars()
        .map(|next| if next.is_control() { ' ' } else { next })
        .take(DETAIL_CHARS_MAX)
        .collect::<String>();
    Refusal {
        code,
        detail: Some(detail).filter(|detail| !detail.is_empty()),
    }
}

fn is_code(code: &str) -> bool {
    (1..=CODE_BYTES_MAX).contains(&code.len())
        && code
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn from_vault(code: Code, domain: &str, reason: &str, text: &str) -> VaultError {
        let details = ErrorDetails::with_error_info(reason, domain, []);
        status_meaning(&Status::with_error_details(code, text, details))
    }

    #[test]
    fn the_vaults_own_words_are_kept() {
        let words = Refusal {
            code: Some("value-invalid".to_owned()),
            detail: Some("check digit wrong".to_owned()),
        };
        let invalid = from_vault(
            Code::InvalidArgument,
            "jinku",
            "value-invalid",
            "check digit wrong",
        );
        assert_eq!(invalid, VaultError::Invalid(words));
    }

    #[test]
    fn words_of_others_and_odd_codes_are_not_quoted() {
        let other = from_vault(Code::PermissionDenied, "envoy", "rbac", "secret");
        assert_eq!(other, VaultError::Denied(Refusal::default()));
        let odd = from_vault(Code::InvalidArgument, "jinku", "A B", "two\nlines");
        let kept = Refusal {
            code: None,
            detail: Some("two lines".to_owned()),
        };
        assert_eq!(odd, VaultError::Invalid(kept));
    }

    #[test]
    fn every_status_has_its_meaning() {
        let meaning = |code| status_meaning(&Status::new(code, "x"));
        let none = Refusal::default;
        assert_eq!(
            meaning(Code::Unauthenticated),
            VaultError::Unauthenticated(none())
        );
        assert_eq!(
            meaning(Code::ResourceExhausted),
            VaultError::Exhausted(none())
        );
        assert_eq!(meaning(Code::Unavailable), VaultError::Unavailable);
        assert_eq!(
            meaning(Code::DeadlineExceeded),
            VaultError::DeadlineExceeded
        );
        assert_eq!(meaning(Code::Cancelled), VaultError::DeadlineExceeded);
        assert_eq!(meaning(Code::Internal), VaultError::Failed);
        assert_eq!(meaning(Code::NotFound), VaultError::Failed);
    }
}
