//! Compiles the contract's `.proto` files with protox: no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(
        [
            "jinku/v1/vault.proto",
            "jinku/v1/keys.proto",
            "jinku/v1/tokens.proto",
            "jinku/v1/guard.proto",
            "jinku/v1/units.proto",
            "jinku/v1/policy.proto",
        ],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        // One order of a map's pairs, everywhere.
        .btree_map(".jinku.v1")
        .compile_fds(files)?;
    Ok(())
}
