//! How PKCS#11 calls travel between a program and the process that holds the token.
//!
//! Both sides know each function's signature ([`Kind`]s), and where mechanism parameters and
//! templates hold pointers ([`Layout`]s). A call is one frame there and one frame back, over a
//! Unix socket between processes of one machine; there is no `unsafe` here, and whatever does not
//! fit a signature or a layout is refused as [`Malformed`].
//!
//! ```
//! use hsm_wire::{Function, Reader, Writer};
//!
//! let mut request = Writer::new();
//! request.byte(Function::C_CloseSession as u8);
//! request.word(7);
//! let mut reader = Reader::new(request.bytes());
//! assert_eq!(Function::of(reader.byte()?), Some(Function::C_CloseSession));
//! assert_eq!(reader.word()?, 7);
//! reader.end()?;
//! # Ok::<(), hsm_wire::Malformed>(())
//! ```
//!
//! # A connection
//! 1. [`Hello`]: version, and the ticket of the application if it has one.
//! 2. [`Welcome`]: the ticket, or why there is none.
//! 3. Calls, one at a time. Threads that call at once use a connection each.
//!
//! A frame is its length (4 bytes, little endian, at most [`FRAME_BYTES_MAX`]) and its bytes.
//!
//! # Modules
//! - `codec`: numbers and bytes. `channel`: frames on a stream. `greeting`: hello and welcome.
//! - `function`: the functions and their signatures.
//! - `layout`: structures with pointers. `tree`: such a structure on its way.
//! - `place`: where tokens and sockets are and whose habits they have, as the environment says.

mod channel;
mod codec;
mod function;
mod greeting;
mod layout;
mod place;
mod tree;

pub use channel::{Channel, FRAME_BYTES_MAX};
pub use codec::{Malformed, Reader, Writer};
pub use function::{Function, Kind};
pub use greeting::{Hello, Ticket, Welcome};
pub use layout::{Flow, Layout, Pointer, Shape, Span, attributes, mechanism, message, resolve};
pub use place::{counter_directory, profile_name, socket_path, token_directory};
pub use tree::{Budget, Node};
