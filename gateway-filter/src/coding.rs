//! Owns content codings (RFC 9110 §8.4.1): a body is decoded within limits, and encoded again as it
//! came. A body that grows beyond what its size makes likely is refused as a bomb.

use std::io::{Cursor, Read, Write as _};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

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
/// How much of a brotli stream is decoded in one step.
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

/// The body without its coding; `None` where it has none. At most `bytes_max` bytes.
pub(crate) fn decoded(
    coding: Coding,
    body: &[u8],
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, CodingFault> {
    let likely = body.len().saturating_mul(RATIO_MAX).max(BYTES_ANYWAY);
    let limit = likely.min(bytes_max);
    let mut rest = Cursor::new(body);
    let plain = match coding {
        Coding::Identity => return Ok(None),
        Coding::Unknown => return Err(CodingFault::Broken),
        Coding::Gzip => read(flate2::bufread::GzDecoder::new(&mut rest), limit)?,
        Coding::Deflate => read(flate2::bufread::ZlibDecoder::new(&mut rest), limit)?,
        Coding::Brotli => brotli(body, limit, &mut rest)?,
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&mut rest)
                .map_err(|_| CodingFault::Broken)?
                .single_frame();
            decoder
                .window_log_max(ZSTD_WINDOW_LOG_MAX)
                .map_err(|_| CodingFault::Broken)?;
            read(decoder, limit)?
        }
    };
    match plain {
        None if limit == bytes_max => Err(CodingFault::TooLarge { bytes_max }),
        None => Err(CodingFault::Bomb),
        // Some servers would read on, some not: what follows would pass unseen.
        Some(_) if rest.position() != body.len() as u64 => Err(CodingFault::Broken),
        Some(plain) => Ok(Some(plain)),
    }
}

/// Whole, or `None` beyond the limit.
fn read(mut decoder: impl Read, limit: usize) -> Result<Option<Vec<u8>>, CodingFault> {
    let mut plain = Vec::new();
    let mut bounded = decoder.by_ref().take(limit as u64 + 1);
    bounded
        .read_to_end(&mut plain)
        .map_err(|_| CodingFault::Broken)?;
    Ok((plain.len() <= limit).then_some(plain))
}

/// Step by step, since the crate's reader does not say where the stream ended.
fn brotli(
    body: &[u8],
    limit: usize,
    rest: &mut Cursor<&[u8]>,
) -> Result<Option<Vec<u8>>, CodingFault> {
    let new = StandardAlloc::default;
    let mut state = BrotliState::new_strict(new(), new(), new());
    let mut step = vec![0; STEP_BYTES];
    let mut plain = Vec::new();
    let (mut left, mut at, mut total) = (body.len(), 0, 0);
    loop {
        let (mut room, mut made) = (step.len(), 0);
        let result = BrotliDecompressStream(
            &mut left, &mut at, body, &mut room, &mut made, &mut step, &mut total, &mut state,
        );
        plain.extend_from_slice(&step[..made]);
        if plain.len() > limit {
            return Ok(None);
        }
        match result {
            BrotliResult::ResultSuccess => break,
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                return Err(CodingFault::Broken);
            }
        }
    }
    rest.set_position(at as u64);
    Ok(Some(plain))
}

/// The body in its coding again.
pub(crate) fn encoded(coding: Coding, plain: Vec<u8>) -> Result<Vec<u8>, CodingFault> {
    let broken = |_: std::io::Error| CodingFault::Broken;
    match coding {
        Coding::Identity => Ok(plain),
        Coding::Unknown => Err(CodingFault::Broken),
        Coding::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(&plain).map_err(broken)?;
            encoder.finish().map_err(broken)
        }
        Coding::Deflate => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(&plain).map_err(broken)?;
            encoder.finish().map_err(broken)
        }
        Coding::Brotli => {
            let mut out = Vec::new();
            let mut encoder =
                brotli::CompressorWriter::new(&mut out, 4096, BROTLI_QUALITY, BROTLI_WINDOW_LOG);
            encoder.write_all(&plain).map_err(broken)?;
            encoder.flush().map_err(broken)?;
            drop(encoder);
            Ok(out)
        }
        Coding::Zstd => zstd::stream::encode_all(plain.as_slice(), ZSTD_LEVEL).map_err(broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn text() -> Vec<u8> {
        (0..5_000_u32)
            .flat_map(|n| format!("{n} {}", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        for coding in ALL {
            let packed = encoded(coding, text()).unwrap();
            assert!(packed.len() < text().len(), "{coding:?}");
            let plain = decoded(coding, &packed, 1 << 20).unwrap();
            assert_eq!(plain, Some(text()), "{coding:?}");
        }
        assert_eq!(decoded(Coding::Identity, b"x", 1), Ok(None));
    }

    #[test]
    fn a_body_stops_at_the_routes_limit() {
        for coding in ALL {
            let packed = encoded(coding, text()).unwrap();
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
            let packed = encoded(coding, vec![b' '; 64 << 20]).unwrap();
            assert!(packed.len() < 256 * 1024, "{coding:?}");
            let refused = decoded(coding, &packed, 256 << 20);
            assert_eq!(refused, Err(CodingFault::Bomb), "{coding:?}");
        }
    }

    #[test]
    fn what_is_not_whole_or_goes_on_is_broken() {
        for coding in ALL {
            let packed = encoded(coding, text()).unwrap();
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
