//! Replies: one line each, whole.

use std::io::Write;

use serde_json::{Value, json};

/// An operation's failure, as the driver sees it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: String,
    message: String,
}

pub(crate) type Result<T = Value> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn bad_argument(message: impl Into<String>) -> Self {
        Self { code: "BAD_ARGUMENT".into(), message: message.into() }
    }
}

impl From<hypercore::Error> for Failure {
    fn from(error: hypercore::Error) -> Self {
        Self { code: error.code().into(), message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { code: "CONNECTION_FAILED".into(), message: error.to_string() }
    }
}

/// Writes the reply to a request.
pub(crate) fn reply(id: &Value, result: Result) {
    write(&match result {
        Ok(ok) => json!({ "id": id, "ok": ok }),
        Err(Failure { code, message }) => json!({ "id": id, "err": { "code": code, "message": message } }),
    });
}

/// Writes an event, of a core if it is of one.
pub(crate) fn event(name: &str, core: impl Into<Option<u64>>, fields: Value) {
    let mut event = json!({ "event": name });
    if let Some(core) = core.into() {
        event["core"] = json!(core);
    }
    if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
        event.extend(fields);
    }
    write(&event);
}

fn write(value: &Value) {
    let mut line = value.to_string();
    line.push('\n');
    let mut out = std::io::stdout().lock();
    // the driver is gone: its closing of our input ends us
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
