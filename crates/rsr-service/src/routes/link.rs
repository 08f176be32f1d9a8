//! Links to the rest of a list that was cut.

use http::Uri;

/// The value of a `Link` header that leads to the rest.
pub(super) fn next_link(uri: &Uri, cursor: &str) -> String {
    format!("<{}>; rel=\"next\"", with_cursor(uri, cursor))
}

/// The same question with another cursor. The query stays as the client wrote it, so no re-coding can change it.
pub(super) fn with_cursor(uri: &Uri, cursor: &str) -> String {
    let mut link = format!("{}?", uri.path());
    for pair in uri.query().unwrap_or_default().split('&') {
        let is_cursor = pair.split('=').next() == Some("cursor");
        if !pair.is_empty() && !is_cursor {
            link.push_str(pair);
            link.push('&');
        }
    }
    link.push_str("cursor=");
    link.push_str(cursor);
    link
}
