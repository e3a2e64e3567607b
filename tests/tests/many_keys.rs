//! Many keys with bounded memory: a start that reads none of them, a listing page by page, a cache that
//! stays within its limits. `benches/million-keys.sh` runs it with a million.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::v1::{GenerateMacRequest, ListKeysRequest, MacItem, mac_result};
use kms::{Envelope, Hsm, HsmSettings, KeyId, KeyKind, Pin};
use tests::{House, hsm_module};

const TEST: &str = "many_keys_are_started_with_listed_and_used_in_bounded_memory";
/// Where a child writes the rows of new keys, and how many there shall be.
const ROWS: &str = "JINKU_TEST_ROWS";
/// How many keys stand, are used, and may be open at once.
const SIZES: [(&str, usize); 3] = [
    ("JINKU_TEST_KEYS", 12_000),
    ("JINKU_TEST_KEYS_USED", 2_000),
    ("JINKU_TEST_KEYS_CACHED", 128),
];
/// Keys of one page, the most that is served.
const PAGE: u32 = 1_000;
/// Requests at once.
const LANES: usize = 64;

/// Bytes that an open HMAC key holds in locked memory, prepared as it is, and bytes of a slab of them (`kms::locked`).
const SLOT_BYTES: usize = 256;
const SLAB_BYTES: usize = 64 * 1024;
/// What the cache counts for one open key beside its slot, with the maps around it, in bytes.
const OPEN_KEY_BYTES: usize = 1024;
/// What a page's worth of records may take on its way, from rows to messages and TLS records, in bytes.
const PAGE_BYTES: usize = 8 << 20;
/// What a vault's memory may grow by in any work: stacks of its threads, the allocator's arenas, the
/// database's pages, records of keys that were asked for (16,384 at most).
const WORK_BYTES: usize = 48 << 20;

fn size(place: usize) -> usize {
    let (name, default) = SIZES[place];
    let given = std::env::var_os(name);
    given.map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_started_with_listed_and_used_in_bounded_memory() {
    if let Some(rows) = std::env::var_os(ROWS) {
        return write_rows(Path::new(&rows), size(0));
    }
    let [count, used, cached] = [0, 1, 2].map(size);
    let mut house = installed(cached);
    let started_empty = served(&mut house);
    let empty = Memory::of(&house);
    house.stop();
    let filled = Instant::now();
    fill(&mut house);
    let filled = filled.elapsed();
    // Whoever reads this row at the start fails.
    house.sql("insert into key select 'ffffffff-ffff-4fff-bfff-ffffffffffff', 'no kind', state, owner, origin, description, tags, current, open_from, null, null, null, created_us, revision from key where owner = 'key-office' limit 1");
    let started = served(&mut house);
    house.sql("delete from key where kind = 'no kind'");
    let idle = Memory::of(&house);

    let listing = Instant::now();
    let ids = listed(&house).await;
    let listing = listing.elapsed();
    let listed = Memory::of(&house);

    let using = Instant::now();
    use_each(&house, &ids[..used]).await;
    let using = using.elapsed();
    let warm = Memory::of(&house);

    println!("keys {count}, made in {:.1} s", filled.as_secs_f64());
    let line = |what: &str, time: Duration, memory: &Memory| {
        println!(
            "{what:<28} {:>8.2} s   resident {:>7} KiB   peak {:>7} KiB   locked {:>6} KiB",
            time.as_secs_f64(),
            memory.resident / 1024,
            memory.peak / 1024,
            memory.locked / 1024
        );
    };
    line("start without keys", started_empty, &empty);
    line("start with them", started, &idle);
    line("all listed", listing, &listed);
    line(&format!("{used} used"), using, &warm);

    assert_eq!(ids.len(), count);
    assert!(
        idle.peak < empty.peak + PAGE_BYTES,
        "a start reads the keys"
    );
    assert!(
        listed.peak < idle.peak + PAGE_BYTES,
        "a listing holds more than its page"
    );
    let slabs = (cached * SLOT_BYTES).div_ceil(SLAB_BYTES) + 1;
    assert!(
        warm.locked <= idle.locked + slabs * SLAB_BYTES,
        "open keys leave no room: {} bytes are locked",
        warm.locked
    );
    assert!(
        warm.peak < listed.peak + cached * OPEN_KEY_BYTES + WORK_BYTES,
        "open keys leave no room"
    );
}

fn installed(cached: usize) -> House {
    let house = House::install();
    for few in ["= 100\n", "= 500\n"] {
        let few = format!("requests_per_second {few}");
        house.edit(
            "policies/units.toml",
            &few,
            "requests_per_second = 100000\n",
        );
    }
    let keys = format!("\n[keys]\ncache_keys_max = {cached}\n\n[ledger]\n");
    house.edit("jinku.toml", "\n[ledger]\n", &keys);
    house
}

fn served(house: &mut House) -> Duration {
    let started = Instant::now();
    house.serve();
    started.elapsed()
}

/// As the kernel counts it, in bytes.
struct Memory {
    resident: usize,
    peak: usize,
    locked: usize,
}

impl Memory {
    fn of(house: &House) -> Self {
        let status = format!("/proc/{}/status", house.vault().id());
        let status = std::fs::read_to_string(status).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
            1024 * kib.parse::<usize>().unwrap()
        };
        Self {
            resident: field("VmRSS:"),
            peak: field("VmHWM:"),
            locked: field("VmLck:"),
        }
    }
}

