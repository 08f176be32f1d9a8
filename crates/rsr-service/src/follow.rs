//! Taking in what other machines do, where several share a database.

use rsr_store::{Following, News};

use crate::app::App;

/// Follows the other machines for as long as the answer lives. `None` where there are none, or where the system has no
/// thread for it: then the database is asked each time.
pub(crate) fn follow(app: &App) -> Option<Following> {
    let parts = app.downgrade();
    let each_beat = move |news: News| {
        if let Some(app) = App::upgrade(&parts) {
            take_in(&app, news);
        }
    };
    app.store.follow(each_beat).unwrap_or_else(|error| {
        tracing::warn!(%error, "other machines cannot be followed: the database is asked each time");
        None
    })
}

fn take_in(app: &App, news: News) {
    if news.has_changed {
        // What is of an older version is not served any more, and only takes room.
        app.caches.forget();
    }
    if news.has_queued {
        app.queued.notify_one();
    }
    // At every beat, not only when one is heard of: it also finds out that the marks of this machine were lost.
    if let Err(error) = app.deletions.refresh() {
        let error: &dyn std::error::Error = &error;
        tracing::debug!(error, "the deletions of other machines are not known now");
    }
}
