//! What keeps memory inside: no core dumps, no debugger, no swapping where the system allows it.

use rustix::fs::Mode;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

/// What could not be kept inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leak {
    Dumps,
    Swap,
}

impl Leak {
    /// What an operator can do.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Dumps => "warning: core dumps can't be forbidden on this system",
            Self::Swap => {
                "warning: memory may be swapped to disk: raise the limit (ulimit -l unlimited) \
                 or encrypt the swap space"
            }
        }
    }
}

/// Closes what can be closed, and yields what cannot.
pub(super) fn harden() -> Vec<Leak> {
    let mut leaks = Vec::new();
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
        || setrlimit(Resource::Core, none).is_err()
    {
        leaks.push(Leak::Dumps);
    }
    // Below an unlimited limit, a locked address space makes later allocations fail.
    let is_unlimited = getrlimit(Resource::Memlock).current.is_none();
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if !is_unlimited || mlockall(all).is_err() {
        leaks.push(Leak::Swap);
    }
    leaks
}
