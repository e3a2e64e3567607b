//! An upstream that records what arrives: plain HTTP/1.1, one thread for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the upstream was sent.
#[derive(Clone)]
pub struct Seen {
    /// Method and path, as `POST /payments/tax`.
    pub target: String,
    /// Header names in lower case, and their values.
    pub headers: Vec<(String, String)>,
    /// The body, its chunks joined.
    pub body: Vec<u8>,
}

impl Seen {
    /// The values of one header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let named = |(known, _): &&(String, String)| known == name;
        self.headers
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A running upstream. A POST is kept; a GET is answered with the last body that was kept, and its type.
pub struct Upstream {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Listens on a port of loopback until the test ends.
    pub fn start(port: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let record = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let record = Arc::clone(&record);
                std::thread::spawn(move || serve(&stream, &record));
            }
        });
        Self { seen }
    }

    /// Everything that arrived, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What arrived last.
    pub fn last(&self) -> Seen {
        self.seen().pop().expect("the upstream got nothing")
    }
}

fn serve(stream: &TcpStream, record: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let (media, answer) = {
            let mut record = record.lock().unwrap();
            record.push(request.clone());
            if request.target.starts_with("POST ") {
                (JSON.to_owned(), b"{\"stored\":true}".to_vec())
            } else {
                let posts = record.iter().rev();
                let mut posts = posts.filter(|seen| seen.target.starts_with("POST "));
                posts
                    .next()
                    .map_or((JSON.to_owned(), b"{}".to_vec()), stored)
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        let mut writer = stream;
        if writer
            .write_all(&[head.into_bytes(), answer].concat())
            .is_err()
        {
            return;
        }
    }
}

const JSON: &str = "application/json";

/// What was stored, and its type.
fn stored(seen: &Seen) -> (String, Vec<u8>) {
    let media = seen.header("content-type").first().copied().unwrap_or(JSON);
    (media.to_owned(), seen.body.clone())
}

/// One request.
pub(crate) fn read(reader: &mut impl BufRead) -> Option<Seen> {
    let first = line(reader)?;
    let target = first.rsplit_once(' ')?.0.to_owned();
    let mut headers = Vec::new();
    loop {
        let text = line(reader)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut seen = Seen {
        target,
        headers,
        body: Vec::new(),
    };
    if seen.header("transfer-encoding") == ["chunked"] {
        while let size @ 1.. = usize::from_str_radix(&line(reader)?, 16).ok()? {
            seen.body.extend(exactly(reader, size)?);
            line(reader)?;
        }
        line(reader)?;
    } else if let [length] = seen.header("content-length").as_slice() {
        let length = length.parse().ok()?;
        seen.body = exactly(reader, length)?;
    }
    Some(seen)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    (reader.read_line(&mut text).ok()? > 0).then(|| text.trim_end().to_owned())
}

fn exactly(reader: &mut impl Read, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