/// Keys as the vault would make them, wrapped by the same HSM under the same root key, written straight
/// into the stopped vault's tables.
fn fill(house: &mut House) {
    house.stop_hsm();
    let directory = house.directory();
    let rows = directory.join("rows.sql");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST])
        .env(ROWS, &rows)
        .env("JINKU_HSM_DIR", directory.join("hsm"))
        .status();
    assert!(child.unwrap().success());
    house.sql(&format!(".read {}", rows.display()));
    std::fs::remove_file(rows).unwrap();
    house.serve_hsm();
}

fn write_rows(path: &Path, count: usize) {
    let hsm = PathBuf::from(std::env::var_os("JINKU_HSM_DIR").unwrap());
    let pin = std::fs::read_to_string(hsm.with_file_name("hsm-pin")).unwrap();
    let pin = Pin::new(pin.trim().to_owned());
    let settings = HsmSettings::new(hsm_module(), "jinku-development".to_owned(), pin);
    let hsm = Arc::new(Hsm::open(&settings).unwrap());
    let root = hsm.root("jinku-root").unwrap().unwrap();
    let envelope = Envelope::new(hsm, root);
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(out, "begin;").unwrap();
    // In the tables' own order they are written fastest.
    let mut ids: Vec<KeyId> = (0..count).map(|_| KeyId::random().unwrap()).collect();
    ids.sort();
    for id in ids {
        let wrapped = envelope.generate(&id, 1, KeyKind::HmacSha256).unwrap();
        let blob = wrapped.blob().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let id = id.as_str();
        writeln!(
            out,
            "insert into key values ('{id}', 'hmac-sha-256', 'active', 'key-office', 'vault', '', \
             '{{\"group\":\"revenue\"}}', 1, 1, null, null, null, 1767225600000000, 1);\n\
             insert into key_material values ('{id}', 1, 'active', x'{blob}', 1767225600000000);"
        )
        .unwrap();
    }
    writeln!(out, "commit;").unwrap();
    out.flush().unwrap();
}

/// The ids of all keys but the vault's own, page by page to the end.
async fn listed(house: &House) -> Vec<String> {
    let keeper = house.keys(Some("key-office"));
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let request = ListKeysRequest {
            after,
            limit: Some(PAGE),
        };
        let page = keeper.list_keys(request, None).await.unwrap();
        let keys = page
            .keys
            .into_iter()
            .filter(|key| key.owner == "key-office");
        ids.extend(keys.map(|key| key.id));
        after = page.next;
        if after.is_empty() {
            return ids;
        }
    }
}

/// Each makes a code: each is opened in the HSM.
async fn use_each(house: &House, ids: &[String]) {
    let mut lanes = tokio::task::JoinSet::new();
    let client = house.keys(Some("tax-bureau"));
    for lane in ids.chunks(ids.len().div_ceil(LANES)) {
        let (lane, client) = (lane.to_vec(), client.clone());
        lanes.spawn(async move {
            for key in lane {
                let request = GenerateMacRequest {
                    key,
                    items: vec![MacItem {
                        message: b"message".to_vec(),
                    }],
                    ..GenerateMacRequest::default()
                };
                let made = client.generate_mac(request, None).await.unwrap();
                let result = made.items.into_iter().next().unwrap().result;
                assert!(matches!(result, Some(mac_result::Result::Mac(_))));
            }
        });
    }
    lanes.join_all().await;
}
