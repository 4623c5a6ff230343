//! A manifest as bytes: as it is hashed and sent, and as stores keep it.
//!
//! | version | fields |
//! | --- | --- |
//! | 0 | one of: a prologue's hash; one signer; several signers with quorum and patch flag |
//! | 1 | flags, quorum, signers, prologue |
//! | 2, 3 | as 1, and linked cores, user data |
//!
//! Follows npm hypercore 11.37.1, `lib/messages.js` (`manifest`).

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};

use super::{Manifest, Prologue, Signer};
use crate::limits::{MAX_LINKED, MAX_SIGNERS};
use crate::{Hash, Key, Namespace, PublicKey};

const PATCH: u64 = 1;
const PROLOGUE: u64 = 2;
const LINKED: u64 = 4;
const USER_DATA: u64 = 8;
/// The only hash and the only kind of signature that exist: BLAKE2b and Ed25519.
const ONLY_KIND: u64 = 0;

impl Encode for Manifest {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.version);
        if self.version == 0 {
            return self.encode_v0(out);
        }
        self.encode_flagged(out);
    }
}

impl Decode<'_> for Manifest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.uint()? {
            0 => Self::decode_v0(reader),
            version @ 1..=3 => Self::decode_flagged(reader, version),
            _ => Err(DecodeError::Invalid { at: reader.position(), what: "manifest version" }),
        }
    }
}

impl Manifest {
    /// Writes the manifest as stores keep it: version 0 in the same form as the later ones.
    pub fn encode_stored<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.version);
        self.encode_flagged(out);
    }

    /// Reads a manifest as stores keep it.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_stored(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.uint()? {
            version @ 0..=3 => Self::decode_flagged(reader, version),
            _ => Err(DecodeError::Invalid { at: reader.position(), what: "manifest version" }),
        }
    }

    fn encode_flagged<S: Sink>(&self, out: &mut S) {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        put::uint(
            out,
            flag(self.allow_patch, PATCH)
                | flag(self.prologue.is_some(), PROLOGUE)
                | flag(self.linked.is_some(), LINKED)
                | flag(self.user_data.is_some(), USER_DATA),
        );
        put::uint(out, ONLY_KIND);
        put::uint(out, self.quorum);
        put::list(out, &self.signers);
        if let Some(prologue) = &self.prologue {
            prologue.hash.encode(out);
            put::uint(out, prologue.length);
        }
        if let Some(linked) = &self.linked {
            put::list(out, linked);
        }
        if let Some(user_data) = &self.user_data {
            put::buffer(out, user_data);
        }
    }

    fn decode_flagged(reader: &mut Reader<'_>, version: u64) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        kind(reader, "hash of a manifest")?;
        let quorum = reader.uint()?;
        let signers = reader.list(MAX_SIGNERS, 65, Signer::decode)?;
        let prologue = if flags & PROLOGUE == 0 {
            None
        } else {
            Some(Prologue { hash: Hash::decode(reader)?, length: reader.uint()? })
        };
        let linked =
            if flags & LINKED == 0 { None } else { Some(reader.list(MAX_LINKED, 32, Key::decode)?) };
        let user_data = if flags & USER_DATA == 0 { None } else { Some(reader.buffer()?.to_vec()) };
        let allow_patch = flags & PATCH != 0;
        Ok(Self { version, allow_patch, quorum, signers, prologue, linked, user_data })
    }

    fn encode_v0<S: Sink>(&self, out: &mut S) {
        put::uint(out, ONLY_KIND);
        match (self.signers.as_slice(), &self.prologue) {
            ([], Some(prologue)) => {
                put::uint(out, 0);
                prologue.hash.encode(out);
            }
            ([only], _) if self.quorum == 1 && !self.allow_patch => {
                put::uint(out, 1);
                only.encode(out);
            }
            (several, _) => {
                put::uint(out, 2);
                put::uint(out, u64::from(self.allow_patch));
                put::uint(out, self.quorum);
                put::list(out, several);
            }
        }
    }

    fn decode_v0(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        kind(reader, "hash of a manifest")?;
        let empty = Self {
            version: 0,
            allow_patch: false,
            quorum: 0,
            signers: Vec::new(),
            prologue: None,
            linked: None,
            user_data: None,
        };
        match reader.uint()? {
            0 => {
                let prologue = Prologue { hash: Hash::decode(reader)?, length: 0 };
                Ok(Self { prologue: Some(prologue), ..empty })
            }
            1 => Ok(Self { quorum: 1, signers: vec![Signer::decode(reader)?], ..empty }),
            2 => {
                let allow_patch = reader.uint()? & 1 != 0;
                let quorum = reader.uint()?;
                let signers = reader.list(MAX_SIGNERS, 65, Signer::decode)?;
                Ok(Self { allow_patch, quorum, signers, ..empty })
            }
            _ => Err(DecodeError::Invalid { at: reader.position(), what: "manifest type" }),
        }
    }
}

impl Encode for Signer {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, ONLY_KIND);
        self.namespace.encode(out);
        self.public_key.encode(out);
    }
}

impl Decode<'_> for Signer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        kind(reader, "kind of signature")?;
        Ok(Self { namespace: Namespace::decode(reader)?, public_key: PublicKey::decode(reader)? })
    }
}

fn kind(reader: &mut Reader<'_>, what: &'static str) -> Result<(), DecodeError> {
    if reader.uint()? == ONLY_KIND {
        Ok(())
    } else {
        Err(DecodeError::Invalid { at: reader.position(), what })
    }
}
