//! Handles as callers see them: the server's, with the number of the life in which it gave them.
//! So a handle never means anything in another life.

/// Bits of a server's handle.
const HANDLE_BITS: u32 = 48;
/// A handle that no server gave: it says by itself what that means to it.
const NOBODYS: u64 = (1 << HANDLE_BITS) - 1;

/// The number of an application's life on the server: 1 and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life(u16);

impl Life {
    /// The life after so many earlier ones; `None` when numbers would repeat.
    pub(crate) fn after(lives: u16) -> Option<Self> {
        lives.checked_add(1).map(Self)
    }

    /// Its number.
    pub(crate) fn number(self) -> u16 {
        self.0
    }

    /// A server's handle for the caller; `None` if the server's is too wide to be marked.
    pub(crate) fn mark(self, handle: u64) -> Option<u64> {
        match handle {
            0 => Some(0),
            handle if handle >= NOBODYS => None,
            handle => Some(u64::from(self.0) << HANDLE_BITS | handle),
        }
    }

    /// A caller's handle for the server; `None` if it is of an earlier life.
    pub(crate) fn unmark(self, handle: u64) -> Option<u64> {
        let (life, bare) = (handle >> HANDLE_BITS, handle & NOBODYS);
        match u64::from(self.0) {
            _ if handle == 0 => Some(0),
            own if life == own => Some(bare),
            own if life > 0 && life < own => None,
            _ => Some(NOBODYS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_in_its_own_life_only() {
        let (first, second) = (Life::after(0).unwrap(), Life::after(1).unwrap());
        let handle = first.mark(7).unwrap();
        assert_eq!(first.unmark(handle), Some(7));
        assert_eq!(second.unmark(handle), None);
        assert_ne!(second.mark(7), Some(handle));
    }

    #[test]
    fn what_no_server_gave_is_left_to_the_server() {
        let life = Life::after(1).unwrap();
        assert_eq!(life.unmark(0), Some(0));
        assert_eq!(life.unmark(7), Some(NOBODYS));
        assert_eq!(life.unmark(u64::MAX), Some(NOBODYS));
        assert_eq!(life.mark(1 << 60), None);
        assert_eq!(Life::after(u16::MAX), None);
    }
}
