//! `cargo xtask build`: the engine as wasm, its bindings, the page, the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::files;
use crate::progress::{done, note, step};
use crate::project::{Project, ask};
use crate::setup::{self, Need};

#[derive(clap::Args)]
pub struct Args {
    /// Leave the server out.
    #[arg(long)]
    app_only: bool,
}

pub fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    app(project)?;
    if !args.app_only {
        server(project, Profile::Release)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the page with the engine in it into `web/dist`, and checks its size.
pub fn app(project: &Project) -> Result<()> {
    engine(project)?;
    page(project)?;
    check_sizes(&project.path(DIST))
}

/// How carefully a program is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As the tests are.
    Dev,
    /// For use.
    Release,
}

/// Builds the server and returns its program.
pub fn server(project: &Project, profile: Profile) -> Result<PathBuf> {
    match profile {
        Profile::Dev => {
            let mut command = project.cargo();
            // With the whole workspace, so that the libraries are those that the tests have compiled.
            command.args(["build", "--workspace", "--bin", "signaling-server"]);
            step(project, "build the server", command)?;
            Ok(project.target.join("debug/signaling-server"))
        }
        Profile::Release => {
            let [server] = for_use(project, ["signaling-server"])?;
            Ok(server)
        }
    }
}

/// Builds the `lingualinked` program as the tests have it, and returns it.
pub fn program(project: &Project) -> Result<PathBuf> {
    let mut command = project.cargo();
    // With the whole workspace, so that the libraries are those that the tests have compiled.
    command.args(["build", "--workspace", "--bin", "lingualinked"]);
    step(project, "build the program that joins", command)?;
    Ok(project.target.join("debug/lingualinked"))
}

/// Builds the server and the load on it, for use, and returns both programs.
pub fn server_and_load(project: &Project) -> Result<[PathBuf; 2]> {
    for_use(project, ["signaling-server", "load"])
}

