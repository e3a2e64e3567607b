//! Frames on a stream: one request there, one answer back.

use std::io::{self, ErrorKind, Read, Write};

use zeroize::{Zeroize, Zeroizing};

use crate::codec::Writer;

/// Bytes of the longest frame: what a call takes or gives, and its numbers.
pub const FRAME_BYTES_MAX: usize = (64 << 20) + (1 << 20);

/// Bytes read at once; most frames need no second read.
const READ_BYTES: usize = 4096;

/// Bytes of a frame's length.
const HEAD_BYTES: usize = 4;

/// A stream of frames. What it received is wiped before the next frame, in the end, and when it is told to.
pub struct Channel<S> {
    stream: S,
    received: Zeroizing<Vec<u8>>,
}

impl<S: Read + Write> Channel<S> {
    /// Wraps a connected stream.
    pub fn new(stream: S) -> Self {
        let received = Zeroizing::new(Vec::with_capacity(READ_BYTES));
        Self { stream, received }
    }

    /// The stream itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Gives the stream back.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Sends a message as one frame.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is too long, else what the stream says.
    pub fn send(&mut self, message: &Writer) -> io::Result<()> {
        let length = message.bytes().len();
        let head = u32::try_from(length).ok();
        let head = head.filter(|_| length <= FRAME_BYTES_MAX);
        let head = head.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        let mut frame = Zeroizing::new(Vec::with_capacity(HEAD_BYTES + length));
        frame.extend_from_slice(&head.to_le_bytes());
        frame.extend_from_slice(message.bytes());
        self.stream.write_all(&frame)
    }

    /// Waits for a frame and yields its bytes; `None` if the peer left between two frames.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if it is too long or more than one frame came, else what the
    /// stream says.
    pub fn receive(&mut self) -> io::Result<Option<&[u8]>> {
        self.wipe();
        if !self.fill(HEAD_BYTES, READ_BYTES)? {
            return Ok(None);
        }
        let head = self.received.first_chunk::<HEAD_BYTES>();
        let length = head.map_or(0, |head| u32::from_le_bytes(*head));
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let whole = HEAD_BYTES + length;
        self.make_room(whole);
        if !self.fill(whole, whole)? || self.received.len() != whole {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(self.received.get(HEAD_BYTES..))
    }

    /// Wipes what it received: nothing of it stays while nobody sends.
    pub fn wipe(&mut self) {
        self.received.as_mut_slice().zeroize();
        self.received.clear();
    }

    /// Reads until there are `least` bytes, never more than `most`. False at a clean end.
    fn fill(&mut self, least: usize, most: usize) -> io::Result<bool> {
        while self.received.len() < least {
            let room = most - self.received.len();
            let start = self.received.len();
            // The room is reserved, so this moves nothing.
            self.received.resize(start + room.min(1 << 20), 0);
            let read = self
                .stream
                .read(self.received.get_mut(start..).unwrap_or_default());
            self.received.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) if start == 0 => return Ok(false),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Moves what was received into a larger place, and wipes the old one.
    fn make_room(&mut self, bytes: usize) {
        if bytes > self.received.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(bytes));
            grown.extend_from_slice(&self.received);
            self.received = grown;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (Channel<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Channel::new(ours), theirs)
    }

    #[test]
    fn frames_of_all_sizes_arrive_whole() {
        let (mut ours, theirs) = pair();
        let mut theirs = Channel::new(theirs);
        for length in [0, 1, 4091, 4092, 4093, 300_000] {
            let mut message = Writer::new();
            message.put(&vec![7; length]);
            std::thread::scope(|scope| {
                scope.spawn(|| theirs.send(&message).unwrap());
                assert_eq!(ours.receive().unwrap().unwrap(), message.bytes());
            });
        }
        drop(theirs);
        assert!(ours.receive().unwrap().is_none());
    }

    #[test]
    fn a_frame_that_is_too_long_or_cut_is_refused() {
        let (mut ours, mut theirs) = pair();
        theirs.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert_eq!(ours.receive().unwrap_err().kind(), ErrorKind::InvalidData);
        let (mut ours, mut theirs) = pair();
        theirs.write_all(&[9, 0, 0, 0, 1]).unwrap();
        drop(theirs);
        assert_eq!(ours.receive().unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let (mut ours, mut theirs) = pair();
        theirs.write_all(&[1, 0, 0, 0, 1, 2]).unwrap();
        assert_eq!(ours.receive().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
