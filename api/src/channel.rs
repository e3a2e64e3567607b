//! How a client reaches the vault: one pooled HTTP/2 channel over TLS, the unit's proof beside each call.

use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// Largest answer a client reads, in bytes: a batch, or a key's backup of at most 16 MiB.
pub(crate) const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Where the vault is and how this machine proves itself. All certificates and keys are PEM.
pub struct ClientSettings {
    /// `https://host:port` of the vault's gRPC face.
    pub url: String,
    /// The authorities that may sign the vault's certificate.
    pub ca_pem: Vec<u8>,
    /// This machine's certificate chain and key; `None` where the unit's token is the only proof.
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    /// How long one call may take.
    pub timeout: Duration,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address or the TLS material can't be used; retrying does not help.
    #[error(
        "the vault's address or TLS material can't be used: check url, ca, certificate and key"
    )]
    Settings(#[source] tonic::transport::Error),
    /// The proof holds characters that no header may carry.
    #[error("the unit's proof is not a valid header value")]
    Proof,
    /// The vault answered with a refusal, or could not be reached (code `Unavailable`).
    #[error("the vault refused or could not be reached: {}", .0.code())]
    Refused(#[source] Box<tonic::Status>),
}

impl ClientError {
    /// Whether no connection was made: then the vault has not seen the call.
    pub fn is_unsent(&self) -> bool {
        let Self::Refused(status) = self else {
            return false;
        };
        let mut cause = std::error::Error::source(&**status);
        while let Some(error) = cause {
            if error.is::<tonic::ConnectError>() {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// Whether no vault answered: what the vault itself says carries a stable code in its details.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Refused(status) => {
                status.code() == tonic::Code::Unavailable && status.details().is_empty()
            }
            Self::Settings(_) | Self::Proof => false,
        }
    }
}

/// A unit's own proof, forwarded as it was received. The gateway asserts nothing.
///
/// It has no `Debug`: a proof never reaches a log.
#[derive(Clone)]
pub struct UnitProof {
    authorization: MetadataValue<Ascii>,
    /// What shows that the unit has the key that its token is bound to (RFC 9449). It counts for one call.
    dpop: Option<MetadataValue<Ascii>>,
}

impl UnitProof {
    /// Takes the value of the unit's `Authorization` header, scheme and all.
    pub fn authorization(header: &[u8]) -> Result<Self, ClientError> {
        Ok(Self {
            authorization: sensitive(header)?,
            dpop: None,
        })
    }

    /// With the value of the unit's `DPoP` header too.
    pub fn with_dpop(self, header: &[u8]) -> Result<Self, ClientError> {
        Ok(Self {
            dpop: Some(sensitive(header)?),
            ..self
        })
    }
}

fn sensitive(header: &[u8]) -> Result<MetadataValue<Ascii>, ClientError> {
    let mut value = MetadataValue::try_from(header).map_err(|_| ClientError::Proof)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Prepares a channel; it connects when it is first used, and again when it was lost.
pub(crate) fn channel(settings: &ClientSettings) -> Result<Channel, ClientError> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&settings.ca_pem));
    if let Some((certificate, key)) = &settings.identity_pem {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(settings.url.clone())
        .and_then(|endpoint| endpoint.tls_config(tls))
        .map_err(ClientError::Settings)?;
    Ok(endpoint
        .timeout(settings.timeout)
        .connect_timeout(settings.timeout)
        .tcp_nodelay(true)
        .connect_lazy())
}

/// The deadline goes with the call (`grpc-timeout`), so that a vault can know when nobody waits any more.
pub(crate) fn with_proof<T>(
    message: T,
    proof: Option<&UnitProof>,
    timeout: Duration,
) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(timeout);
    if let Some(proof) = proof {
        let metadata = request.metadata_mut();
        metadata.insert("authorization", proof.authorization.clone());
        if let Some(dpop) = &proof.dpop {
            metadata.insert("dpop", dpop.clone());
        }
    }
    request
}

pub(crate) fn answer<T>(
    result: Result<tonic::Response<T>, tonic::Status>,
) -> Result<T, ClientError> {
    result
        .map(tonic::Response::into_inner)
        .map_err(|status| ClientError::Refused(Box::new(status)))
}
