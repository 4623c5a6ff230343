//! A few cycles of each torture, so that they are known to run. The tiers that count are run by `cargo xtask torture`.

use std::process::Command;

fn torture(what: &str, cycles: &str) {
    let done = Command::new(env!("CARGO_BIN_EXE_hc-torture"))
        .args([what, "--cycles", cycles, "--seed", "1"])
        .output();
    let done = done.unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("seed 1"), "{said}");
}

fn has_strace() -> bool {
    Command::new("strace").arg("--version").output().is_ok_and(|done| done.status.success())
}

#[test]
fn s41_what_was_acknowledged_survives_a_killed_process() {
    torture("kill", "6");
}

#[test]
fn what_was_promised_survives_a_power_loss() {
    if !has_strace() {
        return println!("left out: strace is missing");
    }
    torture("power", "60");
}

#[test]
fn what_is_read_from_a_damaged_store_is_right_or_an_error() {
    torture("damage", "40");
}

#[test]
fn calls_that_fail_are_typed_errors() {
    if !has_strace() {
        return println!("left out: strace is missing");
    }
    torture("faults", "12");
}
