//! Rules over several settings.

use super::{Loaded, Problem};
use crate::tree::TABLE;

/// Longest path of a Unix socket on Linux, its closing zero byte left out.
const SOCKET_PATH_MAX: usize = 107;

/// The problems of values that are right one by one and wrong together.
pub(crate) fn check(loaded: &Loaded) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |key: &'static str, reason: String| {
        let setting = TABLE.iter().find(|setting| setting.key == key);
        problems.push(Problem::Conflict {
            key,
            value: setting.map_or_else(String::new, |setting| (setting.show)(&loaded.settings)),
            origin: loaded.source(key).clone(),
            reason,
        });
    };
    let server = &loaded.settings.server;
    if server.api_token.is_none() {
        if !server.listen.ip().is_loopback() {
            refuse(
                "server.listen",
                "other machines reach it, so set server.api_token (RSR_API_TOKEN), or listen on 127.0.0.1".to_owned(),
            );
        }
        if server.admin_listen.is_some() {
            refuse(
                "server.admin_listen",
                "each request there needs a token, so set server.api_token (RSR_API_TOKEN)"
                    .to_owned(),
            );
        }
    }
    if server.admin_listen == Some(server.listen) && server.listen.port() != 0 {
        refuse(
            "server.admin_listen",
            "server.listen has the same address".to_owned(),
        );
    }
    let length = server.admin_socket.as_os_str().len();
    if length > SOCKET_PATH_MAX {
        refuse(
            "server.admin_socket",
            format!(
                "it has {length} bytes, and the path of a socket has at most {SOCKET_PATH_MAX}"
            ),
        );
    }
    let memory = &loaded.settings.memory;
    let ladder = [
        ("memory.reclaim_at", memory.reclaim_at),
        ("memory.pause_at", memory.pause_at),
        ("memory.shed_at", memory.shed_at),
        ("memory.refuse_at", memory.refuse_at),
    ];
    for (lower, upper) in ladder.iter().zip(ladder.iter().skip(1)) {
        if lower.1 >= upper.1 {
            refuse(
                upper.0,
                format!(
                    "the step before it, {}, is at {}; give more than that",
                    lower.0, lower.1
                ),
            );
        }
    }
    let aggregation = &loaded.settings.aggregation;
    if aggregation.retry_wait > aggregation.retry_wait_max {
        refuse(
            "aggregation.retry_wait",
            format!(
                "aggregation.retry_wait_max is {} s",
                aggregation.retry_wait_max.as_secs_f64()
            ),
        );
    }
    problems
}
