//! One call on the server's side: a request is checked against the function's signature, laid out
//! in memory, put to the module, and answered.
#![expect(unsafe_code, reason = "calls PKCS#11 modules")]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki_sys as ck;
use cryptoki_sys::{CK_MECHANISM, CK_RV};
use hsm_wire::{
    Budget, FRAME_BYTES_MAX, Flow, Function, Kind, Malformed, Node, Reader, Shape, Span, Writer,
};
use zeroize::Zeroize;

use super::memory::Memory;
use super::module::Module;

/// Bytes that one call gives at most; the frame has numbers beside them.
const OUTPUT_BYTES_MAX: u64 = FRAME_BYTES_MAX as u64 - 4096;
/// Bytes of a parameter of which nobody knows the shape.
const BLANK_BYTES_MAX: u64 = 4096;

/// The module, and the parameters that it may still write.
pub(super) struct Dispatch {
    module: Module,
    /// By session: what `C_EncryptInit` was given, while the encryption runs.
    late: Mutex<BTreeMap<u64, Memory>>,
}

/// Arguments as the module takes them, and the memory that they lead to.
struct Laid {
    words: Vec<u64>,
    held: Vec<Held>,
    budget: Budget,
}

/// The memory of one [`Kind`].
enum Held {
    /// What only goes in.
    Input(#[expect(dead_code, reason = "the module reads it")] Option<Memory>),
    /// Room for values, the place of their count, and how many fit.
    Room {
        buffer: Option<Vec<u64>>,
        count: Option<Box<u64>>,
        room: u64,
        unit: u64,
    },
    /// Room that is filled as a whole, or not at all.
    Whole(Option<Vec<u64>>, usize),
    Mechanism(
        #[expect(dead_code, reason = "the module reads it")] Option<Box<CK_MECHANISM>>,
        Option<Memory>,
    ),
    Query(Option<Memory>),
}

impl Dispatch {
    pub(super) fn new(module: Module) -> Self {
        let late = Mutex::default();
        Self { module, late }
    }

    pub(super) fn module(&self) -> &Module {
        &self.module
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &[u8]) -> Result<Writer, Malformed> {
        let mut reader = Reader::new(request);
        let function = Function::of(reader.byte()?).ok_or(Malformed)?;
        let mut laid = Laid {
            words: Vec::new(),
            held: Vec::new(),
            budget: Budget::default(),
        };
        for kind in function.signature() {
            laid.lay(*kind, &mut reader)?;
        }
        reader.end()?;
        // SAFETY: every pointer is null or leads to memory that `laid` holds, as long as the
        // argument beside it says.
        let value = unsafe { self.module.call(function, &laid.words) };
        let mut answer = Writer::new();
        answer.word(value);
        for held in &mut laid.held {
            held.write(value, &mut answer)?;
        }
        self.follow(function, value, &mut laid, &mut answer);
        Ok(answer)
    }

    /// Keeps the parameter of an encryption while it runs, and tells when the module writes it.
    fn follow(&self, function: Function, value: CK_RV, laid: &mut Laid, answer: &mut Writer) {
        let session = laid.words.first().copied().unwrap_or_default();
        let mut late = self.late();
        if function.continues_encryption() {
            let mut back = Writer::new();
            if let Some(memory) = late.get_mut(&session)
                && let Some((before, after)) = memory.take_change()
            {
                before.write_back(&after, &mut back);
            }
            answer.counted(back.bytes());
            let asks = matches!(laid.held.last(), Some(Held::Room { buffer: None, .. }));
            if !function.keeps_encryption(value, asks) {
                late.remove(&session);
            }
        }
        if matches!(function, Function::C_EncryptInit | Function::C_CloseSession) {
            late.remove(&session);
            let parameter = laid.held.iter_mut().find_map(|held| match held {
                Held::Mechanism(_, parameter) => parameter.take(),
                _ => None,
            });
            let parameter = parameter.filter(|memory| memory.sent().shape().is_written());
            if let Some(parameter) = parameter.filter(|_| value == ck::CKR_OK) {
                late.insert(session, parameter);
            }
        }
    }

