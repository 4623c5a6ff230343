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
    let mut missing = compilers();
    if node == Node::Needed && !has_node() {
        missing.extend(["nodejs", "npm"]);
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    peers(node)
}

/// Sets up what building needs, and programs that have their packages' names; nothing of Node.
pub(crate) fn without_node(programs: &[&'static str]) -> Result<(), String> {
    let mut missing = compilers();
    missing.extend(programs.iter().filter(|program| !shell::answers(program, &["--version"])));
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// What is missing of a C++ compiler and libclang.
fn compilers() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !shell::answers("c++", &["--version"]) {
        missing.push("g++");
    }
    if !has_libclang() {
        missing.push(LIBCLANG);
    }
    missing
}

/// Stands for the packages of libclang, whose names have a version.
const LIBCLANG: &str = "libclang";
/// The version that is taken where it can be had.
const CLANG: u32 = 14;
/// The oldest major version of Node that will do.
const NODE: u32 = 20;
/// What to run where the system's Node is too old.
const NEWER_NODE: &str = "Node 20 or newer with npm is needed. Install it with: \
     curl -fsSL https://deb.nodesource.com/setup_20.x | sudo bash - && sudo apt-get install -y nodejs";

/// Whether RocksDB's bindings can be made: the library, and the C headers that come with the compiler it is part of.
fn has_libclang() -> bool {
    std::env::var_os("LIBCLANG_PATH").is_some() || (has_library() && has_headers())
}

fn has_headers() -> bool {
    if !cfg!(target_os = "linux") || std::env::var_os("BINDGEN_EXTRA_CLANG_ARGS").is_some() {
        return true;
    }
    let inside =
        |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders =
        vec![Path::new("/usr/lib/clang").to_path_buf(), Path::new("/usr/lib64/clang").to_path_buf()];
    folders.extend(inside(Path::new("/usr/lib")).map(|folder| folder.join("lib/clang")));
    folders
        .iter()
        .flat_map(|folder| inside(folder))
        .any(|version| version.join("include/stdbool.h").is_file())
}

fn has_library() -> bool {
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
    major(&version).is_some_and(|major| major >= NODE) && shell::answers("npm", &["--version"])
}

fn install(missing: &[&str]) -> Result<(), String> {
    let packages = packages(missing, CLANG);
    let wanted = packages.join(" ");
    let by_hand = format!(
        "missing: {wanted}. Install them with: sudo apt-get update && sudo apt-get install -y --no-install-recommends {wanted}"
    );
    let by_hand = by_user(&by_hand);
    if !shell::answers("apt-get", &["--version"]) {
        return Err(by_hand);
    }
    let root = is_root();
    let sudo = !root && shell::answers("sudo", &["-n", "true"]);
    if !root && !sudo {
        return Err(by_hand);
    }
    let apt = |args: &[&str]| {
        let mut all = if sudo { vec!["-n", "apt-get"] } else { Vec::new() };
        all.extend(args);
        shell::run(if sudo { "sudo" } else { "apt-get" }, &all)
    };
    // an old list may still do
    let _ = apt(&["update", "-qq"]);
    if missing.contains(&"nodejs") && !offers_node() {
        return Err(by_user(NEWER_NODE));
    }
    let packages = self::packages(missing, offered_clang().unwrap_or(CLANG));
    println!("setup: installing {} with apt-get", packages.join(" "));
    let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
    args.extend(packages.iter().map(String::as_str));
    apt(&args).map_err(|why| format!("{why}\n{by_hand}"))
}

fn is_root() -> bool {
    shell::output("id", &["-u"]).is_ok_and(|id| id.trim() == "0")
}

/// A line to run, for this user: the administrator may have no sudo.
fn by_user(line: &str) -> String {
    if is_root() { line.replace("sudo ", "") } else { line.to_owned() }
}

/// The names of packages, with this version of clang.
fn packages(missing: &[&str], clang: u32) -> Vec<String> {
    let names = missing.iter().flat_map(|name| match *name {
        LIBCLANG => vec![format!("libclang1-{clang}"), format!("libclang-common-{clang}-dev")],
        other => vec![other.to_owned()],
    });
    names.collect()
}

/// The version of clang to install: the one that is known to do, or else the newest.
fn offered_clang() -> Option<u32> {
    let found = shell::output("apt-cache", &["search", "--names-only", "^libclang1-[0-9]+$"]).ok()?;
    let versions =
        found.lines().filter_map(|line| line.split(' ').next()?.strip_prefix("libclang1-")?.parse().ok());
    let versions: Vec<u32> = versions.collect();
    if versions.contains(&CLANG) { Some(CLANG) } else { versions.into_iter().max() }
}

/// Whether the system's package of Node is new enough.
fn offers_node() -> bool {
    let policy = shell::output("apt-cache", &["policy", "nodejs"]).unwrap_or_default();
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"));
    candidate.and_then(major).is_some_and(|major| major >= NODE)
}

/// The first number of a version.
fn major(version: &str) -> Option<u32> {
    let version = version.trim().trim_start_matches('v');
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The Node packages, as the lock file has them.
fn peers(node: Node) -> Result<bool, String> {
    if !has_node() {
        return match node {
            Node::Optional => Ok(false),
            Node::Needed => Err(by_user(NEWER_NODE)),
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

#[cfg(test)]
mod tests {
    use super::{LIBCLANG, major, packages};

    #[test]
    fn versions_begin_with_their_major_number() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major(" 18.20.4+dfsg-1~deb12u3"), Some(18));
        assert_eq!(major("(none)"), None);
    }

    #[test]
    fn packages_of_libclang_have_its_version() {
        assert_eq!(packages(&["g++", LIBCLANG], 19), ["g++", "libclang1-19", "libclang-common-19-dev"]);
    }
}
