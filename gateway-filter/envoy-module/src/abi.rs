//! Owns Envoy's C functions for HTTP filters of dynamic modules (ABI `v0.2.0`): those that it offers, with
//! safe faces, and in `hooks` those that it calls. The shapes are those of Envoy's `abi.h`. In `scheduling` is
//! one of the system's.

#![expect(
    unsafe_code,
    reason = "Envoy calls C functions and is called by them; there is no other interface"
)]

mod hooks;
mod scheduling;

pub(crate) use scheduling::give_way;

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gateway_filter::{HeadRewriting, Problem, Side};
use http::HeaderName;
use http::header::CONTENT_LENGTH;

/// Bytes of Envoy's, valid until the hook ends or the message is changed.
#[repr(C)]
#[derive(Clone, Copy)]
struct EnvoyBytes {
    at: *const u8,
    length: usize,
}

/// Bytes of ours, valid while the callback runs.
#[repr(C)]
#[derive(Clone, Copy)]
struct OurBytes {
    at: *const u8,
    length: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct EnvoyHeader {
    name: EnvoyBytes,
    value: EnvoyBytes,
}

#[repr(C)]
struct OurHeader {
    name: OurBytes,
    value: OurBytes,
}

type EnvoyFilter = *mut c_void;
type Scheduler = *mut c_void;

unsafe extern "C" {
    fn envoy_dynamic_module_callback_http_get_headers_size(filter: EnvoyFilter, map: u32) -> usize;
    fn envoy_dynamic_module_callback_http_get_headers(
        filter: EnvoyFilter,
        map: u32,
        into: *mut EnvoyHeader,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_set_header(
        filter: EnvoyFilter,
        map: u32,
        name: OurBytes,
        value: OurBytes,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_add_header(
        filter: EnvoyFilter,
        map: u32,
        name: OurBytes,
        value: OurBytes,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_get_body_size(filter: EnvoyFilter, body: u32) -> usize;
    fn envoy_dynamic_module_callback_http_get_body_chunks_size(
        filter: EnvoyFilter,
        body: u32,
    ) -> usize;
    fn envoy_dynamic_module_callback_http_get_body_chunks(
        filter: EnvoyFilter,
        body: u32,
        into: *mut EnvoyBytes,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_append_body(
        filter: EnvoyFilter,
        body: u32,
        bytes: OurBytes,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_drain_body(
        filter: EnvoyFilter,
        body: u32,
        bytes: usize,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_send_response(
        filter: EnvoyFilter,
        status: u32,
        headers: *mut OurHeader,
        headers_count: usize,
        body: OurBytes,
        details: OurBytes,
    );
    fn envoy_dynamic_module_callback_http_filter_scheduler_new(filter: EnvoyFilter) -> Scheduler;
    fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: Scheduler, event: u64);
    fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: Scheduler);
    fn envoy_dynamic_module_callback_http_filter_continue_decoding(filter: EnvoyFilter);
    fn envoy_dynamic_module_callback_http_filter_continue_encoding(filter: EnvoyFilter);
}

/// What Envoy does next with the part that it showed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Next {
    /// It goes on.
    Continue = 0,
    /// It waits: a head stops (`StopIteration`), a body is kept (`StopIterationAndBuffer`).
    Hold = 1,
}

/// Where a body lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its last part is shown by the hook that runs now.
    Shown,
    /// All of it was kept by Envoy.
    Kept,
}

/// Whether a part ends its message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It does.
    Here,
    /// More parts follow, or trailers.
    Later,
}

impl End {
    #[expect(clippy::fn_params_excessive_bools, reason = "the shape is Envoy's")]
    fn of(ends: bool) -> Self {
        if ends { Self::Here } else { Self::Later }
    }
}

/// The HTTP stream whose hook runs now. It does not outlive the hook.
pub(crate) struct Stream(EnvoyFilter);

impl Stream {
    /// The lines of a head, pseudo headers too.
    pub(crate) fn headers(&self, side: Side) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.lines(header_map(side))
    }

    /// The names of the trailers; none where there are no trailers yet.
    pub(crate) fn trailers(&self, side: Side) -> Vec<HeaderName> {
        let lines = self.lines(trailer_map(side));
        let names = lines.iter();
        names
            .filter_map(|(name, _)| HeaderName::from_bytes(name).ok())
            .collect()
    }

    /// Takes trailers away.
    pub(crate) fn remove_trailers(&self, side: Side, names: &[HeaderName]) {
        for name in names {
            self.set_line(trailer_map(side), name.as_str().as_bytes(), OurBytes::NONE);
        }
    }

    fn lines(&self, map: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
        let nothing = EnvoyBytes {
            at: std::ptr::null(),
            length: 0,
        };
        let empty = EnvoyHeader {
            name: nothing,
            value: nothing,
        };
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now.
        let count = unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.0, map) };
        let mut lines = vec![empty; count];
        // SAFETY: as above; `lines` has the count of places that Envoy asked for.
        let there = unsafe {
            envoy_dynamic_module_callback_http_get_headers(self.0, map, lines.as_mut_ptr())
        };
        if !there {
            return Vec::new();
        }
        lines
            .iter()
            .map(|line| (line.name.shown().to_vec(), line.value.shown().to_vec()))
            .collect()
    }

    /// Changes a head.
    pub(crate) fn rewrite(&self, side: Side, rewriting: &HeadRewriting) {
        self.remove(side, &rewriting.without);
        if let Some(target) = &rewriting.target {
            self.set_line(header_map(side), b":path", OurBytes::of(target.as_bytes()));
        }
        for (name, values) in &rewriting.headers {
            self.remove(side, std::slice::from_ref(name));
            for value in values {
                let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
                // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now; the bytes
                // outlive the call, which copies them.
                unsafe {
                    envoy_dynamic_module_callback_http_add_header(
                        self.0,
                        header_map(side),
                        OurBytes::of(name),
                        OurBytes::of(value),
                    );
                }
            }
        }
    }

    /// Takes headers away.
    fn remove(&self, side: Side, names: &[HeaderName]) {
        for name in names {
            self.set(side, name, OurBytes::NONE);
        }
    }

    /// Bytes of the body so far, those of the part that is shown now too.
    pub(crate) fn body_bytes(&self, side: Side) -> usize {
        let count = |body| {
            // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now.
            unsafe { envoy_dynamic_module_callback_http_get_body_size(self.0, body) }
        };
        count(buffered_body(side)).saturating_add(count(received_body(side)))
    }

    /// The body so far: with the part that is shown now, or what was kept.
    pub(crate) fn body(&self, side: Side, place: Place) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.body_bytes(side));
        self.copy(buffered_body(side), &mut body);
        if place == Place::Shown {
            self.copy(received_body(side), &mut body);
        }
        body
    }

    /// Puts another body in the place of this one, and makes its length true.
    pub(crate) fn replace(&self, side: Side, body: &Bytes, place: Place) {
        let (kept, shown) = (buffered_body(side), received_body(side));
        let target = match place {
            Place::Shown => shown,
            Place::Kept => kept,
        };
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now; a body that is not
        // there is left alone. The bytes outlive the call, which copies them.
        unsafe {
            for part in [kept, shown] {
                let before = envoy_dynamic_module_callback_http_get_body_size(self.0, part);
                envoy_dynamic_module_callback_http_drain_body(self.0, part, before);
            }
            envoy_dynamic_module_callback_http_append_body(self.0, target, OurBytes::of(body));
        }
        let length = body.len().to_string();
        self.set(side, &CONTENT_LENGTH, OurBytes::of(length.as_bytes()));
    }

    /// Answers instead of the upstream.
    pub(crate) fn answer(&self, problem: &Problem) {
        let body = problem.body();
        let headers = problem.headers();
        let mut lines: Vec<OurHeader> = headers
            .iter()
            .map(|(name, value)| OurHeader {
                name: OurBytes::of(name.as_bytes()),
                value: OurBytes::of(value.as_bytes()),
            })
            .collect();
        let details = format!("jinku:{}", problem.code);
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now; all bytes outlive
        // the call, which copies them.
        unsafe {
            envoy_dynamic_module_callback_http_send_response(
                self.0,
                u32::from(problem.status.as_u16()),
                lines.as_mut_ptr(),
                lines.len(),
                OurBytes::of(&body),
                OurBytes::of(details.as_bytes()),
            );
        }
    }

    /// Lets what waited go on.
    pub(crate) fn go_on(&self, side: Side) {
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now, on its worker.
        unsafe {
            match side {
                Side::Request => {
                    envoy_dynamic_module_callback_http_filter_continue_decoding(self.0);
                }
                Side::Response => {
                    envoy_dynamic_module_callback_http_filter_continue_encoding(self.0);
                }
            }
        }
    }

    /// What wakes this stream's worker from another thread, and what calls that off.
    pub(crate) fn waker(&self) -> (Waker, Switch) {
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now, on its worker.
        let scheduler = unsafe { envoy_dynamic_module_callback_http_filter_scheduler_new(self.0) };
        let there = Arc::new(Mutex::new(true));
        let switch = Switch(there.clone());
        (Waker { scheduler, there }, switch)
    }

    fn set(&self, side: Side, name: &HeaderName, value: OurBytes) {
        self.set_line(header_map(side), name.as_str().as_bytes(), value);
    }

    fn set_line(&self, map: u32, name: &[u8], value: OurBytes) {
        let name = OurBytes::of(name);
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now; the bytes outlive
        // the call. A value at null takes the header away.
        unsafe {
            envoy_dynamic_module_callback_http_set_header(self.0, map, name, value);
        }
    }

    /// Adds the bytes that Envoy has of a body.
    fn copy(&self, body: u32, into: &mut Vec<u8>) {
        let nothing = EnvoyBytes {
            at: std::ptr::null(),
            length: 0,
        };
        // SAFETY: `self.0` is the filter that Envoy passed to the hook that runs now.
        let count =
            unsafe { envoy_dynamic_module_callback_http_get_body_chunks_size(self.0, body) };
        let mut parts = vec![nothing; count];
        // SAFETY: as above; `parts` has the count of places that Envoy asked for.
        let there = unsafe {
            envoy_dynamic_module_callback_http_get_body_chunks(self.0, body, parts.as_mut_ptr())
        };
        if !there {
            return;
        }
        for part in &parts {
            into.extend_from_slice(part.shown());
        }
    }
}

