//! A service over a small database of its own, and short words for asking it.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use rsr_base::{ProjectId, SharedClock};
use rsr_service::{Service, open_store};
use rsr_settings::{Inputs, LiveSettings, load};
use rsr_store::{NewProject, Store};
use rsr_testkit::{ManualClock, PostgresDatabase};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "s3same";

/// A service that can be asked, and what it stands on.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) store: Store,
    pub(crate) live: Arc<LiveSettings>,
    pub(crate) clock: ManualClock,
    folder: TempDir,
    /// The database of a server, where it is not a file in the folder.
    _database: Option<PostgresDatabase>,
}

/// One answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl World {
    /// A service with these `RSR_*` settings beside a database of its own.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::over(None, variables)
    }

    /// The same over PostgreSQL. Where this machine has none the test says so, and runs over a file.
    pub(crate) fn over_postgres(variables: &[(&str, &str)]) -> Self {
        Self::over(PostgresDatabase::make(), variables)
    }

    fn over(database: Option<PostgresDatabase>, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match &database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", folder.path().join("rsr.db").display()),
        };
        let socket = folder.path().join("run/admin.sock").display().to_string();
        let own = [
            ("RSR_DATABASE_URL", url.as_str()),
            ("RSR_ADMIN_SOCKET", socket.as_str()),
            ("RSR_LISTEN", "127.0.0.1:0"),
            ("RSR_API_TOKEN", TOKEN),
        ];
        let inputs = Inputs::from_environment(own.into_iter().chain(variables.iter().copied()));
        let live = Arc::new(LiveSettings::new(load(&inputs).unwrap()));
        let clock = ManualClock::new();
        let shared: SharedClock = Arc::new(clock.clone());
        let store = open_store(&live.current(), Arc::clone(&shared)).unwrap();
        Self {
            service: Service::new(Arc::clone(&live), store.clone(), shared),
            store,
            live,
            clock,
            folder,
            _database: database,
        }
    }

    /// Changes rows behind the service's back. What stands between `/*!` and `*/` is for PostgreSQL alone.
    pub(crate) fn meddle(&self, sql: &str) {
        let settings = self.live.current();
        let url = &settings.database.url;
        match url.sqlite_path() {
            Some(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            None => {
                let connected = ::postgres::Client::connect(url.expose(), ::postgres::NoTls);
                let sql = sql.replace("/*!", "").replace("*/", "");
                connected.unwrap().batch_execute(&sql).unwrap();
            }
        }
    }

    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stores projects: each with the index of its parent among those before it. All are public and published.
    pub(crate) fn plant(&self, parents: &[Option<usize>]) -> Vec<ProjectId> {
        self.store
            .write(|tx| {
                let mut ids = Vec::new();
                for (nth, parent) in parents.iter().enumerate() {
                    ids.push(tx.create_project(&NewProject {
                        parent: parent.map(|parent| ids[parent]),
                        title: format!("Project {nth}"),
                        is_published: true,
                        ..NewProject::default()
                    })?);
                }
                Ok::<_, rsr_store::Error>(ids)
            })
            .unwrap()
    }

    /// Imports a file of activities.
    pub(crate) fn import(&self, path: &Path) -> Result<(), rsr_store::Error> {
        let settings = self.live.current();
        let mut importer = self.store.importer(&settings.iati)?;
        let source = std::fs::File::open(path).expect("the test wrote it");
        let cancel = std::sync::atomic::AtomicBool::new(false);
        importer.file("in.xml", source, true, &cancel, &mut |_note| {})?;
        importer.finish(&mut |_note| {})?;
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    /// Asks as an administrator.
    pub(crate) async fn get_all(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[token()], "").await
    }

    /// Writes JSON as an administrator.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send_text(method, path, &body.to_string()).await
    }

    /// The same, with the JSON as it is written.
    pub(crate) async fn send_text(&self, method: Method, path: &str, body: &str) -> Answer {
        let json = (header::CONTENT_TYPE.as_str(), "application/json");
        self.ask(method, path, &[token(), json], body).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        ask(self.service.router(), method, path, headers, body).await
    }

    /// Asks the admin side, with the token.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: &str) -> Answer {
        let json = (header::CONTENT_TYPE.as_str(), "application/json");
        ask(
            self.service.admin_router(),
            method,
            path,
            &[token(), json],
            body,
        )
        .await
    }
}

/// A world for tests that wait for each answer outside of any runtime: a connection to PostgreSQL is made, used and closed
/// by a runtime of its own, which no other may drive.
pub(crate) struct Waiting {
    world: World,
    runtime: Runtime,
}

impl std::ops::Deref for Waiting {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Waiting {
    pub(crate) fn new(world: World) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        Self {
            world,
            runtime: runtime.unwrap(),
        }
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.wait(self.world.get(path))
    }

    /// Asks as an administrator.
    pub(crate) fn get_all(&self, path: &str) -> Answer {
        self.wait(self.world.get_all(path))
    }

    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.wait(self.world.ask(method, path, headers, body))
    }
}

pub(crate) const fn token() -> (&'static str, &'static str) {
    ("authorization", "Bearer s3same")
}

pub(crate) async fn ask(
    router: Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body
            .collect()
            .await
            .expect("a body that ends well")
            .to_bytes(),
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Ids of the elements of an array.
    #[track_caller]
    pub(crate) fn ids(&self) -> Vec<i64> {
        let json = self.json();
        let elements = json.as_array().expect("an array");
        elements
            .iter()
            .map(|element| element["id"].as_i64().unwrap())
            .collect()
    }

    /// Asserts a problem of this status and kind, which names this field.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, kind: &str, field: Option<&str>) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let document = self.json();
        assert_eq!(document["type"], format!("urn:rsr:problem:{kind}"));
        assert_eq!(document["status"], status);
        assert_eq!(document["field"].as_str(), field, "{document}");
        assert_eq!(document["request_id"].as_str(), self.header("x-request-id"));
    }
}