    fn late(&self) -> MutexGuard<'_, BTreeMap<u64, Memory>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Laid {
    /// Lays out the arguments of one kind.
    fn lay(&mut self, kind: Kind, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        match kind {
            Kind::Word | Kind::Session | Kind::Object => self.words.push(reader.word()?),
            Kind::Unused => self.words.push(0),
            Kind::Bytes => {
                let (address, count) = self.bytes(reader)?;
                self.words.extend([address, count]);
            }
            Kind::Label => {
                let (address, count) = self.bytes(reader)?;
                if address != 0 && count != 32 {
                    return Err(Malformed);
                }
                self.words.push(address);
            }
            Kind::Fill => {
                let (is_there, count) = (reader.flag()?, reader.word()?);
                let bytes = if is_there { count } else { 0 };
                let length = usize::try_from(bytes).map_err(|_| Malformed)?;
                let buffer = is_there.then(|| self.room(bytes, 1)).transpose()?;
                self.whole(buffer, length);
                self.words.push(count);
            }
            Kind::Room | Kind::Numbers => {
                let unit = if kind == Kind::Numbers { 8 } else { 1 };
                let (has_buffer, has_count) = (reader.flag()?, reader.flag()?);
                let room = reader.word()?.min(OUTPUT_BYTES_MAX / unit);
                self.counted(has_buffer, has_count.then_some(room), room, unit)?;
            }
            Kind::Found => {
                let (has_buffer, limit, has_count) =
                    (reader.flag()?, reader.word()?, reader.flag()?);
                self.counted(has_buffer, has_count.then_some(0), limit, 8)?;
                let count = self.words.pop().unwrap_or_default();
                self.words.extend([limit, count]);
            }
            Kind::Place(bytes) => self.place(bytes, reader)?,
            Kind::NewSession | Kind::NewObject => self.place(8, reader)?,
            Kind::Mechanism => self.mechanism(reader)?,
            Kind::Template => {
                let memory = self.attributes(reader, Flow::In)?;
                self.held.push(Held::Input(memory));
            }
            Kind::Query => {
                let memory = self.attributes(reader, Flow::Out)?;
                self.held.push(Held::Query(memory));
            }
            Kind::Parameter => {
                let (address, length, memory) = self.parameter(reader, hsm_wire::message)?;
                self.words.extend([address, length]);
                self.held.push(Held::Mechanism(None, memory));
            }
        }
        Ok(())
    }

    /// Bytes that go in: their address and count.
    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(u64, u64), Malformed> {
        if !reader.flag()? {
            self.held.push(Held::Input(None));
            return Ok((0, reader.word()?));
        }
        let bytes = reader.counted()?;
        self.budget.take(Shape::Bytes(bytes.len()))?;
        let mut memory = Memory::new(Node::leaf(bytes.to_vec().into()));
        let address = memory.address();
        self.held.push(Held::Input(Some(memory)));
        Ok((address, bytes.len() as u64))
    }

    /// Room for so many values.
    fn room(&mut self, count: u64, unit: u64) -> Result<Vec<u64>, Malformed> {
        let bytes = count.checked_mul(unit).ok_or(Malformed)?;
        let bytes = usize::try_from(bytes).map_err(|_| Malformed)?;
        self.budget.take(Shape::Bytes(bytes))?;
        Ok(vec![0; bytes / 8 + 1])
    }

    fn whole(&mut self, mut buffer: Option<Vec<u64>>, length: usize) {
        self.words.push(buffer.as_mut().map_or(0, address));
        self.held.push(Held::Whole(buffer, length));
    }

    fn place(&mut self, bytes: usize, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let buffer = reader.flag()?.then(|| self.room(bytes as u64, 1));
        self.whole(buffer.transpose()?, bytes);
        Ok(())
    }

