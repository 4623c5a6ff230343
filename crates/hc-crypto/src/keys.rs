//! The fixed-size values of the stack, one type each.

use std::fmt;
use std::str::FromStr;

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink};
use thiserror::Error;

use crate::hash;

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl From<&[u8; $len]> for $name {
            fn from(bytes: &[u8; $len]) -> Self {
                Self(*bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = std::array::TryFromSliceError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                bytes.try_into().map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                to_hex(f, self.0.get(..4).unwrap_or_default())?;
                f.write_str("…)")
            }
        }

        impl Encode for $name {
            fn encode<S: Sink>(&self, out: &mut S) {
                out.put(&self.0);
            }
        }

        impl Decode<'_> for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.array().map(Self)
            }
        }
    };
}

macro_rules! shown_as_hex {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                to_hex(f, &self.0)
            }
        }
    )*};
}

fn to_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fixed!(
    /// A BLAKE2b-256 hash.
    Hash,
    32
);
fixed!(
    /// The key of a core: who has it can find the core, read it and check every block. It is the hash of the core's
    /// manifest, or, for cores of version 10, the public key of its only signer.
    ///
    /// Shown as z-base-32; parsed from that (52 characters) or from hex (64), with blanks around it or not.
    Key,
    32
);
fixed!(
    /// The name under which peers look for a core. It follows from the [`Key`], but does not give it away.
    DiscoveryKey,
    32
);
fixed!(
    /// An Ed25519 public key: of a signer, or of one end of a connection.
    PublicKey,
    32
);
fixed!(
    /// What keeps one use of a name, a hash or a signature apart from another.
    Namespace,
    32
);
fixed!(
    /// An Ed25519 signature.
    Signature,
    64
);
shown_as_hex!(Hash, DiscoveryKey, PublicKey, Namespace, Signature);

impl Key {
    /// The name under which peers look for the core.
    #[must_use]
    pub fn discovery_key(&self) -> DiscoveryKey {
        DiscoveryKey(*hash::blake2b_keyed(&self.0, &[b"hypercore"]).as_bytes())
    }

    /// The key as z-base-32 text, as people pass it on.
    #[must_use]
    pub fn to_z32(self) -> String {
        z32::encode(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_z32())
    }
}

/// Why text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyParseError {
    /// It is too short or too long.
    #[error("not a key: expected 52 characters of z-base-32 or 64 of hex, got {len} characters")]
    Length {
        /// How many characters it has, without blanks around it.
        len: usize,
    },
    /// It has a character that is not of the alphabet.
    #[error("not a key: character {position} is {character:?}, which is not in the alphabet of {encoding}")]
    Character {
        /// What is there.
        character: char,
        /// Which one it is, from 1.
        position: usize,
        /// What text of this length must be: `z-base-32` or `hex`.
        encoding: &'static str,
    },
}

impl FromStr for Key {
    type Err = KeyParseError;

    /// Parses a key as it is shown, or in hex. Blanks and line ends around it, as text from a file or a command has them, are
    /// left out.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let len = text.chars().count();
        let (encoding, bytes) = match len {
            52 => ("z-base-32", z32::decode(text.as_bytes()).ok()),
            64 => ("hex", hex::decode(text).ok()),
            _ => return Err(KeyParseError::Length { len }),
        };
        let belongs = |character: &char| match encoding {
            "hex" => character.is_ascii_hexdigit(),
            _ => u8::try_from(*character).is_ok_and(|byte| z32::ALPHABET.contains(&byte)),
        };
        let wrong = (1..).zip(text.chars()).find(|(_, character)| !belongs(character));
        if let Some((position, character)) = wrong {
            return Err(KeyParseError::Character { character, position, encoding });
        }
        let key = bytes.and_then(|bytes| Self::try_from(bytes.as_slice()).ok());
        key.ok_or(KeyParseError::Length { len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a3_a_key_is_parsed_from_what_it_is_shown_as_and_from_hex() {
        let key = Key::from([0x61; 32]);
        assert!(key.to_string().starts_with("cfosnamb"), "{key}");
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("61".repeat(32).parse(), Ok(key));
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        for text in ["", "cfos", &"zz".repeat(32), &"+a".repeat(32), &"l".repeat(52), &"é".repeat(26)] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn regression_a_wrong_letter_is_named_with_its_place() {
        let key = Key::from([0x61; 32]);
        let wrong = key.to_string().replacen('n', "l", 1);
        let character = KeyParseError::Character { character: 'l', position: 5, encoding: "z-base-32" };
        assert_eq!(wrong.parse::<Key>(), Err(character));
        assert!(character.to_string().contains("character 5 is 'l'"), "{character}");
        let wrong = "61".repeat(31) + "6g";
        let character = KeyParseError::Character { character: 'g', position: 64, encoding: "hex" };
        assert_eq!(wrong.parse::<Key>(), Err(character));
        // counted as people count, not in bytes
        let wrong = format!("é{}", "y".repeat(51));
        let character = KeyParseError::Character { character: 'é', position: 1, encoding: "z-base-32" };
        assert_eq!(wrong.parse::<Key>(), Err(character));
        assert_eq!("é".repeat(26).parse::<Key>(), Err(KeyParseError::Length { len: 26 }));
    }

    #[test]
    fn blanks_and_a_line_end_around_a_key_are_left_out() {
        let key = Key::from([0x61; 32]);
        for text in [format!("{key}\n"), format!("  {key}\t"), format!("{}\r\n", "61".repeat(32))] {
            assert_eq!(text.parse(), Ok(key), "{text:?}");
        }
        assert!(format!("{} {}", &key.to_string()[..26], &key.to_string()[26..]).parse::<Key>().is_err());
    }
}
