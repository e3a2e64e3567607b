//! The first two frames: who the application is, and whether it is let in.

use crate::codec::{Malformed, Reader, Writer};

/// Raised whenever signatures, layouts or frames change.
const VERSION: u8 = 1;
const MAGIC: &[u8; 9] = b"jinku-hsm";

/// Names an application that has a process of its own on the other side; drawn at random there.
pub type Ticket = [u8; 16];

/// What a client says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The application's ticket, on every connection but its first.
    pub ticket: Option<Ticket>,
}

/// What it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// Calls may follow.
    Accepted {
        /// For the application's further connections.
        ticket: Ticket,
    },
    /// No application has this ticket: its process ended, or the server was started again.
    Unknown,
    /// Client and server were not built for each other: install both of one version.
    OtherVersion,
    /// The module behind the server does not start; its return value.
    Refused {
        /// What `C_Initialize` answered.
        value: u64,
    },
    /// Too many connections or applications at once.
    Busy,
}

impl Hello {
    /// As a message.
    pub fn write(&self) -> Writer {
        let mut message = Writer::new();
        message.put(MAGIC);
        message.byte(VERSION);
        message.byte(u8::try_from(usize::BITS).unwrap_or_default());
        message.flag(self.ticket.is_some());
        message.put(self.ticket.as_ref().map_or(&[], |ticket| ticket));
        message
    }

    /// From a message; `Ok(None)` from a client of another version.
    ///
    /// # Errors
    /// [`Malformed`] from somebody else.
    pub fn read(message: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(message);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(Malformed);
        }
        let is_ours = reader.byte()? == VERSION && u32::from(reader.byte()?) == usize::BITS;
        if !is_ours {
            return Ok(None);
        }
        let ticket = if reader.flag()? {
            Some(ticket(&mut reader)?)
        } else {
            None
        };
        reader.end()?;
        Ok(Some(Self { ticket }))
    }
}

impl Welcome {
    /// As a message.
    pub fn write(&self) -> Writer {
        let mut message = Writer::new();
        match self {
            Self::Accepted { ticket } => {
                message.byte(0);
                message.put(ticket);
            }
            Self::Unknown => message.byte(1),
            Self::OtherVersion => message.byte(2),
            Self::Refused { value } => {
                message.byte(3);
                message.word(*value);
            }
            Self::Busy => message.byte(4),
        }
        message
    }

    /// From a message.
    ///
    /// # Errors
    /// [`Malformed`] if it is none.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message);
        let welcome = match reader.byte()? {
            0 => Self::Accepted {
                ticket: ticket(&mut reader)?,
            },
            1 => Self::Unknown,
            2 => Self::OtherVersion,
            3 => Self::Refused {
                value: reader.word()?,
            },
            4 => Self::Busy,
            _ => return Err(Malformed),
        };
        reader.end()?;
        Ok(welcome)
    }
}

fn ticket(reader: &mut Reader<'_>) -> Result<Ticket, Malformed> {
    let bytes = reader.take(size_of::<Ticket>())?;
    bytes.try_into().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_survive_the_way() {
        for ticket in [None, Some([7; 16])] {
            let hello = Hello { ticket };
            assert_eq!(Hello::read(hello.write().bytes()), Ok(Some(hello)));
        }
        let all = [
            Welcome::Accepted { ticket: [9; 16] },
            Welcome::Unknown,
            Welcome::OtherVersion,
            Welcome::Refused { value: 5 },
            Welcome::Busy,
        ];
        for welcome in all {
            assert_eq!(Welcome::read(welcome.write().bytes()), Ok(welcome));
        }
    }

    #[test]
    fn another_version_is_told_apart_from_a_stranger() {
        let mut hello = Hello { ticket: None }.write().bytes().to_vec();
        hello[MAGIC.len()] += 1;
        assert_eq!(Hello::read(&hello), Ok(None));
        assert_eq!(Hello::read(b"GET / HTTP/1.1"), Err(Malformed));
    }
}
