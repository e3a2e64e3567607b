//! Writes what each target begins with, real files all, into `corpus/TARGET/` of the present folder.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    for (target, _, seeds) in ledger_fuzz::TARGETS {
        let folder = Path::new("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
