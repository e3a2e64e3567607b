//! Certificates while the vault runs: revoked, ended, renewed, of another authority; and named by their subject.

use std::time::{Duration, Instant};

use api::{Client, ClientError};
use tests::{Authority, DnName, Holder, House, has_entry, refusal, tokenize};
use tonic::Code;

const TAX: &str = "tax-bureau";
const PARKING: &str = "parking-office";
const RENEWED: &str = "new TLS material serves";
const REFUSED: &str = "the TLS material stays as it was";
const DAY: u64 = 86_400;

fn uri(unit: &str) -> String {
    format!("spiffe://jinku.example/unit/{unit}")
}

/// An installation whose authority is the test's, with more lines in `[listen]`. It does not run.
fn installed(authority: &Authority, listen: &str) -> House {
    let house = House::install();
    house.edit("jinku.toml", "\n[hsm]\n", &format!("{listen}\n[hsm]\n"));
    house.replace_tls("ca.pem", authority.pem());
    house.replace_pair("vault", &authority.server());
    for (serial, unit) in [(7, TAX), (8, PARKING)] {
        let pair = authority.client(Holder::Uri(&uri(unit)), serial, DAY);
        house.replace_pair(unit, &pair);
    }
    house
}

async fn asked(client: &Client) -> Result<(), ClientError> {
    let request = tokenize("name", &["王測試"]);
    client.tokenize(request, None).await.map(drop)
}

#[track_caller]
fn unauthenticated(answer: Result<(), ClientError>, code: &str) {
    let found = refusal(&answer.unwrap_err());
    assert_eq!(found, (Code::Unauthenticated, code.to_owned()));
}

