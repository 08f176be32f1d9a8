//! The smallest HTTP client that can show an answer with its headers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rsr_base::ByteSize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer of our own service.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of an answer, head and body.
const ANSWER_MAX: ByteSize = ByteSize::from_mib(64);

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names as they were sent, in the order of coming.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Asks `address` for a path. HTTP/1.0, so that the body ends with the connection and is not in chunks.
pub(crate) async fn ask(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        let mut limited = stream.take(ANSWER_MAX.bytes());
        limited.read_to_end(&mut bytes).await?;
        take_apart(&bytes)
    };
    timeout(PATIENCE, exchange)
        .await
        .map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
}

fn take_apart(bytes: &[u8]) -> io::Result<Answer> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
    let text = str::from_utf8(bytes).map_err(|_not_utf8| malformed())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    Ok(Answer {
        status: status.ok_or_else(malformed)?,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = take_apart(b"HTTP/1.0 200 OK\r\nx-a: 1\r\nX-B:2:3\r\n\r\n[]\r\n\r\n").unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.headers,
            [
                ("x-a".to_owned(), "1".to_owned()),
                ("X-B".to_owned(), "2:3".to_owned())
            ]
        );
        assert_eq!(answer.body, "[]\r\n\r\n");
        for wrong in [
            &b""[..],
            b"HTTP/1.0\r\n\r\n",
            b"HTTP/1.0 OK OK\r\n\r\n",
            b"\xff",
        ] {
            assert!(take_apart(wrong).is_err());
        }
    }
}
