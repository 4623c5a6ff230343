//! What building and testing need beside Rust: a C++ compiler and libclang for RocksDB, Node and its packages for the peers.
//!
//! What is missing is installed with the system's package manager where that is allowed; else the line to run is printed.

use std::path::Path;

use crate::shell;

/// Whether one can go on without Node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Needed,
    Optional,
}

/// Sets everything up. Whether there is a Node peer.
pub(crate) fn run(node: Node) -> Result<bool, String> {
    let mut missing = Vec::new();
    if !shell::answers("c++", &["--version"]) {
        missing.push("g++");
    }
    if !has_libclang() {
        missing.extend(["libclang1-14", "libclang-common-14-dev"]);
    }
    if node == Node::Needed && !has_node() {
        missing.extend(["nodejs", "npm"]);
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    peers(node)
}

fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let mut folders = vec!["/usr/lib".into(), "/usr/lib64".into(), "/usr/local/lib".into()];
    for parent in ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"] {
        let inside = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.push(Path::new(parent).to_path_buf());
        folders.extend(inside.map(|entry| entry.path().join("lib")));
    }
    folders.iter().any(|folder| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.file_name().to_string_lossy().into_owned()).any(|name| {
            // not libclang-cpp, which is something else
            name.starts_with("libclang.so") || name.starts_with("libclang-1") || name == "libclang.dylib"
        })
    })
}

fn has_node() -> bool {
    let version = shell::output("node", &["--version"]).unwrap_or_default();
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    major.is_some_and(|major: u32| major >= 20) && shell::answers("npm", &["--version"])
}

fn install(packages: &[&str]) -> Result<(), String> {
    let wanted = packages.join(" ");
    let by_hand = format!(
        "missing: {wanted}. Install them with: sudo apt-get update && sudo apt-get install -y --no-install-recommends {wanted}"
    );
    if !shell::answers("apt-get", &["--version"]) {
        return Err(by_hand);
    }
    let root = shell::output("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
    let sudo = !root && shell::answers("sudo", &["-n", "true"]);
    if !root && !sudo {
        return Err(by_hand);
    }
    println!("setup: installing {wanted} with apt-get");
    let apt = |args: &[&str]| {
        let mut all = if sudo { vec!["-n", "apt-get"] } else { Vec::new() };
        all.extend(args);
        shell::run(if sudo { "sudo" } else { "apt-get" }, &all)
    };
    // an old list may still do
    let _ = apt(&["update", "-qq"]);
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(packages);
    apt(&args).map_err(|why| format!("{why}\n{by_hand}"))
}

/// The Node packages, as the lock file has them.
fn peers(node: Node) -> Result<bool, String> {
    if !has_node() {
        return match node {
            Node::Optional => Ok(false),
            Node::Needed => Err("Node 20 or newer with npm is needed; install it and run this again".into()),
        };
    }
    let interop = shell::root().join("interop");
    let lock =
        std::fs::read(interop.join("package-lock.json")).map_err(|error| format!("interop: {error}"))?;
    let done = interop.join("node_modules/.installed-from");
    if std::fs::read(&done).is_ok_and(|from| from == lock) {
        return Ok(true);
    }
    println!("setup: installing the Node packages in interop/");
    let mut npm = shell::program("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    npm.current_dir(&interop);
    match shell::finish(npm) {
        Ok(()) => {}
        Err(why) if node == Node::Optional => {
            println!("setup: {why}");
            return Ok(false);
        }
        Err(why) => return Err(why),
    }
    std::fs::write(&done, &lock).map_err(|error| format!("interop: {error}"))?;
    Ok(true)
}
