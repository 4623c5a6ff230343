//! Addresses of the internet: four or sixteen bytes, most significant first; with a port behind them; or with their family,
//! 4 or 6, before them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::{Decode, DecodeError, Encode, Reader, Sink, put};

impl Encode for Ipv4Addr {
    fn encode<S: Sink>(&self, out: &mut S) {
        out.put(&self.octets());
    }
}

impl Decode<'_> for Ipv4Addr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array::<4>().map(Self::from)
    }
}

impl Encode for Ipv6Addr {
    fn encode<S: Sink>(&self, out: &mut S) {
        out.put(&self.octets());
    }
}

impl Decode<'_> for Ipv6Addr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array::<16>().map(Self::from)
    }
}

impl Encode for IpAddr {
    fn encode<S: Sink>(&self, out: &mut S) {
        match self {
            Self::V4(ip) => {
                put::uint8(out, 4);
                ip.encode(out);
            }
            Self::V6(ip) => {
                put::uint8(out, 6);
                ip.encode(out);
            }
        }
    }
}

impl Decode<'_> for IpAddr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.uint8()? {
            4 => Ipv4Addr::decode(reader).map(Self::V4),
            6 => Ipv6Addr::decode(reader).map(Self::V6),
            _ => Err(DecodeError::Invalid { at: reader.position(), what: "family of an address" }),
        }
    }
}

impl Encode for SocketAddrV4 {
    fn encode<S: Sink>(&self, out: &mut S) {
        self.ip().encode(out);
        put::port(out, self.port());
    }
}

impl Decode<'_> for SocketAddrV4 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(Ipv4Addr::decode(reader)?, reader.port()?))
    }
}

/// Flow and scope are not written.
impl Encode for SocketAddrV6 {
    fn encode<S: Sink>(&self, out: &mut S) {
        self.ip().encode(out);
        put::port(out, self.port());
    }
}

impl Decode<'_> for SocketAddrV6 {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(Ipv6Addr::decode(reader)?, reader.port()?, 0, 0))
    }
}

impl Encode for SocketAddr {
    fn encode<S: Sink>(&self, out: &mut S) {
        self.ip().encode(out);
        put::port(out, self.port());
    }
}

impl Decode<'_> for SocketAddr {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(IpAddr::decode(reader)?, reader.port()?))
    }
}
