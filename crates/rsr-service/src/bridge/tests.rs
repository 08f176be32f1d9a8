use std::io::{Read, Write};
use std::sync::mpsc as blocking;

use flate2::read::GzDecoder;
use http_body_util::BodyExt;

use super::*;

fn bridge(bounds: Bounds) -> Bridge {
    Bridge::new(&bounds, Drain::new())
}

fn small(streams_max: usize) -> Bounds {
    Bounds {
        readers_max: 1,
        waiting_max: 1,
        streams_max,
        stream_buffer: rsr_base::ByteSize::from_bytes(4),
        whole_max: rsr_base::ByteSize::from_bytes(16),
        ..Bounds::of(&rsr_settings::Settings::default())
    }
}

#[tokio::test]
async fn a_stream_arrives_whole_whatever_the_size_of_its_writes() {
    let bridge = bridge(small(1));
    let (head, body) = bridge
        .stream(|opening| {
            let mut writer = opening.send("head");
            writer.write_all(b"123")?;
            writer.write_all(b"456789")?;
            Ok(writer.finish()?)
        })
        .await
        .unwrap();
    assert_eq!(head, "head");
    assert_eq!(
        body.collect().await.unwrap().to_bytes().as_ref(),
        b"123456789"
    );
}

#[tokio::test]
async fn a_stream_can_be_coded_with_gzip() {
    let bridge = bridge(small(1));
    let ((), body) = bridge
        .stream(|opening| {
            let mut writer = opening.send(()).encoded(Encoding::Gzip);
            writer.write_all(&[b'a'; 5000])?;
            Ok(writer.finish()?)
        })
        .await
        .unwrap();
    let bytes = body.collect().await.unwrap().to_bytes();
    assert!(
        bytes.len() < 200,
        "{} bytes for 5000 equal ones",
        bytes.len()
    );
    let mut text = [0; 5000];
    GzDecoder::new(bytes.as_ref())
        .read_exact(&mut text)
        .unwrap();
    assert_eq!(text, [b'a'; 5000]);
}

