//! Owns the one C function of the system's that the module calls: how a thread of ours is scheduled.

/// `SCHED_BATCH` of sched(7): the same share of the processor, but whoever runs is not interrupted because it woke.
const BATCH: i32 = 3;

/// `struct sched_param`.
#[repr(C)]
struct Parameters {
    priority: i32,
}

unsafe extern "C" {
    fn sched_setscheduler(thread: i32, policy: i32, parameters: *const Parameters) -> i32;
}

/// From now on this thread lets others finish what they are at. Envoy's worker that hands over a message goes on
/// with its others, and what is to be sent meanwhile is sent together. Where the system refuses it, all is as before.
pub(crate) fn give_way() {
    // The only priority that this policy has.
    let parameters = Parameters { priority: 0 };
    // SAFETY: zero is the thread that calls; the function reads the parameters, which outlive the call.
    unsafe { sched_setscheduler(0, BATCH, &raw const parameters) };
}
