//! An encrypted, authenticated stream of frames over any byte stream.
//!
//! After the handshake each end sends one header frame of 56 bytes: the stream's id, which both can work out, and the random
//! header of its cipher. Then every frame is sealed with XChaCha20-Poly1305 as a `secretstream` of libsodium: 17 bytes longer
//! than what is in it, and in order or not at all. An empty frame only says that its sender is still there.
//!
//! Follows npm @hyperswarm/secret-stream 6.9.2, `index.js`.

use bytes::Bytes;
use dryoc::classic::crypto_secretstream_xchacha20poly1305::{
    State, crypto_secretstream_xchacha20poly1305_init_pull as start,
    crypto_secretstream_xchacha20poly1305_pull as open, crypto_secretstream_xchacha20poly1305_push as seal,
};
use hc_crypto::{KeyPair, PublicKey, hash, namespace};

use crate::error::Violation;
use crate::frame::{self, Framer};
use crate::limits::{MAX_FRAME, MAX_HANDSHAKE_FRAME};
use crate::noise::{Agreed, Handshake};

/// Bytes that sealing adds.
const OVERHEAD: usize = 17;
/// Bytes of the header of a cipher.
const HEADER: usize = 24;
const STREAM_ID: usize = 32;

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that connected.
    Initiator,
    /// The end that listened.
    Responder,
}

/// A handshake that was done elsewhere.
#[derive(Clone)]
pub struct FinishedHandshake {
    /// Which end this was.
    pub role: Role,
    /// What this end seals with.
    pub send_key: [u8; 32],
    /// What the other end seals with.
    pub receive_key: [u8; 32],
    /// The hash of the handshake.
    pub hash: [u8; 64],
    /// This end's static key.
    pub public_key: PublicKey,
    /// The other end's static key.
    pub remote_public_key: PublicKey,
}

impl std::fmt::Debug for FinishedHandshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FinishedHandshake")
            .field("role", &self.role)
            .field("remote_public_key", &self.remote_public_key)
            .finish_non_exhaustive()
    }
}

/// The encrypted stream.
pub struct SecretStream {
    stage: Stage,
    framer: Framer,
    output: Vec<u8>,
    header: [u8; HEADER],
    received: u64,
}

enum Stage {
    Handshaking {
        role: Role,
        public_key: PublicKey,
        handshake: Box<Handshake>,
    },
    /// Our header is sent; the peer's is still to come.
    AwaitingHeader {
        finished: Box<FinishedHandshake>,
        push: Box<State>,
    },
    Open {
        finished: Box<FinishedHandshake>,
        push: Box<State>,
        pull: Box<State>,
    },
    Failed,
}

impl SecretStream {
    /// Starts a stream with a Noise XX handshake. `ephemeral_seed` and `header` must be random and never used again.
    ///
    /// # Errors
    /// [`Violation::Handshake`] if the library refuses the parameters, which it does not.
    pub fn new(
        role: Role,
        static_key: &KeyPair,
        ephemeral_seed: [u8; 32],
        header: [u8; HEADER],
    ) -> Result<Self, Violation> {
        let handshake = Handshake::new(role == Role::Initiator, static_key, ephemeral_seed)?;
        let stage =
            Stage::Handshaking { role, public_key: static_key.public(), handshake: Box::new(handshake) };
        let mut stream = Self::at(stage, header);
        stream.advance()?;
        Ok(stream)
    }

    /// Starts a stream after a handshake that was done elsewhere. `header` must be random and never used again.
    #[must_use]
    pub fn from_handshake(finished: FinishedHandshake, header: [u8; HEADER]) -> Self {
        let mut stream = Self::at(Stage::Failed, header);
        stream.begin(finished);
        stream
    }

    fn at(stage: Stage, header: [u8; HEADER]) -> Self {
        Self { stage, framer: Framer::default(), output: Vec::new(), header, received: 0 }
    }

    /// What both ends agreed on, once the stream is open.
    #[must_use]
    pub fn handshake(&self) -> Option<&FinishedHandshake> {
        match &self.stage {
            Stage::Open { finished, .. } => Some(finished),
            _ => None,
        }
    }

