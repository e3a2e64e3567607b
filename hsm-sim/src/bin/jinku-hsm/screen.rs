//! All that `jinku-hsm` prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one file that prints"
)]

use std::path::Path;
use std::process::ExitCode;

use hsm_sim::{CrashPoint, Faults, PinState, SlotReport};

/// A token was made.
pub(crate) fn installed(slot: u64, label: &str, directory: &Path) {
    println!(
        "token \"{label}\" is ready in slot {slot} of {}",
        directory.display()
    );
}

/// All slots, one a line.
pub(crate) fn slots(directory: &Path, slots: &[SlotReport]) {
    println!("tokens in {}", directory.display());
    println!(
        "{:>5}  {:<32}  {:<16}  {:>7}  {:<14}  SO PIN",
        "slot", "label", "serial", "public", "user PIN"
    );
    for report in slots {
        let label = match &report.label {
            Some(label) => label,
            None if report.is_tampered => "(TAMPERED: initialise it again)",
            None => "(not initialised)",
        };
        println!(
            "{:>5}  {label:<32}  {:<16}  {:>7}  {:<14}  {}",
            report.slot,
            report.serial,
            report.public_objects,
            state(report.user_pin),
            state(report.so_pin),
        );
    }
    println!("private objects are not counted: that needs the PIN");
}

/// What a fault command did.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// What the operator should know, though the work goes on.
pub(crate) fn warning(text: &str) {
    eprintln!("jinku-hsm: {text}");
}

/// Says why, and what the shell gets.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("jinku-hsm: {error:#}");
    ExitCode::FAILURE
}

fn state(pin: PinState) -> String {
    match pin {
        PinState::Unset => "not set".to_owned(),
        PinState::Locked => "LOCKED".to_owned(),
        PinState::Ready { tries_left } => format!("{tries_left} tries left"),
    }
}

/// The tokens whose keys are gone.
pub(crate) fn tampered(slots: &[u64]) {
    for slot in slots {
        println!("the keys of slot {slot} are destroyed: initialise it again");
    }
    if slots.is_empty() {
        println!("no token was there to destroy");
    }
}

/// The faults in force, one a line.
pub(crate) fn faults(faults: &Faults) {
    for line in lines(faults) {
        println!("{line}");
    }
}

fn lines(faults: &Faults) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(latency) = &faults.latency {
        let (fixed, jitter) = (latency.fixed_ms, latency.jitter_ms);
        let named = named(&latency.functions);
        lines.push(format!("latency: {fixed} ms + 0..{jitter} ms, {named}"));
    }
    for failures in &faults.failures {
        let (percent, code, named) = (failures.percent, &failures.code, named(&failures.functions));
        lines.push(format!("failures: {percent} % {code}, {named}"));
    }
    let lasting = [
        (faults.is_removed, "removed: insert it with `fault insert`"),
        (faults.is_full, "full: no object can be made"),
        (faults.is_without_random, "random source: out of order"),
    ];
    let lasting = lasting.into_iter().filter(|(is_so, _)| *is_so);
    lines.extend(lasting.map(|(_, text)| text.to_owned()));
    if let Some(point) = faults.crash {
        lines.push(match point {
            CrashPoint::Call => "crash: ordered for a call".to_owned(),
            CrashPoint::BeforeWrite => "crash: ordered before a write".to_owned(),
            CrashPoint::AfterWrite => "crash: ordered after a write".to_owned(),
        });
    }
    if lines.is_empty() {
        lines.push("no fault is in force".to_owned());
    }
    lines
}

fn named(functions: &[String]) -> String {
    if functions.is_empty() {
        "all functions".to_owned()
    } else {
        functions.join(", ")
    }
}
