//! The address of a database taken apart: what the driver reads, and what it leaves to us (encryption, a file of
//! passwords).

use std::path::{Path, PathBuf};

use postgres::Config;
use postgres::config::{Host, SslMode};
use rsr_base::{ByteSize, read_file_at_most};
use rsr_settings::{DatabaseSettings, DatabaseTls};

use super::tls::TlsOptions;
use crate::error::Error;

const PASSFILE_MAX: ByteSize = ByteSize::from_mib(1);
const PORT: u16 = 5432;

/// An address, read.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: TlsOptions,
}

/// Reads the address in the settings.
///
/// # Errors
///
/// [`Error::Address`], which shows no password; [`Error::Invalid`] for a file of passwords that cannot be read.
pub(super) fn read(settings: &DatabaseSettings) -> Result<Address, Error> {
    let refused = || Error::Address {
        url: settings.url.to_string(),
    };
    let (plain, own) = split(settings.url.expose()).ok_or_else(refused)?;
    let mut config: Config = plain
        .parse()
        .map_err(|_may_repeat_the_password| refused())?;
    let file = |name: &str, setting: &Option<PathBuf>| {
        let given = own.iter().find(|(key, _)| key == name);
        given
            .map(|(_, value)| PathBuf::from(value))
            .or_else(|| setting.clone())
    };
    let asked = own.iter().find(|(key, _)| key == "sslmode");
    let mode = match asked {
        Some((_, mode)) => mode.parse().map_err(|_unknown| Error::Invalid {
            field: "database.url",
            reason: format!("sslmode={mode} is none of {}", DatabaseTls::KNOWN),
        })?,
        // What stays on this machine is read by nobody else.
        None if is_local(&config) => DatabaseTls::Disable,
        None => settings.tls,
    };
    config.ssl_mode(match mode {
        DatabaseTls::Disable => SslMode::Disable,
        DatabaseTls::Prefer => SslMode::Prefer,
        _ => SslMode::Require,
    });
    if config.get_password().is_none()
        && let Some(passfile) = file("passfile", &settings.passfile)
        && let Some(password) = password(&passfile, &config)?
    {
        config.password(password);
    }
    Ok(Address {
        config,
        tls: TlsOptions {
            mode,
            ca_file: file("sslrootcert", &settings.tls_ca_file),
            cert_file: file("sslcert", &settings.tls_cert_file),
            key_file: file("sslkey", &settings.tls_key_file),
        },
    })
}

/// The address without the parameters that the driver does not know, and these.
fn split(url: &str) -> Option<(String, Vec<(String, String)>)> {
    const OWN: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "passfile"];
    let Some((plain, query)) = url.split_once('?') else {
        return Some((url.to_owned(), Vec::new()));
    };
    let (mut left, mut own) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((name, value)) if OWN.contains(&name) => {
                own.push((name.to_owned(), decoded(value)?));
            }
            _ => left.push(pair),
        }
    }
    let plain = match left.is_empty() {
        true => plain.to_owned(),
        false => format!("{plain}?{}", left.join("&")),
    };
    Some((plain, own))
}

/// A value without its percent signs.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    })
}

/// The first password of a file that is for one of the hosts, the database and the user.
///
/// Source: PostgreSQL's documentation, "The Password File": `host:port:database:user:password` a line, `*` for any,
/// `localhost` for a socket, `#` before a comment, `\` before a colon or itself. A file that others may read is refused.
fn password(path: &Path, config: &Config) -> Result<Option<String>, Error> {
    let refused = |reason: String| Error::Invalid {
        field: "database.passfile",
        reason: format!("{}: {reason}", path.display()),
    };
    let said = |error: std::io::Error| refused(error.to_string());
    let is_open = others_may_read(path).map_err(said)?;
    if is_open {
        return Err(refused("others may read it; `chmod 600` it".to_owned()));
    }
    let text = read_file_at_most(path, PASSFILE_MAX).map_err(|error| refused(error.to_string()))?;
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let ports = config.get_ports();
    let places: Vec<(String, String)> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(nth, host)| {
            let port = ports.get(nth).or(ports.first()).copied().unwrap_or(PORT);
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(_) => "localhost".to_owned(),
            };
            (host, port.to_string())
        })
        .collect();
    let is_for = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [host, port, name, role, password] = &fields(line)[..] else {
            continue;
        };
        let is_here = places
            .iter()
            .any(|(at, on)| is_for(host, at) && is_for(port, on));
        if is_here && is_for(name, database) && is_for(role, user) {
            return Ok(Some(password.clone()));
        }
    }
    Ok(None)
}

