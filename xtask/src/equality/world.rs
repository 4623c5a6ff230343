//! What a script knows of the stores it works on: enough to choose operations that make sense.

use std::collections::BTreeMap;

use hc_interop::{Value, b64, json};

use super::random::Random;

/// A log of the store.
pub(super) struct Log {
    /// How steps name it: `$a`.
    pub(super) symbol: String,
    /// The fields with which it is opened.
    pub(super) open: Value,
    /// Of the log itself, and of its named sessions that are open.
    pub(super) base: Head,
    pub(super) sessions: Vec<Session>,
    /// How much of the log each named session shares, open or not; none if the log was cut beneath it.
    pub(super) shared: BTreeMap<&'static str, Option<u64>>,
    /// How long each named session is.
    pub(super) lengths: BTreeMap<&'static str, u64>,
    pub(super) snapshots: Vec<String>,
    pub(super) marking: bool,
    pub(super) grouped: bool,
}

impl Log {
    /// A log that steps name so, opened with these fields.
    pub(super) fn new(symbol: &str, open: Value) -> Self {
        Self {
            symbol: symbol.to_owned(),
            open,
            base: Head::default(),
            sessions: Vec::new(),
            shared: BTreeMap::new(),
            lengths: BTreeMap::new(),
            snapshots: Vec::new(),
            marking: false,
            grouped: false,
        }
    }

    /// Whether a named session is as long as the log, but not the log.
    pub(super) fn is_twin(&self, name: &str) -> bool {
        let (shared, length) = (self.shared.get(name).copied().flatten(), self.lengths.get(name).copied());
        length == Some(self.base.length) && shared < length
    }

    /// The log was cut: sessions that share more than is left see a mixture of what was and what comes.
    pub(super) fn cut(&mut self, length: u64) {
        for shared in self.shared.values_mut() {
            *shared = shared.filter(|shared| *shared <= length);
        }
        let whole = &self.shared;
        self.sessions.iter_mut().for_each(|session| session.mixed |= whole.get(session.name) == Some(&None));
    }
}

/// A named session that is open.
pub(super) struct Session {
    pub(super) symbol: String,
    pub(super) name: &'static str,
    pub(super) head: Head,
    /// Whether it was itself truncated: Node cannot commit it then.
    pub(super) truncated: bool,
    /// Whether the log was cut beneath it.
    pub(super) mixed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    pub(super) length: u64,
    pub(super) fork: u64,
    pub(super) byte_length: u64,
    pub(super) signed_length: u64,
}

impl Head {
    /// From the reply to `core.state`.
    pub(super) fn of(state: &Value) -> Self {
        let field = |name: &str| state.get(name).and_then(Value::as_u64).unwrap_or_default();
        Self {
            length: field("length"),
            fork: field("fork"),
            byte_length: field("byteLength"),
            signed_length: field("signedLength"),
        }
    }
}

/// What is kept from one opening of the store to the next.
pub(super) struct World {
    pub(super) logs: Vec<Log>,
    /// Groups that logs may be in.
    pub(super) topics: [String; 2],
    pub(super) namespace: bool,
    next: u64,
}

impl World {
    /// Some logs, of different kinds.
    pub(super) fn new(random: &mut Random) -> Self {
        let key = |byte: &str| byte.repeat(32);
        let topics = [key("05"), key("06")];
        let kinds: [(&str, Value); 6] = [
            ("plain", json!({ "name": "plain" })),
            ("secret", json!({ "name": "secret", "encryption": { "key": key("09") } })),
            ("block", json!({ "name": "block", "encryption": { "key": key("08"), "block": true } })),
            ("grouped", json!({ "name": "grouped", "group": topics[0] })),
            ("inner", json!({ "name": "plain", "store": "$namespace" })),
            ("pair", json!({ "keyPair": key_pair() })),
        ];
        let count = random.between(1, 3);
        let mut logs: Vec<Log> = Vec::new();
        while (logs.len() as u64) < count {
            let Some((name, fields)) = random.pick(&kinds) else { break };
            let symbol = format!("${name}");
            if logs.iter().any(|log| log.symbol == symbol) {
                continue;
            }
            let mut open = fields.clone();
            if open.get("store").is_none() {
                open["store"] = json!("$store");
            }
            // nothing that a script reads is worth waiting for
            open["timeout"] = json!(2000);
            logs.push(Log { grouped: *name == "grouped", ..Log::new(&symbol, open) });
        }
        let namespace = logs.iter().any(|log| log.symbol == "$inner");
        Self { logs, topics, namespace, next: 0 }
    }

    /// One log.
    pub(super) fn of(log: Log) -> Self {
        Self { logs: vec![log], topics: [String::new(), String::new()], namespace: false, next: 0 }
    }

    /// A name that no step has given yet.
    pub(super) fn fresh(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("${kind}{}", self.next)
    }
}

/// A key pair that both sides know.
fn key_pair() -> Value {
    json!({
        "publicKey": "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        "secretKey": "0202020202020202020202020202020202020202020202020202020202020202\
                      8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
    })
}

/// Blocks to append, as fields: mostly few and small, some around the size from which RocksDB keeps values apart.
pub(super) fn blocks(random: &mut Random) -> Value {
    let count = match random.below(50) {
        0 => 0,
        1..30 => 1,
        30..46 => random.between(2, 6),
        _ => random.between(20, 150),
    };
    let block = |random: &mut Random| {
        let len = match random.below(if count > 6 { 20 } else { 24 }) {
            0 => 0,
            1..21 => random.between(1, 40),
            21 | 22 => random.between(4090, 4102),
            _ => random.between(5000, 14_000),
        };
        json!(b64(random.bytes(len)))
    };
    Value::Array((0..count).map(|_| block(random)).collect())
}
