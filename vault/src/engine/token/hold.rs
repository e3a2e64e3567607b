//! Legal holds, on tokens or on a subject, each for a matter: what they cover is neither erased nor purged.

use std::sync::Arc;

use ledger::ItemView;

use super::act::{Acted, Draft, Outcome, Seen, Work, act_facts, told};
use super::shred::Shredding;
use super::{TokenActFault, TokenFault};
use crate::commit::{Record, Sequenced};
use crate::engine::{Engine, EngineError};
use crate::model::{Matter, RequestId, Subject, TokenText};
use crate::policy::token_act::{Hold as Place, ListHolds, Release, TokenAct};
use crate::policy::{Authorized, OnTokens};
use crate::store::{Change, Fingerprint, Hold, SubjectHandle, TokenWrite};

/// What the ledger calls a subject among an entry's items.
const SUBJECT: &str = "subject";

/// What one step does to a subject's holds: a write, where one is needed.
type Step = fn(&[Hold], &Stated<'_>) -> Result<Option<TokenWrite>, TokenActFault>;

/// The hold that is asked for.
struct Stated<'a> {
    hold: Hold,
    matter: &'a Matter,
}

impl Engine {
    /// Places a hold on tokens. One that stands already stays.
    pub async fn hold_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Place>>,
        tokens: Vec<TokenText>,
        matter: Matter,
        request: RequestId,
    ) -> Result<Acted<()>, EngineError> {
        let step = move |work: &mut Work<'_>, seen: &Seen<'_>| placed(work, seen, &matter);
        self.on_tokens(proof, tokens, request, step).await
    }

    /// Lifts a hold from tokens. Others go on.
    pub async fn release_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Release>>,
        tokens: Vec<TokenText>,
        matter: Matter,
        request: RequestId,
    ) -> Result<Acted<()>, EngineError> {
        let step = move |work: &mut Work<'_>, seen: &Seen<'_>| lifted(work, seen, &matter);
        self.on_tokens(proof, tokens, request, step).await
    }

    /// The holds on tokens themselves; those on whom they are about are the subject's.
    pub async fn holds_on_tokens(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<ListHolds>>,
        tokens: Vec<TokenText>,
        request: RequestId,
    ) -> Result<Acted<Vec<Hold>>, EngineError> {
        let step = |work: &mut Work<'_>, seen: &Seen<'_>| {
            Ok(Ok(told(work.engine.reader.holds(seen.fingerprint.0)?)))
        };
        self.on_tokens(proof, tokens, request, step).await
    }

    /// Places a hold on a subject: on all tokens that are about it, now and later. The proof must cover all classes.
    pub async fn hold_subject(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Place>>,
        subject: Subject,
        matter: Matter,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let step: Step = |holds, stated| {
            let stands = holds.iter().any(|hold| hold.matter == *stated.matter);
            Ok((!stands).then(|| TokenWrite::Hold(stated.hold.clone())))
        };
        let done = self.on_subject(proof, subject, Some(matter), request, step);
        Ok(done.await?.1)
    }

    /// Lifts a hold from a subject.
    pub async fn release_subject(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<Release>>,
        subject: Subject,
        matter: Matter,
        request: RequestId,
    ) -> Result<Sequenced, EngineError> {
        let step: Step = |holds, stated| {
            let stands = holds.iter().any(|hold| hold.matter == *stated.matter);
            let lift = TokenWrite::Release(stated.hold.handle, stated.matter.clone());
            if stands {
                Ok(Some(lift))
            } else {
                Err(TokenActFault::NoHold)
            }
        };
        let done = self.on_subject(proof, subject, Some(matter), request, step);
        Ok(done.await?.1)
    }

    /// The holds on a subject.
    pub async fn holds_on_subject(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<ListHolds>>,
        subject: Subject,
        request: RequestId,
    ) -> Result<(Vec<Hold>, Sequenced), EngineError> {
        let step: Step = |_, _| Ok(None);
        self.on_subject(proof, subject, None, request, step).await
    }

    async fn on_subject<A: TokenAct>(
        self: &Arc<Self>,
        proof: Authorized<OnTokens<A>>,
        subject: Subject,
        matter: Option<Matter>,
        request: RequestId,
        step: Step,
    ) -> Result<(Vec<Hold>, Sequenced), EngineError> {
        let handle = self.domain_keys(proof.grant().domain())?.subject(&subject);
        let draft = move |engine: &Self| {
            engine.draft_on_subject(&proof, (handle, matter.as_ref()), request, step)
        };
        let held = self.carried_out(draft).await?.removed;
        Ok((held.given, held.entry))
    }

    // A subject's hold needs no token: whether there are any is not told.
    fn draft_on_subject<A: TokenAct>(
        &self,
        proof: &Authorized<OnTokens<A>>,
        (handle, matter): (SubjectHandle, Option<&Matter>),
        request: RequestId,
        step: Step,
    ) -> Result<Draft<Vec<Hold>>, EngineError> {
        let grant = proof.grant();
        let holds = self.reader.holds(handle.0)?;
        let mut change = Change::none();
        if let Some(matter) = matter {
            let hold = Hold {
                handle: handle.0,
                matter: matter.clone(),
                domain: grant.domain().clone(),
                placed: self.clock.now(),
            };
            change
                .token_writes
                .extend(step(&holds, &Stated { hold, matter })?);
        }
        let mut facts = act_facts(proof, request);
        // INVARIANT 13: the subject enters the ledger as a keyed pseudonym only. A restored backup gets the
        // hold back by the commitment.
        facts.commitment = Some(self.keys.subject_commitment(handle));
        let item = self.item(Fingerprint(handle.0), SUBJECT, ItemView::Done);
        Ok(Draft {
            record: self.act_record(proof, Record::batch(change, facts, [(item, 1)])?)?,
            outcome: told(holds),
            shredding: Shredding::default(),
            first: None,
        })
    }
}

fn placed(
    work: &mut Work<'_>,
    seen: &Seen<'_>,
    matter: &Matter,
) -> Result<Outcome<()>, EngineError> {
    let stands = has(work, seen, matter)?;
    if !stands && !seen.again {
        let hold = Hold {
            handle: seen.fingerprint.0,
            matter: matter.clone(),
            domain: work.domain.clone(),
            placed: work.now,
        };
        // One that is removed before this is written is not said to be held.
        let writes = [TokenWrite::Stands(seen.fingerprint), TokenWrite::Hold(hold)];
        work.change.token_writes.extend(writes);
    }
    Ok(Ok(told(())))
}

fn lifted(
    work: &mut Work<'_>,
    seen: &Seen<'_>,
    matter: &Matter,
) -> Result<Outcome<()>, EngineError> {
    if !has(work, seen, matter)? {
        return Ok(Err(TokenFault::NoHold));
    }
    if !seen.again {
        let lift = TokenWrite::Release(seen.fingerprint.0, matter.clone());
        work.change.token_writes.push(lift);
    }
    Ok(Ok(told(())))
}

fn has(work: &Work<'_>, seen: &Seen<'_>, matter: &Matter) -> Result<bool, EngineError> {
    let holds = work.engine.reader.holds(seen.fingerprint.0)?;
    Ok(holds.iter().any(|hold| hold.matter == *matter))
}
