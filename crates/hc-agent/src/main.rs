//! The public API on standard input and output, for drivers in any language.
//!
//! One JSON object a line: `{"id":1,"op":"append","core":0,"blocks":["aGVsbG8="]}` is answered by
//! `{"id":1,"ok":{"length":1,"byteLength":5}}` or `{"id":1,"err":{"code":"…","message":"…"}}`. Bytes are standard base64,
//! keys and hashes lower-case hex. Requests run concurrently, replies come in any order; events carry no id. Nothing but
//! these lines is ever written to standard output. The end of standard input closes everything and exits with 0.
//!
//! There is no logic of its own here: an operation is a call of the public API, its reply is what that call returned.

mod agent;
mod fields;
mod fill;
mod ops;
mod reply;

use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader};

use agent::Agent;

fn main() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(serve());
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ExitCode::SUCCESS
}

async fn serve() {
    let agent = Agent::new();
    let mut lines = BufReader::new(tokio::io::stdin()).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let agent = agent.clone();
        tokio::spawn(async move { agent.answer(&line).await });
    }
    agent.close().await;
}
