//! Who may what: every route, asked by everybody, against a small model of the rules.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use rsr_base::{IndicatorId, PeriodId, ProjectId, ResultId, UpdateId, UserId};
use rsr_store::{
    Error, NewIndicator, NewPeriod, NewProject, NewResult, NewToken, NewUpdate, ProjectEdit, Role,
    TokenScope, Tx, UpdateStatus,
};

use crate::iati;
use crate::support::{Answer, TOKEN, World};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asking {
    Anonymous,
    Wrong,
    Expired,
    Revoked,
    Stranger,
    Viewer,
    Reporter,
    Editor,
    ReadOnlyEditor,
    Owner,
    ReadOnlyAdministrator,
    Administrator,
    Service,
}

const ALL: [Asking; 13] = [
    Asking::Anonymous,
    Asking::Wrong,
    Asking::Expired,
    Asking::Revoked,
    Asking::Stranger,
    Asking::Viewer,
    Asking::Reporter,
    Asking::Editor,
    Asking::ReadOnlyEditor,
    Asking::Owner,
    Asking::ReadOnlyAdministrator,
    Asking::Administrator,
    Asking::Service,
];

/// What a route asks of the one who asks it, about a project that is hidden from the public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// The same for everybody, whatever they show.
    Nothing,
    /// Everybody gets an answer, of what they may see.
    Anybody,
    LoggedIn,
    See,
    Report,
    Edit,
    Own,
    Administer,
}

/// The status that the rules ask for; 200 stands for any success.
fn expected(needs: Needs, asking: Asking, is_loopback: bool) -> u16 {
    use Asking::*;
    let is_admin = matches!(asking, ReadOnlyAdministrator | Administrator | Service)
        || (asking == Anonymous && is_loopback);
    let reads_only = matches!(asking, ReadOnlyEditor | ReadOnlyAdministrator);
    let rights = match asking {
        Viewer => Needs::See,
        Reporter => Needs::Report,
        Editor | ReadOnlyEditor => Needs::Edit,
        Owner => Needs::Own,
        _ if is_admin => Needs::Administer,
        _ => Needs::LoggedIn,
    };
    match (needs, asking) {
        (Needs::Nothing, _) => 200,
        (_, Wrong | Expired | Revoked) => 401,
        (Needs::Anybody, _) => 200,
        (Needs::See, Anonymous) => 404,
        (_, Anonymous) if !is_loopback => 401,
        (Needs::LoggedIn, _) => 200,
        (Needs::See, _) => {
            if rights >= Needs::See {
                200
            } else {
                404
            }
        }
        (Needs::Administer, _) if !is_admin => 403,
        _ if reads_only => 403,
        _ if rights < Needs::See => 404,
        _ if rights >= needs => 200,
        _ => 403,
    }
}

/// A hidden project below the one that roles are given in, with one of everything, made anew for each request.
struct Stage {
    project: ProjectId,
    result: ResultId,
    indicator: IndicatorId,
    period: PeriodId,
    update: UpdateId,
    job: i64,
}

impl Stage {
    fn set(world: &World, top: ProjectId, reporter: UserId) -> Self {
        let make = |tx: &mut Tx| {
            let project = tx.create_project(&NewProject {
                parent: Some(top),
                title: "Hidden".to_owned(),
                is_private: true,
                ..NewProject::default()
            })?;
            let result = tx.create_result(&NewResult {
                project,
                kind: "1".to_owned(),
                title: "R".to_owned(),
                description: String::new(),
                aggregation_status: None,
            })?;
            let indicator = tx.create_indicator(&NewIndicator {
                result,
                is_qualitative: false,
                measure: "1".to_owned(),
                is_cumulative: false,
                is_ascending: None,
                has_scores: false,
                title: "I".to_owned(),
                description: String::new(),
            })?;
            let period = |tx: &mut Tx| {
                tx.create_period(&NewPeriod {
                    indicator,
                    start: None,
                    end: None,
                    target_value: String::new(),
                })
            };
            // The manual value goes to a period without updates.
            let (reported, empty) = (period(tx)?, period(tx)?);
            let update = tx.create_update(&NewUpdate {
                period: reported,
                user: reporter,
                status: UpdateStatus::Draft,
                numbers: rsr_aggregation::Numbers::default(),
                text: String::new(),
                narrative: String::new(),
                score: None,
                scores: Vec::new(),
                disaggregations: Vec::new(),
            })?;
            tx.queue_period(empty)?;
            Ok::<_, Error>(Self {
                project,
                result,
                indicator,
                period: empty,
                update,
                job: 0,
            })
        };
        let mut stage = world.store.write(make).unwrap();
        stage.job = give_up(world);
        stage
    }
}

