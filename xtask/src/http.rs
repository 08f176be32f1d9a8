//! The smallest client that can ask a server on this machine: for the driver of a browser, and for what a picture shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Longest wait for one answer, and most bytes of one.
const PATIENCE: Duration = Duration::from_secs(60);
const ANSWER_MAX: u64 = 64 << 20;
const HEAD_MAX: u64 = 64 << 10;

/// An answer: its status, and its body as long as it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks once, on a connection of its own. Answers in chunks are not understood.
///
/// # Errors
///
/// Where nobody answers within a minute, or with something else than HTTP of a known length.
pub fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answer> {
    exchange(address, method, path, body)
        .with_context(|| format!("no whole answer to {method} http://{address}{path}"))
}

fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::new(stream.take(ANSWER_MAX + HEAD_MAX));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("no HTTP: {line:?}"))?;
    let mut length = None;
    loop {
        line.clear();
        ensure!(reader.read_line(&mut line)? > 0, "it hung up");
        let header = line.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = Some(value.trim().parse::<u64>()?);
        }
    }
    let length = length.context("it does not say how long its answer is")?;
    ensure!(length <= ANSWER_MAX, "an answer of {length} bytes");
    let mut body = vec![0; usize::try_from(length)?];
    reader
        .read_exact(&mut body)
        .with_context(|| format!("fewer than {length} bytes came"))?;
    Ok(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answered(text: &'static str) -> Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            // To the end of its head: a connection that is closed over unread bytes is reset, and the answer with it.
            let mut asked = BufReader::new(stream.try_clone()?).lines();
            let head_ends = asked.any(|line| line.is_ok_and(|line| line.is_empty()));
            assert!(head_ends, "somebody asks");
            stream.write_all(text.as_bytes())
        });
        let answer = ask(address, "GET", "/", "");
        server.join().expect("it does not panic")?;
        answer
    }

    #[test]
    fn a_whole_answer_is_read_and_half_of_one_is_refused() {
        let answer =
            answered("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone, and more").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (404, &b"none"[..]));
        for (text, why) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno",
                "fewer than 4 bytes",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nnone", "how long"),
            ("HTTP/1.1 200 OK\r\nContent-Le", "hung up"),
            ("hello", "no HTTP"),
        ] {
            let error = format!("{:#}", answered(text).unwrap_err());
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
