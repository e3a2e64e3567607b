//! Owns what the gateway says about itself: whether it sends the bodies whole, and waits for
//! answers at all. A gateway that would let a body past the filter is refused.

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::ProtocolConfiguration;
use tonic::Status;

use crate::filter::Passage;

/// The body modes that the gateway announced; `None` where it announced nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Modes(Option<Announced>);

#[derive(Debug, Clone, Copy)]
struct Announced {
    request: BodySendMode,
    response: BodySendMode,
}

impl Modes {
    pub(super) fn of(protocol: Option<&ProtocolConfiguration>) -> Self {
        Self(protocol.map(|protocol| Announced {
            request: protocol.request_body_mode(),
            response: protocol.response_body_mode(),
        }))
    }

    /// Refuses a gateway that would not show the bodies that this passage must read.
    pub(super) fn check(self, passage: &Passage) -> Result<(), Status> {
        if !passage.reads_request() && !passage.reads_response() {
            return Ok(());
        }
        let announced = self.0.ok_or_else(|| {
            Status::failed_precondition("the gateway does not announce its body modes: too old")
        })?;
        if passage.reads_request() && announced.request != BodySendMode::Buffered {
            return Err(Status::failed_precondition(
                "set request_body_mode: BUFFERED",
            ));
        }
        if passage.reads_response() && announced.response != BodySendMode::Buffered {
            return Err(Status::failed_precondition(
                "set response_body_mode: BUFFERED",
            ));
        }
        Ok(())
    }

    /// True where no request body will be shown.
    pub(super) fn skips_request_body(self) -> bool {
        self.0
            .is_some_and(|announced| announced.request == BodySendMode::None)
    }

    /// True where no response body will be shown.
    pub(super) fn skips_response_body(self) -> bool {
        self.0
            .is_some_and(|announced| announced.response == BodySendMode::None)
    }
}
