//! `jinku-hsm fault …`: orders faults, and says what they will do.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use hsm_sim::{CrashPoint, Failures, Faults, Latency, Role};

use crate::screen;

pub(crate) const EXAMPLES: &str = "\
Examples:
  jinku-hsm fault latency --ms 200 --jitter-ms 50
  jinku-hsm fault failures --percent 10 --code CKR_DEVICE_ERROR --function C_Encrypt
  jinku-hsm fault lose-sessions
  jinku-hsm fault remove && jinku-hsm fault insert
  jinku-hsm fault crash --at after-write
  jinku-hsm fault show
  jinku-hsm fault clear";

/// One fault.
#[derive(Subcommand)]
pub(crate) enum Fault {
    /// Let calls wait before they begin
    Latency {
        /// Milliseconds that each call waits
        #[arg(long)]
        ms: u64,
        /// Up to so many milliseconds more, at random
        #[arg(long, default_value_t = 0)]
        jitter_ms: u64,
        /// Only this function (as `C_Encrypt`); may be repeated
        #[arg(long = "function", value_name = "NAME")]
        functions: Vec<String>,
    },
    /// Let a share of calls fail; may be ordered several times
    Failures {
        /// Calls of a hundred that fail, as 10 or 0.5
        #[arg(long)]
        percent: f64,
        /// The return value
        #[arg(long, default_value = "CKR_DEVICE_ERROR")]
        code: String,
        /// Only this function (as `C_Encrypt`); may be repeated
        #[arg(long = "function", value_name = "NAME")]
        functions: Vec<String>,
    },
    /// Close all sessions, once: `CKR_SESSION_HANDLE_INVALID`
    LoseSessions,
    /// End all logins, once: `CKR_USER_NOT_LOGGED_IN`
    LoseLogins,
    /// Unplug the device: `CKR_DEVICE_REMOVED` and `CKR_TOKEN_NOT_PRESENT` until it is inserted
    Remove,
    /// Plug the device in again, without its sessions
    Insert,
    /// Spend all tries of a PIN: `CKR_PIN_LOCKED` at the next login
    LockPin {
        /// The token's slot
        #[arg(long, default_value_t = 0)]
        slot: u64,
        /// The security officer's PIN instead of the user's
        #[arg(long)]
        so: bool,
    },
    /// Destroy the keys for good: `CKR_DEVICE_ERROR` until the token is initialised again
    Tamper {
        /// Only the token in this slot
        #[arg(long)]
        slot: Option<u64>,
        /// Say that the keys may go
        #[arg(long)]
        yes: bool,
    },
    /// Leave no room for further objects: `CKR_DEVICE_MEMORY`
    Fill,
    /// Break the random source: `CKR_RANDOM_NO_RNG`
    FailRandom,
    /// End the whole program that uses the module, once
    Crash {
        /// Where
        #[arg(long, value_enum, default_value_t = At::Call)]
        at: At,
    },
    /// Show the faults in force
    Show,
    /// End the faults in force; what happened once is not undone
    Clear,
}

/// Where a program ends.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum At {
    /// At the next call
    Call,
    /// When the next change of a token is about to be stored
    BeforeWrite,
    /// When the next change of a token is stored, but not yet answered
    AfterWrite,
}

impl Fault {
    /// Orders the fault and says what it does.
    pub(crate) fn apply(self, directory: &Path) -> Result<()> {
        if !directory.is_dir() {
            bail!("there is no directory {}", directory.display());
        }
        match self {
            Self::Show => {
                let faults = Faults::load(directory)
                    .with_context(|| format!("cannot read {}", directory.display()))?;
                screen::faults(&faults);
                Ok(())
            }
            Self::LockPin { slot, so } => {
                let (role, name) = if so {
                    (Role::SecurityOfficer, "the security officer's")
                } else {
                    (Role::User, "the user's")
                };
                hsm_sim::lock_pin(directory, slot, role)
                    .with_context(|| format!("slot {slot} keeps its PIN"))?;
                screen::line(&format!("{name} PIN of slot {slot} is locked"));
                Ok(())
            }
            Self::Tamper { slot, yes } => {
                if !yes {
                    bail!("this destroys keys for good: say --yes");
                }
                let slots = hsm_sim::tamper(directory, slot).context("nothing was destroyed")?;
                screen::tampered(&slots);
                Ok(())
            }
            lasting => lasting.order(directory),
        }
    }

    /// The faults that the faults file tells running modules.
    fn order(self, directory: &Path) -> Result<()> {
        self.check()?;
        let said = self.promise();
        Faults::change(directory, |faults| self.write(faults))
            .with_context(|| format!("cannot write to {}", directory.display()))?;
        screen::line(said);
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if let Self::Failures { percent, code, .. } = self {
            if !(0.0..=100.0).contains(percent) {
                bail!("a share of calls is 0 to 100 percent");
            }
            if hsm_sim::Error::named(code).is_none() {
                let known = hsm_sim::Error::NAMES.join(", ");
                bail!("{code} is none of the return values of this device: {known}");
            }
        }
        let (Self::Failures { functions, .. } | Self::Latency { functions, .. }) = self else {
            return Ok(());
        };
        match functions.iter().find(|name| !name.starts_with("C_")) {
            Some(name) => bail!("{name} is no PKCS#11 function: they are called C_…"),
            None => Ok(()),
        }
    }

    fn write(self, faults: &mut Faults) {
        match self {
            Self::Latency {
                ms,
                jitter_ms,
                functions,
            } => {
                faults.latency = Some(Latency {
                    fixed_ms: ms,
                    jitter_ms,
                    functions,
                });
            }
            Self::Failures {
                percent,
                code,
                functions,
            } => faults.failures.push(Failures {
                percent,
                code,
                functions,
            }),
            Self::LoseSessions => faults.happened.sessions_lost += 1,
            Self::LoseLogins => faults.happened.logins_lost += 1,
            Self::Remove => {
                faults.is_removed = true;
                faults.happened.removals += 1;
            }
            Self::Insert => faults.is_removed = false,
            Self::Fill => faults.is_full = true,
            Self::FailRandom => faults.is_without_random = true,
            Self::Crash { at } => faults.crash = Some(at.point()),
            Self::Clear => faults.clear(),
            Self::LockPin { .. } | Self::Tamper { .. } | Self::Show => {}
        }
    }

    fn promise(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "calls wait from now on",
            Self::Failures { .. } => "calls fail from now on",
            Self::LoseSessions => "all open sessions are closed at the next call",
            Self::LoseLogins => "all logins end at the next call",
            Self::Remove => "the device is removed until `jinku-hsm fault insert`",
            Self::Insert => "the device is there; its sessions are gone",
            Self::Fill => "no further object can be made",
            Self::FailRandom => "the random source is out of order",
            Self::Crash { .. } => "the program that gets there first ends, once",
            Self::Clear => "no fault is in force; what happened once stays",
            Self::LockPin { .. } | Self::Tamper { .. } | Self::Show => "",
        }
    }
}

impl At {
    fn point(self) -> CrashPoint {
        match self {
            Self::Call => CrashPoint::Call,
            Self::BeforeWrite => CrashPoint::BeforeWrite,
            Self::AfterWrite => CrashPoint::AfterWrite,
        }
    }
}
