//! Mail about jobs, and the outbox that it waits in (aggregation rule 40).

use std::time::Duration;

use rsr_store::{NewMail, ProjectEdit, Role};

use super::example::{Example, number};
use super::queue::spoil;

/// A chain of two, whose top has an organisation with somebody who wants mail, and somebody who does not.
fn example() -> Example {
    let example = Example::new(&[None, Some(0)], "1");
    example.write(|tx| {
        let ours = tx.put_organisation(Some("XX-1"), "Ours", "10")?;
        let theirs = tx.put_organisation(Some("XX-2"), "Theirs", "10")?;
        for (email, organisation, is_wanted) in [
            ("ann@example.org", ours, true),
            ("bob@example.org", ours, false),
            ("cy@example.org", theirs, true),
        ] {
            let user = tx.create_user("somebody", Some(email), false)?;
            tx.grant_organisation_role(user, organisation, Role::Viewer)?;
            tx.grant_organisation_role(user, organisation, Role::Editor)?;
            tx.set_aggregation_mail(user, is_wanted)?;
        }
        let edit = ProjectEdit {
            organisation: Some(ours),
            ..ProjectEdit::default()
        };
        tx.edit_project(example.projects[0], &edit)
    });
    example
}

/// Takes all mail out: `recipients: subject`.
fn post(example: &Example) -> Vec<String> {
    let store = &example.test.store;
    let mut all = Vec::new();
    while let Some(waiting) = store.take_mail(Duration::from_secs(60)).unwrap() {
        let NewMail {
            recipients,
            subject,
            body,
            ..
        } = &waiting.mail;
        assert!(body.contains("in project 2 \"project 1\""), "{body}");
        all.push(format!("{}: {subject}", recipients.join(" ")));
        store.drop_mail(waiting.id).unwrap();
    }
    all
}

#[test]
fn rule_40_people_hear_of_the_first_failure_of_giving_up_and_of_success_after_failure() {
    let example = example();
    spoil(&example, 1);
    let mut told = Vec::new();
    for _attempt in 0..5 {
        assert_eq!(example.work().len(), 1);
        told.push(post(&example));
        example.test.clock.advance(Duration::from_secs(600));
    }
    let mail = |what: &str| {
        vec![format!(
            "ann@example.org: Aggregation below \"project 0\" {what}"
        )]
    };
    let (first, last) = (mail("failed and will be tried again"), mail("was given up"));
    assert_eq!(told, [first.clone(), vec![], vec![], vec![], last]);

    example.test.meddle("UPDATE updates SET value = 500");
    let period = example.period(1).id;
    example.write(|tx| tx.queue_period(period));
    assert_eq!(example.work(), []);
    assert_eq!(post(&example), [""; 0], "a job that never failed");

    example
        .test
        .meddle(&format!("UPDATE updates SET value = '{}'", i128::MAX));
    example.write(|tx| tx.queue_period(period));
    assert_eq!(example.work().len(), 1);
    assert_eq!(post(&example), first);
    example.test.meddle("UPDATE updates SET value = 500");
    example.test.clock.advance(Duration::from_secs(600));
    assert_eq!(example.work(), []);
    assert_eq!(post(&example), mail("succeeded after it had failed"));
}

#[test]
fn rule_40_a_whole_roll_up_tells_of_jobs_that_had_failed_too() {
    let example = example();
    spoil(&example, 1);
    assert_eq!(example.work().len(), 1);
    assert_eq!(post(&example).len(), 1);
    example.test.meddle("UPDATE updates SET value = 500");
    example.roll_up();
    assert_eq!(example.jobs("finished").len(), 1);
    assert!(post(&example)[0].ends_with("succeeded after it had failed"));
}

#[test]
fn rule_40_nobody_to_write_to_is_nothing_to_do() {
    let example = Example::new(&[None, Some(0)], "1");
    spoil(&example, 1);
    assert_eq!(example.work().len(), 1);
    assert_eq!(
        example
            .test
            .store
            .snapshot()
            .unwrap()
            .mails_waiting()
            .unwrap(),
        0
    );
    // A root that is gone has nobody either.
    let top = example.period(0).id;
    example.test.meddle(&format!(
        "UPDATE jobs SET root_period_id = 999 WHERE root_period_id = {top}"
    ));
    example.test.clock.advance(Duration::from_secs(600));
    assert_eq!(example.work().len(), 1);
}

#[test]
fn a_mail_goes_back_until_it_was_sent_or_is_too_old() {
    let example = Example::new(&[None], "1");
    let store = &example.test.store;
    let mail = NewMail {
        recipients: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
        subject: "one".to_owned(),
        body: "two\nlines".to_owned(),
        attachment: Some(("table.tsv".to_owned(), "a\tb\n".to_owned())),
    };
    example.write(|tx| tx.queue_mail(&mail));
    example.write(|tx| tx.queue_mail(&NewMail::default()));
    let minute = Duration::from_secs(60);
    let taken = store.take_mail(minute).unwrap().unwrap();
    assert_eq!((&taken.mail, taken.attempts), (&mail, 1));
    assert_eq!(store.take_mail(minute).unwrap(), None, "somebody has it");
    example.test.clock.advance(minute);
    let again = store.take_mail(minute).unwrap().unwrap();
    assert_eq!(
        (again.id, again.attempts),
        (taken.id, 2),
        "nothing was heard"
    );
    store.put_mail_back(again.id, 2 * minute).unwrap();
    example.test.clock.advance(minute);
    assert_eq!(store.take_mail(minute).unwrap(), None, "it waits");
    assert_eq!(store.drop_old_mails(3 * minute).unwrap(), 0);
    example.test.clock.advance(2 * minute);
    assert_eq!(store.drop_old_mails(3 * minute).unwrap(), 1);
    assert_eq!(store.take_mail(minute).unwrap(), None);
    example.report(0, number(1), &[]);
}
