//! nginx, as it comes with Debian, behind the proxy: in TLS, with either HTTP, compressing what it may.
//! `bash tests/run.sh` installs it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::running::*;
use super::tls::Authority;
use crate::city::{MemoryVault, SETTINGS, Upstream};

/// nginx before `echo`, with a certificate that the folder's authority signed.
fn nginx(folder: &Path, echo: SocketAddr) -> (Child, SocketAddr) {
    Authority::in_folder(folder).sign(folder, "nginx");
    let address = free();
    let home = folder.display();
    let listen = format!(
        "listen {address} ssl http2;
             ssl_certificate {home}/nginx.pem; ssl_certificate_key {home}/nginx-key.pem;"
    );
    (run(folder, &listen, echo), address)
}

/// nginx before `echo`, without TLS. It notes the first line of each request that it reads in `seen.log`.
pub(crate) async fn plain(folder: &Path, echo: SocketAddr) -> (Child, SocketAddr) {
    let address = free();
    let program = run(folder, &format!("listen {address};"), echo);
    listening(address).await;
    (program, address)
}

/// The port is free until nginx takes it.
fn free() -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

fn run(folder: &Path, listen: &str, echo: SocketAddr) -> Child {
    let home = folder.display();
    let text = format!(
        "daemon off; master_process off; pid {home}/pid; error_log stderr;
         events {{ worker_connections 64; }}
         http {{
           log_format seen '$request'; access_log {home}/seen.log seen;
           client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
           fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi;
           scgi_temp_path {home}/scgi;
           gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;
           server {{
             {listen}
             client_max_body_size 10m;
             location / {{
               proxy_pass http://{echo}; proxy_http_version 1.1;
               proxy_set_header Host $http_host$host; proxy_set_header X-Seen $server_protocol;
             }}
           }}
         }}"
    );
    std::fs::write(folder.join("nginx.conf"), text).unwrap();
    Command::new("nginx")
        .env("PATH", "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("`nginx` is missing: install Debian's package nginx-light")
}

async fn listening(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        // pacing: nginx says nothing when it listens
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn nginx_gets_tokens_and_the_unit_its_values_with_either_http() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Upstream::echo().await;
    let (_nginx, address) = nginx(folder.path(), echo.address);
    listening(address).await;
    for (protocol, seen) in [("http1", "HTTP/1.1"), ("http2", "HTTP/2.0")] {
        let lines = format!(
            "upstream = \"https://{address}\"\nupstream_protocol = \"{protocol}\"\n\
             upstream_tls = {{ ca = \"ca.pem\" }}"
        );
        let text = SETTINGS
            .replace("LIMITS", "")
            .replace("EXTPROC", "")
            .replace("PROXY", &lines)
            .replace("VAULT", "1");
        let running = settled(&MemoryVault::default(), &text, folder.path()).await;
        let mut unit = UNIT.to_vec();
        // Not passed on: what comes back compressed could not be read.
        unit.push(("accept-encoding", "gzip"));
        for _ in 0..3 {
            let answer = send(&running, PAY, &unit, BODY).await;
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, BODY));
        }
        assert_eq!(
            echo.last_body(),
            r#"{ "payer" : {"national_id":"tok-national-id-0"}}"#
        );
        assert_eq!(echo.last_header("x-seen").as_deref(), Some(seen));
    }
}
