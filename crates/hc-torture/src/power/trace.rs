//! What strace wrote, as calls.
//!
//! A call that other threads' calls come between is written in two parts. So each has a time when it began and one when it
//! ended, which are numbers of lines: its effect is somewhere between them.

use std::collections::HashMap;

/// The calls that change files, bring them to the device, or say something.
pub(crate) const CALLS: &str = "trace=write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,openat,open,creat,rename,renameat,\
     renameat2,ftruncate,truncate,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,lseek,\
     copy_file_range,sendfile";

/// A call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) args: Vec<Arg>,
    pub(crate) result: i64,
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Arg {
    /// A string or a buffer.
    Bytes(Vec<u8>),
    /// A number; of a descriptor, without what it stands for.
    Number(i64),
    /// Flags and the like.
    Other(String),
}

impl Call {
    /// The number at a place among the arguments.
    pub(crate) fn number(&self, place: usize) -> Option<i64> {
        match self.args.get(place)? {
            Arg::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes at a place among the arguments.
    pub(crate) fn bytes(&self, place: usize) -> Option<&[u8]> {
        match self.args.get(place)? {
            Arg::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Whether a flag is set among the arguments.
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        let has = |arg: &Arg| matches!(arg, Arg::Other(text) if text.split('|').any(|part| part == flag));
        self.args.iter().any(has)
    }
}

/// The calls that succeeded, in the order in which they ended.
pub(crate) fn parse(trace: &[u8]) -> Result<Vec<Call>, String> {
    let text = std::str::from_utf8(trace).map_err(|_| "strace wrote something that is not text")?;
    let mut pending: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (time, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            pending.insert(thread, (time, begun));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, end)) = resumed.split_once(" resumed>") else { continue };
            let Some((began, begun)) = pending.remove(thread) else { continue };
            calls.extend(call(&format!("{begun}{end}"), began, time));
        } else {
            calls.extend(call(rest, time, time));
        }
    }
    // one that was in flight at the end of the process may have had its effect
    calls.sort_by_key(|call| call.ended);
    Ok(calls)
}

/// A whole call, unless it failed or is no call.
fn call(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (args, result) = rest.rsplit_once(" = ")?;
    let args = args.trim_end().strip_suffix(')')?;
    let result = result.split([' ', '<']).next()?.parse().ok()?;
    if result < 0 {
        return None;
    }
    let args = args.split(", ").map(arg).collect();
    Some(Call { name: name.to_owned(), args, result, began, ended })
}

/// Strings are all escapes, so nothing in them looks like punctuation.
fn arg(text: &str) -> Arg {
    if let Some(escaped) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        return Arg::Bytes(unescape(escaped));
    }
    let number = text.split('<').next().unwrap_or_default();
    number.parse().map_or_else(|_| Arg::Other(text.to_owned()), Arg::Number)
}

fn unescape(escaped: &str) -> Vec<u8> {
    const fn digit(byte: u8) -> u8 {
        if byte.is_ascii_digit() { byte - b'0' } else { byte.to_ascii_lowercase().wrapping_sub(b'a' - 10) }
    }
    escaped.as_bytes().chunks_exact(4).map(|code| digit(code[2]) << 4 | digit(code[3])).collect()
}

#[cfg(test)]
mod tests {
    use super::{Arg, parse};

    #[test]
    fn a_call_in_two_parts_has_two_times() {
        let trace = b"7  write(3<\\x2f>, \"\\x61\\x7A\", 2 <unfinished ...>\n8  fsync(4<\\x2f>) = 0\n\
                      7  <... write resumed>)  = 2\n7  rename(\"\\x61\", \"\\x62\") = -1 ENOENT (No)\n";
        let calls = parse(trace).unwrap();
        assert_eq!(calls.len(), 2);
        assert_eq!((calls[0].name.as_str(), calls[0].ended), ("fsync", 1));
        assert_eq!((calls[1].began, calls[1].ended, calls[1].result), (0, 2, 2));
        assert_eq!(calls[1].args[1], Arg::Bytes(b"az".to_vec()));
        assert_eq!(calls[1].number(0), Some(3));
    }
}
