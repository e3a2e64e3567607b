//! Owns content codings (RFC 9110 §8.4.1): a body is decoded within limits, and encoded again as it
//! came. A body that grows beyond what its size makes likely is refused as a bomb.

use std::io::{Cursor, Read, Write as _};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

use crate::error::{FilterError, Side};
use crate::held::{Charged, Held};
use crate::media::Coding;

/// A body may decode to so many times its size …
const RATIO_MAX: usize = 200;
/// … or to so many bytes, where that is more: small bodies of one letter are no bombs.
const BYTES_ANYWAY: usize = 64 * 1024;
/// Largest window that a zstd frame may ask for: 8 MiB (RFC 8878 §3.1.1.1.2 recommends it).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Effort of the encoders: about what servers take for bodies made on the fly.
const BROTLI_QUALITY: u32 = 4;
const BROTLI_WINDOW_LOG: u32 = 20;
const ZSTD_LEVEL: i32 = 3;
/// How much is decoded in one step: what it makes is charged before the next.
const STEP_BYTES: usize = 16 * 1024;

/// What is wrong with an encoded body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodingFault {
    /// It can't be decoded, ends too early, or something follows it.
    #[error("the body is not what its content-encoding says")]
    Broken,
    /// It is larger than the route allows once it is decoded.
    #[error("the decoded body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The route's limit.
        bytes_max: usize,
    },
    /// It grows by more than bodies do.
    #[error("the body grows more than {RATIO_MAX}-fold when it is decoded")]
    Bomb,
}

/// Why there is no other body: it is at fault, or there is no memory for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unmade {
    Fault(CodingFault),
    NoRoom,
}

impl Unmade {
    /// As the message's error.
    pub(crate) fn of_side(self, side: Side) -> FilterError {
        match self {
            Self::Fault(fault) => FilterError::Coding(side, fault),
            Self::NoRoom => FilterError::Overloaded,
        }
    }
}

impl From<CodingFault> for Unmade {
    fn from(fault: CodingFault) -> Self {
        Self::Fault(fault)
    }
}

/// The body without its coding; `None` where it has none. At most `bytes_max` bytes, charged to `held`.
pub(crate) fn decoded(
    coding: Coding,
    body: &[u8],
    bytes_max: usize,
    held: Held,
) -> Result<Option<Charged>, Unmade> {
    let likely = body.len().saturating_mul(RATIO_MAX).max(BYTES_ANYWAY);
    let limit = likely.min(bytes_max);
    let mut rest = Cursor::new(body);
    let plain = Charged::new(held);
    let plain = match coding {
        Coding::Identity => return Ok(None),
        Coding::Unknown => return Err(CodingFault::Broken.into()),
        Coding::Gzip => read(flate2::bufread::GzDecoder::new(&mut rest), limit, plain)?,
        Coding::Deflate => read(flate2::bufread::ZlibDecoder::new(&mut rest), limit, plain)?,
        Coding::Brotli => brotli(body, limit, &mut rest, plain)?,
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut rest)
                .map_err(|_| CodingFault::Broken)?
                .single_frame();
            decoder
                .window_log_max(ZSTD_WINDOW_LOG_MAX)
                .map_err(|_| CodingFault::Broken)?;
            read(decoder, limit, plain)?
        }
    };
    match plain {
        None if limit == bytes_max => Err(CodingFault::TooLarge { bytes_max }.into()),
        None => Err(CodingFault::Bomb.into()),
        // Some servers would read on, some not: what follows would pass unseen.
        Some(_) if rest.position() != body.len() as u64 => Err(CodingFault::Broken.into()),
        Some(plain) => Ok(Some(plain)),
    }
}

/// Whole, or `None` beyond the limit.
fn read(
    mut decoder: impl Read,
    limit: usize,
    mut plain: Charged,
) -> Result<Option<Charged>, Unmade> {
    let mut step = vec![0; STEP_BYTES];
    loop {
        let made = decoder.read(&mut step).map_err(|_| CodingFault::Broken)?;
        if made == 0 {
            return Ok(Some(plain));
        }
        if !take(&mut plain, &step[..made], limit)? {
            return Ok(None);
        }
    }
}

/// False beyond the limit.
fn take(plain: &mut Charged, part: &[u8], limit: usize) -> Result<bool, Unmade> {
    if part.len() > limit - plain.len() {
        return Ok(false);
    }
    plain.push(part, limit).map_err(|_| Unmade::NoRoom)?;
    Ok(true)
}

/// Step by step, since the crate's reader does not say where the stream ended.
fn brotli(
    body: &[u8],
    limit: usize,
    rest: &mut Cursor<&[u8]>,
    mut plain: Charged,
) -> Result<Option<Charged>, Unmade> {
    let new = StandardAlloc::default;
    let mut state = BrotliState::new_strict(new(), new(), new());
    let mut step = vec![0; STEP_BYTES];
    let (mut left, mut at, mut total) = (body.len(), 0, 0);
    loop {
        let (mut room, mut made) = (step.len(), 0);
        let result = BrotliDecompressStream(
            &mut left, &mut at, body, &mut room, &mut made, &mut step, &mut total, &mut state,
        );
        if !take(&mut plain, &step[..made], limit)? {
            return Ok(None);
        }
        match result {
            BrotliResult::ResultSuccess => break,
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                return Err(CodingFault::Broken.into());
            }
        }
    }
    rest.set_position(at as u64);
    Ok(Some(plain))
}

