//! Users, roles and tokens: what they open, what lists then show, and that they end at once.

use std::time::Duration;

use rsr_base::{ProjectId, UserId};
use rsr_hierarchy::{Filter, Scope, Sort, Viewer};
use rsr_store::{
    Conflict, Error, ItemFilter, NewProject, NewResult, NewToken, ResultEdit, Role, TokenScope,
};

use super::support::TestStore;

fn hidden(test: &TestStore, parent: Option<ProjectId>) -> ProjectId {
    let new = NewProject {
        parent,
        title: "Hidden".to_owned(),
        is_private: true,
        ..NewProject::default()
    };
    test.store.write(|tx| tx.create_project(&new)).unwrap()
}

fn user(test: &TestStore, name: &str) -> UserId {
    test.store
        .write(|tx| tx.create_user(name, None, false))
        .unwrap()
}

fn token(user: UserId, name: &str) -> NewToken {
    NewToken {
        user,
        name: name.to_owned(),
        scope: TokenScope::Write,
        expires_ms: None,
    }
}

#[test]
fn a_role_covers_the_branch_below_it_and_nothing_beside_it() {
    let test = TestStore::new();
    let top = hidden(&test, None);
    let [left, right] = [hidden(&test, Some(top)), hidden(&test, Some(top))];
    let deep = hidden(&test, Some(left));
    let other = hidden(&test, None);
    let ada = user(&test, "Ada");
    test.store
        .write(|tx| {
            tx.grant_project_role(ada, left, Role::Reporter)?;
            tx.grant_project_role(ada, deep, Role::Editor)
        })
        .unwrap();
    let check = |project, role| {
        let snapshot = test.store.snapshot().unwrap();
        assert_eq!(snapshot.role_in(project, ada).unwrap(), role, "{project}");
        let sees = snapshot.may_see(project, Viewer::User(ada)).unwrap();
        assert_eq!(sees, role.is_some(), "{project}");
    };
    check(top, None);
    check(left, Some(Role::Reporter));
    check(right, None);
    check(deep, Some(Role::Editor));
    check(other, None);
    test.store
        .write(|tx| tx.move_project(deep, Some(right), false))
        .unwrap();
    check(deep, Some(Role::Editor));
    test.store
        .write(|tx| tx.move_project(right, Some(left), false))
        .unwrap();
    check(right, Some(Role::Reporter));
}

#[test]
fn lists_say_what_the_asking_user_may_and_hide_a_hidden_parent() {
    let test = TestStore::new();
    let top = hidden(&test, None);
    let left = hidden(&test, Some(top));
    let deep = hidden(&test, Some(left));
    let ada = user(&test, "Ada");
    test.store
        .write(|tx| tx.grant_project_role(ada, left, Role::Editor))
        .unwrap();
    let filter = Filter::default();
    let scope = Scope {
        viewer: Viewer::User(ada),
        filter: &filter,
        sort: Sort::default(),
    };
    let snapshot = test.store.snapshot().unwrap();
    let listed = snapshot.projects(&scope, None, 10).unwrap().rows;
    let shown: Vec<_> = listed
        .iter()
        .map(|(row, _)| {
            let parent = row.parent.as_ref().map(|parent| parent.id);
            (row.project.id, parent, row.is_editable, row.is_restricted)
        })
        .collect();
    assert_eq!(
        shown,
        [(deep, Some(left), true, false), (left, None, true, false)]
    );
}

#[test]
fn an_organisations_role_stops_where_a_project_has_roles_of_its_own() {
    let test = TestStore::new();
    let ada = user(&test, "Ada");
    let [open, closed] = test
        .store
        .write(|tx| {
            let organisation = tx.put_organisation(Some("XM-1"), "Org", "")?;
            tx.grant_organisation_role(ada, organisation, Role::Editor)?;
            let mut made = [ProjectId(0); 2];
            for (id, use_project_roles) in made.iter_mut().zip([false, true]) {
                *id = tx.create_project(&NewProject {
                    organisation: Some(organisation),
                    use_project_roles,
                    ..NewProject::default()
                })?;
            }
            Ok::<_, Error>(made)
        })
        .unwrap();
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.role_in(open, ada).unwrap(), Some(Role::Editor));
    assert_eq!(snapshot.role_in(closed, ada).unwrap(), None);
}

