//! A mail server that keeps what it is sent, on a port of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A mail as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMail {
    /// Who it says it is from, in the envelope.
    pub from: String,
    /// Who it is for, in the envelope.
    pub recipients: Vec<String>,
    /// Head and body, without the dots that the protocol puts before dots.
    pub text: String,
}

#[derive(Debug, Default)]
struct Shared {
    mails: Mutex<Vec<ReceivedMail>>,
    came: Condvar,
    n_refused: AtomicUsize,
    is_over: AtomicBool,
}

/// A server that speaks as much SMTP as one needs to hand a mail over in plain text. It ends when dropped.
#[derive(Debug)]
pub struct SmtpServer {
    port: u16,
    shared: Arc<Shared>,
}

/// A client that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

impl SmtpServer {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    ///
    /// Where there is no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if serving.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A client that breaks off is its own affair.
                drop(client.and_then(|client| converse(&client, &serving)));
            }
        });
        Self { port, shared }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets the next `n` mails be refused for the moment.
    pub fn refuse(&self, n: usize) {
        self.shared.n_refused.store(n, Ordering::Relaxed);
    }

    /// Waits until `n` mails are there, and takes all there are.
    ///
    /// # Panics
    ///
    /// Where they do not come in half a minute.
    #[must_use]
    pub fn take(&self, n: usize) -> Vec<ReceivedMail> {
        let mails = self.shared.mails.lock();
        let mails = mails.unwrap_or_else(PoisonError::into_inner);
        let (mut mails, _) = self
            .shared
            .came
            .wait_timeout_while(mails, PATIENCE, |mails| mails.len() < n)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(mails.len() >= n, "{} of {n} mails came", mails.len());
        std::mem::take(&mut *mails)
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for clients, where it is still there.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// One client, until it goes.
fn converse(client: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(client).lines();
    let say = |text: &str| write!(&mut (&*client), "{text}\r\n");
    let mut mail = ReceivedMail {
        from: String::new(),
        recipients: Vec::new(),
        text: String::new(),
    };
    say("220 testkit")?;
    while let Some(line) = lines.next().transpose()? {
        let command = line.to_ascii_uppercase();
        if command.starts_with("EHLO") {
            say("250-testkit\r\n250-8BITMIME\r\n250 AUTH PLAIN")?;
        } else if command.starts_with("AUTH PLAIN") {
            say("235 come in")?;
        } else if command.starts_with("MAIL FROM:") {
            let refused = shared.n_refused.load(Ordering::Relaxed);
            if refused > 0 {
                shared.n_refused.store(refused - 1, Ordering::Relaxed);
                say("451 not now")?;
            } else {
                mail.from = address(&line);
                say("250 well")?;
            }
        } else if command.starts_with("RCPT TO:") {
            mail.recipients.push(address(&line));
            say("250 well")?;
        } else if command == "DATA" {
            say("354 go on")?;
            while let Some(line) = lines.next().transpose()?
                && line != "."
            {
                mail.text.push_str(line.strip_prefix('.').unwrap_or(&line));
                mail.text.push('\n');
            }
            let empty = ReceivedMail {
                from: String::new(),
                recipients: Vec::new(),
                text: String::new(),
            };
            let whole = std::mem::replace(&mut mail, empty);
            let mails = shared.mails.lock();
            mails.unwrap_or_else(PoisonError::into_inner).push(whole);
            shared.came.notify_all();
            say("250 kept")?;
        } else if command == "QUIT" {
            return say("221 bye");
        } else {
            say("250 well")?;
        }
    }
    Ok(())
}

/// What stands between the angle brackets.
fn address(line: &str) -> String {
    let inner = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(address, _)| address.to_owned())
}
