//! Owns messages whose signatures are checked or made, or whose ledger entries are named: each is one step, on the
//! whole message. First what came is verified as it came, then fields are exchanged, then what goes is signed.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::{Filter, HeadRewriting, Passage, RequestHead, Rewriting, Vault};
use crate::error::{FilterError, Side, VaultError};
use crate::media::{self, Media};
use crate::sign::code::{self, Changes};
use crate::sign::receipt::RECEIPT;
use crate::sign::signature::{self, SIGNATURE, SIGNATURE_INPUT};
use crate::sign::{
    Holder, Key, Make, Origin, Seen, Sent, Signing, SigningFault, Start, Unbelieved, Verify, clock,
};

/// The head of an answer, as the filter needs it.
#[derive(Clone, Copy)]
pub struct ResponseHead<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as they came.
    pub headers: &'a HeaderMap,
}

/// What becomes of a whole message. The head's changes are made after those that the new body asks for.
pub struct Whole {
    /// What changes in its head.
    pub head: HeadRewriting,
    /// Its body; empty where there is none.
    pub body: Rewriting,
}

/// What a vault gives, and the index of the ledger entry that records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<T> {
    /// What it gives.
    pub answer: T,
    /// The entry.
    pub entry: u64,
}

/// Key and message, and whose proof goes along.
struct Asked<'a> {
    passage: &'a Passage,
    side: Side,
}

impl Passage {
    /// Whether this side is one step on the whole message: [`Filter::request_whole`], [`Filter::response_whole`].
    pub fn is_sealed(&self, side: Side) -> bool {
        self.signing(side).is_some()
    }

    fn signing(&self, side: Side) -> Option<&Signing> {
        let route = self.route.as_deref()?;
        let signing = match side {
            Side::Request => &route.request_signing,
            Side::Response => &route.response_signing,
        };
        Some(signing).filter(|signing| !signing.is_idle())
    }

    /// The request, if the answer's signatures may cover something of it.
    pub(super) fn origin_of(&self, head: &RequestHead<'_>) -> Origin {
        let signing = self.signing(Side::Response);
        if !signing.is_some_and(Signing::covers_request) {
            return Origin::default();
        }
        Origin::from(Sent {
            method: head.method.clone(),
            authority: head.host.to_owned(),
            target: head.path.to_owned(),
            headers: head.headers.clone(),
        })
    }

    /// What changes of the request on its way, for the answer's signatures.
    pub(super) fn goes_on(&self, rewriting: &HeadRewriting) {
        self.origin.change(|sent| {
            rewriting.apply(&mut sent.headers);
            if let Some(target) = &rewriting.target {
                sent.target.clone_from(target);
            }
        });
    }
}

impl<V: Vault> Filter<V> {
    /// Goes on where another filter ends: what it saw once counts no second time.
    pub(crate) fn follow(&self, other: &Self) {
        self.nonces.adopt(&other.nonces);
    }

    /// The request, whole: `body` is `None` where none follows its head.
    pub async fn request_whole(
        &self,
        passage: &Passage,
        head: &RequestHead<'_>,
        body: Option<Bytes>,
    ) -> Result<Whole, FilterError> {
        let (method, authority, target) = (head.method, head.host, head.path);
        let start = Start::Request {
            method,
            authority,
            target,
        };
        let asked = Asked {
            passage,
            side: Side::Request,
        };
        let came = Seen {
            start,
            headers: head.headers,
            body: body.as_ref(),
            media: passage.media,
            of: None,
        };
        let spent = self.verified(&asked, &came).await?;
        let mut rewriting = self.request_head(passage, head).await?;
        rewriting.without.extend(spent);
        let body_of = match &body {
            None => Rewriting::Unchanged(Bytes::new()),
            Some(body) => self.request_body(passage, body.clone()).await?,
        };
        let whole = Whole {
            head: rewriting,
            body: body_of,
        };
        let whole = self.made(&asked, &came, whole).await?;
        passage.goes_on(&whole.body.head());
        passage.goes_on(&whole.head);
        Ok(whole)
    }

