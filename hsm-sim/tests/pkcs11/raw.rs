//! Calls that the crate `cryptoki` cannot make: mechanisms that it does not name, templates within
//! templates, parameters that the token fills.
#![expect(
    unsafe_code,
    clippy::unwrap_used,
    reason = "C functions on the session of a safe test"
)]

use std::ptr;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys as ck;

use crate::room;

/// The module once more, by its C functions; the process has one state for both.
pub(crate) struct Raw(ck::Pkcs11);

/// A return value that is not `CKR_OK`.
pub(crate) type Outcome<T> = Result<T, ck::CK_RV>;

/// A template that owns its values.
#[derive(Default)]
pub(crate) struct Template {
    values: Vec<(ck::CK_ATTRIBUTE_TYPE, Vec<u8>)>,
    inner: Vec<(ck::CK_ATTRIBUTE_TYPE, Template)>,
}

impl Template {
    pub(crate) fn set(self, kind: ck::CK_ATTRIBUTE_TYPE) -> Self {
        self.bytes(kind, &[ck::CK_TRUE])
    }

    pub(crate) fn number(self, kind: ck::CK_ATTRIBUTE_TYPE, value: ck::CK_ULONG) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    pub(crate) fn bytes(mut self, kind: ck::CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.values.push((kind, value.to_vec()));
        self
    }

    pub(crate) fn template(mut self, kind: ck::CK_ATTRIBUTE_TYPE, inner: Self) -> Self {
        self.inner.push((kind, inner));
        self
    }

    /// Lends the template as C sees it.
    fn lend<T>(&mut self, act: impl FnOnce(*mut ck::CK_ATTRIBUTE, ck::CK_ULONG) -> T) -> T {
        let mut nested: Vec<(ck::CK_ATTRIBUTE_TYPE, Vec<ck::CK_ATTRIBUTE>)> = self
            .inner
            .iter_mut()
            .map(|(kind, inner)| (*kind, attributes(&mut inner.values)))
            .collect();
        let mut all = attributes(&mut self.values);
        for (kind, inner) in &mut nested {
            all.push(ck::CK_ATTRIBUTE {
                type_: *kind,
                pValue: inner.as_mut_ptr().cast(),
                ulValueLen: size_of_val(inner.as_slice()) as ck::CK_ULONG,
            });
        }
        let length = all.len() as ck::CK_ULONG;
        act(all.as_mut_ptr(), length)
    }
}

fn attributes(values: &mut [(ck::CK_ATTRIBUTE_TYPE, Vec<u8>)]) -> Vec<ck::CK_ATTRIBUTE> {
    let attribute = |(kind, value): &mut (ck::CK_ATTRIBUTE_TYPE, Vec<u8>)| ck::CK_ATTRIBUTE {
        type_: *kind,
        pValue: value.as_mut_ptr().cast(),
        ulValueLen: value.len() as ck::CK_ULONG,
    };
    values.iter_mut().map(attribute).collect()
}

/// A mechanism without a parameter.
pub(crate) fn plain(kind: ck::CK_MECHANISM_TYPE) -> ck::CK_MECHANISM {
    ck::CK_MECHANISM {
        mechanism: kind,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    }
}

/// A mechanism with a parameter, which must outlive it.
pub(crate) fn with<T>(kind: ck::CK_MECHANISM_TYPE, parameter: &mut T) -> ck::CK_MECHANISM {
    ck::CK_MECHANISM {
        mechanism: kind,
        pParameter: ptr::from_mut(parameter).cast(),
        ulParameterLen: size_of::<T>() as ck::CK_ULONG,
    }
}

pub(crate) fn oaep_sha256() -> ck::CK_RSA_PKCS_OAEP_PARAMS {
    ck::CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: ck::CKM_SHA256,
        mgf: ck::CKG_MGF1_SHA256,
        source: ck::CKZ_DATA_SPECIFIED,
        pSourceData: ptr::null_mut(),
        ulSourceDataLen: 0,
    }
}

pub(crate) fn gcm(iv: &mut [u8]) -> ck::CK_GCM_PARAMS {
    let pointer = if iv.is_empty() {
        ptr::null_mut()
    } else {
        iv.as_mut_ptr()
    };
    ck::CK_GCM_PARAMS {
        pIv: pointer,
        ulIvLen: iv.len() as ck::CK_ULONG,
        ulIvBits: 8 * iv.len() as ck::CK_ULONG,
        pAAD: ptr::null_mut(),
        ulAADLen: 0,
        ulTagBits: 128,
    }
}

