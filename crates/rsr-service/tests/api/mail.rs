//! Mail about jobs, sent to a real mail server: apart from the jobs, which never wait for it.

use std::time::Duration;

use rsr_base::PeriodId;
use rsr_store::{ProjectEdit, Role};
use rsr_testkit::SmtpServer;

use crate::results::period;
use crate::support::World;

/// A service that mails to this port, with a job that fails at its first run, and somebody who wants to hear of it.
async fn world(port: u16) -> (World, PeriodId) {
    let port = port.to_string();
    let world = World::with(&[
        ("RSR_MAIL_HOST", "127.0.0.1"),
        ("RSR_MAIL_PORT", &port),
        ("RSR_MAIL_TLS", "disable"),
        ("RSR_MAIL_FROM", "rsr@example.org"),
        ("RSR_MAIL_USER", "rsr"),
        ("RSR_MAIL_PASSWORD", "s3same"),
        ("RSR_MAIL_TIMEOUT", "2"),
    ]);
    let (period, _user) = period(&world, "1").await;
    let period = PeriodId(period);
    world
        .store
        .write(|tx| {
            let project = tx.project_of_period(period)?;
            let organisation = tx.put_organisation(Some("XX-1"), "Ours", "10")?;
            let ann = tx.create_user("Ann", Some("ann@example.org"), false)?;
            tx.grant_organisation_role(ann, organisation, Role::Viewer)?;
            tx.set_aggregation_mail(ann, true)?;
            let edit = ProjectEdit {
                organisation: Some(organisation),
                ..ProjectEdit::default()
            };
            tx.edit_project(project, &edit)?;
            tx.queue_period(period)
        })
        .unwrap();
    // A worker that is never heard of again.
    let settings = world.live.current();
    let claim = world.store.claim(period, &settings.aggregation).unwrap();
    drop(claim.expect("the job waits"));
    world.clock.advance(settings.aggregation.job_lease);
    (world, period)
}

/// What metrics say of mails: sent, failed, given up.
async fn counted(world: &World) -> [u64; 3] {
    let metrics = world.get("/metrics/").await.text();
    ["sent", "failed", "given_up"].map(|outcome| {
        let name = format!("rsr_mails_total{{outcome=\"{outcome}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap().parse().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_40_a_failed_job_is_told_of_and_so_is_its_success() {
    let server = SmtpServer::start();
    let (world, _period) = world(server.port()).await;
    server.refuse(1);
    world.service.beat();
    assert_eq!(counted(&world).await, [0, 1, 0], "not taken, and kept");
    world.clock.advance(Duration::from_secs(59));
    world.service.beat();
    assert_eq!(
        counted(&world).await[0],
        1,
        "the job's success was told meanwhile"
    );
    world.clock.advance(Duration::from_secs(1));
    world.service.beat();
    assert_eq!(counted(&world).await, [2, 1, 0]);
    let mails = server.take(2);
    let about = ["succeeded after it had failed", "failed and will be tried"];
    for (mail, about) in mails.iter().zip(about) {
        assert_eq!(mail.recipients, ["ann@example.org"]);
        assert!(mail.text.contains(about), "{about}: {}", mail.text);
    }
    assert!(mails[1].text.contains("worker lost"), "{}", mails[1].text);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_40_a_mail_server_that_is_not_there_holds_up_no_job() {
    let server = SmtpServer::start();
    let port = server.port();
    drop(server);
    let (world, period) = world(port).await;
    world.service.beat();
    world.clock.advance(Duration::from_secs(60));
    world.service.beat();
    let snapshot = world.store.snapshot().unwrap();
    let jobs = snapshot.jobs(Some("finished"), 9).unwrap();
    assert_eq!(jobs[0].period, period);
    assert_eq!(snapshot.mails_waiting().unwrap(), 2);
    drop(snapshot);
    world.clock.advance(Duration::from_secs(2 * 86_400));
    world.service.beat();
    assert_eq!(counted(&world).await[2], 2, "a day is enough");
}
