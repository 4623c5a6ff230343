//! What dies, loses power, is damaged or meets errors: whether it keeps what it acknowledged. The work is done by `hc-torture`.
//!
//! | what | the short tier | needs |
//! | --- | --- | --- |
//! | `kill` | 500 cycles | |
//! | `power` | 2,000 images | strace |
//! | `damage` | 500 damages | |
//! | `faults` | every point of the standard script | strace |

use crate::{Outcome, setup, shell};

/// The tortures, and whether each looks at system calls.
const TORTURES: [(&str, bool); 4] = [("kill", false), ("power", true), ("damage", false), ("faults", true)];

pub(crate) fn run(args: &[String]) -> Outcome {
    let what = args.first().map(String::as_str).unwrap_or_default();
    let names = TORTURES.map(|(name, _)| name).join(", ");
    let Some((_, traces)) = TORTURES.iter().find(|(name, _)| *name == what) else {
        return Err(format!("torture WHAT [--cycles N | --seconds N] [--seed S]: WHAT is one of {names}"));
    };
    if *traces && !cfg!(target_os = "linux") {
        return Err(format!("torture {what} looks at system calls with strace, which is for Linux"));
    }
    setup::without_node(if *traces { &["strace"] } else { &[] })?;
    // not for release: its assertions are worth more here than speed
    let program = shell::build(&["hc-torture"], false)?.join("hc-torture");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    shell::run(&program.display().to_string(), &args)
}
