//! Cached functions and fields: rules 16 to 18.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use rsr_cache::{CacheRegistry, CachedProperty, LoadError, cached};
use rsr_settings::CacheSettings;
use rsr_testkit::ManualClock;

use super::seconds;

static N_PARSED: AtomicU32 = AtomicU32::new(0);

#[cached(cache_err = "1h")]
fn parsed(text: &str) -> Result<u32, std::num::ParseIntError> {
    N_PARSED.fetch_add(1, Ordering::Relaxed);
    text.parse()
}

#[test]
fn errors_are_cached_where_asked_for() {
    for _ in 0..3 {
        assert_eq!(parsed("12"), Ok(12));
        assert!(parsed("twelve").is_err());
    }
    assert_eq!(N_PARSED.load(Ordering::Relaxed), 2);
    assert_eq!(parsed_cache().stats().n_negative_hits, 2);
    assert_eq!(parsed_cache().name(), "api::cached::parsed");
}

static N_TRIED: AtomicU32 = AtomicU32::new(0);

#[cached]
fn tried(n: u32) -> Result<u32, String> {
    let tries = N_TRIED.fetch_add(1, Ordering::Relaxed);
    if tries == 0 {
        Err("not yet".to_owned())
    } else {
        Ok(n)
    }
}

#[test]
fn errors_are_not_cached_otherwise() {
    assert_eq!(tried(1), Err("not yet".to_owned()));
    assert_eq!(tried(1), Ok(1));
    assert_eq!(tried(1), Ok(1));
    assert_eq!(N_TRIED.load(Ordering::Relaxed), 2);
}

#[cached]
fn wide(n: u64, kind: u32, label: Option<String>) -> String {
    format!("{n} {kind} {label:?}")
}

#[test]
fn arguments_are_told_apart_by_value() {
    assert_eq!(wide(1, 2, None), "1 2 None");
    assert_eq!(wide(2, 1, None), "2 1 None");
    assert_eq!(wide(1, 2, Some(String::new())), "1 2 Some(\"\")");
    assert_eq!(wide_cache().len(), 3);
    assert!(wide_invalidate(2, 1, None));
    assert!(!wide_invalidate(2, 1, None));
    assert_eq!(wide_uncached(2, 1, None), "2 1 None");
    assert_eq!(wide_cache().len(), 2);
    wide_cache().clear();
    assert!(wide_cache().is_empty());
}

struct Project {
    id: u64,
    name: String,
}

impl Project {
    #[cached(key = self.id, tag = format!("project:{}", self.id), skip(noise))]
    fn slogan(&self, times: usize, noise: f64) -> String {
        assert!(noise.is_finite(), "{noise}");
        self.name.repeat(times)
    }

    #[cached(key = self.name, ttl = 60, max_size = 5)]
    async fn shout(&self) -> String {
        self.name.to_uppercase()
    }

    #[cached(associated)]
    fn of(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            name: format!("p{id}"),
        })
    }
}

#[test]
fn short_lived_objects_never_share_an_entry() {
    for id in 0..1_000 {
        // Each is likely to stand where the last one stood.
        let project = Project {
            id,
            name: format!("<{id}>"),
        };
        assert_eq!(project.slogan(2, 0.5), format!("<{id}><{id}>"));
        assert_eq!(project.slogan(2, 1.5), format!("<{id}><{id}>"));
    }
    let stats = Project::slogan_cache().stats();
    assert_eq!((stats.n_loads, stats.n_hits), (1_000, 1_000));
    let registry = CacheRegistry::new(CacheSettings::default());
    registry.adopt(Project::slogan_cache()).unwrap();
    registry.adopt(Project::slogan_cache()).unwrap();
    assert_eq!(registry.invalidate_tag("project:7").total, 1);
    assert_eq!(registry.stats_all().global.total_entries, 999);
}

#[test]
fn async_methods_and_associated_functions_are_cached_too() {
    let project = Project::of(3);
    assert!(Arc::ptr_eq(&project, &Project::of(3)));
    for _ in 0..2 {
        let mut shout = pin!(project.shout());
        let polled = shout.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready("P3".to_owned()));
    }
    let stats = Project::shout_cache().stats();
    assert_eq!(
        (stats.n_loads, stats.max_size, stats.ttl),
        (1, 5, Some(seconds(60)))
    );
}

#[test]
fn a_property_computes_itself_once_expires_and_can_be_reset() {
    let clock = ManualClock::new();
    let n_runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&n_runs);
    let property =
        CachedProperty::computed(seconds(10), move || counted.fetch_add(1, Ordering::SeqCst))
            .with_clock(Arc::new(clock.clone()));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(property.value(), Ok(Some(0))));
        }
    });
    clock.advance(seconds(10));
    assert_eq!(property.peek(), None);
    assert_eq!(property.value(), Ok(Some(1)));
    property.reset();
    assert_eq!(property.value(), Ok(Some(2)));
    let failed = property.get_or_compute(|| panic!("it is valid, so this does not run"));
    assert_eq!(failed, Ok(2));
}

#[test]
fn a_property_that_panics_or_asks_for_itself_says_so_and_stays_usable() {
    let property = CachedProperty::new(seconds(10));
    let failed = property.get_or_compute(|| panic!("no figures"));
    assert_eq!(
        failed,
        Err(LoadError::Panicked {
            message: "no figures".to_owned()
        })
    );
    let nested = property.get_or_compute(|| {
        assert_eq!(property.get_or_compute(|| 1), Err(LoadError::Reentrant));
        property.reset();
        2
    });
    assert_eq!(
        (nested, property.peek()),
        (Ok(2), None),
        "a value from before the reset is not kept"
    );
}