#[tokio::test]
async fn an_error_before_the_head_is_the_answer() {
    let error = bridge(small(1))
        .stream::<()>(|_opening| Err(Problem::not_found("project", 7)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn an_error_after_the_head_breaks_the_body() {
    let ((), body) = bridge(small(1))
        .stream(|opening| {
            let mut writer = opening.send(());
            writer.write_all(b"12345")?;
            Err(Problem::internal("the disk is on fire"))
        })
        .await
        .unwrap();
    let error = body.collect().await.unwrap_err();
    assert!(!error.to_string().contains("fire"), "{error}");
}

#[tokio::test]
async fn a_writer_dropped_early_never_looks_complete() {
    let ((), body) = bridge(small(1))
        .stream(|opening| {
            drop(opening.send(()));
            Ok(())
        })
        .await
        .unwrap();
    assert!(
        body.collect().await.is_err(),
        "a part is never taken for the whole"
    );
}

#[tokio::test]
async fn a_reader_that_hangs_up_ends_the_work() {
    let bridge = bridge(small(1));
    let (ended, has_ended) = blocking::sync_channel(1);
    let ((), body) = bridge
        .stream(move |opening| {
            let mut writer = opening.send(());
            let error = loop {
                if let Err(error) = writer.write_all(b"row ") {
                    break error;
                }
            };
            ended.send(error.kind()).map_err(Problem::internal)
        })
        .await
        .unwrap();
    drop(body);
    let kind = tokio::task::spawn_blocking(move || has_ended.recv())
        .await
        .unwrap();
    assert_eq!(kind.unwrap(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_slow_reader_holds_the_work_back() {
    let bridge = bridge(small(1));
    let wrote = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let has_written = Arc::clone(&wrote);
    let ((), mut body) = bridge
        .stream(move |opening| {
            let mut writer = opening.send(());
            for row in 0..100_u32 {
                writer.write_all(b"four")?;
                writer.flush()?;
                wrote.store(row + 1, Ordering::SeqCst);
            }
            Ok(writer.finish()?)
        })
        .await
        .unwrap();
    let mut n_read = 0;
    while let Some(frame) = body.frame().await {
        n_read += u32::try_from(frame.unwrap().into_data().unwrap().len()).unwrap() / 4;
        let ahead = has_written.load(Ordering::SeqCst).saturating_sub(n_read);
        assert!(ahead <= 2, "{ahead} buffers ahead of the reader");
    }
    assert_eq!(n_read, 100);
}

#[tokio::test]
async fn more_streams_than_the_bound_are_refused_at_once() {
    let bridge = bridge(small(1));
    let (_first, body) = bridge
        .stream(|opening| {
            let mut writer = opening.send(());
            writer.write_all(&[0; 64])?;
            Ok(writer.finish()?)
        })
        .await
        .unwrap();
    assert_eq!(bridge.n_streams(), 1);
    let refused = bridge
        .stream(|opening| Ok(opening.send(()).finish()?))
        .await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Busy);
    drop(body);
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_frees_its_thread() {
    let bridge = bridge(small(1));
    let panicked = bridge.run::<()>(|| panic!("planted")).await.unwrap_err();
    assert_eq!(panicked.kind(), Kind::Internal);
    assert_eq!(bridge.run(|| Ok(3)).await.unwrap(), 3);
}

#[tokio::test]
async fn the_queue_for_threads_is_bounded() {
    let bridge = Arc::new(bridge(small(1)));
    let (release, wait) = blocking::sync_channel::<()>(0);
    let held = tokio::spawn({
        let bridge = Arc::clone(&bridge);
        async move {
            bridge
                .run(move || wait.recv().map_err(Problem::internal))
                .await
        }
    });
    while bridge.short.permits.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let queued = tokio::spawn({
        let bridge = Arc::clone(&bridge);
        async move { bridge.run(|| Ok(())).await }
    });
    while bridge.short.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bridge.run(|| Ok(())).await.unwrap_err().kind(), Kind::Busy);
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    queued.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_small_answer_is_one_piece_and_takes_no_streams_place() {
    let bridge = bridge(small(0));
    let ((), reply) = bridge
        .answer(|opening| {
            let mut writer = opening.send(());
            for row in [b"row1", b"row2", b"row3", b"row4"] {
                writer.write_all(row)?;
                writer.flush()?;
            }
            Ok(writer.finish()?)
        })
        .await
        .unwrap();
    assert!(matches!(reply, Reply::Whole(bytes) if bytes.as_ref() == b"row1row2row3row4"));
}

#[tokio::test]
async fn a_large_answer_becomes_a_stream_and_frees_its_thread_for_others() {
    let bridge = bridge(small(1));
    let (_head, reply) = bridge
        .answer(|opening| {
            let mut writer = opening.send(());
            writer.write_all(&[b'x'; 100])?;
            Ok(writer.finish()?)
        })
        .await
        .unwrap();
    assert_eq!(bridge.n_streams(), 1);
    assert_eq!(
        bridge.run(|| Ok(1)).await.unwrap(),
        1,
        "the one thread is free"
    );
    let Reply::Stream(body) = reply else {
        panic!("100 bytes are more than are gathered")
    };
    assert_eq!(
        body.collect().await.unwrap().to_bytes().as_ref(),
        [b'x'; 100]
    );
}

#[tokio::test]
async fn a_large_answer_is_refused_before_its_head_where_no_stream_is_free() {
    let refused = bridge(small(0))
        .answer(|opening| {
            let mut writer = opening.send(());
            writer.write_all(&[b'x'; 100])?;
            Ok(writer.finish()?)
        })
        .await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Busy);
}

/// The niceness of the running thread.
fn niceness() -> i32 {
    rustix::process::getpriority_process(None).unwrap()
}

#[tokio::test]
async fn heavy_work_gives_way_and_what_must_be_answered_does_not() {
    let bridge = bridge(small(1));
    let usual = niceness();
    // Again and again: a thread that heavy work ran on is never used for the other.
    for _round in 0..8 {
        let heavy = bridge.run(|| Ok(niceness())).await.unwrap();
        let light = bridge.run_vital(|| Ok(niceness())).await.unwrap();
        let duty = bridge.spawn_duty(niceness).await.unwrap();
        assert_eq!((light, duty), (usual, usual));
        assert!(heavy > usual || usual >= 19, "{heavy}");
    }
    assert_eq!(niceness(), usual, "threads that serve keep theirs");
}

#[tokio::test]
async fn a_bridge_may_go_where_nobody_may_wait() {
    let bridge = bridge(small(1));
    bridge.run_vital(|| Ok(())).await.unwrap();
    drop(bridge);
}
