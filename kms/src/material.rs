//! Key material: drawn here, or brought from elsewhere and checked.

use p256::NonZeroScalar;
use p256::elliptic_curve::subtle::CtOption;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key::KeyKind;
use crate::locked::SLOT_BYTES;
use crate::primitives;
use crate::scrub::{SHALLOW, scrubbed};
use crate::secret::SecretBytes;

/// New material from the system's random numbers mixed with those of `other`: neither source alone
/// decides, and a weak one is no weaker than the other is strong.
pub(crate) fn draw(
    kind: KeyKind,
    other: impl Fn(&mut [u8]) -> Result<(), Error>,
) -> Result<SecretBytes, Error> {
    loop {
        let mut material = SecretBytes::new(vec![0; *kind.material_bytes().start()]);
        let mut mixed = Zeroizing::new([0; SLOT_BYTES]);
        let mixed = mixed.get_mut(..material.len()).ok_or(Error::Memory)?;
        primitives::random(material.expose_mut())?;
        other(mixed)?;
        material
            .expose_mut()
            .iter_mut()
            .zip(mixed.iter())
            .for_each(|(byte, other)| *byte ^= other);
        match check(kind, material.expose()) {
            Ok(()) => return Ok(material),
            // One scalar in 2^32 is not below P-256's order: another is drawn (FIPS 186-5 appendix A.2.2).
            Err(Error::MaterialRange) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether these bytes are a key of that kind.
pub(crate) fn check(kind: KeyKind, material: &[u8]) -> Result<(), Error> {
    let lengths = kind.material_bytes();
    if !lengths.contains(&material.len()) {
        return Err(Error::MaterialLength {
            kind,
            bytes_min: *lengths.start(),
            bytes_max: *lengths.end(),
        });
    }
    if material.windows(2).all(|pair| pair[0] == pair[1]) {
        return Err(Error::MaterialWeak);
    }
    if kind == KeyKind::EcdsaP256 {
        scrubbed::<SHALLOW, _>(|| scalar(material).map(drop))?;
    }
    Ok(())
}

/// A private scalar of P-256: not zero, below the order.
pub(crate) fn scalar(material: &[u8]) -> Result<Zeroizing<NonZeroScalar>, Error> {
    let bytes: [u8; 32] = material.try_into().map_err(|_| Error::MaterialRange)?;
    let bytes = Zeroizing::new(bytes);
    let scalar: CtOption<NonZeroScalar> = NonZeroScalar::from_repr((*bytes).into());
    let scalar: Option<NonZeroScalar> = scalar.into();
    scalar.map(Zeroizing::new).ok_or(Error::MaterialRange)
}

#[cfg(test)]
mod tests {
    use super::{check, draw};
    use crate::{Error, KeyKind};

    /// The order of P-256 (SP 800-186 section 3.2.1.3).
    const ORDER: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63,
        0x25, 0x51,
    ];

    #[test]
    fn drawn_material_passes_its_own_check() {
        for kind in KeyKind::ALL {
            let material = draw(kind, |_| Ok(())).unwrap();
            check(kind, material.expose()).unwrap();
            assert_ne!(material.expose(), draw(kind, |_| Ok(())).unwrap().expose());
        }
    }

    #[test]
    fn one_byte_repeated_is_no_key() {
        for kind in KeyKind::ALL {
            for byte in [0, 0x41, 0xFF] {
                let material = vec![byte; *kind.material_bytes().start()];
                assert!(matches!(check(kind, &material), Err(Error::MaterialWeak)));
            }
        }
    }

    #[test]
    fn another_length_is_no_key() {
        for kind in KeyKind::ALL {
            let lengths = kind.material_bytes();
            for length in [0, lengths.start() - 1, lengths.end() + 1] {
                let refused = check(kind, &vec![1; length]);
                assert!(
                    matches!(refused, Err(Error::MaterialLength { .. })),
                    "{kind}"
                );
            }
        }
    }

    #[test]
    fn a_scalar_beyond_the_order_is_no_private_key() {
        assert!(matches!(
            check(KeyKind::EcdsaP256, &ORDER),
            Err(Error::MaterialRange)
        ));
        let mut below = ORDER;
        below[31] -= 1;
        check(KeyKind::EcdsaP256, &below).unwrap();
    }
}
