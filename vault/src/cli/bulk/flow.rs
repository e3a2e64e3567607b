//! The flow: batches are read, some are at the vault at once, and they come back in their order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::batch::{Batch, Settled};
use super::desk::Desk;

/// What an interrupted program answers (128 and the signal's number).
const INTERRUPTED: i32 = 130;

/// Whether a person, or the system, asked to stop.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on Ctrl-C and a termination signal ask to stop; a second one does not ask.
    pub(super) fn on_signals() -> anyhow::Result<Self> {
        let stop = Self::default();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let asked = stop.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if asked.0.swap(true, Ordering::Relaxed) {
                    // The last checkpoint stands: nothing is lost that --resume would not find.
                    std::process::exit(INTERRUPTED);
                }
            }
        });
        Ok(stop)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a flow ended without a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ended {
    /// All batches are through.
    Whole,
    /// Asked to stop: what was at the vault is through.
    Stopped,
    /// The sink wants no more.
    Enough,
}

/// Whether a sink takes more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Appetite {
    More,
    Enough,
}

/// Sends batches to the vault, at most `in_flight` at once, and hands them on in their order.
pub(super) async fn flow(
    mut source: impl FnMut() -> anyhow::Result<Option<Batch>> + Send + 'static,
    desk: &Arc<Desk>,
    in_flight: usize,
    stop: &Stop,
    mut sink: impl FnMut(Settled) -> anyhow::Result<Appetite>,
) -> anyhow::Result<Ended> {
    let (sender, mut batches) = mpsc::channel(1);
    // Ends with its receiver.
    let reading = tokio::task::spawn_blocking(move || {
        while let Some(batch) = source().transpose() {
            let failed = batch.is_err();
            if sender.blocking_send(batch).is_err() || failed {
                break;
            }
        }
    });
    let mut waiting = VecDeque::with_capacity(in_flight);
    let (mut ended, mut failure) = (None, None);
    loop {
        while waiting.len() < in_flight && ended.is_none() && failure.is_none() {
            if stop.is_asked() {
                ended = Some(Ended::Stopped);
                break;
            }
            match batches.recv().await {
                Some(Ok(batch)) => {
                    let desk = Arc::clone(desk);
                    waiting.push_back(tokio::spawn(async move { desk.settle(batch).await }));
                }
                Some(Err(error)) => failure = Some(error),
                None => ended = Some(Ended::Whole),
            }
        }
        let Some(next) = waiting.pop_front() else {
            break;
        };
        let settled = next.await.context("a batch was given up")?;
        let appetite = settled.and_then(&mut sink);
        match appetite {
            Ok(Appetite::More) => {}
            Ok(Appetite::Enough) => {
                ended = Some(Ended::Enough);
                break;
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    drop(batches);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    reading.await.context("the file's reader was given up")?;
    match (failure, ended) {
        (Some(error), _) => Err(error),
        (None, ended) => Ok(ended.unwrap_or(Ended::Whole)),
    }
}
