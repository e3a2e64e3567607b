//! `jinku`: the vault's command line.

fn main() -> std::process::ExitCode {
    vault::cli::run()
}