    /// Room for values, and the place of their count.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "null or not, as the caller asks"
    )]
    fn counted(
        &mut self,
        has_buffer: bool,
        count: Option<u64>,
        room: u64,
        unit: u64,
    ) -> Result<(), Malformed> {
        let mut buffer = has_buffer.then(|| self.room(room, unit)).transpose()?;
        let mut count = count.map(Box::new);
        self.words.push(buffer.as_mut().map_or(0, address));
        let place = count
            .as_mut()
            .map(|count| (&raw mut **count).expose_provenance() as u64);
        self.words.push(place.unwrap_or_default());
        self.held.push(Held::Room {
            buffer,
            count,
            room,
            unit,
        });
        Ok(())
    }

    fn mechanism(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        if !reader.flag()? {
            self.words.push(0);
            self.held.push(Held::Mechanism(None, None));
            return Ok(());
        }
        let kind = reader.word()?;
        let (address, length, memory) =
            self.parameter(reader, |length| hsm_wire::mechanism(kind, length))?;
        let mut mechanism = Box::new(CK_MECHANISM {
            mechanism: kind,
            pParameter: std::ptr::with_exposed_provenance_mut(
                usize::try_from(address).map_err(|_| Malformed)?,
            ),
            ulParameterLen: length,
        });
        self.words
            .push((&raw mut *mechanism).expose_provenance() as u64);
        self.held.push(Held::Mechanism(Some(mechanism), memory));
        Ok(())
    }

    /// A parameter: its address, its length, its memory. One that no shape fits is zeros.
    fn parameter(
        &mut self,
        reader: &mut Reader<'_>,
        shape: impl FnOnce(usize) -> Option<Shape>,
    ) -> Result<(u64, u64, Option<Memory>), Malformed> {
        let (is_there, length) = (reader.flag()?, reader.word()?);
        if !is_there {
            return Ok((0, length, None));
        }
        let node = if reader.flag()? {
            let length = usize::try_from(length).map_err(|_| Malformed)?;
            let shape = shape(length).ok_or(Malformed)?;
            let flow = Flow::Both;
            Node::read(reader, Span { shape, flow }, &mut self.budget)?
        } else {
            let blank = usize::try_from(length.min(BLANK_BYTES_MAX)).map_err(|_| Malformed)?;
            Node::leaf(vec![0; blank].into())
        };
        let length = length.min(BLANK_BYTES_MAX.max(node.bytes().len() as u64));
        let mut memory = Memory::new(node);
        Ok((memory.address(), length, Some(memory)))
    }

    fn attributes(
        &mut self,
        reader: &mut Reader<'_>,
        flow: Flow,
    ) -> Result<Option<Memory>, Malformed> {
        let (is_there, count) = (reader.flag()?, reader.word()?);
        let mut memory = None;
        if is_there {
            let items = usize::try_from(count).map_err(|_| Malformed)?;
            let shape = Shape::Items(hsm_wire::attributes(flow), items);
            let node = Node::read(reader, Span { shape, flow }, &mut self.budget)?;
            memory = Some(Memory::new(node));
        }
        let address = memory.as_mut().map_or(0, Memory::address);
        self.words.extend([address, count]);
        Ok(memory)
    }
}

impl Held {
    /// Writes what the module left here.
    fn write(&mut self, value: CK_RV, answer: &mut Writer) -> Result<(), Malformed> {
        let is_ok = value == ck::CKR_OK;
        match self {
            Self::Input(_) => {}
            Self::Whole(buffer, length) => {
                // A label or a place has a known length; of drawn bytes it is told.
                let filled = buffer.as_ref().filter(|_| is_ok);
                answer.flag(filled.is_some());
                if let Some(buffer) = filled {
                    put(buffer, *length, answer);
                }
            }
            Self::Room {
                buffer,
                count,
                room,
                unit,
            } => {
                answer.flag(count.is_some());
                let Some(count) = count else { return Ok(()) };
                answer.word(**count);
                let filled = buffer.as_ref().filter(|_| is_ok && **count <= *room);
                answer.flag(filled.is_some());
                if let Some(buffer) = filled {
                    let length = usize::try_from(**count * *unit).map_err(|_| Malformed)?;
                    answer.word(length as u64);
                    put(buffer, length, answer);
                }
            }
            Self::Mechanism(_, parameter) => {
                let change = parameter.as_mut().and_then(Memory::take_change);
                answer.flag(change.is_some());
                if let Some((before, after)) = change {
                    before.write_back(&after, answer);
                }
            }
            Self::Query(memory) => {
                let now = memory.as_ref().and_then(Memory::now);
                answer.flag(now.is_some());
                if let (Some(memory), Some(now)) = (memory, now) {
                    memory.sent().write_back(&now, answer);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Room {
            buffer: Some(buffer),
            count: Some(count),
            unit,
            ..
        } = self
        {
            // Only what the module says it wrote: the room itself may be far larger.
            let words = (**count).saturating_mul(*unit) / 8 + 1;
            let written = usize::try_from(words).map_or(buffer.len(), |w| w.min(buffer.len()));
            buffer.get_mut(..written).unwrap_or_default().zeroize();
        } else if let Self::Whole(Some(buffer), _) = self {
            buffer.zeroize();
        }
    }
}

fn address(buffer: &mut Vec<u64>) -> u64 {
    buffer.as_mut_ptr().expose_provenance() as u64
}

/// The first bytes of a buffer.
fn put(buffer: &[u64], length: usize, answer: &mut Writer) {
    for word in buffer.get(..length / 8).unwrap_or_default() {
        answer.put(&word.to_ne_bytes());
    }
    if let Some(last) = buffer.get(length / 8) {
        answer.put(last.to_ne_bytes().get(..length % 8).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
