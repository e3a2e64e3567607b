//! Collects witnesses' cosignatures of a checkpoint before it is published (C2SP tlog-witness).
//!
//! Each witness has a thread of its own, so that one that is slow or away holds up no other. A thread
//! takes the newest checkpoint that waits for it and leaves out those before.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use ledger::tile::consistency_from_tiles;
use ledger::witness::AddCheckpoint;
use ledger::{Checkpoint, Policy, WitnessKey, cosignature_lines, cosigned, fresh};

use super::receipt::Standing;
use crate::model::Clock;

/// Cosignatures that are older are not taken: a witness whose clock stands back that far is no witness of now.
const AGE_SECONDS_MAX: u64 = 300;

/// What a witness answered.
#[derive(Clone, Debug)]
pub struct WitnessAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Posts a body to a witness's `add-checkpoint`. Blocks for a bounded time. An error is in words without
/// secrets.
pub type Ask = Box<dyn Fn(String) -> Result<WitnessAnswer, String> + Send>;

/// Who must cosign, how they are reached, and how long they are waited for.
pub struct Witnesses {
    /// The operator's policy.
    pub policy: Policy,
    /// How each witness of the policy is asked, in its order; `None` where it has no URL.
    pub asks: Vec<Option<Ask>>,
    /// For so long, in all.
    pub deadline: Duration,
}

/// Why a witness did not cosign. It is asked again with the next checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessFault {
    /// It can't be reached, or did not answer in its time.
    #[error("{0}")]
    Unreachable(String),
    /// It has not answered yet.
    #[error("it has not answered in time")]
    Late,
    /// An answer that C2SP tlog-witness does not have, such as 404: it does not know this log.
    #[error("it answered {0}: does it know this log and its key?")]
    Answered(u16),
    /// It answered well, and there is no cosignature of its key over this checkpoint and of this time.
    #[error("its answer has no fresh cosignature by its key: compare its key and its clock")]
    NotItsKey,
    /// It cosigned more entries of this log than there are here.
    #[error("it has cosigned {0} entries of this log, more than there are here")]
    Ahead(u64),
    /// It cosigned another history of this log.
    #[error("it has cosigned another history of this log")]
    OtherHistory,
    /// The tiles on disk do not prove the checkpoint.
    #[error("the ledger directory does not prove the checkpoint: {0}")]
    Tiles(String),
}

impl WitnessFault {
    /// Whether another node may be writing under this log's name, or the database has gone back.
    pub fn accuses(&self) -> bool {
        matches!(self, Self::Ahead(_) | Self::OtherHistory)
    }
}

/// What came of asking.
pub(super) struct Collected {
    /// Lines that hold, of those who count.
    pub(super) lines: Vec<String>,
    /// Whether they make a quorum.
    pub(super) met: bool,
    /// Who did not cosign, by name, and why.
    pub(super) faults: Vec<(String, WitnessFault)>,
}

type Outcome = Result<Vec<String>, WitnessFault>;

/// A checkpoint on its way to a witness.
struct Job {
    note: Arc<str>,
    checkpoint: Checkpoint,
    answer: Sender<(usize, Outcome)>,
}

/// The witnesses' threads. They end with it, each after its request at most.
pub(super) struct Panel {
    policy: Policy,
    deadline: Duration,
    desks: Vec<Option<Sender<Job>>>,
}

impl Panel {
    /// Starts a thread for each witness that can be asked.
    pub(super) fn seat(
        witnesses: Witnesses,
        standing: &Standing,
        clock: &Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let Witnesses {
            policy,
            asks,
            deadline,
        } = witnesses;
        let mut desks = Vec::new();
        for (index, (witness, ask)) in policy.witnesses().iter().zip(asks).enumerate() {
            let Some(ask) = ask else {
                desks.push(None);
                continue;
            };
            let (orders, inbox) = channel();
            let desk = Desk {
                index,
                key: witness.key.clone(),
                ask,
                standing: standing.clone(),
                clock: Arc::clone(clock),
                known: None,
            };
            std::thread::Builder::new()
                .name(format!("witness-{index}"))
                .spawn(move || desk.run(&inbox))?;
            desks.push(Some(orders));
        }
        Ok(Self {
            policy,
            deadline,
            desks,
        })
    }

    /// How many cosignatures the policy needs at least.
    pub(super) fn cosigners_min(&self) -> usize {
        self.policy.cosigners_min()
    }

    /// Asks all, and waits until those who cosigned make a quorum, all have answered, or the time is over.
    pub(super) fn collect(&self, note: &str, checkpoint: &Checkpoint) -> Collected {
        let (answer, answers) = channel();
        let note: Arc<str> = Arc::from(note);
        let mut outcomes: Vec<Option<Outcome>> = vec![None; self.desks.len()];
        for (index, desk) in self.desks.iter().enumerate() {
            let job = Job {
                note: Arc::clone(&note),
                checkpoint: checkpoint.clone(),
                answer: answer.clone(),
            };
            let asked = desk.as_ref().is_some_and(|desk| desk.send(job).is_ok());
            if !asked {
                let fault = WitnessFault::Unreachable("the policy names no URL of it".to_owned());
                outcomes[index] = Some(Err(fault));
            }
        }
        drop(answer);
        self.await_answers(&answers, &mut outcomes);
        self.summed(outcomes)
    }

