//! Owns the functions that Envoy calls: each finds its message and is kept from panicking into Envoy.

use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gateway_filter::{Side, embedded_failure};

use super::{End, EnvoyBytes, EnvoyFilter, Next, Stream};
use crate::house::House;
use crate::message::Message;
use crate::series;

/// What Envoy compares with its own, and only warns about: `series` is what refuses.
const ABI_VERSION: &std::ffi::CStr = c"v0.2.0";

/// Runs a hook on its message. A panic ends in an answer of ours: it must not cross into Envoy.
fn on_message(
    filter: EnvoyFilter,
    message: *const c_void,
    hook: impl FnOnce(&mut Message, &Stream) -> Next,
) -> Next {
    // SAFETY: made by `http_filter_new`; Envoy runs a stream's hooks one at a time, on one worker.
    let message = unsafe { &mut *message.cast::<Message>().cast_mut() };
    let stream = Stream(filter);
    let next = catch_unwind(AssertUnwindSafe(|| hook(message, &stream)));
    next.unwrap_or_else(|_| message.answer(&stream, &embedded_failure()))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    let _ = catch_unwind(|| {
        let _ = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .try_init();
    });
    match series::check() {
        Ok(()) => ABI_VERSION.as_ptr(),
        Err(error) => {
            tracing::error!("the module does not load: {error}");
            std::ptr::null()
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    _config: *mut c_void,
    _name: EnvoyBytes,
    settings: EnvoyBytes,
) -> *const c_void {
    let opened = catch_unwind(|| House::open(settings.shown()));
    match opened {
        Ok(Ok(house)) => Arc::into_raw(Arc::new(house)).cast(),
        Ok(Err(error)) => {
            tracing::error!("the filter's settings are refused: {error}");
            std::ptr::null()
        }
        Err(_) => std::ptr::null(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(house: *const c_void) {
    // SAFETY: made by `config_new`, and given back once. Streams that are still there hold it too.
    drop(unsafe { Arc::from_raw(house.cast::<House>()) });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_new(
    house: *const c_void,
    _filter: EnvoyFilter,
) -> *const c_void {
    let house = house.cast::<House>();
    // SAFETY: made by `config_new` and not given back yet; one count more for the new message.
    let house = unsafe {
        Arc::increment_strong_count(house);
        Arc::from_raw(house)
    };
    Box::into_raw(Box::new(Message::new(house)))
        .cast_const()
        .cast()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_destroy(message: *const c_void) {
    // SAFETY: made by `http_filter_new`, and given back once.
    drop(unsafe { Box::from_raw(message.cast::<Message>().cast_mut()) });
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    filter: EnvoyFilter,
    message: *const c_void,
    ends: bool,
) -> Next {
    on_message(filter, message, |message, stream| {
        message.request_head(stream, End::of(ends))
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    filter: EnvoyFilter,
    message: *const c_void,
    ends: bool,
) -> Next {
    on_message(filter, message, |message, stream| {
        message.body(stream, Side::Request, End::of(ends))
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    filter: EnvoyFilter,
    message: *const c_void,
) -> Next {
    on_message(filter, message, |message, stream| {
        message.trailers(stream, Side::Request)
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    filter: EnvoyFilter,
    message: *const c_void,
    ends: bool,
) -> Next {
    on_message(filter, message, |message, stream| {
        message.response_head(stream, End::of(ends))
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_body(
    filter: EnvoyFilter,
    message: *const c_void,
    ends: bool,
) -> Next {
    on_message(filter, message, |message, stream| {
        message.body(stream, Side::Response, End::of(ends))
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_trailers(
    filter: EnvoyFilter,
    message: *const c_void,
) -> Next {
    on_message(filter, message, |message, stream| {
        message.trailers(stream, Side::Response)
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    filter: EnvoyFilter,
    message: *const c_void,
    _event: u64,
) {
    on_message(filter, message, |message, stream| {
        message.woken(stream);
        Next::Continue
    });
}

/// Hooks that a filter must have, and that say nothing to this one.
macro_rules! unheard {
    ($($hook:ident($($kind:ty),*);)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $hook($(_: $kind),*) {})*
    };
}

unheard! {
    envoy_dynamic_module_on_http_filter_stream_complete(EnvoyFilter, *const c_void);
    envoy_dynamic_module_on_http_filter_http_callout_done(
        EnvoyFilter, *const c_void, u64, u32, *const c_void, usize, *const c_void, usize
    );
    envoy_dynamic_module_on_http_filter_http_stream_headers(
        EnvoyFilter, *const c_void, u64, *const c_void, usize, bool
    );
    envoy_dynamic_module_on_http_filter_http_stream_data(
        EnvoyFilter, *const c_void, u64, *const c_void, usize, bool
    );
    envoy_dynamic_module_on_http_filter_http_stream_trailers(
        EnvoyFilter, *const c_void, u64, *const c_void, usize
    );
    envoy_dynamic_module_on_http_filter_http_stream_complete(EnvoyFilter, *const c_void, u64);
    envoy_dynamic_module_on_http_filter_http_stream_reset(EnvoyFilter, *const c_void, u64, u32);
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
        EnvoyFilter, *const c_void
    );
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
        EnvoyFilter, *const c_void
    );
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_local_reply(
    _filter: EnvoyFilter,
    _message: *const c_void,
    _status: u32,
    _details: EnvoyBytes,
    _reset: bool,
) -> u32 {
    // Continue: the local reply is sent.
    0
}
