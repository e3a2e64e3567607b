//! Many values under a grant: others approve it, the command names it, the ledger says which it was.

use serde_json::Value;
use tests::{House, Program, has_entry};

use super::{Run, bytes, detokenize, path, tidy, tokenize, write};

/// Asks for the grant and for the values; see `policies/units.toml`.
const REVENUE: &str = "tax-bureau";
const GUARD: &str = "guard-office";
/// Guards too, in these tests.
const LIBRARY: &str = "public-library";

const ROWS: usize = 2_000;
const NAMES: &str = "domain = 'city'\n[[column]]\nname = 'name'\nclass = 'name'\n";

/// Two others approve a grant; without one, 2 items at once and 20 values an hour.
fn house() -> House {
    let mut house = House::install();
    let budgets = "[[budget]]\nname = \"hourly\"\nwindow_seconds = 3600\nvalues_max = 20\n\
        [grants]\napprovals = 2\n";
    write(&house, "policies/budgets.toml", budgets);
    house.edit(
        "jinku.toml",
        "\n[ledger]\n",
        "\n[limits]\ndetokenize_items_without_grant = 2\n[ledger]\n",
    );
    house.edit(
        "policies/units.toml",
        "clearance = \"internal\"\ngroups = [\"city\"]",
        "clearance = \"internal\"\ngroups = [\"city\", \"guards\"]",
    );
    house.serve();
    house
}

fn sample() -> String {
    let row = |n: usize| format!("name {n},note {n}\n");
    format!("name,note\n{}", (0..ROWS).map(row).collect::<String>())
}

/// `jinku grant …` by a unit: what it says, which must be well.
#[track_caller]
fn grant(house: &House, by: &str, arguments: &[&str]) -> Value {
    let connection = ["--json", "--installation", ".", "--unit", by];
    let arguments = [&["grant"], arguments, &connection].concat();
    let (well, said) = house.jinku(&arguments, "");
    assert!(well, "{said}");
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
}

/// A grant that both others have approved.
fn approved(house: &House, values: &str) -> String {
    let purpose = ["--purpose", "tax-assessment", "--domain", "city"];
    let wish = ["request", "--class", "name", "--values", values];
    let asked = grant(house, REVENUE, &[&wish[..], &purpose].concat());
    let id = asked["id"].as_str().unwrap();
    let once = grant(house, GUARD, &["approve", id]);
    assert_eq!(once["state"], "pending");
    let twice = grant(house, LIBRARY, &["approve", id]);
    assert_eq!(twice["state"], "active");
    id.to_owned()
}

/// The file's values, so many at a time.
fn back<'a>(house: &'a House, batch_items: &str) -> Run<'a> {
    let to = ["--out", "back.csv", "--in-flight", "2"];
    let run = detokenize(house, "in.tokenized.csv").with(&to);
    run.with(&["--batch-items", batch_items])
}

/// Rows that are in the output for good.
fn rows_done(house: &House) -> Option<u64> {
    let text = std::fs::read(path(house, "back.csv.progress")).ok()?;
    serde_json::from_slice::<Value>(&text).ok()?["rows"].as_u64()
}

#[test]
fn many_values_take_a_grant_that_two_others_approved_and_a_stopped_run_goes_on_under_one() {
    let mut house = house();
    write(&house, "in.csv", sample());
    tokenize(&house, "in.csv", NAMES).whole();

    // Too many at once, and too many in an hour: both say what to do, and leave nothing behind.
    back(&house, "4").refused("grant-needed: more than 2 items need a grant");
    tidy(&house);
    let said = back(&house, "2").refused("budget-exceeded");
    assert!(said.err.contains("name it with --grant"), "{}", said.err);
    back(&house, "4")
        .with(&["--grant", "7", "--force"])
        .refused("64 hexadecimal digits");

    // One that is spent in the middle gives way to another, in the same run.
    let small = approved(&house, "102");
    let stopped = back(&house, "4").with(&["--grant", &small, "--force"]);
    let said = stopped.refused("grant-spent");
    assert!(said.err.contains("--resume goes on"), "{}", said.err);
    assert!(rows_done(&house).is_some_and(|rows| rows > 0));

    let large = approved(&house, "5000");
    let run = || back(&house, "4").with(&["--grant", &large, "--resume"]);
    let before = rows_done(&house);
    let mut command = run().command(REVENUE);
    let mut killed = Program::start(&mut command, &path(&house, "run.log"));
    killed.wait_for(|| rows_done(&house) > before);
    killed.kill();
    let said = run().whole();
    assert_eq!(
        (&said["rows"], &said["resumed"]),
        (&ROWS.into(), &true.into())
    );
    tidy(&house);
    assert!(
        bytes(&house, "back.csv") == sample().as_bytes(),
        "a row is lost, doubled or altered"
    );

    // The ledger shows who asked, who approved, and under which grant each value left.
    let entries = house.audited();
    for (operation, unit) in [
        ("grant-request", REVENUE),
        ("grant-approve", GUARD),
        ("grant-approve", LIBRARY),
        ("detokenize", REVENUE),
    ] {
        let facts = [
            ("operation", operation),
            ("outcome", "ok"),
            ("unit", unit),
            ("commitment", large.as_str()),
        ];
        assert!(has_entry(&entries, &facts), "{operation} by {unit}");
    }
    let spent = [
        ("operation", "detokenize"),
        ("outcome", "denied"),
        ("reason", "grant-spent"),
        ("commitment", small.as_str()),
    ];
    assert!(has_entry(&entries, &spent));
}
