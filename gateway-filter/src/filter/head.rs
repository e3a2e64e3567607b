//! Owns what becomes of a request's head before it goes on.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::{Filter, Passage, RequestHead, Vault};
use crate::error::FilterError;

/// What changes in a request's head. It has no `Debug`: it may hold what a vault gave.
#[derive(Default)]
pub struct HeadRewriting {
    /// Headers that do not go on to the upstream.
    pub without: Vec<HeaderName>,
    /// Path and query, if they change.
    pub target: Option<String>,
    /// Headers that change: all values that each has from now on; none where it goes.
    pub headers: Vec<(HeaderName, Vec<HeaderValue>)>,
}

impl HeadRewriting {
    /// Changes the headers; the target is the front's to change.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.without {
            headers.remove(name);
        }
        for (name, values) in &self.headers {
            headers.remove(name);
            for value in values {
                headers.append(name, value.clone());
            }
        }
    }
}

impl<V: Vault> Filter<V> {
    /// What becomes of a request's head: what is not for the upstream stays here.
    ///
    /// `head` is the one that was admitted.
    #[expect(
        clippy::unused_async,
        reason = "fields of a head are asked of the vault, as those of a body"
    )]
    pub async fn request_head(
        &self,
        passage: &Passage,
        _head: &RequestHead<'_>,
    ) -> Result<HeadRewriting, FilterError> {
        Ok(HeadRewriting {
            without: passage.stays_here(),
            ..HeadRewriting::default()
        })
    }
}
