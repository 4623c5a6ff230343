//! The compact binary encoding that Hypercore's stack uses on the wire and on disk.
//!
//! A value is written to a [`Sink`] and read from a [`Reader`]:
//!
//! - **Encoding cannot fail.** [`Encode::encode`] is written once per type; run into a [`Count`] it gives the
//!   length, run into a `Vec<u8>` it gives the bytes.
//! - **Decoding is total.** Any bytes give a value or a [`DecodeError`] that says where. A decoder never allocates
//!   more than the input could hold, whatever count the input claims.
//!
//! Integers are little-endian. A *varint* is one byte up to 252, then a marker byte (`0xfd`, `0xfe`, `0xff`) and two,
//! four or eight bytes. As the numbers of the reference are JavaScript's, a varint above [`MAX_SAFE_UINT`] is an error.
//!
//! Follows npm compact-encoding 3.5.2, `index.js` and `raw.js`. Non-minimal varints are accepted, as there.
//!
//! # The types
//!
//! | in Node | here: `put::…` and `Reader::…` |
//! | --- | --- |
//! | `uint`, `uint8` to `uint64`, `uint32be`, `uint64be` | the same names; eight bytes of a fixed width may have any value |
//! | `int`, `int8` to `int64` | the same names |
//! | `biguint64`, `bigint64`, `biguint` | `uint64`, `int64`, `biguint` (as words) |
//! | `float32`, `float64`, `date`, `bool` | the same names; a date in milliseconds |
//! | `buffer`, `binary`, `arraybuffer`, `uint8array`, `optionalBuffer` | `buffer`, `optional_buffer` |
//! | `fixed(n)` | [`Sink::put`] and [`Reader::array`] |
//! | `uint16array` to `float64array`, `biguint64array`, `bigint64array` | `uint16_array`, …, `uint64_array`, `int64_array` |
//! | `bitarray` | `bits` |
//! | `string`, `utf8` | `string` |
//! | `array(type)`, `record`, `stringRecord` | `list`, `string_record` |
//! | `frame(type)` | `frame` |
//! | `raw`, `none` | [`Sink::put`] and [`Reader::rest`]; nothing |
//! | `port` | `port` |
//! | `ipv4`, `ipv6`, `ip`, and with `Address` | the types of `core::net`, as [`Encode`] and [`Decode`] |
//!
//! Left out, as nothing in Hypercore's stack puts them on the wire or on disk:
//!
//! - `json`, `ndjson`: text, which a JSON library makes and takes;
//! - `ascii`, `hex`, `base64`, `ucs2`: other views of a buffer that JavaScript's strings need;
//! - `any`: JavaScript's own types, told apart at run time;
//! - `bigint`: an integer of any size with a sign;
//! - `lexint`: it rounds above 2^44. The ordered integers of the store are in hc-storage.
//!
//! Node refuses an array of more than 2^20 elements; here each format names its own bound. A byte that is neither 0 nor 1 is
//! no `bool` and one that is neither 4 nor 6 no family of addresses, where Node takes them for false and for 6.
//!
//! # A type of one's own
//!
//! ```
//! use compact_encoding::{put, Decode, DecodeError, Encode, Reader, Sink};
//!
//! #[derive(Debug, PartialEq)]
//! struct Range { start: u64, name: String }
//!
//! impl Encode for Range {
//!     fn encode<S: Sink>(&self, out: &mut S) {
//!         put::uint(out, self.start);
//!         put::string(out, &self.name);
//!     }
//! }
//!
//! impl Decode<'_> for Range {
//!     fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
//!         Ok(Self { start: reader.uint()?, name: reader.string()?.to_owned() })
//!     }
//! }
//!
//! let range = Range { start: 300, name: "log".into() };
//! assert_eq!(range.encoded_len(), 3 + 1 + 3);
//! assert_eq!(Range::from_bytes(&range.to_vec()), Ok(range));
//! ```
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

mod address;
mod error;
pub mod put;
mod reader;
mod sink;
mod traits;
mod zigzag;

pub use error::DecodeError;
pub use reader::Reader;
pub use sink::{Count, Sink};
pub use traits::{Decode, Encode};

/// The largest unsigned integer that the encoding carries: 2^53 - 1, the largest exact integer of JavaScript.
pub const MAX_SAFE_UINT: u64 = (1 << 53) - 1;
