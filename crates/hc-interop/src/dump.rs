//! Dumps of stores that can be compared: the times in them are masked.
//!
//! Two runs of the same script leave the same bytes, but for when they were written: the time stamp at the end of a head's
//! record, which is cut off here, and the one in the key of a group's update, which becomes zeros. Of a named session's head the
//! signature is cut off too: it proves nothing, and Node signs one that was cut.
//!
//! Keys and records are laid out as npm hypercore-storage 3.3.1, `lib/keys.js` and `encoding/spec`, has them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a store holds: keys and values in lower-case hex.
pub type Dump = BTreeMap<String, String>;

/// The entries of a reply to `dump`, times masked. None if it is not such a reply.
#[must_use]
pub fn masked(reply: &Value) -> Option<Dump> {
    let entries = reply.get("entries")?.as_array()?;
    let texts =
        |entry: &'_ Value| Some((entry.get(0)?.as_str()?.to_owned(), entry.get(1)?.as_str()?.to_owned()));
    let entries = entries.iter().map(texts).collect::<Option<Vec<_>>>()?;
    let logs: BTreeSet<u64> = entries.iter().filter_map(|(key, value)| data_of_log(key, value)).collect();
    Some(entries.iter().map(|(key, value)| mask(key, value, &logs)).collect())
}

/// A dump without the hints of logs, some of which Node writes late.
#[must_use]
pub fn without_hints(mut dump: Dump) -> Dump {
    dump.retain(|key, _| kind(key) != "hints");
    dump
}

/// Where the log of a core has its data, if this is a core's pointers.
fn data_of_log(key: &str, value: &str) -> Option<u64> {
    if byte(key, 0)? != 1 {
        return None;
    }
    let (_version, at) = number(value, 0)?;
    let (_core, at) = number(value, at)?;
    number(value, at).map(|(data, _)| data)
}

fn mask(key: &str, value: &str, logs: &BTreeSet<u64>) -> (String, String) {
    let parts = Parts::of(key);
    match parts {
        Some(Parts { family: 4, at, record: Some(0) }) if key.len() == at => {
            let signed = pointer(key).is_some_and(|data| logs.contains(&data));
            (key.into(), mask_head(value, signed))
        }
        // the time is between the group's pointer and the core's
        Some(Parts { family: 6, at, .. }) if key.len() >= at + TIME => {
            let (group, rest) = key.split_at(at);
            (format!("{group}{}{}", "0".repeat(TIME), rest.get(TIME..).unwrap_or_default()), value.into())
        }
        _ => (key.into(), value.into()),
    }
}

/// Hex digits of a time.
const TIME: usize = 16;

/// Fork, length, hash and, of a log, signature of a head. The time comes last, behind a byte that says whether it is there: a
/// session of an atom that Node flushes without a new head leaves it out.
fn mask_head(value: &str, signed: bool) -> String {
    end_of_head(value, signed).and_then(|end| value.get(..end)).unwrap_or(value).into()
}

fn end_of_head(value: &str, signed: bool) -> Option<usize> {
    let (_, at) = number(value, 0)?;
    let (_, at) = number(value, at)?;
    if !signed {
        return Some(at + 64);
    }
    let (signature, at) = number(value, at + 64)?;
    Some(at + 2 * usize::try_from(signature).ok()?)
}

/// The pointer in a key, behind its family.
fn pointer(key: &str) -> Option<u64> {
    match byte(key, 2)? {
        first @ 0..=0xfb => Some(first.into()),
        _ => u64::from_str_radix(key.get(4..Parts::of(key)?.at - 2)?, 16).ok(),
    }
}

/// A number of variable length, and where what follows it begins.
fn number(value: &str, at: usize) -> Option<(u64, usize)> {
    let first = byte(value, at)?;
    let wide = match first {
        0..=0xfc => return Some((first.into(), at + 2)),
        0xfd => 2,
        0xfe => 4,
        _ => 8,
    };
    let mut bytes = (0..wide).rev().map(|i| byte(value, at + 2 + 2 * i));
    let number = bytes.try_fold(0, |number: u64, byte| Some((number << 8) | u64::from(byte?)))?;
    Some((number, at + 2 + 2 * wide))
}

