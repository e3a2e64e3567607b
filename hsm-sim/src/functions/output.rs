//! What goes back to the caller: single values, and buffers that are asked for in two passes
//! (null: how long? then: here is room; PKCS#11 §5.2).
#![expect(unsafe_code, reason = "writes where PKCS#11 callers point")]

use std::ptr;

use cryptoki_sys::{CK_SESSION_HANDLE, CK_ULONG};

use super::state::with;
use crate::error::{Error, Result};
use crate::token::operation::Kind;
use crate::token::work::Ending;

/// Where one value goes.
pub(super) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// Refuses null.
    ///
    /// # Safety
    /// `place` is null or points to room for a `T`, for as long as this value lives.
    pub(super) unsafe fn new(place: *mut T) -> Result<Self> {
        if place.is_null() {
            Err(Error::ArgumentsBad)
        } else {
            Ok(Self(place))
        }
    }

    pub(super) fn write(&self, value: T) {
        // SAFETY: `new` refused null, and its caller vouches for the room.
        unsafe { self.0.write(value) }
    }
}

/// Where many values go: a buffer, and the place of its length.
pub(super) struct Output<T> {
    buffer: *mut T,
    length: *mut CK_ULONG,
}

impl<T: Copy> Output<T> {
    /// Refuses a null length.
    ///
    /// # Safety
    /// `length` is null or points to the count of values for which `buffer`, if not null, has
    /// room; both for as long as this value lives.
    pub(super) unsafe fn new(buffer: *mut T, length: *mut CK_ULONG) -> Result<Self> {
        if length.is_null() {
            Err(Error::ArgumentsBad)
        } else {
            Ok(Self { buffer, length })
        }
    }

    /// True if the caller only asks for the length.
    pub(super) fn is_question(&self) -> bool {
        self.buffer.is_null()
    }

    /// Tells how many values there are; true if they fit and are wanted.
    pub(super) fn offer(&self, needed: usize) -> Result<bool> {
        // SAFETY: `new` refused null, and its caller vouches for it.
        let room = unsafe { self.length.read() };
        let fits = usize::try_from(room).is_ok_and(|room| needed <= room);
        if self.buffer.is_null() || !fits {
            self.tell(needed);
        }
        match (self.buffer.is_null(), fits) {
            (true, _) => Ok(false),
            (false, true) => Ok(true),
            (false, false) => Err(Error::BufferTooSmall),
        }
    }

    /// Writes values and their count, if they fit and are wanted.
    pub(super) fn write(&self, values: &[T]) -> Result<()> {
        if self.offer(values.len())? {
            // SAFETY: `offer` compared the room, and the buffer is not null; `values` is our own
            // memory, so the two do not overlap.
            unsafe { ptr::copy_nonoverlapping(values.as_ptr(), self.buffer, values.len()) };
            self.tell(values.len());
        }
        Ok(())
    }

    fn tell(&self, count: usize) {
        // SAFETY: as in `offer`.
        unsafe { self.length.write(count as CK_ULONG) }
    }
}

/// Ends an operation, unless the caller only asks for the length or has too little room.
pub(super) fn finish(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    ending: Ending,
    last: &[u8],
    output: &Output<u8>,
) -> Result<()> {
    let (needed, is_bound) = with(|module| module.result_bytes(session, kind, last.len()))?;
    let may_fit = is_bound && !output.is_question();
    if !may_fit && !output.offer(needed)? {
        return Ok(());
    }
    let mut operation = with(|module| module.take(session, kind, ending))?;
    let result = operation.finish(last)?;
    if let Err(error) = output.offer(result.len()) {
        with(|module| module.put_back(session, operation))?;
        return Err(error);
    }
    output.write(&result)
}

/// Feeds a part, unless the caller only asks for the length or has too little room.
pub(super) fn update(
    session: CK_SESSION_HANDLE,
    kind: Kind,
    part: &[u8],
    output: &Output<u8>,
) -> Result<()> {
    let needed = with(|module| module.early_bytes(session, kind, part.len()))?;
    if !output.offer(needed)? {
        return Ok(());
    }
    output.write(&with(|module| module.update(session, kind, part))?)
}
