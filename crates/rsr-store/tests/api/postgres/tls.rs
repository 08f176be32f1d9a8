//! Encrypted connections to a server with a certificate of the test's own authority.

use std::process::Command;
use std::sync::Arc;

use rsr_settings::{DatabaseSettings, Settings};
use rsr_store::{Error, Store};
use rsr_testkit::{ManualClock, PostgresServer, left_out};

const CONF: &str = "ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_ca_file = 'ca.crt'";

/// An authority, a second one that nobody asked, a server's certificate for `localhost` and a client's for `rsr`.
const CERTIFICATES: &str = r#"
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$1.key" -out "$1.crt" \
  -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE 2>/dev/null; }
signed() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2" 2>/dev/null
  printf 'subjectAltName=DNS:%s\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
authority ca; authority other; signed server localhost; signed client rsr
chmod 600 ./*.key
cp server.crt server.key ca.crt data/
cat >data/pg_hba.conf <<HBA
local all all trust
hostssl certified all all cert
hostssl secret all all scram-sha-256
hostssl all all all trust
hostnossl all all all reject
HBA
"#;

fn settings(url: &str) -> DatabaseSettings {
    let mut settings = Settings::default().database;
    settings.url = url.parse().unwrap();
    settings
}

fn open(url: &str) -> Result<Store, Error> {
    Store::open(&settings(url), Arc::new(ManualClock::new()))
}

#[test]
fn a_server_is_believed_as_far_as_the_mode_says() {
    if Command::new("openssl").arg("version").output().is_err() {
        left_out("encrypted connections to PostgreSQL: there is no openssl to make certificates");
        return;
    }
    let Some(server) = PostgresServer::start(CONF, CERTIFICATES) else {
        return;
    };
    server.create("rsr");
    server.create("certified");
    server.create("secret");
    let port = server.port();
    let file = |name: &str| server.folder().join(name).display().to_string();
    let (ours, other) = (file("ca.crt"), file("other.crt"));
    let url = |host: &str, more: &str| format!("postgres://rsr@{host}:{port}/rsr?{more}");

    for (host, more) in [
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ours}")),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={ours}"),
        ),
    ] {
        let opened = open(&url(host, &more));
        assert!(opened.is_ok(), "{host} {more}: {opened:?}");
    }
    for (host, more, said) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), "no encryption"),
        ("localhost", "sslmode=verify-ca".to_owned(), "UnknownIssuer"),
        (
            "localhost",
            format!("sslmode=verify-ca&sslrootcert={other}"),
            "certificate",
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={ours}"),
            "certificate not valid for name",
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=/none.pem".to_owned(),
            "/none.pem",
        ),
    ] {
        let refused = open(&url(host, &more)).unwrap_err();
        assert!(matches!(refused, Error::Unreachable { .. }), "{refused:?}");
        assert!(refused.to_string().contains(said), "{more}: {refused}");
    }

    let certified =
        format!("postgres://rsr@localhost:{port}/certified?sslmode=verify-full&sslrootcert={ours}");
    let refused = open(&certified).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    let (cert, key) = (file("client.crt"), file("client.key"));
    open(&format!("{certified}&sslcert={cert}&sslkey={key}")).unwrap();

    let mut admin = ::postgres::Client::connect(&server.url("secret"), ::postgres::NoTls).unwrap();
    admin
        .batch_execute(
            "SET password_encryption = 'scram-sha-256'; ALTER USER rsr PASSWORD 's3same'",
        )
        .unwrap();
    let secret = |password: &str| {
        open(&format!(
            "postgres://rsr:{password}@localhost:{port}/secret?sslmode=require"
        ))
    };
    secret("s3same").unwrap();
    let refused = secret("wr0ng").unwrap_err();
    let said = format!("{refused} {refused:?}");
    assert!(
        said.contains("password") && !said.contains("wr0ng"),
        "{said}"
    );
}
