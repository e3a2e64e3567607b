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
    /// Lines after the last chunk, as they came.
    pub trailers: Vec<String>,
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

/// A running upstream. As it is usually, a POST is kept; a GET is answered with the last body that was kept, and its type.
pub struct Upstream {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Listens on a port of loopback until the test ends.
    pub fn start(port: u16) -> Self {
        Self::answering(port, usual)
    }

    /// The same; all that arrived, the newest last, becomes an answer, head and body.
    pub fn answering(
        port: u16,
        answer: impl Fn(&[Seen]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (record, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (record, answer) = (Arc::clone(&record), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &record, &*answer));
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

fn serve(
    stream: &TcpStream,
    record: &Mutex<Vec<Seen>>,
    answer: &(impl Fn(&[Seen]) -> Vec<u8> + ?Sized),
) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let answer = {
            let mut record = record.lock().unwrap();
            record.push(request);
            answer(&record)
        };
        let mut writer = stream;
        if writer.write_all(&answer).is_err() {
            return;
        }
    }
}

const JSON: &str = "application/json";

fn usual(seen: &[Seen]) -> Vec<u8> {
    let posted = |seen: &&Seen| seen.target.starts_with("POST ");
    let (media, body) = match seen.last().filter(posted) {
        Some(_) => (JSON, b"{\"stored\":true}".to_vec()),
        None => {
            let last = seen.iter().rev().find(posted);
            last.map_or((JSON, b"{}".to_vec()), stored)
        }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// What was stored, and its type.
fn stored(seen: &Seen) -> (&str, Vec<u8>) {
    let media = seen.header("content-type").first().copied().unwrap_or(JSON);
    (media, seen.body.clone())
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
        trailers: Vec::new(),
    };
    if seen.header("transfer-encoding") == ["chunked"] {
        while let size @ 1.. = usize::from_str_radix(&line(reader)?, 16).ok()? {
            seen.body.extend(exactly(reader, size)?);
            line(reader)?;
        }
        loop {
            let text = line(reader)?;
            if text.is_empty() {
                break;
            }
            seen.trailers.push(text);
        }
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
