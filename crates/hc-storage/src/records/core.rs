//! Records of a core: who signs it, its head, hints, and what it continues.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::{DiscoveryKey, Hash, Key, KeyPair, Manifest, PublicKey};

use crate::limits::max_sessions;
use crate::order::safe;

/// Who may sign a core, and with what.
#[derive(Debug, Clone)]
pub struct Auth {
    /// The core's key.
    pub key: Key,
    /// The name under which peers look for it.
    pub discovery_key: DiscoveryKey,
    /// Who may sign. None until a proof came, for a core that was opened by its key alone.
    pub manifest: Option<Manifest>,
    /// The key pair that signs here.
    pub key_pair: Option<StoredKeyPair>,
    /// Not used by version 11; kept.
    pub encryption_key: Option<Vec<u8>>,
}

/// A key pair, or only its public half.
#[derive(Debug, Clone)]
pub enum StoredKeyPair {
    /// Both halves.
    Full(KeyPair),
    /// The public half.
    Public(PublicKey),
}

impl Encode for Auth {
    fn encode<S: Sink>(&self, out: &mut S) {
        self.key.encode(out);
        self.discovery_key.encode(out);
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        put::uint(
            out,
            flag(self.manifest.is_some(), 1)
                | flag(self.key_pair.is_some(), 2)
                | flag(self.encryption_key.is_some(), 4),
        );
        if let Some(manifest) = &self.manifest {
            put::frame(out, &Stored(manifest));
        }
        match &self.key_pair {
            Some(StoredKeyPair::Full(pair)) => {
                put::buffer(out, pair.public().as_bytes());
                put::buffer(out, pair.secret_bytes().as_slice());
            }
            Some(StoredKeyPair::Public(public)) => {
                put::buffer(out, public.as_bytes());
                put::optional_buffer(out, None);
            }
            None => {}
        }
        if let Some(key) = &self.encryption_key {
            put::buffer(out, key);
        }
    }
}

impl Decode<'_> for Auth {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (key, discovery_key) = (Key::decode(reader)?, DiscoveryKey::decode(reader)?);
        let flags = reader.uint()?;
        let mut auth = Self { key, discovery_key, manifest: None, key_pair: None, encryption_key: None };
        if flags & 1 != 0 {
            let len = usize::try_from(reader.uint()?).unwrap_or(usize::MAX);
            auth.manifest = Some(Manifest::decode_stored(&mut reader.sub(len)?)?);
        }
        if flags & 2 != 0 {
            auth.key_pair = Some(StoredKeyPair::decode(reader)?);
        }
        if flags & 4 != 0 {
            auth.encryption_key = Some(reader.buffer()?.to_vec());
        }
        Ok(auth)
    }
}

/// A manifest in the form of stores.
struct Stored<'a>(&'a Manifest);

impl Encode for Stored<'_> {
    fn encode<S: Sink>(&self, out: &mut S) {
        self.0.encode_stored(out);
    }
}

impl Decode<'_> for StoredKeyPair {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (public, secret) = (reader.buffer()?, reader.optional_buffer()?);
        let invalid = DecodeError::Invalid { at: reader.position(), what: "key pair" };
        let public = PublicKey::try_from(public).map_err(|_| invalid)?;
        let Some(secret) = secret else { return Ok(Self::Public(public)) };
        let pair = KeyPair::from_secret_key(secret.try_into().map_err(|_| invalid)?).map_err(|_| invalid)?;
        if pair.public() == public { Ok(Self::Full(pair)) } else { Err(invalid) }
    }
}

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRecord {
    /// How often the log was truncated.
    pub fork: u64,
    /// Blocks in the log.
    pub length: u64,
    /// The hash of its roots.
    pub root_hash: Hash,
    /// The signature over all of these.
    pub signature: Option<Vec<u8>>,
    /// When it was written, in milliseconds since 1970; 0 if that is not known.
    pub timestamp: u64,
}

impl Encode for HeadRecord {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.fork);
        put::uint(out, self.length);
        self.root_hash.encode(out);
        put::optional_buffer(out, self.signature.as_deref());
        put::uint(out, u64::from(self.timestamp != 0));
        if self.timestamp != 0 {
            put::uint64(out, self.timestamp);
        }
    }
}

impl Decode<'_> for HeadRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (fork, length, root_hash) = (reader.uint()?, reader.uint()?, Hash::decode(reader)?);
        let signature = reader.optional_buffer()?.map(<[u8]>::to_vec);
        // version 1 ends here
        let flags = if reader.is_empty() { 0 } else { reader.uint()? };
        let at = reader.position();
        let timestamp = if flags & 1 == 0 { 0 } else { safe(at, reader.uint64()?)? };
        Ok(Self { fork, length, root_hash, signature, timestamp })
    }
}

