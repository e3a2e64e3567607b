//! While the vault is full: who waits, who goes first, who is sent away, and what they are told.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{ask, house_with, metric, metrics, post, retry_after, retry_info};
use tests::{House, refusal, tokenize};
use tonic::Code;

const LIMITS: &str = "[limits]\nrequests_in_flight_max = 1\nrequests_waiting_max = 2\n\
                      queue_wait_ms = 15000\nrequest_timeout_ms = 60000\n";

/// Waits until so many requests are worked on and so many wait.
fn until(url: &str, in_flight: u64, waiting: u64) {
    let started = Instant::now();
    let load = || {
        let of = |name: &str| metric(url, name);
        (of("jinku_requests_in_flight"), of("jinku_requests_waiting"))
    };
    while load() != (Some(in_flight), Some(waiting)) {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", load());
        // pacing: the condition above decides, this only spares the processor
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A request that was let in and whose body does not come: it keeps the slot while this lives.
struct Slow(Child);

impl Slow {
    fn of(house: &House, unit: &str, url: &str) -> Self {
        let tls = house.directory().join("tls");
        let curl = Command::new("curl")
            .args(["--silent", "--http1.1", "--request", "POST"])
            .arg("--cacert")
            .arg(tls.join("ca.pem"))
            .arg("--cert")
            .arg(tls.join(format!("{unit}.pem")))
            .arg("--key")
            .arg(tls.join(format!("{unit}-key.pem")))
            .args([
                "--header",
                "content-type: application/json",
                "--header",
                "expect:",
            ])
            .args(["--upload-file", "-"])
            .arg(format!("https://localhost:{}/v1/tokenize", house.port()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let slow = Self(curl);
        until(url, 1, 0);
        slow
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A request of a unit on its way, and the index of its entry.
fn asking(house: &House, unit: &str) -> tokio::task::JoinHandle<Result<u64, api::ClientError>> {
    let client = house.client(Some(unit));
    tokio::spawn(async move {
        let issued = client.tokenize(tokenize("name", &["王"]), None).await?;
        Ok(issued.entry)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_vault_is_full_a_high_priority_goes_first() {
    let (settings, url) = metrics();
    let units = [
        ("parking-office", "limits.priority = \"low\""),
        ("health-bureau", "limits.priority = \"high\""),
    ];
    let mut house = house_with(&units, &format!("{LIMITS}{settings}"));
    house.serve();
    let slow = Slow::of(&house, "tax-bureau", &url);
    let low = asking(&house, "parking-office");
    until(&url, 1, 1);
    let high = asking(&house, "health-bureau");
    until(&url, 1, 2);
    drop(slow);
    let (low, high) = (low.await.unwrap().unwrap(), high.await.unwrap().unwrap());
    assert!(
        high < low,
        "the high one's entry is {high}, the low one's {low}"
    );
    until(&url, 0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_queue_is_busy_on_both_faces_and_who_hangs_up_gives_the_place_back() {
    let (settings, url) = metrics();
    let mut house = house_with(&[], &format!("{LIMITS}{settings}"));
    house.serve();
    let slow = Slow::of(&house, "tax-bureau", &url);
    let (gone, waits) = (
        asking(&house, "parking-office"),
        asking(&house, "health-bureau"),
    );
    until(&url, 1, 2);
    let refused = ask(&house, "service-counter").await.unwrap_err();
    assert_eq!(refusal(&refused), (Code::Unavailable, "busy".to_owned()));
    assert_eq!(retry_info(&refused), (Some(15), Some(15)));
    let (reply, head) = post(&house, "service-counter", "/v1/tokenize");
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (503, "busy"),
        "{}",
        reply.body
    );
    assert_eq!(retry_after(&head), Some(15), "{head}");
    // Who hangs up leaves the queue at once, and its place is another's.
    gone.abort();
    until(&url, 1, 1);
    let next = asking(&house, "service-counter");
    until(&url, 1, 2);
    drop(slow);
    waits.await.unwrap().unwrap();
    next.await.unwrap().unwrap();
    until(&url, 0, 0);
    assert!(ask(&house, "tax-bureau").await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_in_vain_is_sent_away_and_so_is_everyone_where_there_is_no_queue() {
    let (settings, url) = metrics();
    let impatient = LIMITS.replace("queue_wait_ms = 15000", "queue_wait_ms = 50");
    let without = LIMITS.replace("waiting_max = 2", "waiting_max = 0");
    for limits in [impatient, without] {
        let mut house = house_with(&[], &format!("{limits}{settings}"));
        house.serve();
        let slow = Slow::of(&house, "tax-bureau", &url);
        let refused = ask(&house, "health-bureau").await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::Unavailable, "busy".to_owned()));
        assert!(retry_info(&refused).0.is_some_and(|seconds| seconds > 0));
        until(&url, 1, 0);
        drop(slow);
        until(&url, 0, 0);
        ask(&house, "health-bureau").await.unwrap();
    }
}
