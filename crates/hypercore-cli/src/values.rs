//! Values of the command line, and what is wrong with them: found out before anything is opened.

use std::fmt;
use std::net::SocketAddrV6;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;

use crate::failure::{Failure, Result};

/// The largest number that stores, logs and peers know: 2^53 - 1, which Node can still count exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// Takes a number of blocks, the number of a block or of a fork.
pub(crate) fn count() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(..=LARGEST)
}

/// Takes a number of seconds, which may be a fraction.
pub(crate) fn seconds(text: &str) -> std::result::Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "not a number of seconds".into())
}

/// Fails if a range ends before it starts.
///
/// # Errors
/// [`Failure::CommandLine`].
pub(crate) fn in_order(start: u64, end: Option<u64>) -> Result {
    match end {
        Some(end) if end < start => {
            Err(Failure::CommandLine(format!("the range ends at {end}, before it starts at {start}")))
        }
        _ => Ok(()),
    }
}

/// Fails if a range goes beyond a log of this length.
///
/// # Errors
/// [`Failure::Refused`].
pub(crate) fn within(start: u64, end: Option<u64>, length: u64) -> Result {
    let beyond = |what, at| {
        let blocks = if length == 1 { "block" } else { "blocks" };
        Err(Failure::Refused(format!("the log has only {length} {blocks}: {what} {at} is beyond its end")))
    };
    match end {
        _ if start > length => beyond("--start", start),
        Some(end) if end > length => beyond("--end", end),
        _ => Ok(()),
    }
}

/// Where a peer is: a host and a TCP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        if text.starts_with('[') {
            let address = text.parse::<SocketAddrV6>();
            let address = address.map_err(|_| "not an IPv6 address with a port, such as [::1]:9000")?;
            return if address.port() == 0 { Err(PORT) } else { Ok(Self(text.to_owned())) };
        }
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing: HOST:PORT")?;
        if host.contains(':') {
            return Err("an IPv6 address is written in brackets, with the port behind them: [::1]:9000");
        }
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return Err("the host is missing, or is no name and no address: HOST:PORT");
        }
        match port.parse::<u16>() {
            Ok(1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(text.to_owned())),
            _ => Err(PORT),
        }
    }
}

const PORT: &str = "the port is not a number from 1 to 65535";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["localhost:9000", "127.0.0.1:1", "[::1]:9000", "[fe80::1%2]:65535", "a-b.example:80"] {
            assert_eq!(text.parse::<Address>().as_ref().map(Address::as_str), Ok(text));
        }
        let wrong = [
            "",
            "localhost",
            "localhost:",
            ":9000",
            "localhost:0",
            "localhost:65536",
            "localhost:+80",
            "::1:9000",
            "[::1]",
            "[::1]:",
            "[::1]:0",
            "[localhost]:80",
            "a b:80",
            "http://a:80",
            "a:b:80",
        ];
        for text in wrong {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_are_within_the_log_and_in_order() {
        assert!(within(0, None, 0).is_ok());
        assert!(within(3, Some(3), 3).is_ok());
        assert!(within(4, None, 3).unwrap_err().to_string().contains("only 3 blocks: --start 4"));
        assert!(within(0, Some(2), 1).unwrap_err().to_string().contains("only 1 block: --end 2"));
        assert!(in_order(3, Some(3)).is_ok());
        assert!(in_order(3, Some(2)).is_err());
    }
}