/// Wakes a stream's worker when it is dropped, from any thread, unless the stream is gone.
pub(crate) struct Waker {
    scheduler: Scheduler,
    there: Arc<Mutex<bool>>,
}

/// Dropped with its stream: from then on nobody is woken. A worker that ends takes its streams first, so
/// that none is woken whose worker is gone.
pub(crate) struct Switch(Arc<Mutex<bool>>);

// SAFETY: Envoy's scheduler is made for other threads: it holds the stream weakly and posts to its worker.
unsafe impl Send for Waker {}

impl Drop for Waker {
    fn drop(&mut self) {
        let there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if *there {
            // SAFETY: the scheduler is ours until it is deleted; its worker runs, as its stream is there.
            unsafe {
                envoy_dynamic_module_callback_http_filter_scheduler_commit(self.scheduler, 0);
            };
        }
        // SAFETY: the scheduler is ours until it is deleted, which happens here and once.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_delete(self.scheduler) };
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

impl EnvoyBytes {
    /// To be copied in the hook that got it, before the message is changed.
    fn shown(&self) -> &[u8] {
        if self.at.is_null() {
            return &[];
        }
        // SAFETY: Envoy says that so many bytes are there until the hook ends or the message is changed.
        unsafe { std::slice::from_raw_parts(self.at, self.length) }
    }
}

impl OurBytes {
    /// What takes a header away.
    const NONE: Self = Self {
        at: std::ptr::null(),
        length: 0,
    };

    fn of(bytes: &[u8]) -> Self {
        Self {
            at: bytes.as_ptr(),
            length: bytes.len(),
        }
    }
}

/// `envoy_dynamic_module_type_http_header_type`.
fn header_map(side: Side) -> u32 {
    match side {
        Side::Request => 0,
        Side::Response => 2,
    }
}

/// The same: what ends a message.
fn trailer_map(side: Side) -> u32 {
    match side {
        Side::Request => 1,
        Side::Response => 3,
    }
}

/// `envoy_dynamic_module_type_http_body_type`: what is shown now.
fn received_body(side: Side) -> u32 {
    match side {
        Side::Request => 0,
        Side::Response => 2,
    }
}

/// The same: what was kept.
fn buffered_body(side: Side) -> u32 {
    match side {
        Side::Request => 1,
        Side::Response => 3,
    }
}
