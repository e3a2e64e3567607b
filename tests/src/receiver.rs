//! A webhook's receiver: keeps what it is sent, and answers as it is told to.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::upstream::{Seen, read};

/// A running receiver on a port of its own.
pub struct Receiver {
    port: u16,
    status: Arc<AtomicU16>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    /// Listens on loopback until the test ends, and answers 204.
    pub fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (status, seen) = (Arc::new(AtomicU16::new(204)), Arc::default());
        let (answer, record) = (Arc::clone(&status), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(&stream, &answer, &record);
            }
        });
        Self { port, status, seen }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Everything it was sent so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until it was sent so many requests, and gives them.
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        let started = Instant::now();
        loop {
            let seen = self.seen();
            if seen.len() >= count {
                return seen;
            }
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{} of {count} came",
                seen.len()
            );
            // pacing: the condition above decides, this only spares the processor
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Seen {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether it is signed with this secret, as Standard Webhooks 1.0.0 has it.
    pub fn is_signed_with(&self, secret: &[u8]) -> bool {
        let head = |name| self.header(name).concat();
        let signed = format!(
            "{}.{}.{}",
            head("webhook-id"),
            head("webhook-timestamp"),
            self.text()
        );
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let code = STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes()));
        head("webhook-signature") == format!("v1,{code}")
    }
}

fn serve(stream: &TcpStream, status: &AtomicU16, record: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader) else {
        return;
    };
    let status = status.load(Ordering::Relaxed);
    record.lock().unwrap().push(request);
    let more = if status == 302 {
        "location: http://127.0.0.1:1/elsewhere\r\n"
    } else {
        ""
    };
    let head = format!("HTTP/1.1 {status} So\r\n{more}content-length: 0\r\n\r\n");
    let mut writer = stream;
    let _ = writer.write_all(head.as_bytes());
}
