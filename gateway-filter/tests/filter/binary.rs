//! The program itself: its command line, its address file, its end, over a vault with TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::city::{SETTINGS, Upstream};
use crate::vault_client::{TurningVault, start};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_jinku-filter"));
    program
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    program
}

fn write_settings(folder: &Path, vault: SocketAddr, upstream: SocketAddr) {
    let text = SETTINGS
        .replace("EXTPROC", "")
        .replace("LIMITS", "")
        .replace("PROXY", &format!("upstream = \"http://{upstream}\""))
        .replace("VAULT", &vault.port().to_string());
    std::fs::write(folder.join("filter.toml"), text).unwrap();
}

struct Front {
    program: Child,
    address: String,
    log: Lines<BufReader<ChildStderr>>,
}

/// Starts a front on a free port; it is ready when it says so.
async fn front(name: &str, folder: &Path) -> Front {
    let file = folder.join("address");
    let mut program = program()
        .args([name, "--listen", "127.0.0.1:0", "--config"])
        .arg(folder.join("filter.toml"))
        .arg("--address-file")
        .arg(&file)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
    let line = log.next_line().await.unwrap().expect("a line");
    let address = std::fs::read_to_string(file).unwrap();
    assert!(
        line.contains(&format!("listening on http://{address}")),
        "{line}"
    );
    Front {
        program,
        address,
        log,
    }
}

async fn terminated(mut front: Front) {
    let id = front.program.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    assert!(front.program.wait().await.unwrap().success());
    let line = front.log.next_line().await.unwrap().unwrap();
    assert!(line.contains("shutting down"), "{line}");
}

#[tokio::test]
async fn the_proxy_works_from_its_file_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let vault = TurningVault::default();
    let upstream = Upstream::echo().await;
    write_settings(
        folder.path(),
        start(vault.clone(), folder.path()).await,
        upstream.address,
    );
    let front = front("proxy", folder.path()).await;

    let body = r#"{"payer":{"national_id":"A1"},"items":[]}"#;
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    let request = format!(
        "POST /payments/card HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         authorization: Bearer unit\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(body),
        "{answer}"
    );
    assert_eq!(upstream.last_body(), body.replace("A1", "1A"));
    assert_eq!(
        *vault.proofs.lock().unwrap(),
        [Some("Bearer unit".to_owned())]
    );
    terminated(front).await;
}

#[tokio::test]
async fn ext_proc_announces_itself_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let vault = start(TurningVault::default(), folder.path()).await;
    write_settings(folder.path(), vault, "127.0.0.1:1".parse().unwrap());
    terminated(front("ext-proc", folder.path()).await).await;
}

#[tokio::test]
async fn check_prints_the_routes_or_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let vault = start(TurningVault::default(), folder.path()).await;
    write_settings(folder.path(), vault, "127.0.0.1:1".parse().unwrap());
    let file = folder.path().join("filter.toml");
    let output = program()
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[0][0], "ROUTE");
    assert_eq!(
        lines[1][..5],
        ["payments", "*", "POST", "/payments/{kind}", "city"]
    );
    assert_eq!(lines[1][5..], ["tokenize", "2", "detokenize", "1"]);

    let wrong = std::fs::read_to_string(&file)
        .unwrap()
        .replace("$.name", "$.name[1:2");
    std::fs::write(&file, wrong).unwrap();
    let output = program()
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("route `import`: field `$.name[1:2`") && text.contains("a slice"));
}

/// The program's stdout; it must succeed.
async fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = program()
        .args(arguments)
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn check_against_a_sample_prints_what_would_be_replaced_and_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let vault = start(TurningVault::default(), folder.path()).await;
    write_settings(folder.path(), vault, "127.0.0.1:1".parse().unwrap());
    let body = "{\"payer\":{\n \"national_id\":\"A123456789\"},\"items\":[{\"pan\":\"41\"}]}";
    std::fs::write(folder.path().join("sample.json"), body).unwrap();
    let check = ["check", "filter.toml", "--against", "sample.json"];
    let text = printed(folder.path(), &check).await;
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..3], ["LINE", "COLUMN", "FIELD"]);
    let first = [
        "2",
        "16",
        "$.payer.national_id",
        "10",
        "tokenize",
        "national-id",
    ];
    assert_eq!(lines[1], first);
    assert_eq!(lines[2][2..], ["$.items[*].pan", "2", "tokenize", "pan"]);
    assert!(!text.contains("A123456789"));
    let rewritten = printed(folder.path(), &[&check[..], &["--rewritten"]].concat()).await;
    assert_eq!(
        rewritten,
        body.replace("A123456789", "TOKEN").replace("41", "TOKEN")
    );

    std::fs::write(folder.path().join("sample.json"), "{\"a\":1,\"a\":2}").unwrap();
    let output = program()
        .args(check)
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("an object has the same key twice"), "{text}");
}

#[tokio::test]
async fn discover_proposes_what_check_takes() {
    let folder = tempfile::tempdir().unwrap();
    let vault = start(TurningVault::default(), folder.path()).await;
    write_settings(folder.path(), vault, "127.0.0.1:1".parse().unwrap());
    let sample = "{\"who\":{\"idno\":\"A123456789\"},\"amount\":7}";
    std::fs::write(folder.path().join("one.json"), sample).unwrap();
    std::fs::write(folder.path().join("two.form"), "mail=a%40example.tw").unwrap();
    let discover = [
        "discover", "one.json", "two.form", "--path", "/sent", "--domain", "town",
    ];
    let proposal = printed(folder.path(), &discover).await;
    let settings = std::fs::read_to_string(folder.path().join("filter.toml")).unwrap();
    let vault = settings.split("[[route]]").next().unwrap();
    std::fs::write(folder.path().join("new.toml"), format!("{vault}{proposal}")).unwrap();
    let routes = printed(folder.path(), &["check", "new.toml"]).await;
    assert!(
        routes.contains("/sent") && routes.contains("town"),
        "{routes}"
    );
    assert!(routes.contains("tokenize 2"), "{routes}");
}

#[tokio::test]
async fn bench_says_how_fast_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let bench = ["bench", "--bytes", "2000", "--seconds", "1"];
    let text = printed(folder.path(), &bench).await;
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().all(|line| line.ends_with(" MB/s")), "{text}");
}