    /// The answer, whole: `body` is `None` where none follows its head.
    pub async fn response_whole(
        &self,
        passage: &Passage,
        head: &ResponseHead<'_>,
        body: Option<Bytes>,
    ) -> Result<Whole, FilterError> {
        let asked = Asked {
            passage,
            side: Side::Response,
        };
        // The type that the answer states is the passage's from here on.
        let _ = passage.response_reading(head.headers);
        let media = Media::of(head.headers);
        let went = passage.origin.went();
        let came = Seen {
            start: Start::Response(head.status),
            headers: head.headers,
            body: body.as_ref(),
            media,
            of: went.as_deref(),
        };
        let spent = self.verified(&asked, &came).await?;
        let mut rewriting = self.response_head(passage, head.headers).await?;
        rewriting.without.extend(spent);
        let body_of = match &body {
            None => {
                if passage.body_plan(Side::Response).is_some() {
                    // An answer to HEAD, or a 304: what it tells is of a body that the unit never gets.
                    rewriting.without.extend(media::digests());
                }
                Rewriting::Unchanged(Bytes::new())
            }
            Some(body) => self.response_body(passage, media, body.clone()).await?,
        };
        let whole = Whole {
            head: rewriting,
            body: body_of,
        };
        self.made(&asked, &came, whole).await
    }

    /// All that the route demands of what came; yields the headers that have done their work.
    async fn verified(
        &self,
        asked: &Asked<'_>,
        came: &Seen<'_>,
    ) -> Result<Vec<HeaderName>, FilterError> {
        let mut spent = Vec::new();
        let fault = |fault| FilterError::Signing(asked.side, fault);
        for demand in asked
            .passage
            .signing(asked.side)
            .iter()
            .flat_map(|signing| &signing.verify)
        {
            let now = clock::now();
            match demand {
                Verify::Http(demanded) => {
                    let candidate = demanded.candidate(came, now).map_err(fault)?;
                    let signed = (candidate.base.into_bytes(), candidate.signature.as_slice());
                    self.believed(asked, candidate.key, signed).await?;
                    signature::digest_holds(came).map_err(fault)?;
                    let (key, nonce) = (&candidate.key.name, &candidate.nonce);
                    let taken = self.nonces.take(key, nonce, (now, candidate.ends));
                    taken.map_err(fault)?;
                    spent.extend([SIGNATURE, SIGNATURE_INPUT]);
                }
                Verify::Code(code, key) => {
                    let claimed = code.claimed(came, &self.rules.bounds, now).map_err(fault)?;
                    let signed = (claimed.text, claimed.code.as_slice());
                    self.believed(asked, key, signed).await?;
                    if let Some((nonce, ends)) = claimed.once {
                        let taken = self.nonces.take(&key.name, &nonce, (now, ends));
                        taken.map_err(fault)?;
                    }
                    if let code::Place::Header(name) = &code.place {
                        spent.push(name.clone());
                    }
                }
            }
        }
        Ok(spent)
    }

    /// Asks whoever holds the key.
    async fn believed(
        &self,
        asked: &Asked<'_>,
        key: &Key,
        (message, signature): (Vec<u8>, &[u8]),
    ) -> Result<(), FilterError> {
        let valid = match &key.holder {
            Holder::Public(public) => public.verifies(&message, signature),
            Holder::Vault { .. } => {
                let usage = key.ask(message).ok_or(VaultError::Failed)?;
                let proof = asked.passage.proof.as_ref();
                self.vault.verify(usage, signature.to_vec(), proof).await?
            }
        };
        if valid {
            return Ok(());
        }
        let wrong = SigningFault::Unbelieved(Unbelieved::Wrong);
        Err(FilterError::Signing(asked.side, wrong))
    }

