//! `curl`, a client that nobody here wrote: REST on the vault, and HTTP on any gateway.

use std::io::Write;
use std::process::Command;

use crate::House;

/// What `curl` got.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub media: String,
    /// Body.
    pub body: String,
}

impl Reply {
    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body, which must be JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }
}

impl House {
    /// `curl` against the vault with a unit's certificate, or with none.
    pub fn curl(&self, name: Option<&str>, path: &str, arguments: &[&str]) -> Reply {
        let tls = self.directory().join("tls");
        let mut command = Command::new("curl");
        command.arg("--cacert").arg(tls.join("ca.pem"));
        if let Some(name) = name {
            command.arg("--cert").arg(tls.join(format!("{name}.pem")));
            command
                .arg("--key")
                .arg(tls.join(format!("{name}-key.pem")));
        }
        // Where a refusal comes before its body is sent, curl 7.88 loses the answer on HTTP/2.
        if !arguments.contains(&"--http2") {
            command.arg("--http1.1");
        }
        command.arg(format!("https://localhost:{}{path}", self.port()));
        curl(&mut command, arguments)
    }

    /// Posts any bytes to the vault.
    pub fn post(&self, name: Option<&str>, path: &str, arguments: &[&str], body: &[u8]) -> Reply {
        with_body(arguments, body, |arguments| {
            self.curl(name, path, arguments)
        })
    }

    /// `curl` against any address.
    pub fn curl_plain(url: &str, arguments: &[&str]) -> Reply {
        curl(Command::new("curl").arg(url), arguments)
    }
}

/// Posts any bytes to any address.
pub fn post_to(url: &str, arguments: &[&str], body: &[u8]) -> Reply {
    with_body(arguments, body, |arguments| {
        House::curl_plain(url, arguments)
    })
}

fn with_body(arguments: &[&str], body: &[u8], send: impl Fn(&[&str]) -> Reply) -> Reply {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(body).unwrap();
    let from = format!("@{}", file.path().display());
    send(&[&["--data-binary", &from], arguments].concat())
}

fn curl(command: &mut Command, arguments: &[&str]) -> Reply {
    command
        .args(["--silent", "--show-error", "--max-time", "20"])
        .args(["--write-out", "\n%{http_code} %{content_type}"])
        .args(arguments);
    let output = command
        .output()
        .expect("`curl` is missing: install Debian's package curl");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, facts) = text.rsplit_once('\n').unwrap();
    let (status, media) = facts.split_once(' ').unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(status, "000", "curl: {said}");
    Reply {
        status: status.parse().unwrap(),
        media: media.to_owned(),
        body: body.to_owned(),
    }
}
