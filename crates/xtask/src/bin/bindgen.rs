//! `xtask-bindgen IN.wasm OUT_DIR`: writes the JavaScript and TypeScript bindings of a module built for wasm32.
//!
//! The command line tool of wasm-bindgen is not used: it would have to be installed, and its version has to be
//! exactly the library's. The module must not be stripped yet; the generator reads its `target_features` section.

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let usage = "usage: xtask-bindgen IN.wasm OUT_DIR";
    let input = args.next().context(usage)?;
    let out_dir = args.next().context(usage)?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(&input)
        .web(true)?
        .typescript(true)
        // `init()` finds the module beside its script, where bundlers look for it too.
        .omit_default_module_path(false)
        .generate(&out_dir)
        .with_context(|| format!("cannot write bindings for {}", input.display()))
}
