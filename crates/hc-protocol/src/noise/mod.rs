//! The handshake: Noise XX with Ed25519 keys.
//!
//! The protocol's name, which is hashed, is `Noise_XX_Ed25519_ChaChaPoly_BLAKE2b`. Prologue and payloads are empty.
//!
//! Follows npm noise-handshake, and npm @hyperswarm/secret-stream 6.9.2, `lib/handshake.js`.

mod curve;
mod primitives;
mod resolver;

use hc_crypto::{KeyPair, PublicKey};
use snow::HandshakeState;
use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifierList, HandshakePattern, HashChoice,
    NoiseParams,
};

use crate::error::Violation;
use crate::limits::MAX_HANDSHAKE_FRAME;
use resolver::Resolver;

const NAME: &str = "Noise_XX_Ed25519_ChaChaPoly_BLAKE2b";

/// A handshake in progress.
pub(crate) struct Handshake {
    state: HandshakeState,
}

/// What both ends agree on.
pub(crate) struct Agreed {
    /// What the initiator sends with.
    pub(crate) initiator_key: [u8; 32],
    /// What the responder sends with.
    pub(crate) responder_key: [u8; 32],
    pub(crate) hash: [u8; 64],
    pub(crate) remote_public_key: PublicKey,
}

#[expect(clippy::needless_pass_by_value, reason = "this is how `map_err` passes it")]
fn failed(error: snow::Error) -> Violation {
    Violation::Handshake(error.to_string())
}

impl Handshake {
    /// Begins. The seed is of this connection's ephemeral key and must never be used again.
    pub(crate) fn new(
        initiator: bool,
        static_key: &KeyPair,
        ephemeral_seed: [u8; 32],
    ) -> Result<Self, Violation> {
        let params = NoiseParams::new(
            NAME.into(),
            BaseChoice::Noise,
            HandshakeChoice {
                pattern: HandshakePattern::XX,
                modifiers: HandshakeModifierList { list: Vec::new() },
            },
            // the resolver knows only one curve, whatever it is called here
            DHChoice::Curve25519,
            CipherChoice::ChaChaPoly,
            HashChoice::Blake2b,
        );
        let seed = static_key.seed();
        let builder = snow::Builder::with_resolver(params, Box::new(Resolver::new(ephemeral_seed)));
        let builder = builder.local_private_key(seed.as_slice()).map_err(failed)?;
        let state = if initiator { builder.build_initiator() } else { builder.build_responder() };
        Ok(Self { state: state.map_err(failed)? })
    }

    /// The next message to send, if it is this end's turn.
    pub(crate) fn write(&mut self) -> Result<Option<Vec<u8>>, Violation> {
        if self.state.is_handshake_finished() || !self.state.is_my_turn() {
            return Ok(None);
        }
        let mut message = vec![0; MAX_HANDSHAKE_FRAME];
        let len = self.state.write_message(&[], &mut message).map_err(failed)?;
        message.truncate(len);
        Ok(Some(message))
    }

    /// Takes the peer's next message.
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<(), Violation> {
        let mut payload = [0; MAX_HANDSHAKE_FRAME];
        self.state.read_message(message, &mut payload).map_err(failed)?;
        Ok(())
    }

    /// The keys, once the last message went over.
    pub(crate) fn finish(&mut self) -> Result<Option<Agreed>, Violation> {
        if !self.state.is_handshake_finished() {
            return Ok(None);
        }
        let unfit = || Violation::Handshake("the handshake ended without keys".into());
        let (initiator_key, responder_key) = self.state.dangerously_get_raw_split();
        let hash = self.state.get_handshake_hash().try_into().map_err(|_| unfit())?;
        let remote = self.state.get_remote_static().ok_or_else(unfit)?;
        let remote_public_key = PublicKey::try_from(remote).map_err(|_| unfit())?;
        Ok(Some(Agreed { initiator_key, responder_key, hash, remote_public_key }))
    }
}
