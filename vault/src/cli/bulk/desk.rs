//! One batch at the vault: asked again while the vault is away, and again without the rows it refuses.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::v1::{DetokenizeRequest, TokenizeItem, TokenizeRequest, View};
use api::{ClientError, UnitProof};
use tonic_types::StatusExt;

use super::batch::{Batch, RowFault, Settled};
use crate::cli::connection::refused;

/// Requests of a batch that are sent again whole, but for the row that was refused. Then halves are.
const WHOLE_AGAIN_MAX: usize = 4;
/// Before the first new attempt; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What is asked of the vault.
pub(super) enum Act {
    Tokenize,
    Detokenize {
        purpose: String,
        /// What the values are taken from, where it is not the unit's budgets.
        grant: Option<String>,
        /// A token whose value is not available stays, and its row with it.
        keep_unavailable: bool,
    },
}

/// Who asks, where, and for what.
pub(super) struct Desk {
    pub(super) client: api::Client,
    pub(super) proof: Option<UnitProof>,
    pub(super) domain: String,
    /// Of each column of the map; empty where it names none.
    pub(super) classes: Vec<String>,
    pub(super) act: Act,
    /// Names this run: 32 hexadecimal digits.
    pub(super) run: String,
    /// How long one request is tried again while the vault is away or busy.
    pub(super) patience: Duration,
    /// It has answered once: from then on, what fails is worth another attempt.
    pub(super) reached: AtomicBool,
}

/// What the vault says to the cells of one request.
enum Answer {
    /// For each what stands there now, or the class's code and word why it is not.
    Cells(Vec<Result<String, RowFault>>),
    /// The request's cell of this place is refused.
    Refused(usize, RowFault),
    /// The request has too many cells or bytes.
    TooMuch(RowFault),
}

impl Desk {
    /// Asks for all cells of a batch. Each row has its replacements, or a fault.
    pub(super) async fn settle(&self, mut batch: Batch) -> anyhow::Result<Settled> {
        let mut replacements = vec![String::new(); batch.cells.len()];
        let asked =
            |row: usize| batch.rows[row].fault.is_none() && !batch.rows[row].cells.is_empty();
        let all: Vec<usize> = (0..batch.rows.len()).filter(|row| asked(*row)).collect();
        let mut waiting = VecDeque::from([all]);
        let (mut part, mut refusals) = (0, 0);
        while let Some(mut rows) = waiting.pop_front() {
            if rows.is_empty() {
                continue;
            }
            let cells: Vec<usize> = rows
                .iter()
                .flat_map(|row| batch.rows[*row].cells.clone())
                .collect();
            let key = format!("{}-{}-{part}", self.run, batch.number);
            part += 1;
            match self.ask(&batch, &cells, &key).await? {
                Answer::Cells(answers) => {
                    for (cell, answer) in cells.into_iter().zip(answers) {
                        match answer {
                            Ok(text) => replacements[cell] = text,
                            Err(fault) => set_aside(&mut batch, cell, fault),
                        }
                    }
                    continue;
                }
                Answer::Refused(place, fault) => {
                    let cell = *cells.get(place).ok_or_else(unknown)?;
                    set_aside(&mut batch, cell, fault);
                    rows.retain(|row| batch.rows[*row].fault.is_none());
                    refusals += 1;
                }
                Answer::TooMuch(fault) if rows.len() == 1 => {
                    set_aside(&mut batch, cells[0], fault);
                    continue;
                }
                Answer::TooMuch(_) => refusals = WHOLE_AGAIN_MAX + 1,
            }
            // Each refusal takes one row away: at most two requests a refused row, and one more.
            if refusals > WHOLE_AGAIN_MAX {
                waiting.push_front(rows.split_off(rows.len() / 2));
            }
            waiting.push_front(rows);
        }
        Ok(Settled {
            batch,
            replacements,
        })
    }