    /// Signs what goes, as it goes.
    async fn made(
        &self,
        asked: &Asked<'_>,
        came: &Seen<'_>,
        mut whole: Whole,
    ) -> Result<Whole, FilterError> {
        let Some(signing) = asked.passage.signing(asked.side) else {
            return Ok(whole);
        };
        if signing.receipt {
            let origin = self.rules.log_origin.as_deref();
            if let Some(value) = asked.passage.entries.told(asked.side, origin) {
                whole.head.set((RECEIPT, value));
            }
        }
        let fault = |fault| FilterError::Unsigned(asked.side, fault);
        for make in &signing.make {
            let (going, unit) = (Going::of(came, &whole), asked.passage.origin.came());
            let seen = Seen {
                of: unit.as_deref(),
                ..going.seen(came)
            };
            let now = (clock::now(), rand::random());
            match make {
                Make::Http(made) => {
                    let (digest, unsigned) = made.base(&seen, now).map_err(fault)?;
                    let message = unsigned.base().as_bytes().to_vec();
                    let signed = self.signed(asked, &made.key, message).await?;
                    let lines = signature::lines(unsigned, &signed).map_err(fault)?;
                    digest
                        .into_iter()
                        .chain(lines)
                        .for_each(|line| whole.head.set(line));
                }
                Make::Code(code, key) => {
                    let bounds = &self.rules.bounds;
                    let uncoded = code.uncoded(&seen, bounds, now).map_err(fault)?;
                    let made = self.signed(asked, key, uncoded.text).await?;
                    let changes = code.coded(&seen, bounds, uncoded.changes, &made);
                    whole.change(changes.map_err(fault)?);
                }
            }
        }
        Ok(whole)
    }

    async fn signed(
        &self,
        asked: &Asked<'_>,
        key: &Key,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, FilterError> {
        let usage = key.ask(message).ok_or(VaultError::Failed)?;
        let proof = asked.passage.proof.as_ref();
        Ok(self.vault.sign(usage, proof).await?)
    }
}

/// A message as it goes on, so far.
struct Going {
    headers: HeaderMap,
    target: Option<String>,
    body: Option<Bytes>,
}

impl Going {
    fn of(came: &Seen<'_>, whole: &Whole) -> Self {
        let mut headers = came.headers.clone();
        whole.body.head().apply(&mut headers);
        whole.head.apply(&mut headers);
        Self {
            headers,
            target: whole.head.target.clone(),
            body: came.body.map(|_| whole.body.clone().into_bytes()),
        }
    }

    fn seen<'s>(&'s self, came: &Seen<'s>) -> Seen<'s> {
        let start = match (came.start, self.target.as_deref()) {
            (
                Start::Request {
                    method, authority, ..
                },
                Some(target),
            ) => Start::Request {
                method,
                authority,
                target,
            },
            (start, _) => start,
        };
        Seen {
            start,
            headers: &self.headers,
            body: self.body.as_ref(),
            media: Media::of(&self.headers),
            of: None,
        }
    }
}

impl From<Rewriting> for Whole {
    fn from(body: Rewriting) -> Self {
        Self {
            head: HeadRewriting::default(),
            body,
        }
    }
}

impl Whole {
    fn change(&mut self, changes: Changes) {
        for line in changes.headers {
            self.head.set(line);
        }
        if let Some(target) = changes.target {
            self.head.target = Some(target);
        }
        if let Some(body) = changes.body {
            self.body = match std::mem::replace(&mut self.body, Rewriting::Unchanged(Bytes::new()))
            {
                Rewriting::Recast(_, head) => Rewriting::Recast(body, head),
                Rewriting::Unchanged(_) | Rewriting::Rewritten(_) => Rewriting::Rewritten(body),
            };
        }
    }
}

impl HeadRewriting {
    /// From now on the header has this one value.
    pub(crate) fn set(&mut self, (name, value): (HeaderName, HeaderValue)) {
        self.without.retain(|gone| *gone != name);
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, vec![value]));
    }
}
