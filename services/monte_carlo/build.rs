//! Messages and services from the house's protos, compiled without protoc.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const PROTOS: &str = "../../proto";
const CONTRACTS: [&str; 2] = [
    "stratvector/contracts/v1/monte_carlo_service.proto",
    "stratvector/contracts/v1/monte_carlo_shards.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for contract in CONTRACTS {
        println!("cargo:rerun-if-changed={PROTOS}/{contract}");
    }
    let described = protox::compile(CONTRACTS, [PROTOS])?;
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    // What reflection shows.
    let encoded = protox::Compiler::new([PROTOS])?
        .include_imports(true)
        .open_files(CONTRACTS)?
        .encode_file_descriptor_set();
    fs::write(folder.join("contracts.bin"), encoded)?;
    tonic_prost_build::configure()
        .build_client(false)
        .compile_fds(described)?;
    Ok(())
}
