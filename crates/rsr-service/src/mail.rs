//! Mail: what waits in the outbox is handed to the mail server, apart from the work that it tells of.
//!
//! A server that fails keeps nobody waiting but the mail itself, which is tried again after a wait that doubles, and given up
//! after a day. Without a server in the settings nothing is sent, and what is written waits as long.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};
use rsr_settings::{MailSettings, MailTls};
use rsr_store::{NewMail, Store, WaitingMail};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::drain::Phase;

/// Time between two looks at the outbox.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest wait before a mail is tried again.
const RETRY_MAX: Duration = Duration::from_secs(3600);
/// What a sender may take for one mail, as often as the wait for one answer of the server.
const ANSWERS_MAX: u32 = 10;

/// Why mail cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The outbox cannot be read.
    #[error(transparent)]
    Store(#[from] rsr_store::Error),
    /// The settings do not make a connection.
    #[error("{host} cannot be used as mail server (mail.host)")]
    Server {
        /// The name in the settings.
        host: String,
        /// What is wrong.
        source: lettre::transport::smtp::Error,
    },
    /// The sender is no address.
    #[error("{from:?} is no address to send mail from (mail.from)")]
    Sender {
        /// As it is in the settings.
        from: String,
        /// What is wrong.
        source: lettre::address::AddressError,
    },
}

/// What became of the mails that were due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailReport {
    /// Handed over.
    pub n_sent: u64,
    /// To be tried again.
    pub n_failed: u64,
    /// Not to be tried any more: too old, or without an address.
    pub n_given_up: u64,
    /// What the server said last, where it took a mail not.
    pub failure: Option<String>,
}

/// Sends until the service stops.
pub(crate) async fn keep(app: App) {
    loop {
        tokio::select! {
            () = app.drain.reached(Phase::Draining) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let work = app.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || send(&work)).await {
            tracing::error!(%error, "the sender of mail failed; it goes on");
        }
    }
}

/// Sends what is due, and counts it.
pub(crate) fn send(app: &App) {
    let [sent, failed, given_up] = &app.measure.metrics.work.mails;
    match send_waiting_mail(&app.store, &app.settings().mail) {
        Ok(report) => {
            sent.add(report.n_sent);
            failed.add(report.n_failed);
            given_up.add(report.n_given_up);
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "mail could not be sent");
        }
    }
}

/// Hands the mails that are due to the server of the settings, one after the other, until one is not taken. Blocks for as
/// long as the server does, `mail.timeout` an answer at most.
///
/// # Errors
///
/// [`MailError`]. That the server takes a mail not is none: it waits, and the report says so.
pub fn send_waiting_mail(store: &Store, settings: &MailSettings) -> Result<MailReport, MailError> {
    let mut report = MailReport {
        n_given_up: store.drop_old_mails(settings.give_up_after)?,
        ..MailReport::default()
    };
    if report.n_given_up > 0 {
        let n_mails = report.n_given_up;
        tracing::error!(
            n_mails,
            "mails were given up that could not be sent in time"
        );
    }
    let Some(host) = settings.host.as_deref().filter(|host| !host.is_empty()) else {
        return Ok(report);
    };
    let hold = settings.timeout.saturating_mul(ANSWERS_MAX);
    let mut server: Option<(SmtpTransport, Mailbox)> = None;
    while report.n_failed == 0
        && let Some(waiting) = store.take_mail(hold)?
    {
        if server.is_none() {
            server = Some((connection(host, settings)?, sender(host, settings)?));
        }
        let Some((transport, from)) = &server else {
            break;
        };
        let message = match message(&waiting, from) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(mail = waiting.id, %error, "a mail cannot be written");
                store.drop_mail(waiting.id)?;
                report.n_given_up += 1;
                continue;
            }
        };
        match transport.send(&message) {
            Ok(_accepted) => {
                store.drop_mail(waiting.id)?;
                report.n_sent += 1;
            }
            Err(error) => {
                let doubled = 2_u32.saturating_pow(waiting.attempts.saturating_sub(1).min(16));
                let wait = settings.retry_wait.saturating_mul(doubled).min(RETRY_MAX);
                let said = in_full(&error);
                tracing::warn!(
                    mail = waiting.id,
                    error = said,
                    ?wait,
                    "a mail was not taken"
                );
                store.put_mail_back(waiting.id, wait)?;
                report.n_failed += 1;
                report.failure = Some(said);
            }
        }
    }
    Ok(report)
}

fn in_full(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn connection(host: &str, settings: &MailSettings) -> Result<SmtpTransport, MailError> {
    let parameters = || {
        TlsParameters::new(host.to_owned()).map_err(|source| MailError::Server {
            host: host.to_owned(),
            source,
        })
    };
    let tls = match settings.tls {
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Tls => Tls::Wrapper(parameters()?),
        _ => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(host)
        .port(settings.port)
        .timeout(Some(settings.timeout))
        .tls(tls);
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        builder = builder.credentials(credentials);
    }
    Ok(builder.build())
}

/// The sender of the settings; without one, `rsr` at the mail server.
fn sender(host: &str, settings: &MailSettings) -> Result<Mailbox, MailError> {
    let from = settings
        .from
        .clone()
        .unwrap_or_else(|| format!("rsr@{host}"));
    from.parse()
        .map_err(|source| MailError::Sender { from, source })
}

/// Why a mail cannot be written.
#[derive(Debug, thiserror::Error)]
enum Unwritable {
    #[error("{address:?} is no address")]
    Address {
        address: String,
        source: lettre::address::AddressError,
    },
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
}

/// A mail in the form in which it is sent. Its id is the same each time it is tried, so that whoever gets it twice can tell.
fn message(waiting: &WaitingMail, from: &Mailbox) -> Result<Message, Unwritable> {
    let NewMail {
        recipients,
        subject,
        body,
        attachment,
    } = &waiting.mail;
    let mut digest = Sha256::new();
    for part in [&recipients.join(","), subject, body] {
        digest.update(part.as_bytes());
    }
    let digest: [u8; 32] = digest.finalize().into();
    let digest: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let id = format!("<rsr.{}.{digest}@{}>", waiting.id, from.email.domain());
    let mut builder = Message::builder()
        .from(from.clone())
        .subject(subject.as_str())
        .message_id(Some(id));
    for address in recipients {
        let recipient = address.parse().map_err(|source| Unwritable::Address {
            address: address.clone(),
            source,
        })?;
        builder = builder.to(recipient);
    }
    let text = SinglePart::plain(body.clone());
    let message = match attachment {
        None => builder.singlepart(text)?,
        Some((name, table)) => {
            let kind = ContentType::parse("text/tab-separated-values; charset=utf-8");
            let kind = kind.expect("the type is well-formed");
            let table = Attachment::new(name.clone()).body(table.clone(), kind);
            builder.multipart(MultiPart::mixed().singlepart(text).singlepart(table))?
        }
    };
    Ok(message)
}