/// The body in its coding again, charged as the plain one is.
pub(crate) fn encoded(coding: Coding, plain: Charged) -> Result<Charged, Unmade> {
    if coding == Coding::Identity {
        return Ok(plain);
    }
    let packed = packed(coding, plain.as_ref())?;
    Charged::of(packed, plain.another_share()).map_err(|_| Unmade::NoRoom)
}

fn packed(coding: Coding, plain: &[u8]) -> Result<Vec<u8>, CodingFault> {
    let broken = |_: std::io::Error| CodingFault::Broken;
    match coding {
        Coding::Identity => Ok(plain.to_vec()),
        Coding::Unknown => Err(CodingFault::Broken),
        Coding::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).map_err(broken)?;
            encoder.finish().map_err(broken)
        }
        Coding::Deflate => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).map_err(broken)?;
            encoder.finish().map_err(broken)
        }
        Coding::Brotli => {
            let mut out = Vec::new();
            let mut encoder =
                brotli::CompressorWriter::new(&mut out, 4096, BROTLI_QUALITY, BROTLI_WINDOW_LOG);
            encoder.write_all(plain).map_err(broken)?;
            encoder.flush().map_err(broken)?;
            drop(encoder);
            Ok(out)
        }
        Coding::Zstd => zstd::stream::encode_all(plain, ZSTD_LEVEL).map_err(broken),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::held::Store;

    fn decoded(
        coding: Coding,
        body: &[u8],
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, CodingFault> {
        let plain = super::decoded(coding, body, bytes_max, Held::uncounted());
        match plain {
            Ok(plain) => Ok(plain.map(Charged::into_vec)),
            Err(Unmade::Fault(fault)) => Err(fault),
            Err(Unmade::NoRoom) => panic!("nobody counts"),
        }
    }

    #[test]
    fn what_a_body_becomes_is_charged_while_it_is_made() {
        for coding in ALL {
            let packed = packed(coding, &text()).unwrap();
            let store = Arc::new(Store::new(text().len() - 1, Arc::default()));
            let refused = super::decoded(coding, &packed, 1 << 20, store.share());
            assert!(matches!(refused, Err(Unmade::NoRoom)), "{coding:?}");
            let room = 4 * text().len();
            let store = Arc::new(Store::new(room, Arc::default()));
            let plain = super::decoded(coding, &packed, 1 << 20, store.share());
            let plain = plain.ok().flatten().unwrap();
            let rest = room - text().len();
            assert!(store.share().grow(rest + 1).is_err(), "{coding:?}");
            // Encoded again, it is charged in the plain one's place.
            let again = encoded(coding, plain).ok().unwrap();
            assert!(
                store.share().grow(room - again.len() + 1).is_err(),
                "{coding:?}"
            );
            assert!(store.share().grow(rest).is_ok(), "{coding:?}");
            drop(again);
            assert!(store.share().grow(room).is_ok(), "{coding:?}");
        }
    }

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn text() -> Vec<u8> {
        (0..5_000_u32)
            .flat_map(|n| format!("{n} {}", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        for coding in ALL {
            let packed = packed(coding, &text()).unwrap();
            assert!(packed.len() < text().len(), "{coding:?}");
            let plain = decoded(coding, &packed, 1 << 20).unwrap();
            assert_eq!(plain, Some(text()), "{coding:?}");
        }
        assert_eq!(decoded(Coding::Identity, b"x", 1), Ok(None));
    }

    #[test]
    fn a_body_stops_at_the_routes_limit() {
        for coding in ALL {
            let packed = packed(coding, &text()).unwrap();
            let length = text().len();
            assert!(decoded(coding, &packed, length).is_ok(), "{coding:?}");
            let over = decoded(coding, &packed, length - 1);
            let bytes_max = length - 1;
            assert_eq!(over, Err(CodingFault::TooLarge { bytes_max }), "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_whole() {
        for coding in ALL {
            let packed = packed(coding, &vec![b' '; 64 << 20]).unwrap();
            assert!(packed.len() < 256 * 1024, "{coding:?}");
            let refused = decoded(coding, &packed, 256 << 20);
            assert_eq!(refused, Err(CodingFault::Bomb), "{coding:?}");
        }
    }

    #[test]
    fn what_is_not_whole_or_goes_on_is_broken() {
        for coding in ALL {
            let packed = packed(coding, &text()).unwrap();
            let cut = decoded(coding, &packed[..packed.len() - 1], 1 << 20);
            assert_eq!(cut, Err(CodingFault::Broken), "{coding:?} cut");
            let twice = [packed.clone(), packed.clone()].concat();
            let refused = decoded(coding, &twice, 1 << 20);
            assert_eq!(refused, Err(CodingFault::Broken), "{coding:?} twice");
            let junk = [packed.as_slice(), b"{}"].concat();
            let refused = decoded(coding, &junk, 1 << 20);
            assert_eq!(refused, Err(CodingFault::Broken), "{coding:?} junk");
            assert!(decoded(coding, b"{}", 1 << 20).is_err(), "{coding:?} plain");
        }
    }
}
