//! Attacks on the files: bundles, tiles, items; cut, torn, gone, too long, or led elsewhere.

use std::os::unix::fs::symlink;

use ledger::tile::{bundle, entries_path, items_path, tile_path};
use ledger::verify::Code;

use super::scene::{At, Attack};
use crate::forge::write_history;

const BUNDLE_1: &str = "tile/entries/001";
const TILE_1: &str = "tile/0/001";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "T04",
        what: "a hash of a leaf tile is changed, the entries kept",
        make: |scene| {
            scene.flip(TILE_1, 40)?;
            scene.judged()
        },
        code: Code::TileHash,
        exit: 2,
        at: At::Seq(257),
    },
    Attack {
        id: "T04",
        what: "a hash of an upper tile is changed, all below it kept",
        make: |scene| {
            scene.flip("tile/1/000.p/2", 40)?;
            scene.judged()
        },
        code: Code::TileHash,
        exit: 2,
        at: At::File("tile/1/000.p/2"),
    },
    Attack {
        id: "T05",
        what: "a whole leaf tile is forged that lazy readers believe (CVE-2026-56865)",
        make: |scene| {
            scene.change("tile/0/000", |tile| {
                for byte in tile {
                    *byte ^= 0x55;
                }
            })?;
            scene.judged()
        },
        code: Code::TileHash,
        exit: 2,
        at: At::File("tile/0/000"),
    },
    Attack {
        id: "T11",
        what: "the tail is cut off, the checkpoint kept",
        make: |scene| {
            for path in [
                entries_path(2, Some(188)),
                tile_path(0, 2, Some(188)),
                items_path(2, Some(188)),
            ] {
                scene.remove(&path)?;
            }
            scene.judged()
        },
        code: Code::FileMissing,
        exit: 5,
        at: At::Seq(600),
    },
    Attack {
        id: "T38",
        what: "a length is changed, so that two entries become one",
        make: |scene| {
            let entries = scene.bundle(1);
            let mut bytes = bundle(&entries[..44]);
            let both = [entries[44].as_slice(), &[0, 0], &entries[45]].concat();
            bytes.extend(bundle(&[both]));
            bytes.extend(bundle(&entries[46..]));
            scene.put(BUNDLE_1, &bytes)?;
            scene.judged()
        },
        code: Code::BundleFraming,
        exit: 2,
        at: At::Seq(511),
    },
    Attack {
        id: "T38",
        what: "a byte stands behind the last entry of a bundle",
        make: |scene| {
            scene.change(BUNDLE_1, |bytes| bytes.push(0))?;
            scene.judged()
        },
        code: Code::BundleFraming,
        exit: 2,
        at: At::File(BUNDLE_1),
    },
    Attack {
        id: "T39",
        what: "a bundle is torn in the midst of an entry",
        make: |scene| {
            scene.change(BUNDLE_1, |bytes| bytes.truncate(bytes.len() - 20))?;
            scene.judged()
        },
        code: Code::BundleFraming,
        exit: 2,
        at: At::Seq(511),
    },
    Attack {
        id: "T40",
        what: "a run of entries is overwritten with zeros",
        make: |scene| {
            scene.change(BUNDLE_1, |bytes| bytes[2000..6000].fill(0))?;
            scene.judged()
        },
        code: Code::EntryMalformed,
        exit: 2,
        at: At::File(BUNDLE_1),
    },
    Attack {
        id: "T41",
        what: "a bundle is gone (azul 84)",
        make: |scene| {
            scene.remove(BUNDLE_1)?;
            scene.judged()
        },
        code: Code::FileMissing,
        exit: 5,
        at: At::File(BUNDLE_1),
    },
    Attack {
        id: "T41",
        what: "a hash tile is gone",
        make: |scene| {
            scene.remove(TILE_1)?;
            scene.judged()
        },
        code: Code::FileMissing,
        exit: 5,
        at: At::File(TILE_1),
    },
    Attack {
        id: "T42",
        what: "a partial bundle differs from the full one beside it",
        make: |scene| {
            scene.flip("tile/entries/001.p/44", 30)?;
            scene.judged()
        },
        code: Code::PartialDiffers,
        exit: 2,
        at: At::File("tile/entries/001.p/44"),
    },
    Attack {
        id: "T42",
        what: "a partial tile has more hashes than its name says",
        make: |scene| {
            scene.change("tile/0/001.p/44", |bytes| bytes.extend([7; 32]))?;
            scene.judged()
        },
        code: Code::PartialDiffers,
        exit: 2,
        at: At::File("tile/0/001.p/44"),
    },
    Attack {
        id: "T43",
        what: "a symbolic link leads out of the archive, to the right bytes",
        make: |scene| {
            let moved = scene.dir.with_extension("elsewhere");
            std::fs::rename(scene.dir.join(BUNDLE_1), &moved)?;
            symlink(&moved, scene.dir.join(BUNDLE_1))?;
            scene.judged()
        },
        code: Code::LinkRefused,
        exit: 5,
        at: At::File(BUNDLE_1),
    },
    Attack {
        id: "T43",
        what: "a stranger's file lies in the archive, under a name that looks like a tile's",
        make: |scene| {
            scene.put("tile/0/0001", b"?")?;
            scene.judged()
        },
        code: Code::UnexpectedFile,
        exit: 1,
        at: At::File("tile/0/0001"),
    },
    Attack {
        id: "T44",
        what: "a bundle of a terabyte",
        make: |scene| {
            let file = std::fs::File::options()
                .write(true)
                .open(scene.dir.join(BUNDLE_1))?;
            file.set_len(1 << 40)?;
            scene.judged()
        },
        code: Code::FileTooLarge,
        exit: 5,
        at: At::File(BUNDLE_1),
    },
    Attack {
        id: "T53",
        what: "an item kept beside its entry is changed",
        make: |scene| {
            scene.change("items/001", |bytes| {
                if let Some(at) = bytes.windows(11).position(|part| part == b"national-id") {
                    bytes[at] = b'r';
                }
            })?;
            scene.judged()
        },
        code: Code::ItemsAltered,
        exit: 2,
        at: At::File("items/001"),
    },
    Attack {
        id: "T53",
        what: "the items of a bundle are gone",
        make: |scene| {
            scene.remove("items/001")?;
            scene.judged()
        },
        code: Code::FileMissing,
        exit: 5,
        at: At::File("items/001"),
    },
    Attack {
        id: "T39",
        what: "entries behind the checkpoint that nobody signed (journald's unsealed epochs)",
        make: |scene| {
            scene.put("checkpoint", scene.log.note(300)?.as_bytes())?;
            write_history(&scene.dir, &[scene.log.note(1)?, scene.log.note(300)?])?;
            scene.judged()
        },
        code: Code::BeyondCheckpoint,
        exit: 1,
        at: At::File("tile/entries/001"),
    },
];
