//! The exported C functions: thin shells that turn pointers into safe types and call `token`.
//! No panic leaves them, and nothing but these files is `unsafe`.

mod digest;
mod encrypt;
mod general;
mod key;
mod list;
mod message;
mod object;
mod output;
mod parameter;
mod random;
mod raw;
mod session;
mod shell;
mod sign;
mod slot;
mod state;
mod unsupported;
mod wall;

pub(crate) use list::lists;