/// What is cheap to know and can be worked out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// Blocks stored from the start without a hole.
    pub contiguous_length: u64,
    /// The same of some peer.
    pub remote_contiguous_length: u64,
    /// When the core was found to have lost data, in milliseconds since 1970; 0 if it was not.
    pub recovering: u64,
}

impl Encode for Hints {
    fn encode<S: Sink>(&self, out: &mut S) {
        let fields = [self.contiguous_length, self.remote_contiguous_length, self.recovering];
        let flags = fields.iter().zip([1, 2, 4]).map(|(field, bit)| if *field == 0 { 0 } else { bit });
        put::uint(out, flags.sum());
        for field in fields.into_iter().filter(|field| *field != 0) {
            put::uint(out, field);
        }
    }
}

impl Decode<'_> for Hints {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let mut field = |bit: u64| if flags & bit == 0 { Ok(0) } else { reader.uint() };
        Ok(Self { contiguous_length: field(1)?, remote_contiguous_length: field(2)?, recovering: field(4)? })
    }
}

/// The data that data continues: blocks below `length` are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// Where.
    pub data_pointer: u64,
    /// Up to which length.
    pub length: u64,
}

impl Encode for Dependency {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.data_pointer);
        put::uint(out, self.length);
    }
}

impl Decode<'_> for Dependency {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { data_pointer: reader.uint()?, length: reader.uint()? })
    }
}

/// A named session of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name.
    pub name: Box<str>,
    /// Where its data is.
    pub data_pointer: u64,
}

/// The named sessions of a core.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sessions(
    /// In the order in which they were made.
    pub Vec<Session>,
);

impl Sessions {
    /// Whether a store with these can be read again.
    pub(crate) fn fits(&self) -> bool {
        self.0.len() <= max_sessions(self.encoded_len())
    }
}

impl Encode for Sessions {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::len(out, self.0.len());
        for session in &self.0 {
            put::string(out, &session.name);
            put::uint(out, session.data_pointer);
        }
    }
}

impl Decode<'_> for Sessions {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let session = |reader: &mut Reader<'_>| {
            Ok(Session { name: reader.string()?.into(), data_pointer: reader.uint()? })
        };
        let at = reader.position();
        let sessions = Self(reader.list(max_sessions(reader.remaining()), 2, session)?);
        if sessions.fits() {
            return Ok(sessions);
        }
        // only bytes that say something count
        let (count, max) = (sessions.0.len() as u64, max_sessions(sessions.encoded_len()));
        Err(DecodeError::TooMany { at, count, max })
    }
}

/// The group of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupRecord {
    /// What the group is about.
    pub topic: Option<[u8; 32]>,
    /// What its updates are under.
    pub pointer: u64,
}

impl Encode for GroupRecord {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, u64::from(self.topic.is_some()) | u64::from(self.pointer != 0) << 1);
        if let Some(topic) = &self.topic {
            out.put(topic);
        }
        if self.pointer != 0 {
            put::uint(out, self.pointer);
        }
    }
}

impl Decode<'_> for GroupRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let topic = if flags & 1 == 0 { None } else { Some(reader.array()?) };
        let pointer = if flags & 2 == 0 { 0 } else { reader.uint()? };
        Ok(Self { topic, pointer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_a_time_that_node_cannot_read_is_refused() {
        let head = |timestamp| {
            let (root_hash, signature) = (Hash::from([1; 32]), Some(vec![2; 64]));
            HeadRecord { fork: 0, length: 1, root_hash, signature, timestamp }.to_vec()
        };
        let last = compact_encoding::MAX_SAFE_UINT;
        assert_eq!(HeadRecord::from_bytes(&head(last)).map(|head| head.timestamp), Ok(last));
        let refused = HeadRecord::from_bytes(&head(last + 1));
        assert!(matches!(refused, Err(DecodeError::TooLarge { .. })), "{refused:?}");
    }

    #[test]
    fn regression_sessions_cost_no_more_than_their_limit() {
        let nameless = |count| Sessions(vec![Session { name: "".into(), data_pointer: 0 }; count]);
        let most = (0..10_000).take_while(|count| nameless(*count).fits()).last().unwrap();
        assert_eq!(most, 2_731, "2,048, and one for each 8 bytes of the record");
        assert_eq!(Sessions::from_bytes(&nameless(most).to_vec()).unwrap().0.len(), most);
        let refused = Sessions::from_bytes(&nameless(most + 1).to_vec());
        assert!(matches!(refused, Err(DecodeError::TooMany { .. })), "{refused:?}");
    }

    #[test]
    fn regression_sessions_with_names_are_never_too_many() {
        let session = |n: u64| Session { name: format!("{n:06}").into(), data_pointer: n };
        let sessions = Sessions((0..100_000).map(session).collect());
        assert!(sessions.fits());
        assert_eq!(Sessions::from_bytes(&sessions.to_vec()), Ok(sessions));
    }
}
