//! The buttons of administration. Each asks one admin route, as the command of the same name does, with the token that
//! the reader has typed; what would go is shown before it goes.

/// The buttons of one section; `data-try` ones are first asked what they would do.
pub(super) fn buttons(section: &str) -> &'static str {
    match section {
        "leaks" => {
            "<p class=\"buttons\"><button data-post=\"/admin/v1/memory/check-leaks/\" data-body='{\"reset\":false}'>Check now</button>\
             <button data-post=\"/admin/v1/memory/check-leaks/\" data-body='{\"reset\":true}' data-sure=\"Forget the history, and begin a new base now?\">Reset</button>\
             <button data-ack>Take note of a finding</button></p>"
        }
        "health" => {
            "<p class=\"buttons\"><button data-get=\"/admin/v1/memory/health/\">Health check</button>\
             <button data-get=\"/admin/v1/memory/advise/\">Advice</button></p>"
        }
        "memory" => {
            "<p class=\"buttons\"><button data-get=\"/admin/v1/memory/summary/\">Summary</button>\
             <button data-post=\"/admin/v1/memory/update-metrics/\" data-body='{}'>Update metrics</button></p>"
        }
        "caches" => {
            "<p class=\"buttons\"><button data-post=\"/admin/v1/caches/cleanup/\" data-body='{}' data-try=\"Remove expired entries of every cache?\">Clean up</button>\
             <button data-post=\"/admin/v1/caches/clear/\" data-body='{}' data-try=\"Remove every entry of every cache?\" class=\"bad\">Clear</button>\
             <button data-get=\"/admin/v1/caches/monitor/\">Findings</button></p>"
        }
        "deletions" => {
            "<p class=\"buttons\"><button data-post=\"/admin/v1/deletions/cleanup/\" data-body='{}' data-try=\"Stop tracking stale deletions?\">Clean up</button></p>"
        }
        "queue" => "<p class=\"buttons\"><button data-jobs>Jobs that were given up</button></p>",
        _ => "",
    }
}

/// Who presses: the token that each request carries.
pub(super) const TOKEN: &str = "<form id=\"token-form\"><label for=\"token\">Token, kept in this tab until it is closed</label>\
    <input id=\"token\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\"><button>Use it</button> <span id=\"token-state\" role=\"status\" class=\"soft\"></span></form>\n";

/// Heap profiles, below the token.
pub(super) const PROFILES: &str = "<h3>Heap profiles</h3><p class=\"buttons\"><button data-post=\"/admin/v1/memory/profiles/start/\" data-body='{\"minutes\":10}'>Start, 10 minutes</button>\
    <button data-profiles>Running and kept</button>\
    <button data-post=\"/admin/v1/memory/profiles/cleanup/\" data-body='{}' data-sure=\"Delete profiles that are too old or too many?\">Clean up</button></p>\n";

/// Where answers are shown, and questions asked.
pub(super) const DIALOG: &str = "<dialog id=\"dialog\" aria-labelledby=\"dialog-h\"><h2 id=\"dialog-h\">Answer</h2><div id=\"dialog-text\" tabindex=\"0\"></div>\
    <p class=\"buttons\"><button id=\"dialog-yes\" hidden>Do it</button><button id=\"dialog-no\">Close</button></p></dialog>\n";