/// Builds programs and puts them where they stay. On Linux they need no library of the system that they run on.
fn for_use<const N: usize>(project: &Project, programs: [&str; N]) -> Result<[PathBuf; N]> {
    let host = host()?;
    let mut command = project.cargo();
    command.args(["build", "--release"]).args(programs.map(|name| format!("--package={name}")));
    let mut built = project.target.clone();
    let is_static = host.ends_with("-linux-gnu");
    if is_static {
        // The target is named, so that what runs while they are compiled is linked as ever.
        command.args(["--target", &host]).env("RUSTFLAGS", "-C target-feature=+crt-static");
        built.push(host);
    }
    step(project, &format!("build {} for use", programs.join(" and ")), command)?;
    let folder = project.scratch("programs")?;
    for name in programs {
        let from = built.join("release").join(name);
        let program = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if is_static && asks_for_loader(&program) {
            bail!(
                "{} needs libraries of the system: it was not linked as it should be",
                from.display()
            );
        }
        // One that runs goes on as it is.
        let _ = fs::remove_file(folder.join(name));
        fs::copy(&from, folder.join(name))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(programs.map(|name| folder.join(name)))
}

/// Whether Linux starts a program by the system's loader, which finds libraries for it: whether an ELF file of 64 bits
/// has a program header of the kind `PT_INTERP`.
fn asks_for_loader(elf: &[u8]) -> bool {
    let number = |at: usize, bytes: usize| {
        let found = elf.get(at..at + bytes).unwrap_or_default();
        found.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    };
    let (headers, header_bytes, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|index| number(headers + index * header_bytes, 4) == PT_INTERP)
}

/// What programs of this machine are compiled for.
fn host() -> Result<String> {
    let version = ask("rustc", &["--version", "--verbose"]).context("cannot run rustc")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it compiles for")?.to_owned())
}

/// Compiles the engine and the kernels' own checks side by side: linking either takes minutes of one processor.
pub fn engine_and_checks(project: &Project) -> Result<()> {
    setup::ensure(project, &[Need::Wasm])?;
    let what = [ENGINE, CHECKS].concat();
    compile(project, "the engine and the kernels' checks", &what, MODULES).map(drop)
}

/// Builds the engine's wasm and its bindings into `web/src/generated`.
pub fn engine(project: &Project) -> Result<()> {
    setup::ensure(project, &[Need::Wasm, Need::Web])?;
    let modules = compile(project, "the engine", ENGINE, MODULES)?;
    let generated = project.path(GENERATED);
    let stamp = generated.join(".stamp");
    let tools = ["Cargo.lock", "crates/xtask/src/bin/bindgen.rs", "web/package-lock.json"];
    let mut inputs = modules.clone();
    inputs.extend(tools.map(|tool| project.path(tool)));
    let wanted = files::fingerprint(&inputs, &[])? + OPTIMISER_FLAGS.join(" ").as_str();
    if files::is_fresh(&stamp, &wanted) {
        note("the engine has not changed");
        return Ok(());
    }
    bind_and_optimise(project, &modules, &generated)?;
    files::write_stamp(&stamp, &wanted)
}

/// Builds the kernels' own checks for a browser and returns their folder: `checks.js` and what it loads.
pub fn kernel_checks(project: &Project) -> Result<PathBuf> {
    setup::ensure(project, &[Need::Wasm])?;
    // With the engine beside it, the libraries have the engine's features, and are those that it has compiled.
    let what = [ENGINE, CHECKS].concat();
    let checks = compile(project, "the kernels' checks", &what, &["examples/checks"])?;
    let folder = project.scratch("kernel-checks")?;
    let stamp = folder.join(".stamp");
    let tools = ["Cargo.lock", "crates/xtask/src/bin/bindgen.rs"].map(|tool| project.path(tool));
    let inputs: Vec<PathBuf> = checks.iter().cloned().chain(tools).collect();
    let wanted = files::fingerprint(&inputs, &[])?;
    if !files::is_fresh(&stamp, &wanted) {
        bind(project, &checks, &folder)?;
        files::write_stamp(&stamp, &wanted)?;
    }
    Ok(folder)
}

fn compile(
    project: &Project,
    label: &str,
    what: &[&str],
    modules: &[&str],
) -> Result<Vec<PathBuf>> {
    let toolchain = setup::wasm_toolchain(project).context("setup left no compiler for wasm32")?;
    let mut command = toolchain.cargo_build(project);
    command.args(["--profile", PROFILE]).args(what);
    step(project, &format!("compile {label} to wasm"), command)?;
    let folder = project.target.join("wasm32-unknown-unknown").join(PROFILE);
    let modules: Vec<_> = modules.iter().map(|name| folder.join(format!("{name}.wasm"))).collect();
    for wasm in &modules {
        let bytes = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
        refuse_constructor_wrappers(&bytes)?;
    }
    Ok(modules)
}

/// Fails where the linker wrapped every export in a call of all static constructors.
///
/// That costs milliseconds per call. The wrappers keep the exports' names; their own end in `.command_export`, which only
/// the name section tells, so this looks at the module before the names are dropped.
fn refuse_constructor_wrappers(wasm: &[u8]) -> Result<()> {
    let mark = b".command_export";
    if wasm.windows(mark.len()).any(|window| window == mark) {
        bail!(
            "the linker wrapped the engine's exports (*.command_export), so each call would run every static constructor; \
             make the start function call __wasm_call_ctors itself"
        );
    }
    Ok(())
}

/// Writes the modules' bindings, and the modules as they want it, into `folder`.
fn bind(project: &Project, modules: &[PathBuf], folder: &Path) -> Result<()> {
    let mut command = project.cargo();
    command.args([
        "build",
        "--package",
        "xtask",
        "--features",
        "bindgen",
        "--bin",
        "xtask-bindgen",
    ]);
    step(project, "build the bindings' generator", command)?;
    for wasm in modules {
        let mut command = project.command(project.target.join("debug/xtask-bindgen"));
        command.arg(wasm).arg(folder);
        step(project, "write the bindings", command)?;
    }
    Ok(())
}

fn bind_and_optimise(project: &Project, modules: &[PathBuf], generated: &Path) -> Result<()> {
    let bound = project.scratch("bindings")?;
    fs::remove_dir_all(&bound)?;
    bind(project, modules, &bound)?;
    for name in MODULES {
        let module = bound.join(format!("{name}_bg.wasm"));
        let small = bound.join("small.wasm");
        let mut command = project.command("node");
        command.arg(project.path("web/node_modules/binaryen/bin/wasm-opt"));
        command.args(OPTIMISER_FLAGS).arg(&module).arg("-o").arg(&small);
        step(project, &format!("optimise {name}"), command)?;
        fs::rename(&small, &module)?;
    }
    replace_folder(&bound, generated)
}

fn replace_folder(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for file in files::list(from, &[])? {
        let relative = file.strip_prefix(from)?;
        let target = to.join(relative);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // Copied, because the target folder may be on another disk.
        fs::copy(&file, &target)
            .with_context(|| format!("cannot copy {} to {}", file.display(), target.display()))?;
    }
    Ok(())
}

fn page(project: &Project) -> Result<()> {
    let stamp = project.path("web/node_modules/.xtask-page");
    let wanted = files::fingerprint(&[project.path("web")], &["node_modules", "dist", ".stamp"])?;
    if project.path(DIST).join("index.html").is_file() && files::is_fresh(&stamp, &wanted) {
        note("the page has not changed");
        return Ok(());
    }
    let mut command = project.npm("web");
    command.args(["run", "build"]);
    step(project, "build the page", command)?;
    files::write_stamp(&stamp, &wanted)
}

/// Prints the size of every wasm file of the page and fails where they are too much, the engine alone or
/// all together.
fn check_sizes(dist: &Path) -> Result<()> {
    let start = Instant::now();
    let (mut gzip_total, mut gzip_engine) = (0, 0);
    for file in files::list(dist, &[])? {
        if file.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        let sizes = [size_of(&file, "")?, size_of(&file, ".gz")?, size_of(&file, ".br")?];
        gzip_total += sizes[1];
        let name = file.file_name().unwrap_or_default().display().to_string();
        if name.starts_with(ENGINE_FILE) {
            gzip_engine += sizes[1];
        }
        let [raw, gzip, brotli] = sizes.map(megabytes);
        note(&format!("{name}: {raw} MB, {gzip} MB gzip, {brotli} MB brotli"));
    }
    if gzip_engine == 0 {
        bail!("{} has no compressed engine; delete the folder and build again", dist.display());
    }
    check_size("the engine", gzip_engine, ENGINE_GZIP_LIMIT_BYTES)?;
    check_size("all wasm", gzip_total, GZIP_LIMIT_BYTES)?;
    let [engine, total] = [gzip_engine, gzip_total].map(megabytes);
    done(&format!("wasm is {total} MB gzip in all, {engine} MB where only a stage runs"), start);
    Ok(())
}

fn check_size(what: &str, bytes: u64, limit: u64) -> Result<()> {
    if bytes > limit {
        let [found, limit] = [bytes, limit].map(megabytes);
        bail!(
            "{what} is {found} MB with gzip, more than {limit} MB; look for a new dependency or a lost profile setting"
        );
    }
    Ok(())
}

fn size_of(file: &Path, suffix: &str) -> Result<u64> {
    let path = PathBuf::from(format!("{}{suffix}", file.display()));
    let metadata =
        fs::metadata(&path).with_context(|| format!("the page has no {}", path.display()))?;
    Ok(metadata.len())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

/// Of program headers, as the System V ABI numbers their kinds.
const PT_INTERP: usize = 3;
/// The built app.
pub const DIST: &str = "web/dist";
/// The bundled models.
pub const MODELS: &str = "models/stories";
const ENGINE: &[&str] =
    &["--package", "web", "--package", "web-text", "--package", "web-scan", "--lib"];
/// What the engine's packages are built into.
const MODULES: &[&str] = &["lingualinked", "lingualinked_text", "lingualinked_scan"];
/// How the bundler's name of the engine begins.
const ENGINE_FILE: &str = "lingualinked_bg";
const CHECKS: &[&str] = &["--package", "kernels", "--example", "checks"];
const GENERATED: &str = "web/src/generated";
const PROFILE: &str = "wasm-release";
/// All wasm that a page loads, before its first token, as `gzip -9` makes it.
const GZIP_LIMIT_BYTES: u64 = 3_000_000;
/// What a phone loads that only runs a stage.
const ENGINE_GZIP_LIMIT_BYTES: u64 = 2_200_000;
/// The features are those that rustc turns on for the target by itself, and vectors.
const OPTIMISER_FLAGS: &[&str] = &[
    "-O3",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_exports_are_refused() {
        assert!(refuse_constructor_wrappers(b"\0asm name main.command_export").is_err());
        assert!(refuse_constructor_wrappers(b"\0asm name main").is_ok());
    }

    /// Rust's tests are linked with the system's libraries there.
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    fn programs_that_want_a_loader_are_told_from_others() {
        let mut elf = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(asks_for_loader(&elf));
        // Without program headers.
        elf[56..58].fill(0);
        assert!(!asks_for_loader(&elf));
    }

    #[test]
    fn megabytes_are_decimal() {
        assert_eq!(megabytes(GZIP_LIMIT_BYTES), "3.00");
    }
}
