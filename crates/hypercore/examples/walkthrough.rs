//! A log, a sparse copy of it, and what the copy holds: `cargo run --example walkthrough`.
//!
//! Both ends are in this process, joined by a pipe in memory. A TCP connection would do the same.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use hypercore::{Hypercore, Result, Role, Utf8};

#[tokio::main]
async fn main() -> Result<()> {
    // the owner of a log, with two blocks in it
    let core = Hypercore::memory().await?;
    core.append_batch(["hello", "world"]).await?;
    println!("A log with the key {} and {} blocks.", core.id(), core.length());

    // somebody else, who knows the key and nothing more
    let clone = Hypercore::builder().key(*core.key()).memory().await?;
    let (here, there) = tokio::io::duplex(64 * 1024);
    core.replicate(here, Role::Responder)?;
    clone.replicate(there, Role::Initiator)?;

    // blocks come when they are read, and are checked against the key
    let text = clone.encoded(Utf8);
    println!("Block 0 of the copy: {}", text.get(0).await?);
    println!("Block 1 of the copy: {}", text.get(1).await?);
    assert_eq!(text.get(0).await?, "hello");
    assert_eq!(text.get(1).await?, "world");

    for i in 0..100 {
        core.append(format!("New Block {i}")).await?;
    }
    // the copy may have heard of some of these already; it asks until it knows them all
    while clone.length() < core.length() {
        clone.update().await?;
    }
    let last = clone.length() - 1;
    println!("After 100 more, block {last} of the copy: {}", text.get(last).await?);
    assert_eq!((last, text.get(last).await?), (101, "New Block 99".to_owned()));

    let mut held = Vec::new();
    for index in 0..clone.length() {
        if clone.has(index).await? {
            held.push(index);
        }
    }
    println!("The copy holds the blocks {held:?} and no others.");
    assert_eq!(held, [0, 1, 101]);
    Ok(())
}
