//! A leak on purpose, in a named place, to see that it is found.

use std::time::Duration;

use rsr_base::ByteSize;

/// Time between two values that are kept.
const EVERY: Duration = Duration::from_millis(200);
/// Lines of one of them: about a quarter of a MiB.
const LINES: usize = 4_096;
/// What is leaked at most: a demonstration is no reason to take the machine down.
const LEAKED_MAX: ByteSize = ByteSize::from_mib(512);

/// What was asked for long ago, and nobody asks for again.
#[derive(Debug)]
struct Invoice {
    text: String,
}

/// Leaks a MiB and a quarter a second, for so long or for ever, then lets all of it go.
pub(crate) async fn leak<T>(lasts: Option<Duration>) -> T {
    let mut kept = Vec::new();
    let mut beats = tokio::time::interval(EVERY);
    let leaking = async {
        loop {
            beats.tick().await;
            let n_bytes: usize = kept
                .iter()
                .map(|invoice: &Invoice| invoice.text.len())
                .sum();
            if ByteSize::from_bytes(n_bytes as u64) < LEAKED_MAX {
                keep_every_invoice(&mut kept);
            }
        }
    };
    match lasts {
        // Ends with the time that it lasts.
        Some(lasts) => drop(tokio::time::timeout(lasts, leaking).await),
        None => leaking.await,
    }
    tracing::info!("the demo's leak is over: what it kept is freed");
    drop(kept);
    std::future::pending().await
}

/// The place that the monitor is to name. Nothing ever takes out of the list what this puts in.
#[inline(never)]
fn keep_every_invoice(kept: &mut Vec<Invoice>) {
    let number = kept.len();
    let line = format!("invoice {number:08}: sixty litres of water a day for each household\n");
    kept.push(Invoice {
        text: line.repeat(LINES),
    });
}
