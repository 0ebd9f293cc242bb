//! Signatures in the stream, as cameras put them there (ONVIF Media Signing): SEI units of user data. What stands in them is ours:
//! enough to tell whether every byte came through, too little to tell who sent it.

use super::codec::Codec;

/// Whose user data it is.
const UUID: [u8; 16] =
    [0x00, 0x5b, 0xc9, 0x3f, 0x2d, 0x71, 0x5e, 0x95, 0xad, 0xa4, 0x79, 0x6f, 0x90, 0x87, 0x7a, 0x6f];
/// SEI payload: unregistered user data.
const USER_DATA: u8 = 5;
/// FNV-1a, 64 bits.
const START: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Makes and checks the signatures of one stream.
#[derive(Debug)]
pub struct Signatures {
    codec: Codec,
    /// Over everything since the last.
    hash: u64,
    /// Units since the last.
    pending: usize,
}

/// What signatures say of a stream, or of a part of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Groups of pictures whose signature is right.
    pub right: usize,
    pub wrong: usize,
    /// Units behind the last signature: nobody can verify them.
    pub pending: usize,
}

impl Signatures {
    pub(super) fn new(codec: Codec) -> Self {
        Signatures { codec, hash: START, pending: 0 }
    }

    /// Checks a stream that begins with a signature, whose own group came before.
    pub fn verify<'a>(codec: Codec, stream: impl Iterator<Item = &'a [u8]>) -> Verified {
        let (mut signatures, mut verified) = (Signatures::new(codec), Verified::default());
        let mut begun = false;
        for nal in stream {
            if signatures.is_signature(nal) {
                let expected = signatures.sign();
                match begun {
                    true if expected == nal => verified.right += 1,
                    true => verified.wrong += 1,
                    false => begun = true,
                }
            } else if begun {
                signatures.take(nal);
            }
        }
        Verified { pending: signatures.pending, ..verified }
    }

    pub(super) fn take(&mut self, nal: &[u8]) {
        for byte in (nal.len() as u32).to_be_bytes().iter().chain(nal) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        self.pending += 1;
    }

    pub(super) fn is_signature(&self, nal: &[u8]) -> bool {
        let head = self.head();
        nal.starts_with(&head) && nal.get(head.len() + 2..).is_some_and(|rest| rest.starts_with(&UUID))
    }

    /// The unit with the signature over everything since the last one.
    pub(super) fn sign(&mut self) -> Vec<u8> {
        let hash = std::mem::replace(&mut self.hash, START);
        self.pending = 0;
        // Two zeros, so that the unit has something that must be escaped on the wire.
        let signature = [&hash.to_be_bytes()[..], &[0, 0, 1, 0, 0, 0]].concat();
        let length = (UUID.len() + signature.len()) as u8;
        let payload = [&[USER_DATA, length][..], &UUID, &signature, &[0x80]].concat();
        [self.head(), escaped(&payload)].concat()
    }

    /// The header of an SEI unit that stands before its picture.
    fn head(&self) -> Vec<u8> {
        match self.codec {
            Codec::H264 => vec![6],
            Codec::H265 => vec![39 << 1, 1],
        }
    }
}

/// Two zeros and a byte of at most 3 get a 3 between them.
fn escaped(payload: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for byte in payload {
        if *byte <= 3 && out.ends_with(&[0, 0]) {
            out.push(3);
        }
        out.push(*byte);
    }
    out
}
