//! The HSM's PIN, kept in guarded memory for the next login, and what holders of recovery shares bring.

use kms::shares::{Collector, Share};
use tests::House;

use super::hex;
use super::image::{self, Found, Wanted};

fn pin(house: &House) -> Wanted {
    let pin = std::fs::read_to_string(house.directory().join("hsm-pin")).unwrap();
    Wanted::spelled("the PIN", pin.trim())
}

/// The PIN is there, where keys are, and nothing else is.
#[track_caller]
fn assert_only_the_pin(found: &Found) {
    let names: Vec<&String> = found.keys().collect();
    assert_eq!(names, ["the PIN"], "{found:#?}");
    let is_guarded = found["the PIN"].iter().all(|place| place.is_guarded);
    assert!(is_guarded, "outside of guarded memory: {found:#?}");
}

// Invariant 11
#[test]
fn the_pin_of_a_file_lies_in_guarded_memory_alone() {
    let house = House::open();
    if let Some(found) = image::search(house.vault(), &[pin(&house)]) {
        assert_only_the_pin(&found);
    }
}

/// A share's line as it is typed, and its bytes.
fn share(house: &House, number: u8) -> (String, Vec<Wanted>) {
    let path = format!("shares/share-{number}-of-3.txt");
    let line = std::fs::read_to_string(house.directory().join(path)).unwrap();
    let digits = line.trim().split(':').nth(4).unwrap();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    let wanted = vec![
        Wanted::spelled(format!("share {number}, as typed"), digits),
        Wanted::raw(format!("share {number}"), bytes),
    ];
    (line, wanted)
}

/// What two shares give.
fn secret(lines: &[String]) -> Vec<Wanted> {
    let mut collector = Collector::new();
    for line in lines {
        collector.take(Share::parse(line).unwrap()).unwrap();
    }
    let secret = collector.combine().unwrap();
    let spelled = hex(secret.expose());
    vec![
        Wanted::raw("the secret", secret.expose()),
        Wanted::spelled("the secret, hexadecimal", spelled),
    ]
}

// Invariant 11
#[test]
fn shares_and_what_they_give_lie_nowhere_once_the_vault_is_unsealed() {
    let mut house = House::install();
    std::fs::create_dir(house.directory().join("shares")).unwrap();
    let ceremony = ["key", "ceremony", "--threshold", "2", "--shares", "3"];
    let (well, said) = house.jinku(&[&ceremony[..], &["--share-dir", "shares"]].concat(), "");
    assert!(well, "{said}");
    house.edit("jinku.toml", "pin_file = \"hsm-pin\"", "unseal = true");
    house.serve_sealed();
    let brought = |line: &str| {
        let (well, said) = house.jinku(&["unseal"], line);
        assert!(well, "{said}");
    };
    let ((first, mut wanted), (second, more)) = (share(&house, 1), share(&house, 3));
    wanted.extend(more);
    wanted.extend(secret(&[first.clone(), second.clone()]));
    wanted.push(pin(&house));

    brought(&first);
    let Some(found) = image::search(house.vault(), &wanted) else {
        return;
    };
    // What waits for the next holder is there, once, and no longer as it was typed.
    let names: Vec<&String> = found.keys().collect();
    assert_eq!(names, ["share 1"], "{found:#?}");
    let mappings: Vec<&str> = found["share 1"]
        .iter()
        .map(|p| p.mapping.as_str())
        .collect();
    assert!(!mappings.contains(&"[stack]"), "{found:#?}");

    brought(&second);
    house.wait_until_it_listens();
    assert_only_the_pin(&image::search(house.vault(), &wanted).unwrap());
}
