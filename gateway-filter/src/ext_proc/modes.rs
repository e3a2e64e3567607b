//! Owns what the gateway says about itself: how it sends the bodies, and that it waits for answers at
//! all. A gateway that would let a body past the filter is refused.

use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::ext_proc::v3::ProtocolConfiguration;
use tonic::Status;

use crate::error::Side;
use crate::filter::{Passage, RuledNames};

/// The body modes that the gateway announced; `None` where it announced nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Modes(Option<Announced>);

#[derive(Debug, Clone, Copy)]
struct Announced {
    request: BodySendMode,
    response: BodySendMode,
}

impl Modes {
    /// Refuses the mode that sends the first part of a body and lets the rest pass unseen, whether or
    /// not this message has a body to read: the next one may.
    pub(super) fn of(protocol: &ProtocolConfiguration) -> Result<Self, Status> {
        let announced = Announced {
            request: protocol.request_body_mode(),
            response: protocol.response_body_mode(),
        };
        if [announced.request, announced.response].contains(&BodySendMode::BufferedPartial) {
            return Err(Status::failed_precondition(
                "BUFFERED_PARTIAL lets the rest of a long body pass unseen: set BUFFERED",
            ));
        }
        Ok(Self(Some(announced)))
    }

    /// Refuses a gateway that would not show the bodies that this passage must read.
    pub(super) fn check(self, passage: &Passage) -> Result<(), Status> {
        if !passage.reads_request() && !passage.reads_response() {
            return Ok(());
        }
        let announced = self.0.ok_or_else(|| {
            Status::failed_precondition("the gateway does not announce its body modes: too old")
        })?;
        if passage.reads_request() && !shows_whole(announced.request) {
            return Err(Status::failed_precondition(
                "set request_body_mode: BUFFERED or FULL_DUPLEX_STREAMED",
            ));
        }
        if passage.reads_response() && !shows_whole(announced.response) {
            return Err(Status::failed_precondition(
                "set response_body_mode: BUFFERED or FULL_DUPLEX_STREAMED",
            ));
        }
        Ok(())
    }

    /// Refuses a gateway that sends trailers past the filter, where some may not go on: a body that comes whole
    /// and does not end its message is followed by them.
    pub(super) fn check_trailers(
        self,
        side: Side,
        ruled: Option<&RuledNames>,
    ) -> Result<(), Status> {
        if ruled.is_none() || self.streams(side) {
            return Ok(());
        }
        Err(Status::failed_precondition(
            "trailers follow, and a rule names headers: set FULL_DUPLEX_STREAMED",
        ))
    }

    /// True where no body of that side will be shown.
    pub(super) fn skips(self, side: Side) -> bool {
        self.of_side(side) == Some(BodySendMode::None)
    }

    /// True where bodies of that side come in parts, and are answered in parts.
    pub(super) fn streams(self, side: Side) -> bool {
        self.of_side(side) == Some(BodySendMode::FullDuplexStreamed)
    }

    fn of_side(self, side: Side) -> Option<BodySendMode> {
        self.0.map(|announced| match side {
            Side::Request => announced.request,
            Side::Response => announced.response,
        })
    }
}

fn shows_whole(mode: BodySendMode) -> bool {
    matches!(
        mode,
        BodySendMode::Buffered | BodySendMode::FullDuplexStreamed
    )
}