/// Asks again until the vault's own refusal comes, and gives its code. No new connection is made meanwhile.
async fn refused_in_time(client: &Client) -> String {
    let started = Instant::now();
    loop {
        match asked(client).await {
            Err(error) => return refusal(&error).1,
            Ok(()) => assert!(started.elapsed() < Duration::from_secs(30), "it counts on"),
        }
        // pacing: certificates and lists end by the clock
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn readiness(house: &House) -> String {
    house.curl(None, "/readyz", &[]).body
}

fn readiness_becomes(house: &House, words: &str) {
    let started = Instant::now();
    while !readiness(house).starts_with(words) {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{}",
            readiness(house)
        );
        // pacing: the files are looked at once a second
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_certificate_is_refused_on_its_standing_connection_too() {
    let authority = Authority::new("one");
    let mut house = installed(&authority, "crl = [\"tls/ca.crl\"]");
    house.replace_tls("ca.crl", &authority.revoked(&[], 1, DAY));
    house.serve();
    let (tax, parking) = (house.client(Some(TAX)), house.client(Some(PARKING)));
    asked(&tax).await.unwrap();
    asked(&parking).await.unwrap();

    house.replace_tls("ca.crl", &authority.revoked(&[7], 2, DAY));
    house.hang_up(RENEWED);
    unauthenticated(asked(&tax).await, "certificate-revoked");
    unauthenticated(asked(&tax).await, "certificate-revoked");
    asked(&parking).await.unwrap();
    // A new connection of the revoked one does not come about: no vault's answer, and none of its details.
    match asked(&house.client(Some(TAX))).await {
        Err(ClientError::Refused(status)) => assert!(status.details().is_empty(), "{status:?}"),
        other => panic!("{other:?}"),
    }
    asked(&house.client(Some(PARKING))).await.unwrap();

    drop((tax, parking));
    let entries = house.audited();
    let facts = [
        ("operation", "auth-refused"),
        ("unit", TAX),
        ("reason", "certificate-revoked"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_ends_takes_its_connection_with_it() {
    let authority = Authority::new("one");
    let mut house = installed(&authority, "");
    house.serve();
    let ending = authority.client(Holder::Uri(&uri(TAX)), 9, 8);
    house.replace_pair(TAX, &ending);
    let (tax, parking) = (house.client(Some(TAX)), house.client(Some(PARKING)));
    asked(&tax).await.unwrap();
    asked(&parking).await.unwrap();
    assert_eq!(refused_in_time(&tax).await, "certificate-expired");
    unauthenticated(asked(&tax).await, "certificate-expired");
    asked(&parking).await.unwrap();
    drop((tax, parking));
    let entries = house.audited();
    let facts = [
        ("operation", "auth-refused"),
        ("unit", TAX),
        ("reason", "certificate-expired"),
    ];
    assert!(has_entry(&entries, &facts));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_and_authority_are_renewed_without_a_restart_and_a_bad_pair_changes_nothing() {
    let (first, second) = (Authority::new("one"), Authority::new("two"));
    let mut house = installed(&first, "reload_seconds = 3600");
    house.serve();
    let tax = house.client(Some(TAX));
    asked(&tax).await.unwrap();
    assert_eq!(readiness(&house), "ready\n");

    // A certificate whose key is another's: last good serves on, and says so.
    let (certificate, _) = first.server();
    house.replace_tls("vault.pem", &certificate);
    house.hang_up(REFUSED);
    readiness_becomes(&house, "degraded: the TLS material stays as it was");
    asked(&tax).await.unwrap();
    asked(&house.client(Some(PARKING))).await.unwrap();
    house.replace_tls("vault.pem", "no certificate");
    house.hang_up(REFUSED);
    asked(&house.client(Some(PARKING))).await.unwrap();

    // Both authorities for a while, as one would: the server's certificate is the second's.
    house.replace_tls("ca.pem", &format!("{}{}", first.pem(), second.pem()));
    house.replace_pair("vault", &second.server());
    house.hang_up(RENEWED);
    assert_eq!(readiness(&house), "ready\n");
    asked(&tax).await.unwrap();
    let renewed = second.client(Holder::Uri(&uri(PARKING)), 1, DAY);
    house.replace_pair(PARKING, &renewed);
    let parking = house.client(Some(PARKING));
    asked(&parking).await.unwrap();

    // Then the first one goes: whoever has its certificate is believed no longer, on standing connections either.
    house.replace_tls("ca.pem", second.pem());
    house.hang_up(RENEWED);
    unauthenticated(asked(&tax).await, "certificate-revoked");
    asked(&parking).await.unwrap();
    assert!(asked(&house.client(Some(TAX))).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outdated_list_counts_as_the_settings_say_and_files_are_looked_at_now_and_then() {
    for (policy, counts_on) in [("refuse", false), ("accept", true)] {
        let authority = Authority::new("one");
        let listen =
            format!("crl = [\"tls/ca.crl\"]\ncrl_outdated = \"{policy}\"\nreload_seconds = 1");
        let mut house = installed(&authority, &listen);
        house.replace_tls("ca.crl", &authority.revoked(&[8], 1, 12));
        house.serve();
        let tax = house.client(Some(TAX));
        asked(&tax).await.unwrap();
        assert!(asked(&house.client(Some(PARKING))).await.is_err());
        if counts_on {
            // pacing: the list ends by the clock, and nothing else shows it
            tokio::time::sleep(Duration::from_secs(13)).await;
            asked(&tax).await.unwrap();
            asked(&house.client(Some(TAX))).await.unwrap();
            assert_eq!(readiness(&house), "ready\n");
        } else {
            assert_eq!(refused_in_time(&tax).await, "certificate-revoked");
            assert!(asked(&house.client(Some(TAX))).await.is_err());
            readiness_becomes(
                &house,
                "degraded: a certificate revocation list is outdated",
            );
            house.replace_tls("ca.crl", &authority.revoked(&[8], 2, DAY));
            readiness_becomes(&house, "ready");
            asked(&tax).await.unwrap();
            asked(&house.client(Some(TAX))).await.unwrap();
        }
        // Nobody is let in that it names, old or new.
        assert!(asked(&house.client(Some(PARKING))).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_is_known_by_its_whole_subject_in_one_spelling() {
    let authority = Authority::new("one");
    let mut house = installed(&authority, "");
    house.edit(
        "policies/units.toml",
        "certificate_uri = \"spiffe://jinku.example/unit/tax-bureau\"\n",
        "certificate_subject = 'cn=稅\\, 捐,O=City,C=TW'\n",
    );
    house.serve();
    let attempt = async |names: &[(DnName, &str)]| {
        house.replace_pair(TAX, &authority.client(Holder::Subject(names), 3, DAY));
        asked(&house.client(Some(TAX))).await
    };
    attempt(&[
        (DnName::C, "TW"),
        (DnName::O, "City"),
        (DnName::Cn, "稅, 捐"),
    ])
    .await
    .unwrap();
    for names in [
        &[
            (DnName::O, "City"),
            (DnName::C, "TW"),
            (DnName::Cn, "稅, 捐"),
        ][..],
        &[(DnName::C, "TW"), (DnName::O, "City"), (DnName::Cn, "稅")][..],
        &[
            (DnName::C, "TW"),
            (DnName::O, "city"),
            (DnName::Cn, "稅, 捐"),
        ][..],
        &[(DnName::C, "TW"), (DnName::Cn, "稅, 捐,O=City")][..],
        &[(DnName::Cn, "稅, 捐")][..],
    ] {
        unauthenticated(attempt(names).await, "certificate-unknown");
    }
    assert_eq!(house.rows(), 1);
}
