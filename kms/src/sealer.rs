//! Many messages sealed in one go.

use crate::binding::Binding;
use crate::error::Error;
use crate::sealing::{Run, SealingKey};
use crate::secret::SecretBytes;

/// Seals a batch under one key version. It is for one batch: what was drawn is not kept for later ones.
pub struct Sealer<'key> {
    key: &'key SealingKey,
    messages: u32,
    run: Option<Run<'key>>,
}

impl<'key> Sealer<'key> {
    pub(crate) fn new(key: &'key SealingKey, messages: usize) -> Self {
        Self {
            key,
            messages: u32::try_from(messages).unwrap_or(u32::MAX),
            run: None,
        }
    }

    /// Seals `plaintext`; it opens in the same `context` only. At most 64 MiB.
    pub fn seal(&mut self, context: &Binding, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        self.run()?.seal(context, plaintext)
    }

    /// As [`Sealer::seal`]. What was made by [`SecretBytes::roomy`] or [`SecretBytes::filled`] is sealed
    /// where it stands; of another one a copy is.
    pub fn seal_in_place(
        &mut self,
        context: &Binding,
        plaintext: SecretBytes,
    ) -> Result<Vec<u8>, Error> {
        self.run()?.seal_in_place(context, plaintext)
    }

    fn run(&mut self) -> Result<&mut Run<'key>, Error> {
        let run = match self.run.take() {
            Some(run) if run.left() > 0 => run,
            _ => self.key.run(self.messages)?,
        };
        Ok(self.run.insert(run))
    }
}
