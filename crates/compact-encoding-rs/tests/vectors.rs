//! Values of the basic types have the bytes that Node writes. The vectors are made by `interop/generate/codec.mjs`.

use compact_encoding::{DecodeError, Encode, Reader, Sink, put};
use serde_json::{Value, json};

/// A value of one of the types of the script.
struct Typed<'a> {
    kind: &'a str,
    value: &'a Value,
}

impl Typed<'_> {
    fn number(&self) -> u64 {
        self.value.as_u64().unwrap()
    }

    fn small<N: TryFrom<u64>>(&self) -> N {
        N::try_from(self.number()).ok().unwrap()
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        self.value.as_str().map(|text| hex::decode(text).unwrap())
    }

    fn numbers(&self) -> Vec<u64> {
        self.value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    }
}

/// Text as an element of a list.
struct Text<'a>(&'a str);

impl Encode for Text<'_> {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::string(out, self.0);
    }
}

/// A list of integers as a value of its own.
struct Numbers(Vec<u64>);

impl Encode for Numbers {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint_list(out, &self.0);
    }
}

impl Encode for Typed<'_> {
    fn encode<S: Sink>(&self, out: &mut S) {
        match self.kind {
            "uint" => put::uint(out, self.number()),
            "uint8" => put::uint8(out, self.small()),
            "uint16" => put::uint16(out, self.small()),
            "uint24" => put::uint24(out, self.small()),
            "uint32" => put::uint32(out, self.small()),
            "uint64" => put::uint64(out, self.number()),
            "uint64be" => put::uint64be(out, self.number()),
            "int" => put::int(out, self.value.as_i64().unwrap()),
            "bool" => put::bool(out, self.value.as_bool().unwrap()),
            "buffer" => put::buffer(out, &self.bytes().unwrap()),
            "optionalBuffer" => put::optional_buffer(out, self.bytes().as_deref()),
            "string" => put::string(out, self.value.as_str().unwrap()),
            "uintList" => put::uint_list(out, &self.numbers()),
            "framedUintList" => put::frame(out, &Numbers(self.numbers())),
            "uint32array" => {
                let words: Vec<u32> = self.numbers().iter().map(|n| u32::try_from(*n).unwrap()).collect();
                put::uint32_array(out, &words);
            }
            "stringList" => {
                let texts = self.value.as_array().unwrap().iter();
                let texts: Vec<Text<'_>> = texts.map(|text| Text(text.as_str().unwrap())).collect();
                put::list(out, &texts);
            }
            other => panic!("a vector of an unknown type: {other}"),
        }
    }
}

/// Reads a value of a type of the script, as it is shown there.
fn read(kind: &str, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match kind {
        "uint" => reader.uint()?.into(),
        "uint8" => reader.uint8()?.into(),
        "uint16" => reader.uint16()?.into(),
        "uint24" => reader.uint24()?.into(),
        "uint32" => reader.uint32()?.into(),
        "uint64" => reader.uint64()?.into(),
        "uint64be" => reader.uint64be()?.into(),
        "int" => reader.int()?.into(),
        "bool" => reader.bool()?.into(),
        "buffer" => hex::encode(reader.buffer()?).into(),
        "optionalBuffer" => reader.optional_buffer()?.map(hex::encode).into(),
        "string" => reader.string()?.into(),
        "uintList" => reader.list(1000, 1, Reader::uint)?.into(),
        "framedUintList" => {
            let frame = reader.buffer()?;
            Reader::new(frame).list(1000, 1, Reader::uint)?.into()
        }
        "uint32array" => reader.uint32_array(1000)?.into(),
        _ => json!(reader.list(1000, 1, |reader| reader.string().map(str::to_owned))?),
    })
}

#[test]
fn values_are_written_and_read_as_in_node() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/codec.json")).unwrap();
    let vectors = vectors["values"].as_array().unwrap();
    assert!(vectors.len() > 100);
    for vector in vectors {
        let (kind, value) = (vector["type"].as_str().unwrap(), &vector["value"]);
        let encoded = hex::decode(vector["encoded"].as_str().unwrap()).unwrap();
        let typed = Typed { kind, value };
        assert_eq!(hex::encode(typed.to_vec()), hex::encode(&encoded), "{vector}");
        assert_eq!(typed.encoded_len(), encoded.len(), "{vector}");
        let mut reader = Reader::new(&encoded);
        assert_eq!(read(kind, &mut reader).as_ref(), Ok(value), "{vector}");
        assert_eq!(reader.finish(), Ok(()), "{vector}");
        for end in 0..encoded.len() {
            assert!(read(kind, &mut Reader::new(&encoded[..end])).is_err(), "cut at {end}: {vector}");
        }
    }
}