#[cfg(unix)]
fn others_may_read(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(path: &Path) -> std::io::Result<bool> {
    std::fs::metadata(path).map(|_| false)
}

/// The five fields of a line.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut rest = line.chars();
    while let Some(found) = rest.next() {
        let is_last = fields.len() == 5;
        let Some(field) = fields.last_mut() else {
            break;
        };
        match found {
            '\\' => field.extend(rest.next()),
            ':' if !is_last => fields.push(String::new()),
            found => field.push(found),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> DatabaseSettings {
        let mut settings = rsr_settings::Settings::default().database;
        settings.url = url.parse().unwrap();
        settings
    }

    #[track_caller]
    fn check_mode(url: &str, expected: DatabaseTls) {
        assert_eq!(read(&settings(url)).unwrap().tls.mode, expected, "{url}");
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_the_address_says_otherwise() {
        check_mode("postgres://db.example.org/rsr", DatabaseTls::VerifyFull);
        check_mode("postgres://127.0.0.1/rsr", DatabaseTls::Disable);
        check_mode("postgres:///rsr?host=/run/postgresql", DatabaseTls::Disable);
        check_mode(
            "postgres://127.0.0.1,db.example.org/rsr",
            DatabaseTls::VerifyFull,
        );
        for mode in DatabaseTls::ALL {
            check_mode(&format!("postgres://db/rsr?sslmode={mode}"), *mode);
        }
        let bad = read(&settings("postgres://u:s3same@db/rsr?sslmode=allow"));
        let said = bad.err().unwrap().to_string();
        assert!(said.contains("allow") && !said.contains("s3same"), "{said}");
    }

    #[test]
    fn files_are_named_in_the_address_or_the_settings() {
        let url = "postgres://db/rsr?sslrootcert=%2Fetc%2Fa%20b.pem&application_name=x";
        let address = read(&settings(url)).unwrap();
        assert_eq!(address.tls.ca_file, Some(PathBuf::from("/etc/a b.pem")));
        assert_eq!(address.config.get_application_name(), Some("x"));
        let mut settings = settings("postgres://db/rsr");
        settings.tls_ca_file = Some(PathBuf::from("ca.pem"));
        let address = read(&settings).unwrap();
        assert_eq!(address.tls.ca_file, Some(PathBuf::from("ca.pem")));
    }

    #[test]
    fn a_password_comes_from_a_file_that_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pass");
        let text = "# who\nother:*:*:*:no\n*:5432:rsr:me:a\\:b:c\\\\\n*:*:*:*:last\n";
        std::fs::write(&path, text).unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let url = |user: &str| format!("postgres://{user}@db/rsr?passfile={}", path.display());
        mode(0o644);
        assert!(read(&settings(&url("me"))).is_err(), "others may read it");
        mode(0o600);
        let of = |url: &str| {
            read(&settings(url))
                .unwrap()
                .config
                .get_password()
                .map(<[u8]>::to_vec)
        };
        assert_eq!(of(&url("me")), Some(b"a:b:c\\".to_vec()));
        assert_eq!(of(&url("you")), Some(b"last".to_vec()));
        assert_eq!(
            of(&url("me:mine")),
            Some(b"mine".to_vec()),
            "the address comes first"
        );
    }
}