/// Gives the waiting job up, so that it can be asked for again.
fn give_up(world: &World) -> i64 {
    let database = world.folder().join("rsr.db");
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
        .query_row(
            "UPDATE jobs SET state = 'maxxed' WHERE id = (SELECT max(id) FROM jobs) RETURNING id",
            [],
            |row| row.get(0),
        )
        .unwrap()
}

/// Each route of the public side: what it needs, and how to ask it about the stage.
fn routes(stage: &Stage) -> Vec<(&'static str, &'static str, Needs, String)> {
    let update = r#"{"value":1}"#.to_owned();
    let project = stage.project;
    vec![
        ("GET", "/", Needs::Nothing, String::new()),
        ("GET", "/dashboard/events/", Needs::Nothing, String::new()),
        ("GET", "/dashboard/flame/", Needs::Anybody, String::new()),
        ("GET", "/dashboard/projects/", Needs::Anybody, String::new()),
        (
            "GET",
            "/dashboard/projects/{id}/",
            Needs::See,
            String::new(),
        ),
        ("GET", "/health/live", Needs::Nothing, String::new()),
        ("GET", "/health/ready", Needs::Nothing, String::new()),
        ("GET", "/health/memory", Needs::Nothing, String::new()),
        ("GET", "/metrics/", Needs::Nothing, String::new()),
        ("GET", "/api/openapi.json", Needs::Nothing, String::new()),
        ("GET", "/api/v1/projects/", Needs::Anybody, String::new()),
        (
            "GET",
            "/api/v1/iati/activities.xml",
            Needs::Anybody,
            String::new(),
        ),
        ("GET", "/api/v1/results/", Needs::Anybody, String::new()),
        ("GET", "/api/v1/indicators/", Needs::Anybody, String::new()),
        ("GET", "/api/v1/periods/", Needs::Anybody, String::new()),
        ("GET", "/api/v1/jobs/", Needs::LoggedIn, String::new()),
        ("GET", "/api/v1/results/{id}/", Needs::See, String::new()),
        ("GET", "/api/v1/indicators/{id}/", Needs::See, String::new()),
        ("GET", "/api/v1/periods/{id}/", Needs::See, String::new()),
        (
            "PATCH",
            "/api/v1/results/{id}/",
            Needs::Edit,
            r#"{"title":"y"}"#.to_owned(),
        ),
        (
            "PATCH",
            "/api/v1/indicators/{id}/",
            Needs::Edit,
            r#"{"title":"y"}"#.to_owned(),
        ),
        ("GET", "/api/v1/projects/{id}/", Needs::See, String::new()),
        (
            "GET",
            "/api/v1/projects/{id}/children/",
            Needs::See,
            String::new(),
        ),
        (
            "GET",
            "/rest/v1/project/{id}/children/",
            Needs::See,
            String::new(),
        ),
        (
            "GET",
            "/api/v1/projects/{id}/descendants/",
            Needs::See,
            String::new(),
        ),
        (
            "GET",
            "/api/v1/projects/{id}/results/",
            Needs::See,
            String::new(),
        ),
        (
            "GET",
            "/api/v1/periods/{id}/updates/",
            Needs::See,
            String::new(),
        ),
        (
            "POST",
            "/api/v1/projects/",
            Needs::Edit,
            format!(r#"{{"title":"x","parent":{project}}}"#),
        ),
        (
            "PATCH",
            "/api/v1/projects/{id}/",
            Needs::Edit,
            r#"{"title":"y"}"#.to_owned(),
        ),
        (
            "DELETE",
            "/api/v1/projects/{id}/",
            Needs::Own,
            String::new(),
        ),
        (
            "POST",
            "/api/v1/projects/{id}/recalculate/",
            Needs::Administer,
            String::new(),
        ),
        (
            "POST",
            "/api/v1/results/",
            Needs::Edit,
            format!(r#"{{"title":"x","project":{project}}}"#),
        ),
        (
            "POST",
            "/api/v1/indicators/",
            Needs::Edit,
            format!(r#"{{"title":"x","result":{}}}"#, stage.result),
        ),
        (
            "POST",
            "/api/v1/periods/",
            Needs::Edit,
            format!(r#"{{"indicator":{}}}"#, stage.indicator),
        ),
        (
            "PATCH",
            "/api/v1/periods/{id}/",
            Needs::Edit,
            r#"{"manual_value":"3"}"#.to_owned(),
        ),
        (
            "POST",
            "/api/v1/periods/{id}/updates/",
            Needs::Report,
            update.clone(),
        ),
        ("PATCH", "/api/v1/updates/{id}/", Needs::Report, update),
        (
            "DELETE",
            "/api/v1/updates/{id}/",
            Needs::Report,
            String::new(),
        ),
        (
            "POST",
            "/api/v1/jobs/{id}/retry/",
            Needs::Edit,
            String::new(),
        ),
    ]
}

/// The id that a route's path is about.
fn id(stage: &Stage, path: &str) -> i64 {
    let subject = path
        .split('/')
        .rev()
        .skip_while(|part| *part != "{id}")
        .nth(1);
    match subject {
        Some("updates") => stage.update.0,
        Some("periods") => stage.period.0,
        Some("indicators") => stage.indicator.0,
        Some("results") => stage.result.0,
        Some("jobs") => stage.job,
        _ => stage.project.0,
    }
}

/// A world, the project that roles are given in, and everybody's token.
struct Cast {
    world: World,
    top: ProjectId,
    users: Vec<(Asking, UserId)>,
    tokens: Vec<(Asking, String)>,
}

impl Cast {
    fn new(listen: &str) -> Self {
        let world = World::with(&[("RSR_LISTEN", listen)]);
        iati::import(&world, &iati::file(1));
        let mut users = Vec::new();
        let mut tokens = vec![
            (Asking::Service, TOKEN.to_owned()),
            (
                Asking::Wrong,
                "rsr_00000000000000000000000000000000".to_owned(),
            ),
        ];
        let top = world
            .store
            .write(|tx| {
                let top = tx.create_project(&NewProject {
                    title: "Top".to_owned(),
                    is_private: true,
                    ..NewProject::default()
                })?;
                let public = tx.project_by_identifier("XM-TEST-0")?;
                let published = ProjectEdit {
                    is_published: Some(true),
                    ..ProjectEdit::default()
                };
                tx.edit_project(public.expect("it was imported"), &published)?;
                let people = [
                    (Asking::Expired, Some(Role::Admin), TokenScope::Write),
                    (Asking::Revoked, Some(Role::Admin), TokenScope::Write),
                    (Asking::Stranger, None, TokenScope::Write),
                    (Asking::Viewer, Some(Role::Viewer), TokenScope::Write),
                    (Asking::Reporter, Some(Role::Reporter), TokenScope::Write),
                    (Asking::Editor, Some(Role::Editor), TokenScope::Write),
                    (Asking::ReadOnlyEditor, Some(Role::Editor), TokenScope::Read),
                    (Asking::Owner, Some(Role::Admin), TokenScope::Admin),
                    (Asking::ReadOnlyAdministrator, None, TokenScope::Read),
                    (Asking::Administrator, None, TokenScope::Write),
                ];
                for (asking, role, scope) in people {
                    let is_admin = matches!(
                        asking,
                        Asking::Administrator | Asking::ReadOnlyAdministrator
                    );
                    let user = tx.create_user(&format!("{asking:?}"), None, is_admin)?;
                    if let Some(role) = role {
                        tx.grant_project_role(user, top, role)?;
                    }
                    let is_expired = asking == Asking::Expired;
                    let (id, secret) = tx.create_token(&NewToken {
                        user,
                        name: "t".to_owned(),
                        scope,
                        expires_ms: is_expired.then(|| tx.now_ms() + 1),
                    })?;
                    if asking == Asking::Revoked {
                        tx.revoke_token(id)?;
                    }
                    users.push((asking, user));
                    tokens.push((asking, secret.expose().to_owned()));
                }
                Ok::<_, Error>(top)
            })
            .unwrap();
        world.clock.advance(Duration::from_millis(2));
        Self {
            world,
            top,
            users,
            tokens,
        }
    }

    fn user(&self, asking: Asking) -> Option<UserId> {
        let mut users = self.users.iter();
        users.find(|(who, _)| *who == asking).map(|(_, id)| *id)
    }

    async fn ask(&self, asking: Asking, method: &str, path: &str, body: &str) -> Answer {
        let token = self.tokens.iter().find(|(who, _)| *who == asking);
        let bearer = token.map(|(_, secret)| format!("Bearer {secret}"));
        let mut headers = vec![("content-type", "application/json")];
        if let Some(bearer) = &bearer {
            headers.push(("authorization", bearer));
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.world.ask(method, path, &headers, body).await
    }
}

async fn check_everything(listen: &str, is_loopback: bool) {
    let cast = Cast::new(listen);
    let reporter = cast.user(Asking::Reporter).unwrap();
    let described = cast.world.get("/api/openapi.json").await.json();
    let mut undecided: BTreeSet<String> = BTreeSet::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            undecided.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    for asking in ALL {
        // Users report for themselves.
        let own = cast.user(asking).unwrap_or(reporter);
        let n_routes = routes(&Stage::set(&cast.world, cast.top, own)).len();
        for nth in 0..n_routes {
            let stage = Stage::set(&cast.world, cast.top, own);
            let (method, path, needs, mut body) = routes(&stage).swap_remove(nth);
            undecided.remove(&format!("{method} {path}"));
            let is_report = method == "POST" && path.ends_with("/updates/");
            let names_none = cast.user(asking).is_none()
                || matches!(
                    asking,
                    Asking::Administrator | Asking::ReadOnlyAdministrator
                );
            if is_report && names_none {
                body = format!(r#"{{"value":1,"user":{reporter}}}"#);
            }
            let asked = path.replace("{id}", &id(&stage, path).to_string());
            let answer = cast.ask(asking, method, &asked, &body).await;
            let status = answer.status.as_u16();
            let got = if status < 300 { 200 } else { status };
            assert_eq!(
                got,
                expected(needs, asking, is_loopback),
                "{asking:?} {method} {path} (loopback: {is_loopback}): {}",
                answer.text()
            );
        }
    }
    assert!(undecided.is_empty(), "nobody says who may: {undecided:?}");
}

#[tokio::test]
async fn every_route_answers_everybody_by_the_rules_on_loopback() {
    check_everything("127.0.0.1:0", true).await;
}

#[tokio::test]
async fn every_route_answers_everybody_by_the_rules_on_the_network() {
    check_everything("0.0.0.0:0", false).await;
}

#[tokio::test]
async fn lists_counts_and_exports_show_what_may_be_seen() {
    let cast = Cast::new("0.0.0.0:0");
    let reporter = cast.user(Asking::Reporter).unwrap();
    let stage = Stage::set(&cast.world, cast.top, reporter);
    let seen = [
        (Asking::Anonymous, 1, 0),
        (Asking::Stranger, 1, 0),
        (Asking::Viewer, 3, 1),
        (Asking::Administrator, 3, 1),
    ];
    for (asking, n_projects, n_jobs) in seen {
        let list = cast.ask(asking, "GET", "/api/v1/projects/", "").await;
        assert_eq!(list.ids().len(), n_projects, "{asking:?}");
        if asking != Asking::Anonymous {
            let jobs = cast.ask(asking, "GET", "/api/v1/jobs/", "").await;
            assert_eq!(jobs.ids().len(), n_jobs, "{asking:?}");
        }
    }
    let path = format!("/api/v1/projects/{}/children/", cast.top);
    let editable = async |asking| {
        let list = cast.ask(asking, "GET", &path, "").await.json();
        (list[0]["editable"].clone(), list[0]["restricted"].clone())
    };
    assert_eq!(editable(Asking::Viewer).await, (false.into(), false.into()));
    assert_eq!(editable(Asking::Editor).await, (true.into(), false.into()));
    let path = format!("/api/v1/projects/{}/", stage.project);
    let seen = cast.ask(Asking::Viewer, "GET", &path, "").await;
    assert_eq!(seen.json()["parent"], cast.top.0);
}

#[tokio::test]
async fn a_parent_that_is_hidden_is_named_nowhere() {
    let world = World::new();
    let (top, child) = world
        .store
        .write(|tx| {
            let top = tx.create_project(&NewProject {
                title: "Secret".to_owned(),
                is_private: true,
                ..NewProject::default()
            })?;
            let child = tx.create_project(&NewProject {
                parent: Some(top),
                title: "Open".to_owned(),
                is_published: true,
                ..NewProject::default()
            })?;
            Ok::<_, Error>((top, child))
        })
        .unwrap();
    let shown = world.get(&format!("/api/v1/projects/{child}/")).await;
    assert_eq!(shown.json()["parent"], serde_json::Value::Null);
    let listed = world.get("/api/v1/projects/").await;
    assert_eq!(listed.ids(), [child.0]);
    assert!(!listed.text().contains("Secret"));
    let all = world.get_all(&format!("/api/v1/projects/{child}/")).await;
    assert_eq!(all.json()["parent"], top.0);
}

#[tokio::test]
async fn a_right_that_is_taken_away_ends_with_the_next_request() {
    let cast = Cast::new("0.0.0.0:0");
    let reporter = cast.user(Asking::Reporter).unwrap();
    let stage = Stage::set(&cast.world, cast.top, reporter);
    let path = format!("/api/v1/projects/{}/", stage.project);
    let status = async |asking| cast.ask(asking, "GET", &path, "").await.status.as_u16();
    // Twice, so that the answer comes from a cache.
    for _ in 0..2 {
        assert_eq!(status(Asking::Viewer).await, 200);
        assert_eq!(status(Asking::Editor).await, 200);
    }
    let editor = cast.user(Asking::Editor).unwrap();
    let store = &cast.world.store;
    store.write(|tx| tx.revoke_user(editor)).unwrap();
    assert_eq!(status(Asking::Editor).await, 401);
    let viewer = cast.user(Asking::Viewer).unwrap();
    let revoke = |tx: &mut Tx| tx.revoke_project_role(viewer, cast.top).map(drop);
    store.write(revoke).unwrap();
    assert_eq!(
        status(Asking::Viewer).await,
        404,
        "the token stays, its role does not"
    );
}

#[tokio::test]
async fn who_reports_approves_nothing_and_changes_nobody_elses_report() {
    let cast = Cast::new("0.0.0.0:0");
    let [reporter, editor] =
        [Asking::Reporter, Asking::Editor].map(|asking| cast.user(asking).unwrap());
    let own = Stage::set(&cast.world, cast.top, reporter);
    let others = Stage::set(&cast.world, cast.top, editor);
    let status = async |asking, method: &str, path: String, body: &str| {
        cast.ask(asking, method, &path, body).await.status.as_u16()
    };
    let update = |stage: &Stage| format!("/api/v1/updates/{}/", stage.update);
    let reports = format!("/api/v1/periods/{}/updates/", own.period);
    let who = Asking::Reporter;
    let approve = r#"{"status":"A"}"#;
    let text = r#"{"text":"x"}"#;
    assert_eq!(status(who, "POST", reports.clone(), approve).await, 403);
    assert_eq!(status(who, "PATCH", update(&own), approve).await, 403);
    assert_eq!(status(who, "PATCH", update(&others), text).await, 403);
    assert_eq!(status(who, "DELETE", update(&others), "").await, 403);
    let for_another = format!(r#"{{"user":{editor}}}"#);
    assert_eq!(status(who, "POST", reports, &for_another).await, 403);
    assert_eq!(status(who, "PATCH", update(&own), text).await, 200);
    assert_eq!(
        status(Asking::Editor, "PATCH", update(&own), approve).await,
        200
    );
    assert_eq!(
        status(who, "PATCH", update(&own), text).await,
        403,
        "approved"
    );
}

#[tokio::test]
async fn a_move_needs_the_right_at_both_ends() {
    let cast = Cast::new("0.0.0.0:0");
    let reporter = cast.user(Asking::Reporter).unwrap();
    let stage = Stage::set(&cast.world, cast.top, reporter);
    let elsewhere = cast.world.plant(&[None])[0];
    let path = format!("/api/v1/projects/{}/", stage.project);
    let body = format!(r#"{{"parent":{elsewhere}}}"#);
    let refused = cast.ask(Asking::Editor, "PATCH", &path, &body).await;
    refused.is_problem(403, "forbidden", None);
    let root = cast
        .ask(
            Asking::Owner,
            "POST",
            "/api/v1/projects/",
            r#"{"title":"x"}"#,
        )
        .await;
    root.is_problem(403, "forbidden", None);
    let moved = cast.ask(Asking::Administrator, "PATCH", &path, &body).await;
    assert_eq!(moved.status, 200);
}