#[test]
fn a_token_is_known_by_its_text_alone_until_it_is_revoked() {
    let test = TestStore::new();
    let ada = user(&test, "Ada");
    let (id, secret) = test
        .store
        .write(|tx| tx.create_token(&token(ada, "laptop")))
        .unwrap();
    assert!(secret.expose().len() >= 32 + 4, "128 random bits at least");
    assert_eq!(format!("{secret:?}"), "TokenSecret(***)");
    let ask = |text: &str| test.store.token_holder(text.as_bytes()).unwrap();
    let holder = ask(secret.expose()).unwrap();
    assert_eq!((holder.user, holder.name.as_str()), (ada, "laptop"));
    assert_eq!((holder.scope, holder.is_admin), (TokenScope::Write, false));
    assert_eq!(ask(""), None);
    assert_eq!(ask(secret.expose().trim_start_matches('r')), None);
    let other = test
        .store
        .write(|tx| tx.create_token(&token(ada, "laptop")))
        .unwrap_err();
    assert!(matches!(other, Error::Conflict(Conflict::Taken { .. })));

    assert!(test.store.snapshot().unwrap().still_holds(&holder).unwrap());
    test.store.write(|tx| tx.revoke_token(id)).unwrap();
    assert_eq!(ask(secret.expose()), None);
    assert!(!test.store.snapshot().unwrap().still_holds(&holder).unwrap());
    let listed = test.store.snapshot().unwrap().tokens(Some(ada)).unwrap();
    assert!(listed[0].revoked_ms.is_some(), "it stays as history");
    let missing = test.store.write(|tx| tx.revoke_token(id + 1)).unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
}

#[test]
fn a_token_ends_at_its_time() {
    let test = TestStore::new();
    let ada = user(&test, "Ada");
    let (_, secret) = test
        .store
        .write(|tx| {
            let mut new = token(ada, "short");
            new.expires_ms = Some(tx.now_ms() + 1_000);
            tx.create_token(&new)
        })
        .unwrap();
    let is_known = || {
        let holder = test.store.token_holder(secret.expose().as_bytes());
        holder.unwrap().is_some()
    };
    test.clock.advance(Duration::from_millis(999));
    assert!(is_known());
    test.clock.advance(Duration::from_millis(1));
    assert!(!is_known());
}

#[test]
fn a_revoked_user_has_nothing_left_but_a_name() {
    let test = TestStore::new();
    let top = hidden(&test, None);
    let ada = user(&test, "Ada");
    let (_, secret) = test
        .store
        .write(|tx| {
            tx.grant_project_role(ada, top, Role::Admin)?;
            tx.create_token(&token(ada, "laptop"))
        })
        .unwrap();
    test.store.write(|tx| tx.revoke_user(ada)).unwrap();
    let snapshot = test.store.snapshot().unwrap();
    assert!(!snapshot.may_see(top, Viewer::User(ada)).unwrap());
    assert_eq!(
        test.store.token_holder(secret.expose().as_bytes()).unwrap(),
        None
    );
    let users = snapshot.users().unwrap();
    assert!(!users[0].is_active && users[0].roles.is_empty());
    drop(snapshot);
    let again = test
        .store
        .write(|tx| tx.create_token(&token(ada, "phone")))
        .unwrap_err();
    assert!(matches!(again, Error::NotFound { .. }));
}

#[test]
fn lists_go_on_after_an_id_and_show_what_may_be_seen() {
    let test = TestStore::new();
    let open = test.project("Open", None);
    let (ada, made) = test
        .store
        .write(|tx| {
            let hidden = tx.create_project(&NewProject {
                is_private: true,
                ..NewProject::default()
            })?;
            let mut made = Vec::new();
            for (project, title) in [(open, "A"), (hidden, "B"), (open, "AB")] {
                made.push(tx.create_result(&NewResult {
                    project,
                    kind: "1".to_owned(),
                    title: title.to_owned(),
                    description: String::new(),
                    aggregation_status: None,
                })?);
            }
            let ada = tx.create_user("Ada", None, false)?;
            tx.grant_project_role(ada, hidden, Role::Viewer)?;
            Ok::<_, Error>((ada, made))
        })
        .unwrap();
    let check = |filter: &ItemFilter<'_>, expected: &[usize]| {
        let snapshot = test.store.snapshot().unwrap();
        let listed = snapshot.listed_results(filter, 10).unwrap();
        let ids: Vec<_> = listed.iter().map(|row| row.id).collect();
        let expected: Vec<_> = expected.iter().map(|nth| made[*nth]).collect();
        assert_eq!(ids, expected, "{filter:?}");
    };
    let public = ItemFilter::all(Viewer::Anonymous);
    check(&public, &[2, 0]);
    check(&ItemFilter::all(Viewer::User(ada)), &[2, 1, 0]);
    let searched = ItemFilter {
        search: Some("B"),
        ..ItemFilter::all(Viewer::Administrator)
    };
    check(&searched, &[2, 1]);
    let after = ItemFilter {
        after: Some(made[0].0),
        is_rising: true,
        ..public
    };
    check(&after, &[2]);
    let edit = ResultEdit {
        title: Some("C".to_owned()),
        ..ResultEdit::default()
    };
    test.store
        .write(|tx| tx.edit_result(made[2], &edit))
        .unwrap();
    check(&searched, &[1]);
    let snapshot = test.store.snapshot().unwrap();
    assert_eq!(snapshot.listed_indicators(&public, 10).unwrap(), []);
    assert_eq!(snapshot.listed_periods(&public, 10).unwrap(), []);
}
