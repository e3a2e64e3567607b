//! One call: what the caller's arguments hold goes to the server, and what comes back goes where
//! they point. The function's signature leads through both.
#![expect(unsafe_code, reason = "reads and writes where PKCS#11 callers point")]

use cryptoki_sys as ck;
use cryptoki_sys::CK_RV;
use hsm_wire::{Budget, Flow, Function, Kind, Node, Reader, Shape, Span, Writer};

use crate::handles::Life;
use crate::link::{self, Application, lock};
use crate::memory::{self, Origin};

/// Objects that one search step yields at most; the caller asks again.
const FOUND_MAX: u64 = 4096;

/// Memory that was sent, to be written when the answer comes.
type Sent = Option<(Node, Origin)>;

/// A call in the making.
struct Call<'a> {
    life: Life,
    arguments: &'a [u64],
    message: Writer,
    budget: Budget,
    sent: Vec<Sent>,
    /// The session that the call names, as the caller names it.
    session: u64,
}

/// Passes a call on.
///
/// # Safety
/// The arguments are those that PKCS#11 asks of the function's caller.
pub(crate) unsafe fn forward(function: Function, arguments: &[u64]) -> CK_RV {
    let Ok(link) = link::current() else {
        return ck::CKR_CRYPTOKI_NOT_INITIALIZED;
    };
    let mut is_again = false;
    loop {
        let outcome = link.application().and_then(|application| {
            // SAFETY: the contract of this function.
            unsafe { attempt(&link, &application, function, arguments) }
        });
        match outcome {
            Err(ck::CKR_DEVICE_REMOVED) if needs_no_state(function) && !is_again => is_again = true,
            Ok(value) | Err(value) => return value,
        }
    }
}

/// Whether the call may be made anew in a new life: it changes nothing, and names no session.
fn needs_no_state(function: Function) -> bool {
    matches!(
        function,
        Function::C_GetInfo
            | Function::C_GetSlotList
            | Function::C_GetSlotInfo
            | Function::C_GetTokenInfo
            | Function::C_GetMechanismList
            | Function::C_GetMechanismInfo
            | Function::C_OpenSession
    )
}

/// # Safety
/// As [`forward`].
unsafe fn attempt(
    link: &link::Link,
    application: &Application,
    function: Function,
    arguments: &[u64],
) -> Result<CK_RV, CK_RV> {
    let mut call = Call {
        life: application.life,
        arguments,
        message: Writer::new(),
        budget: Budget::default(),
        sent: Vec::new(),
        session: 0,
    };
    call.message.byte(function as u8);
    let mut next = 0;
    for kind in function.signature() {
        // SAFETY: the contract of this function.
        unsafe { call.write(*kind, next) }?;
        next += kind.arguments();
    }
    let Call {
        message,
        mut sent,
        session,
        ..
    } = call;
    let mut late = if function.continues_encryption() {
        lock(&application.late).remove(&session)
    } else {
        None
    };
    let value = link.exchange(application, &message, |answer| {
        let answer = Answer {
            life: application.life,
            reader: Reader::new(answer),
            arguments,
        };
        // SAFETY: the contract of this function.
        unsafe { answer.apply(function, &mut sent, &mut late) }
    })?;
    let is_kept = match function {
        Function::C_EncryptInit if value == ck::CKR_OK => {
            late = sent.into_iter().flatten().next();
            late.as_ref()
                .is_some_and(|(node, _)| node.shape().is_written())
        }
        _ => function.keeps_encryption(value, is_question(function, arguments)),
    };
    if function == Function::C_CloseSession {
        lock(&application.late).remove(&session);
    }
    if let Some(late) = late.filter(|_| is_kept) {
        lock(&application.late).insert(session, late);
    }
    Ok(value)
}

/// Whether the caller only asks how long the output is.
fn is_question(function: Function, arguments: &[u64]) -> bool {
    let room = function.arguments().checked_sub(2);
    function.continues_encryption() && room.and_then(|at| arguments.get(at)) == Some(&0)
}

