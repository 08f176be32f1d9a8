//! A running service, and the smallest client that can talk to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rsr_base::{ByteSize, read_text_at_most};

use crate::rsr;

/// A server that ends with the test, also where the test fails.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
    log: Receiver<String>,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks put together.
    pub body: String,
}

impl Response {
    /// A header's value, empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// Longest wait for one answer, so that a hanging server is a failing test.
const PATIENCE: Duration = Duration::from_secs(30);
const BODY_MAX: ByteSize = ByteSize::from_mib(256);

impl Server {
    /// Starts `rsr serve` on a free port over the database of this folder, with these flags more.
    ///
    /// # Panics
    ///
    /// Where it does not say within a while that it serves; with what it said.
    #[must_use]
    pub fn start(folder: &Path, flags: &[&str]) -> Self {
        Self::start_with(folder, flags, [])
    }

    /// The same with these variables.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn start_with(
        folder: &Path,
        flags: &[&str],
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut command = rsr(folder);
        command.envs(variables);
        Self::begin(command, flags)
    }

    /// The same through a command that becomes `rsr`, such as one that moves into a control group first.
    ///
    /// # Panics
    ///
    /// As [`Server::start`].
    #[must_use]
    pub fn begin(mut command: Command, flags: &[&str]) -> Self {
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(flags);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = sync_channel(10_000);
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            errors
                .lines()
                .map_while(Result::ok)
                // What nobody reads is read on all the same: a service must not wait for that.
                .for_each(|line| drop(lines.try_send(line)));
        });
        let mut said = Vec::new();
        let address = loop {
            let Ok(line) = log.recv_timeout(PATIENCE) else {
                child.kill().unwrap();
                panic!("the server did not start:\n{}", said.join("\n"));
            };
            if let Some((_, rest)) = line.split_once("serving on http://") {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
            said.push(line);
        };
        Self {
            child,
            address,
            log,
        }
    }

    /// Where it listens: address and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks with GET.
    ///
    /// # Panics
    ///
    /// Where there is no whole answer in time.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        ))
    }

    /// Asks with a JSON body.
    ///
    /// # Panics
    ///
    /// Where there is no whole answer in time.
    #[must_use]
    pub fn send_json(&self, method: &str, path: &str, body: &str) -> Response {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// Sends a request as it is.
    ///
    /// # Panics
    ///
    /// Where there is no whole answer in time.
    #[must_use]
    pub fn send(&self, request: &str) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        parse(&read_text_at_most(stream, BODY_MAX).unwrap())
    }

    /// A connection of its own, for a client that behaves oddly.
    ///
    /// # Panics
    ///
    /// Where the server does not accept it.
    #[must_use]
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The process, for those who measure or signal it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator would, and gives its exit code and what it logged.
    ///
    /// # Panics
    ///
    /// Where it cannot be signalled.
    #[must_use]
    pub fn stop(mut self) -> (i32, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.log.try_iter().collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test will have noticed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Asks someone else's server with GET.
///
/// # Errors
///
/// Where nobody listens there, or the answer is not whole in time.
///
/// # Panics
///
/// Where it answers in another language than HTTP.
pub fn ask(address: &str, path: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let text = read_text_at_most(stream, BODY_MAX).map_err(io::Error::other)?;
    Ok(parse(&text))
}

/// Asks someone who may end or break off at any moment, with a JSON body.
///
/// # Errors
///
/// Where nobody listens there, or the answer is not whole in time.
pub fn exchange(address: &str, method: &str, path: &str, body: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let text = read_text_at_most(stream, BODY_MAX).map_err(io::Error::other)?;
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let is_whole = length.map_or(body.ends_with("0\r\n\r\n"), |length| body.len() >= length);
    if is_whole {
        Ok(parse(&text))
    } else {
        Err(cut())
    }
}

fn parse(text: &str) -> Response {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked {
        unchunked(body)
    } else {
        body.to_owned()
    };
    Response {
        status: status.unwrap(),
        headers,
        body,
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        if size == 0 {
            return body;
        }
        let (chunk, after) = after.split_at(size);
        body.push_str(chunk);
        rest = after.trim_start_matches("\r\n");
    }
    panic!("the answer was cut off after {} bytes", body.len());
}

/// Reads a little, so that a test can hang up in the middle.
///
/// # Panics
///
/// Where nothing comes.
pub fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let n = stream.read(&mut bytes).unwrap();
    bytes.truncate(n);
    bytes
}
