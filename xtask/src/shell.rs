//! Running other programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Debian's folder of compilers that look into the cache first.
const CCACHE: &str = "/usr/lib/ccache";

/// A program, run in the workspace. Where ccache is installed, C++ is compiled through it: by the search path, since cargo
/// would build everything again if the compiler's name changed.
pub(crate) fn program(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(args).current_dir(root());
    if Path::new(CCACHE).is_dir() {
        let mut path = OsString::from(CCACHE);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path);
    }
    command
}

/// Runs a program whose output goes where ours goes.
pub(crate) fn run(name: &str, args: &[&str]) -> Result<(), String> {
    finish(program(name, args))
}

/// Runs a prepared program.
pub(crate) fn finish(mut command: Command) -> Result<(), String> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown} failed ({status})")) }
}

/// What a program prints.
pub(crate) fn output(name: &str, args: &[&str]) -> Result<String, String> {
    let mut command = program(name, args);
    let done = command.stderr(Stdio::inherit()).output().map_err(|error| format!("{name}: {error}"))?;
    if !done.status.success() {
        return Err(format!("{name} {} failed ({})", args.join(" "), done.status));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("{name} printed something that is not text"))
}

/// Whether a program is there and answers.
pub(crate) fn answers(name: &str, args: &[&str]) -> bool {
    let tried = program(name, args).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The files that belong to the project, relative to its root.
pub(crate) fn tracked_files() -> Result<Vec<String>, String> {
    let listed = output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])?;
    let there = listed.lines().filter(|file| root().join(file).is_file());
    Ok(there.map(str::to_owned).collect())
}

/// Builds programs of the workspace; the folder they are in.
pub(crate) fn build(packages: &[&str], release: bool) -> Result<PathBuf, String> {
    let mut args = vec!["build", "--locked"];
    for package in packages {
        args.extend(["--package", package]);
    }
    if release {
        args.push("--release");
    }
    run("cargo", &args)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(if release { "release" } else { "debug" }))
}
