//! Checkpoints that are signed a second time, with ML-DSA-44: `cryptography`'s own (PyPI) verifies them too.

use std::path::Path;
use std::process::Command;

use ledger::{Cosigned, SecondKey, read_frames};
use tests::{House, Witness};

use super::{audited, checkpoint, followed, key, published, rotated, sign_with, tokenized, until};

/// What C2SP tlog-cosignature says, written down once more.
const PEER: &str = r#"
import base64, hashlib, struct, sys
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
note, vkey = open(sys.argv[1], encoding="utf-8").read(), open(sys.argv[2]).read().strip()
name, _, key = vkey.split("+", 2)
key = base64.b64decode(key)
assert key[0] == 6 and len(key) == 1313
identity = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
text, _, lines = note.rpartition("\n\n")
origin, size, root = text.split("\n")
own = [base64.b64decode(line.split(" ")[2]) for line in lines.splitlines() if line.split(" ")[1] == name]
own = [blob[4:] for blob in own if blob[:4] == identity]
assert len(own) == 1
named = lambda text: bytes([len(text.encode())]) + text.encode()
message = b"subtree/v1\n\0" + named(name) + own[0][:8] + named(origin) + struct.pack(">QQ", 0, int(size)) + base64.b64decode(root)
MLDSA44PublicKey.from_public_bytes(key[1:]).verify(own[0][8:], message)
print("holds")
"#;

fn second_key(house: &House) -> SecondKey {
    let text = std::fs::read_to_string(house.directory().join("data/ledger-second-key"));
    SecondKey::parse(text.unwrap().trim()).unwrap()
}

/// Every checkpoint that was ever published.
fn archived(house: &House) -> Vec<String> {
    let mut folders = vec![house.directory().join("data/ledger/checkpoints")];
    let mut notes = Vec::new();
    while let Some(folder) = folders.pop() {
        for name in std::fs::read_dir(folder).unwrap() {
            let path = name.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                notes.extend(read_frames(&text).unwrap().into_iter().map(str::to_owned));
            }
        }
    }
    notes
}

fn peer(note: &Path, key: &Path) {
    let python = std::env::var_os("JINKU_TEST_PEERS")
        .expect("JINKU_TEST_PEERS names no Python: run `bash tests/run.sh`, which provides one");
    if python == "none" {
        println!("skipped: there is no Python 3.12");
        return;
    }
    let mut command = Command::new(python);
    let output = command
        .args(["-c", PEER])
        .arg(note)
        .arg(key)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_signed_a_second_time_and_others_verify_it() {
    let mut house = House::open();
    tokenized(&house, 1).await;
    house.stop();
    let witness = Witness::watching(&house.directory().join("w"), "w1", &house.ledger_key());
    house.witnessed_by(&[witness.line()], 1, "");
    house.edit(
        "jinku.toml",
        "[ledger]\n",
        "[ledger]\nsecond_signature = \"ml-dsa-44\"\n",
    );
    house.serve();
    tokenized(&house, 2).await;
    until(&house, || published(&house));
    house.stop();
    let second = second_key(&house);
    assert!(matches!(
        second.signed(&checkpoint(&house)),
        Ok(Cosigned::At(1..))
    ));
    let (note, file) = (
        house.directory().join("data/ledger/checkpoint"),
        house.directory().join("data/ledger-second-key"),
    );
    peer(&note, &file);
    let verified = |house: &House, name: &str| {
        let archive = house.export(name);
        let arguments = ["verify", archive.to_str().unwrap(), "--second-key-file"];
        audited(
            &key(house),
            &[&arguments[..], &[file.to_str().unwrap()]].concat(),
        )
    };
    let (exit, said) = verified(&house, "first");
    assert!(
        exit == Some(0) && said.contains("a second time (ML-DSA-44)"),
        "{said}"
    );
    let (exit, said) = house.verify_in_python(&house.directory().join("first"));
    assert!(
        exit == 0 && said.contains("not looked at: 2 more lines below the checkpoint"),
        "{said}"
    );
    // The archive keeps one a minute: it vouches for what came before, too.
    let signed = archived(&house);
    let signed = signed.iter().map(|note| second.signed(note).unwrap());
    let (good, none): (Vec<_>, Vec<_>) = signed.partition(|one| matches!(one, Cosigned::At(1..)));
    assert!(!good.is_empty(), "none was archived");
    assert!(none.iter().all(|one| *one == Cosigned::Missing), "{none:?}");
    // Another start is the same key; a handover of the first one is signed by it too.
    drop(witness);
    let old = key(&house);
    let settings = std::fs::read_to_string(house.directory().join("jinku.toml")).unwrap();
    let (before, _) = settings.split_once("[ledger.witnesses]").unwrap();
    std::fs::write(house.directory().join("jinku.toml"), before).unwrap();
    let (well, said) = rotated(&house, "jinku-ledger-2");
    assert!(well, "{said}");
    assert_eq!(followed(&house, old).rotations().len(), 1);
    assert!(matches!(
        second.signed(&checkpoint(&house)),
        Ok(Cosigned::At(1..))
    ));
    sign_with(&house, "jinku-ledger-2");
    house.serve();
    tokenized(&house, 1).await;
    house.stop();
    assert_eq!(second_key(&house), second);
    let (exit, said) = verified(&house, "second");
    assert_eq!(exit, Some(0), "{said}");
    // The file names another key: the vault says so and does not start.
    let genuine = std::fs::read_to_string(&file).unwrap();
    let other = SecondKey::new(second.name(), &[7; 1312]).unwrap();
    std::fs::write(&file, format!("{other}\n")).unwrap();
    let said = house.refuses_to_serve();
    assert!(said.contains("names another key"), "{said}");
    std::fs::write(&file, genuine).unwrap();
    // Without the setting there is none, and who demands it is told.
    house.edit("jinku.toml", "second_signature = \"ml-dsa-44\"\n", "");
    house.serve();
    tokenized(&house, 1).await;
    house.stop();
    let (exit, said) = verified(&house, "third");
    assert!(exit == Some(3) && said.contains("second-missing"), "{said}");
}