    async fn ask(&self, batch: &Batch, cells: &[usize], key: &str) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let error = match self.once(batch, cells, key).await {
                Ok(answer) => {
                    self.reached.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let refusal = Refusal::of(&error);
            if let Some(answer) = refusal.answer(self, batch, cells) {
                self.reached.store(true, Ordering::Relaxed);
                return Ok(answer);
            }
            let hope = refusal.passes() && self.reached.load(Ordering::Relaxed);
            if !hope || started.elapsed() + pause > self.patience {
                let remedy = refusal.remedy();
                let error = refused(error);
                return Err(match remedy {
                    Some(remedy) => anyhow::anyhow!("{error:#}; {remedy}"),
                    None => error,
                });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn once(&self, batch: &Batch, cells: &[usize], key: &str) -> Result<Answer, ClientError> {
        let proof = self.proof.as_ref();
        let cell = |at: &usize| &batch.cells[*at];
        let value = |at: &usize| cell(at).value.clone();
        let domain = self.domain.clone();
        match &self.act {
            Act::Tokenize => {
                let item = |at: &usize| TokenizeItem {
                    class: self.classes[cell(at).column].clone(),
                    value: value(at),
                    ..TokenizeItem::default()
                };
                let request = TokenizeRequest {
                    domain,
                    items: cells.iter().map(item).collect(),
                    idempotency_key: key.to_owned(),
                    ..TokenizeRequest::default()
                };
                let answer = self.client.tokenize(request, proof).await?;
                Ok(Answer::Cells(answer.tokens.into_iter().map(Ok).collect()))
            }
            Act::Detokenize { purpose, grant, .. } => {
                let request = DetokenizeRequest {
                    domain,
                    purpose: purpose.clone(),
                    tokens: cells.iter().map(value).collect(),
                    grant: grant.clone().unwrap_or_default(),
                    ..DetokenizeRequest::default()
                };
                let items = self.client.detokenize(request, proof).await?.items;
                let shown = items
                    .into_iter()
                    .zip(cells)
                    .map(|(item, at)| self.shown(item.view(), item.value, &cell(at).value));
                Ok(Answer::Cells(shown.collect()))
            }
        }
    }

    fn shown(&self, view: View, value: String, token: &str) -> Result<String, RowFault> {
        let keeps = matches!(
            self.act,
            Act::Detokenize {
                keep_unavailable: true,
                ..
            }
        );
        match view {
            View::Plain | View::Masked | View::Token => Ok(value),
            View::NotAvailable if keeps => Ok(token.to_owned()),
            View::NotAvailable => Err(RowFault::new(
                "not-available",
                "no such token, one of another domain, or one that the unit has no right to",
            )),
            View::Unspecified => Err(RowFault::new(
                "view-unknown",
                "the vault's answer is of another version of the contract: use its own `jinku`",
            )),
        }
    }
}

fn unknown() -> anyhow::Error {
    anyhow::anyhow!("the vault's answer is of another version of the contract: use its own `jinku`")
}

/// The row of a cell does not get into the output.
fn set_aside(batch: &mut Batch, cell: usize, fault: RowFault) {
    let column = batch.cells[cell].column;
    if let Some(row) = batch.rows.iter_mut().find(|row| row.cells.contains(&cell))
        && row.fault.is_none()
    {
        row.fault = Some(fault.of(column));
    }
}

/// A refusal's stable code, its words, and the item that it names.
struct Refusal {
    code: Option<String>,
    message: String,
    facts: HashMap<String, String>,
}

impl Refusal {
    fn of(error: &ClientError) -> Self {
        let ClientError::Refused(status) = error else {
            return Self {
                code: None,
                message: error.to_string(),
                facts: HashMap::new(),
            };
        };
        let details = status.get_details_error_info();
        let (code, facts) = match details {
            Some(info) => (Some(info.reason), info.metadata),
            None => (None, HashMap::new()),
        };
        Self {
            code,
            message: status.message().to_owned(),
            facts,
        }
    }

    fn answer(&self, desk: &Desk, batch: &Batch, cells: &[usize]) -> Option<Answer> {
        let code = self.code.clone()?;
        if let Some(item) = self
            .facts
            .get("item")
            .and_then(|item| item.parse::<usize>().ok())
        {
            let class = cells
                .get(item)
                .and_then(|cell| batch.cells.get(*cell))
                .and_then(|cell| desk.classes.get(cell.column))
                .filter(|class| !class.is_empty());
            // The place in the request says nothing to who reads of rows.
            let reason = self.message.split_once(": ");
            let message = match (reason, class) {
                (Some((_, reason)), Some(class)) => format!("class `{class}`: {reason}"),
                (Some((_, reason)), None) => reason.to_owned(),
                (None, _) => "the vault refused the value".to_owned(),
            };
            return Some(Answer::Refused(item, RowFault::new(code, message)));
        }
        let too_much = matches!(code.as_str(), "batch-too-long" | "body-too-large");
        too_much.then(|| Answer::TooMuch(RowFault::new(code, self.message.clone())))
    }

    /// What a person at this command does about it, where the vault's words don't say: it knows of no command.
    fn remedy(&self) -> Option<&'static str> {
        match self.code.as_deref()? {
            "grant-needed" | "budget-exceeded" => Some(
                "`jinku grant request` asks for a grant and `jinku grant approve` approves one: \
                 name it with --grant",
            ),
            "grant-unknown" | "grant-state" | "grant-spent" | "grant-class" => Some(
                "`jinku grant show` says what a grant covers and has left: name one that does with --grant",
            ),
            _ => None,
        }
    }

    /// Whether the same request may be answered later. What has no code did not come from the vault.
    fn passes(&self) -> bool {
        const PASSING: [&str; 11] = [
            "rate",
            "busy",
            "quota-unavailable",
            "contended",
            "overloaded",
            "ledger-slow",
            "ledger-unavailable",
            "not-ready",
            "stopping",
            "timeout",
            "hsm-unavailable",
        ];
        match &self.code {
            Some(code) => PASSING.contains(&code.as_str()),
            None => true,
        }
    }
}