impl Call<'_> {
    fn argument(&self, at: usize) -> u64 {
        self.arguments.get(at).copied().unwrap_or_default()
    }

    /// # Safety
    /// As [`forward`]; `at` is the place of this kind's first argument.
    unsafe fn write(&mut self, kind: Kind, at: usize) -> Result<(), CK_RV> {
        let (first, second) = (self.argument(at), self.argument(at + 1));
        match kind {
            Kind::Word => self.message.word(first),
            Kind::Session => {
                let handle = self.life.unmark(first);
                self.session = first;
                self.message
                    .word(handle.ok_or(ck::CKR_SESSION_HANDLE_INVALID)?);
            }
            Kind::Object => {
                let handle = self.life.unmark(first);
                self.message
                    .word(handle.ok_or(ck::CKR_OBJECT_HANDLE_INVALID)?);
            }
            Kind::Unused => {}
            // SAFETY: the caller passes null or so many bytes.
            Kind::Bytes => unsafe { self.bytes(first, second) }?,
            // SAFETY: a label has 32 bytes.
            Kind::Label => unsafe { self.bytes(first, 32) }?,
            Kind::Fill => {
                self.message.flag(first != 0);
                self.message.word(second);
            }
            Kind::Room | Kind::Numbers => {
                self.message.flag(first != 0);
                self.message.flag(second != 0);
                // SAFETY: the caller passes null or the place of a count.
                self.message.word(unsafe { number(second) });
            }
            Kind::Found => {
                self.message.flag(first != 0);
                self.message.word(second.min(FOUND_MAX));
                self.message.flag(self.argument(at + 2) != 0);
            }
            Kind::Place(_) | Kind::NewSession | Kind::NewObject => self.message.flag(first != 0),
            // SAFETY: the caller passes null or a mechanism.
            Kind::Mechanism => unsafe { self.mechanism(first) }?,
            // SAFETY: the caller passes null or so many attributes.
            Kind::Template => unsafe { self.attributes(first, second, Flow::In) }?,
            // SAFETY: as above, each with null or room.
            Kind::Query => unsafe { self.attributes(first, second, Flow::Out) }?,
            Kind::Parameter => {
                let shape = usize::try_from(second).ok().and_then(hsm_wire::message);
                // SAFETY: the caller passes null or a parameter of this length.
                unsafe { self.parameter(first, second, shape) }?;
            }
        }
        Ok(())
    }

    /// # Safety
    /// `address` is null or leads to so many bytes.
    unsafe fn bytes(&mut self, address: u64, count: u64) -> Result<(), CK_RV> {
        self.message.flag(address != 0);
        if address == 0 {
            self.message.word(count);
            return Ok(());
        }
        let length = usize::try_from(count).ok();
        let length = length.filter(|length| *length <= hsm_wire::FRAME_BYTES_MAX);
        let length = length.ok_or(ck::CKR_ARGUMENTS_BAD)?;
        // SAFETY: the contract of this function.
        let bytes = unsafe { memory::read(address, length) };
        self.message.counted(&bytes);
        Ok(())
    }

    /// # Safety
    /// `address` is null or leads to a mechanism.
    unsafe fn mechanism(&mut self, address: u64) -> Result<(), CK_RV> {
        self.message.flag(address != 0);
        if address == 0 {
            self.sent.push(None);
            return Ok(());
        }
        // SAFETY: the contract of this function; read without a claim on alignment.
        let given = unsafe { memory::pointer::<ck::CK_MECHANISM>(address).read_unaligned() };
        self.message.word(given.mechanism);
        let parameter = given.pParameter.expose_provenance() as u64;
        let length = usize::try_from(given.ulParameterLen).ok();
        let shape = length.and_then(|length| hsm_wire::mechanism(given.mechanism, length));
        // SAFETY: a mechanism's parameter is null or of its length.
        unsafe { self.parameter(parameter, given.ulParameterLen, shape) }
    }

    /// A parameter of a known shape, or one of which only the length is told: then the token says
    /// that it is wrong.
    ///
    /// # Safety
    /// `address` is null or leads to memory of this shape.
    unsafe fn parameter(
        &mut self,
        address: u64,
        length: u64,
        shape: Option<Shape>,
    ) -> Result<(), CK_RV> {
        self.message.flag(address != 0);
        self.message.word(length);
        if address == 0 {
            self.sent.push(None);
            return Ok(());
        }
        let captured = shape.and_then(|shape| {
            let flow = Flow::Both;
            // SAFETY: the contract of this function.
            unsafe { memory::capture(address, Span { shape, flow }, &mut self.budget) }.ok()
        });
        self.message.flag(captured.is_some());
        let mut sent = None;
        if let Some((node, origin)) = captured {
            let mut bare = node.clone();
            bare.change_handles(&mut |handle| {
                self.life
                    .unmark(handle)
                    .ok_or(ck::CKR_OBJECT_HANDLE_INVALID)
            })?;
            bare.write(&mut self.message, Flow::Both);
            sent = Some((bare, origin));
        }
        self.sent.push(sent);
        Ok(())
    }

    /// # Safety
    /// `address` is null or leads to so many attributes, each with null or its value.
    unsafe fn attributes(&mut self, address: u64, count: u64, flow: Flow) -> Result<(), CK_RV> {
        self.message.flag(address != 0);
        self.message.word(count);
        if address == 0 {
            self.sent.push(None);
            return Ok(());
        }
        let items = usize::try_from(count).map_err(|_| ck::CKR_ARGUMENTS_BAD)?;
        let shape = Shape::Items(hsm_wire::attributes(flow), items);
        // SAFETY: the contract of this function.
        let captured = unsafe { memory::capture(address, Span { shape, flow }, &mut self.budget) };
        let captured = captured.map_err(|_| ck::CKR_ARGUMENTS_BAD)?;
        captured.0.write(&mut self.message, flow);
        self.sent.push(Some(captured));
        Ok(())
    }
}