fn outcome(code: ck::CK_RV) -> Outcome<()> {
    match code {
        ck::CKR_OK => Ok(()),
        other => Err(other),
    }
}

impl Raw {
    pub(crate) fn load() -> Self {
        // SAFETY: the module is loaded already; this only finds its functions again.
        Self(unsafe { ck::Pkcs11::new(room::library()) }.unwrap())
    }

    pub(crate) fn generate(
        &self,
        session: &Session,
        kind: ck::CK_MECHANISM_TYPE,
        mut template: Template,
    ) -> Outcome<ck::CK_OBJECT_HANDLE> {
        let (mut mechanism, mut key) = (plain(kind), 0);
        // SAFETY: all pointers lead to values of this frame.
        outcome(template.lend(|start, length| unsafe {
            self.0.C_GenerateKey(
                session.handle(),
                &raw mut mechanism,
                start,
                length,
                &raw mut key,
            )
        }))
        .map(|()| key)
    }

    pub(crate) fn wrap(
        &self,
        session: &Session,
        mut mechanism: ck::CK_MECHANISM,
        wrapping: ck::CK_OBJECT_HANDLE,
        key: ck::CK_OBJECT_HANDLE,
    ) -> Outcome<Vec<u8>> {
        let mut room = vec![0; 8192];
        let mut length = room.len() as ck::CK_ULONG;
        // SAFETY: all pointers lead to values of this frame, `length` is the room's.
        outcome(unsafe {
            self.0.C_WrapKey(
                session.handle(),
                &raw mut mechanism,
                wrapping,
                key,
                room.as_mut_ptr(),
                &raw mut length,
            )
        })?;
        room.truncate(usize::try_from(length).unwrap());
        Ok(room)
    }

    pub(crate) fn unwrap(
        &self,
        session: &Session,
        mut mechanism: ck::CK_MECHANISM,
        unwrapping: ck::CK_OBJECT_HANDLE,
        wrapped: &[u8],
        mut template: Template,
    ) -> Outcome<ck::CK_OBJECT_HANDLE> {
        let (mut wrapped, mut key) = (wrapped.to_vec(), 0);
        // SAFETY: all pointers lead to values of this frame.
        outcome(template.lend(|start, length| unsafe {
            self.0.C_UnwrapKey(
                session.handle(),
                &raw mut mechanism,
                unwrapping,
                wrapped.as_mut_ptr(),
                wrapped.len() as ck::CK_ULONG,
                start,
                length,
                &raw mut key,
            )
        }))
        .map(|()| key)
    }

    /// An attribute's bytes, or the return value that refuses them.
    pub(crate) fn read(
        &self,
        session: &Session,
        object: ck::CK_OBJECT_HANDLE,
        kind: ck::CK_ATTRIBUTE_TYPE,
    ) -> Outcome<Vec<u8>> {
        let mut room = vec![0; 4096];
        let mut attribute = ck::CK_ATTRIBUTE {
            type_: kind,
            pValue: room.as_mut_ptr().cast(),
            ulValueLen: room.len() as ck::CK_ULONG,
        };
        // SAFETY: the pointers lead to values of this frame.
        outcome(unsafe {
            self.0
                .C_GetAttributeValue(session.handle(), object, &raw mut attribute, 1)
        })?;
        room.truncate(usize::try_from(attribute.ulValueLen).unwrap());
        Ok(room)
    }

    /// Encrypts under a mechanism whose parameter the token may fill.
    pub(crate) fn encrypt(
        &self,
        session: &Session,
        mut mechanism: ck::CK_MECHANISM,
        key: ObjectHandle,
        plaintext: &[u8],
    ) -> Outcome<Vec<u8>> {
        let (mut input, mut room) = (plaintext.to_vec(), vec![0; plaintext.len() + 64]);
        let mut length = room.len() as ck::CK_ULONG;
        // SAFETY: all pointers lead to values of this frame or of the caller's, which outlive it.
        unsafe {
            outcome(
                self.0
                    .C_EncryptInit(session.handle(), &raw mut mechanism, key.handle()),
            )?;
            outcome(self.0.C_Encrypt(
                session.handle(),
                input.as_mut_ptr(),
                input.len() as ck::CK_ULONG,
                room.as_mut_ptr(),
                &raw mut length,
            ))?;
        }
        room.truncate(usize::try_from(length).unwrap());
        Ok(room)
    }
}
