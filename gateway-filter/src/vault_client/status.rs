//! Owns the one reading of gRPC statuses: what each means, and which of the vault's words are quoted.

use std::time::Duration;

use api::ClientError;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::error::{Refusal, VaultError};

/// `ErrorInfo.domain` of the vault's own statuses; others come from the transport.
const ERROR_DOMAIN: &str = "jinku";
/// Longest problem code taken over from the vault, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Longest text taken over from the vault, in characters.
const DETAIL_CHARS_MAX: usize = 300;
/// Longest patience that is asked of a unit.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// What an error of the client means.
pub(super) fn meaning(error: &ClientError) -> VaultError {
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
        // More than it takes at once: `tonic`'s own word, from before the vault has seen anything.
        Code::OutOfRange => VaultError::Invalid(Refusal {
            code: Some("body-too-large".to_owned()),
            detail: Some(
                "the vault takes less at once: see its `limits.body_bytes_max`".to_owned(),
            ),
            retry_after: None,
        }),
        // It is well and knows what it was asked for; the thing is not there, or in no state for it: a key that a
        // route misspells, a class.
        Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
            if is_its_own(status) =>
        {
            VaultError::Invalid(refusal(status))
        }
        Code::Unavailable if is_its_own(status) => VaultError::Busy(refusal(status)),
        Code::Unavailable => VaultError::Unavailable,
        // tonic reports its own timeout as `Cancelled`.
        Code::DeadlineExceeded | Code::Cancelled => VaultError::DeadlineExceeded,
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => VaultError::Failed,
    }
}

/// Whether the vault itself wrote it; others come from the transport, or from something between.
fn is_its_own(status: &Status) -> bool {
    status
        .get_details_error_info()
        .is_some_and(|error| error.domain == ERROR_DOMAIN)
}

/// When to come again: `RetryInfo` of the details, else the metadata's `retry-after` in seconds.
fn retry_after(status: &Status) -> Option<Duration> {
    let told = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    let written = || {
        let seconds = status.metadata().get("retry-after")?.to_str().ok()?;
        seconds.parse().ok().map(Duration::from_secs)
    };
    told.or_else(written).map(|wait| wait.min(RETRY_AFTER_MAX))
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
        retry_after: retry_after(status),
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
            ..Refusal::default()
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
            ..Refusal::default()
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
        assert!(matches!(meaning(Code::OutOfRange), VaultError::Invalid(_)));
        assert_eq!(meaning(Code::Internal), VaultError::Failed);
        assert_eq!(meaning(Code::NotFound), VaultError::Failed);
    }

    #[test]
    fn what_the_vault_says_of_a_thing_is_a_refusal_and_of_itself_a_failure() {
        for code in [
            Code::NotFound,
            Code::AlreadyExists,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::Unimplemented,
        ] {
            let own = from_vault(code, "jinku", "key-unknown", "no such key");
            let VaultError::Invalid(refusal) = own else {
                panic!("{code:?} has another meaning")
            };
            assert_eq!(refusal.code.as_deref(), Some("key-unknown"));
            let other = from_vault(code, "envoy", "nowhere", "no such place");
            assert_eq!(other, VaultError::Failed, "{code:?}");
        }
        let internal = from_vault(Code::Internal, "jinku", "internal", "a fault of ours");
        assert_eq!(internal, VaultError::Failed);
    }

    #[test]
    fn patience_that_the_vault_asks_for_is_kept_and_bounded() {
        let mut details = ErrorDetails::with_error_info("quota-exceeded", "jinku", []);
        details.set_retry_info(Some(Duration::from_secs(7)));
        let status = Status::with_error_details(Code::ResourceExhausted, "later", details);
        let VaultError::Exhausted(refusal) = status_meaning(&status) else {
            panic!("another meaning")
        };
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
        let mut details = ErrorDetails::with_error_info("overloaded", "jinku", []);
        details.set_retry_info(Some(Duration::from_secs(1_000_000)));
        let status = Status::with_error_details(Code::Unavailable, "later", details);
        let VaultError::Busy(refusal) = status_meaning(&status) else {
            panic!("another meaning")
        };
        assert_eq!(refusal.retry_after, Some(RETRY_AFTER_MAX));
    }
}
