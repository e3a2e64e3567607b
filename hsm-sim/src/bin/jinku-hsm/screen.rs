//! All that `jinku-hsm` prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one file that prints"
)]

use std::path::Path;
use std::process::ExitCode;

use hsm_sim::{PinState, SlotReport};

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
        let label = report.label.as_deref().unwrap_or("(not initialised)");
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
