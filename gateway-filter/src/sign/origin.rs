//! Owns the request of an answer whose signature may cover something of it (RFC 9421 section 2.4): as its unit sent
//! it, for what the filter signs, and as it went on, for what an upstream signed.

use std::sync::{Arc, Mutex, PoisonError};

use api::signature::{Message, SignatureFault};
use http::{HeaderMap, Method};

/// The head of a request, kept.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) authority: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// Both heads of one request; nothing where no answer of its route is signed.
#[derive(Default)]
pub(crate) struct Origin(Option<Both>);

struct Both {
    came: Arc<Sent>,
    went: Mutex<Arc<Sent>>,
}

impl Sent {
    pub(super) fn message<'a>(
        &'a self,
        scheme: &'a str,
        told: Option<&str>,
    ) -> Result<Message<'a>, SignatureFault> {
        let authority = told.unwrap_or(&self.authority);
        Message::request(&self.method, scheme, authority, &self.target, &self.headers)
    }
}

impl From<Sent> for Origin {
    fn from(came: Sent) -> Self {
        let came = Arc::new(came);
        let went = Mutex::new(came.clone());
        Self(Some(Both { came, went }))
    }
}

impl Origin {
    /// What changes of the request on its way.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Sent)) {
        if let Some(both) = &self.0 {
            let mut went = both.went.lock().unwrap_or_else(PoisonError::into_inner);
            change(Arc::make_mut(&mut went));
        }
    }

    /// As the unit sent it.
    pub(crate) fn came(&self) -> Option<Arc<Sent>> {
        self.0.as_ref().map(|both| both.came.clone())
    }

    /// As the upstream got it from the filter.
    pub(crate) fn went(&self) -> Option<Arc<Sent>> {
        let both = self.0.as_ref()?;
        let went = both.went.lock().unwrap_or_else(PoisonError::into_inner);
        Some(went.clone())
    }
}
