//! Answers that make no sense: they are refused, and nothing is written beyond the caller's rooms.
#![expect(unsafe_code, reason = "the test is the caller")]

use proptest::prelude::*;

use super::*;

/// What stands behind every room, and stays.
const EDGE: u64 = 0x5a5a_5a5a_5a5a_5a5a;
/// Numbers in every room.
const ROOM: usize = 8;

/// A caller's memory, and arguments that lead into it.
struct Caller {
    rooms: Vec<Box<[u64]>>,
    arguments: Vec<u64>,
}

impl Caller {
    fn of(function: Function) -> Self {
        let mut caller = Self {
            rooms: Vec::new(),
            arguments: Vec::new(),
        };
        for kind in function.signature() {
            caller.pass(*kind);
        }
        caller
    }

    fn pass(&mut self, kind: Kind) {
        let arguments = match kind {
            Kind::Word | Kind::Session | Kind::Object | Kind::Unused => vec![0],
            Kind::Bytes | Kind::Fill => vec![self.room(&[]), 64],
            Kind::Label | Kind::NewSession | Kind::NewObject => vec![self.room(&[])],
            Kind::Place(bytes) => vec![self.room(&vec![0; bytes.div_ceil(8)])],
            Kind::Room => vec![self.room(&[]), self.room(&[64])],
            Kind::Numbers => vec![self.room(&[]), self.room(&[8])],
            Kind::Found => vec![self.room(&[]), 8, self.room(&[8])],
            Kind::Mechanism => {
                let (iv, aad) = (self.room(&[]), self.room(&[]));
                let parameter = self.room(&[iv, 12, 96, aad, 5, 128]);
                vec![self.room(&[ck::CKM_AES_GCM, parameter, 48])]
            }
            Kind::Template | Kind::Query => {
                let value = self.room(&[]);
                vec![self.room(&[ck::CKA_LABEL, value, 64]), 1]
            }
            Kind::Parameter => {
                let (iv, tag) = (self.room(&[]), self.room(&[]));
                vec![self.room(&[iv, 12, 0, 0, tag, 128]), 48]
            }
        };
        self.arguments.extend(arguments);
    }

    fn room(&mut self, numbers: &[u64]) -> u64 {
        let mut room = vec![0; numbers.len().max(ROOM)];
        room[..numbers.len()].copy_from_slice(numbers);
        room.push(EDGE);
        self.rooms.push(room.into_boxed_slice());
        let room = self.rooms.last_mut().unwrap();
        room.as_mut_ptr().expose_provenance() as u64
    }

    fn check(&self) {
        for room in &self.rooms {
            assert_eq!(room.last(), Some(&EDGE));
        }
    }
}

fn answer(function: Function, answer: &[u8]) -> Option<CK_RV> {
    let caller = Caller::of(function);
    let life = Life::after(0).unwrap();
    let mut call = Call {
        life,
        arguments: &caller.arguments,
        message: Writer::new(),
        budget: Budget::default(),
        sent: Vec::new(),
        session: 0,
    };
    let mut next = 0;
    for kind in function.signature() {
        // SAFETY: the arguments lead into the caller's rooms.
        unsafe { call.write(*kind, next) }.unwrap();
        next += kind.arguments();
    }
    let answer = Answer {
        life,
        reader: Reader::new(answer),
        arguments: &caller.arguments,
    };
    // SAFETY: as above.
    let value = unsafe { answer.apply(function, &mut call.sent, &mut None) };
    caller.check();
    value
}

#[test]
fn an_iv_and_a_length_go_where_the_caller_pointed() {
    let function = Function::C_EncryptInit;
    let mut caller = Caller::of(function);
    let life = Life::after(0).unwrap();
    let mut sent = {
        let mut call = Call {
            life,
            arguments: &caller.arguments,
            message: Writer::new(),
            budget: Budget::default(),
            sent: Vec::new(),
            session: 0,
        };
        // SAFETY: the second argument is a mechanism in the caller's rooms.
        unsafe { call.write(Kind::Mechanism, 1) }.unwrap();
        call.sent
    };
    let mut message = Writer::new();
    message.word(ck::CKR_OK);
    message.flag(true);
    for word in [0, 12, 96, 0, 5, 96] {
        message.word(word);
    }
    message.put(&[9; 12]);
    let answer = Answer {
        life,
        reader: Reader::new(message.bytes()),
        arguments: &caller.arguments,
    };
    // SAFETY: the rooms are still there.
    let value = unsafe { answer.apply(function, &mut sent, &mut None) };
    assert_eq!(value, Some(ck::CKR_OK));
    caller.check();
    let [iv, aad, parameter, _] = caller.rooms.as_mut_slice() else {
        panic!("other rooms")
    };
    assert_eq!(iv[..3], [0x0909_0909_0909_0909, 0x0909_0909, 0]);
    assert_eq!(aad[..8], [0; 8]);
    // The addresses stayed, the tag's length was changed.
    assert_eq!(parameter[0], iv.as_ptr().expose_provenance() as u64);
    assert_eq!(parameter[3], aad.as_ptr().expose_provenance() as u64);
    assert_eq!(parameter[5], 96);
}

proptest! {
    #[test]
    fn random_answers_are_applied_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for function in Function::ALL {
            answer(*function, &bytes);
        }
    }

    /// Flags set and small numbers: the reader gets further.
    #[test]
    fn almost_right_answers_are_applied_or_refused(
        places in prop::collection::vec((0_usize..300, 0_u8..80), 0..60),
    ) {
        let mut bytes = vec![0; 300];
        for (place, byte) in places {
            bytes[place] = byte;
        }
        for function in Function::ALL {
            for length in [9, 17, 18, 26, 34, 90, 200, 300] {
                answer(*function, &bytes[..length]);
            }
        }
    }
}