/// An answer being applied.
struct Answer<'a> {
    life: Life,
    reader: Reader<'a>,
    arguments: &'a [u64],
}

impl Answer<'_> {
    /// Writes everything where the caller wants it; `None` if the answer makes no sense.
    ///
    /// # Safety
    /// As [`forward`].
    unsafe fn apply(
        mut self,
        function: Function,
        sent: &mut [Sent],
        late: &mut Sent,
    ) -> Option<CK_RV> {
        let value = self.reader.word().ok()?;
        let (mut next, mut sent) = (0, sent.iter_mut());
        for kind in function.signature() {
            match kind {
                Kind::Mechanism | Kind::Parameter | Kind::Query => {
                    // SAFETY: the contract of this function.
                    unsafe { self.changed(sent.next()?.as_mut()) }?;
                }
                Kind::Template => {
                    sent.next()?;
                }
                // SAFETY: the contract of this function.
                kind => unsafe { self.read(*kind, next) }?,
            }
            next += kind.arguments();
        }
        if function.continues_encryption() {
            // SAFETY: a token with an IV of its own writes it where the parameter was, as it would
            // in this process.
            unsafe { self.changed_late(late) }?;
        }
        self.reader.end().ok()?;
        Some(value)
    }

    /// # Safety
    /// As [`forward`]; `at` is the place of this kind's first argument.
    unsafe fn read(&mut self, kind: Kind, at: usize) -> Option<()> {
        let argument = |at: usize| self.arguments.get(at).copied().unwrap_or_default();
        let (first, second, third) = (argument(at), argument(at + 1), argument(at + 2));
        match kind {
            Kind::Place(bytes) if self.reader.flag().ok()? => {
                let bytes = self.reader.take(bytes).ok()?;
                // SAFETY: the caller passes null or room for this structure.
                unsafe { place(first, bytes) };
            }
            Kind::NewSession | Kind::NewObject if self.reader.flag().ok()? => {
                let handle = self.life.mark(self.reader.word().ok()?)?;
                // SAFETY: the caller passes null or room for a handle.
                unsafe { place(first, &handle.to_ne_bytes()) };
            }
            Kind::Room | Kind::Numbers => {
                // SAFETY: the caller passes null or the place of a count, and room for so many.
                unsafe { self.room(kind, first, second) }?;
            }
            Kind::Fill if self.reader.flag().ok()? => {
                let bytes = self.reader.take(usize::try_from(second).ok()?).ok()?;
                // SAFETY: the caller passes room for so many bytes.
                unsafe { place(first, bytes) };
            }
            Kind::Found if self.reader.flag().ok()? => {
                let count = self.reader.word().ok()?;
                if !self.reader.flag().ok()? {
                    return Some(());
                }
                let bytes = self.reader.counted().ok()?;
                let fits = count <= second && count.checked_mul(8) == Some(bytes.len() as u64);
                if !fits {
                    return None;
                }
                let mut marked = Vec::with_capacity(bytes.len());
                for handle in bytes.chunks_exact(8) {
                    let handle = u64::from_ne_bytes(handle.try_into().ok()?);
                    marked.extend_from_slice(&self.life.mark(handle)?.to_ne_bytes());
                }
                // SAFETY: the caller passes room for `second` handles, and the place of a count.
                unsafe {
                    place(first, &marked);
                    place(third, &count.to_ne_bytes());
                }
            }
            _ => {}
        }
        Some(())
    }

    /// A count, and values if they fit.
    ///
    /// # Safety
    /// `length` is null or the place of a count, `buffer` null or room for so many.
    unsafe fn room(&mut self, kind: Kind, buffer: u64, length: u64) -> Option<()> {
        let unit = if kind == Kind::Numbers { 8 } else { 1 };
        // SAFETY: the contract of this function.
        let room = unsafe { number(length) };
        if !self.reader.flag().ok()? {
            return Some(());
        }
        let count = self.reader.word().ok()?;
        if self.reader.flag().ok()? {
            let bytes = self.reader.counted().ok()?;
            if bytes.len() as u64 > room.saturating_mul(unit) {
                return None;
            }
            // SAFETY: no more than there is room for.
            unsafe { place(buffer, bytes) };
        }
        // SAFETY: the contract of this function.
        unsafe { place(length, &count.to_ne_bytes()) };
        Some(())
    }

    /// Memory that the token changed.
    ///
    /// # Safety
    /// The caller's memory is still where it was read.
    unsafe fn changed(&mut self, sent: Option<&mut (Node, Origin)>) -> Option<()> {
        if !self.reader.flag().ok()? {
            return Some(());
        }
        let (before, origin) = sent?;
        let after = before.read_back(&mut self.reader).ok()?;
        // SAFETY: the contract of this function.
        unsafe { memory::restore(origin, before, &after, Flow::Both) };
        *before = after;
        Some(())
    }

    /// The parameter of an earlier call, changed meanwhile.
    ///
    /// # Safety
    /// As [`Self::changed`].
    unsafe fn changed_late(&mut self, late: &mut Sent) -> Option<()> {
        let mut reader = Reader::new(self.reader.counted().ok()?);
        if let Some((before, origin)) = late.as_mut()
            && reader.end().is_err()
        {
            let after = before.read_back(&mut reader).ok()?;
            // SAFETY: the contract of this function.
            unsafe { memory::restore(origin, before, &after, Flow::Both) };
            *before = after;
        }
        Some(())
    }
}

/// The number at a place, or zero.
///
/// # Safety
/// `address` is null or leads to a number.
unsafe fn number(address: u64) -> u64 {
    if address == 0 {
        return 0;
    }
    // SAFETY: not null; read without a claim on alignment.
    unsafe { memory::pointer::<u64>(address).read_unaligned() }
}

/// Writes to a place that may be null.
///
/// # Safety
/// `address` is null or leads to so many writable bytes.
unsafe fn place(address: u64, bytes: &[u8]) {
    if address != 0 {
        // SAFETY: not null.
        unsafe { memory::write(address, bytes) };
    }
}

#[cfg(test)]
mod tests;