    /// Takes bytes from the transport. [`poll_frame`](Self::poll_frame) gives what is in them.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
    }

    /// The next frame that arrived whole and was sealed by the peer. Empty frames are left out.
    ///
    /// # Errors
    /// A [`Violation`]; the stream is then over.
    pub fn poll_frame(&mut self) -> Result<Option<Bytes>, Violation> {
        let next = self.next_frame();
        if next.is_err() {
            self.stage = Stage::Failed;
        }
        next
    }

    fn next_frame(&mut self) -> Result<Option<Bytes>, Violation> {
        loop {
            match &mut self.stage {
                Stage::Failed => return Ok(None),
                Stage::Handshaking { handshake, .. } => {
                    let Some(message) = self.framer.next(MAX_HANDSHAKE_FRAME)? else { return Ok(None) };
                    handshake.read(message)?;
                    self.advance()?;
                }
                Stage::AwaitingHeader { .. } => {
                    let Some(header) = self.framer.next(MAX_HANDSHAKE_FRAME)? else { return Ok(None) };
                    let header = header.try_into().map_err(|_| Violation::StreamHeader)?;
                    self.accept_header(&header)?;
                }
                Stage::Open { pull, .. } => {
                    let Some(sealed) = self.framer.next(MAX_FRAME)? else { return Ok(None) };
                    let undecryptable = Violation::Decrypt { number: self.received };
                    let Some(len) = sealed.len().checked_sub(OVERHEAD) else {
                        // as in Node, what is too short to be sealed is left out
                        if sealed.is_empty() {
                            continue;
                        }
                        return Err(undecryptable);
                    };
                    let (mut plain, mut tag) = (vec![0; len], 0);
                    open(pull, &mut plain, &mut tag, sealed, None).map_err(|_| undecryptable)?;
                    self.received += 1;
                    if !plain.is_empty() {
                        return Ok(Some(plain.into()));
                    }
                }
            }
        }
    }

    /// Queues a frame. Nothing is sent before the stream is open, or if the frame is too long; says whether it was queued.
    pub fn send(&mut self, plain: &[u8]) -> bool {
        let Stage::Open { push, .. } = &mut self.stage else { return false };
        let len = plain.len() + OVERHEAD;
        if len > MAX_FRAME {
            return false;
        }
        self.output.extend_from_slice(&frame::prefix(len));
        let at = self.output.len();
        self.output.resize(at + len, 0);
        let sealed = self.output.get_mut(at..).unwrap_or_default();
        seal(push, sealed, plain, None, 0).is_ok()
    }

    /// The bytes to hand to the transport.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.output.is_empty() { None } else { Some(std::mem::take(&mut self.output)) }
    }

    /// How many bytes wait to be handed to the transport.
    #[must_use]
    pub const fn pending_output(&self) -> usize {
        self.output.len()
    }

    /// Sends what is this end's to send of the handshake.
    fn advance(&mut self) -> Result<(), Violation> {
        let Stage::Handshaking { role, public_key, handshake } = &mut self.stage else { return Ok(()) };
        if let Some(message) = handshake.write()? {
            self.output.extend_from_slice(&frame::prefix(message.len()));
            self.output.extend_from_slice(&message);
        }
        if let Some(agreed) = handshake.finish()? {
            let finished = finished(*role, *public_key, &agreed);
            self.begin(finished);
        }
        Ok(())
    }

    /// Sends our header.
    fn begin(&mut self, finished: FinishedHandshake) {
        let mut push = Box::new(State::new());
        // sender and receiver start alike, once there is a header
        start(&mut push, &self.header, &finished.send_key);
        self.output.extend_from_slice(&frame::prefix(STREAM_ID + HEADER));
        self.output.extend_from_slice(&stream_id(&finished.hash, finished.role == Role::Initiator));
        self.output.extend_from_slice(&self.header);
        self.stage = Stage::AwaitingHeader { finished: Box::new(finished), push };
    }

    fn accept_header(&mut self, frame: &[u8; STREAM_ID + HEADER]) -> Result<(), Violation> {
        let Stage::AwaitingHeader { finished, push } = std::mem::replace(&mut self.stage, Stage::Failed)
        else {
            return Err(Violation::StreamHeader);
        };
        let (id, header) = frame.split_at(STREAM_ID);
        let header = header.try_into().map_err(|_| Violation::StreamHeader)?;
        let expected = stream_id(&finished.hash, finished.role != Role::Initiator);
        let id = id.try_into().map_err(|_| Violation::StreamHeader)?;
        if !hc_crypto::signable::equal_in_constant_time(&expected, id) {
            return Err(Violation::StreamHeader);
        }
        let mut pull = Box::new(State::new());
        start(&mut pull, header, &finished.receive_key);
        self.stage = Stage::Open { finished, push, pull };
        Ok(())
    }
}

impl std::fmt::Debug for SecretStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretStream").field("received", &self.received).finish_non_exhaustive()
    }
}

fn finished(role: Role, public_key: PublicKey, agreed: &Agreed) -> FinishedHandshake {
    let (send_key, receive_key) = match role {
        Role::Initiator => (agreed.initiator_key, agreed.responder_key),
        Role::Responder => (agreed.responder_key, agreed.initiator_key),
    };
    let (hash, remote_public_key) = (agreed.hash, agreed.remote_public_key);
    FinishedHandshake { role, send_key, receive_key, hash, public_key, remote_public_key }
}

/// The id of one direction of a stream.
fn stream_id(handshake_hash: &[u8; 64], initiator: bool) -> [u8; STREAM_ID] {
    let side = namespace::namespace(b"hyperswarm/secret-stream", if initiator { 0 } else { 1 });
    *hash::blake2b_keyed(handshake_hash, &[side.as_bytes()]).as_bytes()
}