    fn await_answers(
        &self,
        answers: &Receiver<(usize, Outcome)>,
        outcomes: &mut [Option<Outcome>],
    ) {
        let until = Instant::now() + self.deadline;
        while !self.is_met(outcomes) {
            let left = until.saturating_duration_since(Instant::now());
            match answers.recv_timeout(left) {
                Ok((index, outcome)) => outcomes[index] = Some(outcome),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
        // Who answered meanwhile counts too; who did not is not waited for.
        for (index, outcome) in answers.try_iter() {
            outcomes[index] = Some(outcome);
        }
    }

    fn is_met(&self, outcomes: &[Option<Outcome>]) -> bool {
        self.policy
            .is_met(|index| matches!(outcomes.get(index), Some(Some(Ok(_)))))
    }

    fn summed(&self, outcomes: Vec<Option<Outcome>>) -> Collected {
        let met = self.is_met(&outcomes);
        let (mut lines, mut faults) = (Vec::new(), Vec::new());
        for (witness, outcome) in self.policy.witnesses().iter().zip(outcomes) {
            match outcome.unwrap_or(Err(WitnessFault::Late)) {
                Ok(cosigned) => lines.extend(cosigned),
                Err(fault) => faults.push((witness.name.clone(), fault)),
            }
        }
        Collected { lines, met, faults }
    }
}

/// One witness's thread.
struct Desk {
    index: usize,
    key: WitnessKey,
    ask: Ask,
    standing: Standing,
    clock: Arc<dyn Clock>,
    /// The size that it cosigned last, as far as is known here.
    known: Option<u64>,
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Job>) {
        while let Ok(mut job) = inbox.recv() {
            // Whoever sent those before has given them up.
            while let Ok(newer) = inbox.try_recv() {
                job = newer;
            }
            let outcome = self.cosigned(&job);
            // The publisher may have gone on without it.
            let _ = job.answer.send((self.index, outcome));
        }
    }

    fn cosigned(&mut self, job: &Job) -> Outcome {
        let size = job.checkpoint.size;
        let known = match self.known {
            Some(known) => known,
            // What is published was cosigned, or is from before there were witnesses: its answer tells.
            None => self.published().unwrap_or_default(),
        };
        // A checkpoint that is asked for anew after a start may be smaller than what was published meanwhile.
        let answer = match self.asked(job, known.min(size))? {
            WitnessAnswer { status: 409, body } => {
                let stands = stated_size(&body).ok_or(WitnessFault::Answered(409))?;
                if stands > size {
                    return Err(WitnessFault::Ahead(stands));
                }
                if stands == known.min(size) {
                    return Err(WitnessFault::OtherHistory);
                }
                self.asked(job, stands)?
            }
            answer => answer,
        };
        self.settled(job, &answer)
    }

    fn settled(&mut self, job: &Job, answer: &WitnessAnswer) -> Outcome {
        match answer.status {
            200 => {}
            // Consistency was proven from the size that it named itself.
            409 | 422 => return Err(WitnessFault::OtherHistory),
            other => return Err(WitnessFault::Answered(other)),
        }
        let body = job.checkpoint.body();
        let lines = cosignature_lines(&body, &answer.body, &self.key);
        let mut lines = lines.map_err(|_| WitnessFault::NotItsKey)?;
        // One is enough: hundreds would make a checkpoint too long to be read again.
        lines.truncate(1);
        let note = lines
            .iter()
            .fold(job.note.to_string(), |note, line| note + line + "\n");
        let times = fresh(self.clock.now().0 / 1_000_000, AGE_SECONDS_MAX);
        match cosigned(&note, &self.key, &times) {
            Ok(ledger::Cosigned::At(_)) => {
                self.known = Some(job.checkpoint.size);
                Ok(lines)
            }
            _ => Err(WitnessFault::NotItsKey),
        }
    }

    fn asked(&self, job: &Job, old_size: u64) -> Result<WitnessAnswer, WitnessFault> {
        let tree = (job.checkpoint.size, &job.checkpoint.root);
        let proof = consistency_from_tiles(old_size, tree, |tile, width| {
            self.standing.tile(tile, width)
        });
        let (_, proof) = proof.map_err(|error| WitnessFault::Tiles(error.to_string()))?;
        let request = AddCheckpoint {
            old_size,
            proof,
            note: job.note.to_string(),
        };
        (self.ask)(request.encode()).map_err(WitnessFault::Unreachable)
    }

    fn published(&self) -> Option<u64> {
        let standing = self.standing.checkpoint().ok().flatten();
        standing.map(|(_, checkpoint)| checkpoint.size)
    }
}

/// The size in a 409's body, in its one spelling.
fn stated_size(body: &str) -> Option<u64> {
    let text = body.strip_suffix('\n').unwrap_or(body);
    let size: u64 = text.parse().ok()?;
    (size.to_string() == text).then_some(size)
}