fn byte(hex: &str, at: usize) -> Option<u8> {
    u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()
}

/// The beginning of a key: its family, a pointer, and which record it is of.
struct Parts {
    family: u8,
    /// Where the rest begins, in hex digits.
    at: usize,
    record: Option<u8>,
}

impl Parts {
    fn of(key: &str) -> Option<Self> {
        let family = byte(key, 0)?;
        let pointer = match byte(key, 2)? {
            0..=0xfb => 2,
            0xfc => 6,
            0xfd => 10,
            _ => 18,
        };
        let at = 2 + pointer;
        let data = family == 3 || family == 4;
        Some(Self {
            family,
            at: if data { at + 2 } else { at },
            record: if data { byte(key, at) } else { None },
        })
    }
}

/// How two stores differ, for people; none if they do not.
#[must_use]
pub fn difference(left: (&str, &Dump), right: (&str, &Dump)) -> Option<String> {
    let mut lines = Vec::new();
    for key in left.1.keys().chain(right.1.keys().filter(|key| !left.1.contains_key(*key))) {
        let (a, b) = (left.1.get(key), right.1.get(key));
        if a != b {
            // from shortly before the first digit that is not the same
            let same =
                a.zip(b).map_or(0, |(a, b)| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count());
            let from = same.saturating_sub(40);
            let side = |name: &str, value: Option<&String>| match value.and_then(|value| value.get(from..)) {
                Some(value) => format!("\n    {name:<6} at {from}: {}", value.get(..200).unwrap_or(value)),
                None => format!("\n    {name:<6} has no such key"),
            };
            lines.push(format!("  {key} ({}){}{}", kind(key), side(left.0, a), side(right.0, b)));
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What a key is of.
fn kind(key: &str) -> &'static str {
    let Some(parts) = Parts::of(key) else { return "store head" };
    match (parts.family, parts.record) {
        (0, _) => "store head",
        (1, _) => "core by discovery key",
        (2, _) => "core by alias",
        (3, Some(0)) => "auth",
        (3, Some(1)) => "named sessions",
        (3, Some(2)) => "group of a core",
        (4, Some(0)) => "head",
        (4, Some(1)) => "dependency",
        (4, Some(2)) => "hints",
        (4, Some(3)) => "block",
        (4, Some(4)) => "tree node",
        (4, Some(5)) => "bitfield page",
        (4, Some(6)) => "user data",
        (4, Some(7)) => "local record",
        (4, Some(8)) => "mark",
        (5, _) => "group by topic",
        (6, _) => "group update",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{difference, masked};

    #[test]
    fn times_are_masked_and_nothing_else() {
        let hash = "ab".repeat(32);
        let head = |time: &str| format!("0103{hash}0401020304{time}");
        let reply = |time: &str| {
            json!({ "entries": [
                [format!("01{hash}"), "0105fd000100"],
                [format!("01{}", "cd".repeat(32)), "01060100"],
                ["040000", head(&format!("01{time}"))],
                ["040100", head("")],
                ["04fc010000", head(&format!("01{time}"))],
                ["040200", head(&format!("01{time}"))],
                [format!("0603{time}07"), "key"],
                ["04000301", time],
            ] })
        };
        let (one, two) =
            (masked(&reply("00112233445566ff")).unwrap(), masked(&reply("0011223344556601")).unwrap());
        assert_eq!(one.len(), 8);
        let differs = difference(("one", &one), ("two", &two)).unwrap();
        assert!(differs.starts_with("  04000301 (block)"), "{differs}");
        assert_eq!(differs.lines().count(), 3, "{differs}");
        assert_eq!(difference(("one", &one), ("one", &one)), None);
        // the signature of a log's head counts
        assert!(["040100", "04fc010000"].iter().all(|log| one[*log] == head("")));
        assert_eq!(one["040200"], format!("0103{hash}"), "that of a session does not");
    }
}
