//! Dumps read, profiles compared and written.

use std::io::Read;

use proptest::prelude::*;
use rsr_base::ByteSize;

use super::{DumpError, Frame, HeapDump, NamedProfile, NamedStack};

const DUMP: &str = "heap_v2/524288
  t*: 12: 3670016 [0: 0]
  t0: 12: 3670016 [0: 0]
@ 0x1010 0x2020
  t*: 2: 2097152 [3: 4096]
  t0: 2: 2097152 [3: 4096]
@ 0x1011 0x2020
  t*: 10: 1572864 [0: 0]

MAPPED_LIBRARIES:
00001000-00002000 r-xp 00000000 08:01 99 /usr/bin/with space
00002000-00003000 rw-p 00001000 08:01 99 /usr/bin/with space
7ffc0000-7ffd0000 rw-p 00000000 00:00 0 [stack]
";

#[test]
fn a_dump_is_read_and_scaled_to_all_allocations() {
    let dump = HeapDump::parse(DUMP).unwrap();
    assert_eq!(dump.period, 524_288);
    assert_eq!(dump.stacks.len(), 2);
    assert_eq!(dump.stacks[0].addresses, [0x1010, 0x2020]);
    // Two of 1 MiB: each is sampled with probability 1 - e^-2.
    assert_eq!(dump.stacks[0].bytes, 2_425_393);
    assert_eq!(dump.stacks[0].count, 2);
    assert_eq!(dump.mappings.len(), 2);
    assert_eq!(dump.mappings[0].path, "/usr/bin/with space");
    assert!(dump.mappings[0].is_code && !dump.mappings[1].is_code);
    assert!(dump.live() > ByteSize::from_mib(2));
}

#[test]
fn what_is_no_dump_is_told() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let error = HeapDump::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let no_dump = "is no heap profile of jemalloc: does not begin with heap_v2/";
    check("", no_dump);
    check("heap_v2/x\n", no_dump);
    check("heap_v2/1\n@ 0x1 y\n", "line 2 is no stack of addresses");
    check("heap_v2/1\n@ 0x1\n t*: 1\n", "line 3 is no pair of counts");
    check("heap_v2/1\nhello\n", "line 2 is no part of a heap profile");
    let missing = HeapDump::read(std::path::Path::new("/nowhere"));
    assert!(matches!(missing, Err(DumpError::Read(_))));
}

fn stack(functions: &[&str], bytes: u64) -> NamedStack {
    NamedStack {
        frames: functions
            .iter()
            .map(|function| Frame {
                function: (*function).to_owned(),
                file: format!("src/{function}.rs"),
                line: 7,
            })
            .collect(),
        bytes,
        count: bytes / 1024,
    }
}

fn profile() -> NamedProfile {
    NamedProfile::new(
        512,
        vec![
            stack(&["__rust_alloc", "grow", "export", "main"], 3 << 20),
            stack(&["parse<u8>", "import", "main"], 1 << 20),
            stack(&["grow", "export", "main"], 1 << 20),
        ],
    )
}

#[test]
fn equal_stacks_are_added_and_the_allocators_own_frames_left_out() {
    let profile = profile();
    assert_eq!(profile.stacks().len(), 2);
    assert_eq!(profile.stacks()[0].frames[0].function, "grow");
    assert_eq!(profile.stacks()[0].bytes, 4 << 20);
    assert_eq!(profile.total(), ByteSize::from_mib(5));
}

#[test]
fn texts_for_the_terminal() {
    let table = profile().to_table(2);
    assert_eq!(
        table,
        "      self  self%  with callees  function
    4.0MiB  80.0%       4.0MiB  grow  src/grow.rs:7
    1.0MiB  20.0%       1.0MiB  parse<u8>  src/parse<u8>.rs:7
"
        .replace(
            "      self  self%  with callees",
            "      self  self% with callees"
        )
    );
    assert_eq!(
        profile().to_tree(),
        "    5.0MiB 100.0% main
    4.0MiB  80.0%  export
    4.0MiB  80.0%   grow
    1.0MiB  20.0%  import
    1.0MiB  20.0%   parse<u8>
"
    );
    assert!(
        profile()
            .to_summary()
            .starts_with("5.0MiB live in about 5120 allocations of 2 stacks")
    );
}

#[test]
fn the_flame_graph_is_well_formed_and_safe() {
    let svg = profile().to_svg("a <b> & \"c\"");
    assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>"));
    assert!(svg.contains("parse&lt;u8&gt;: 1.0MiB (20.0%)"));
    assert_eq!(
        svg.matches("<g>").count(),
        6,
        "five functions and their sum"
    );
    assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    assert!(!svg.contains("script"));
}

/// Fields of a message of protocol buffers: number, and value or bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a varint ends");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = varint(&mut bytes);
        let inner = match key & 7 {
            0 => Vec::new(),
            2 => {
                let (inner, rest) = bytes.split_at(usize::try_from(value).unwrap());
                bytes = rest;
                inner.to_vec()
            }
            kind => panic!("kind {kind} is not written"),
        };
        all.push((key >> 3, value, inner));
    }
    all
}

#[test]
fn pprof_reads_back() {
    let mut gzipped = Vec::new();
    profile().write_pprof(&mut gzipped).unwrap();
    let mut bytes = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&gzipped[..]).take(1 << 20);
    std::io::copy(&mut reader, &mut bytes).unwrap();
    let all = fields(&bytes);
    let of = |field| all.iter().filter(move |(number, _, _)| *number == field);
    let texts: Vec<_> = of(6)
        .map(|(_, _, text)| String::from_utf8(text.clone()).unwrap())
        .collect();
    assert_eq!(texts[0], "");
    assert_eq!(of(1).count(), 2, "two kinds of value");
    assert_eq!(of(2).count(), 2, "two stacks");
    assert_eq!(of(5).count(), 5, "five functions");
    let function = |id: u64| {
        let (_, _, message) = of(5).nth(usize::try_from(id).unwrap() - 1).unwrap();
        let name = fields(message)
            .iter()
            .find(|(number, _, _)| *number == 2)
            .unwrap()
            .1;
        texts[usize::try_from(name).unwrap()].clone()
    };
    // The innermost function of the largest stack, by way of its location.
    let sample = fields(&of(2).next().unwrap().2);
    let location = u64::from(sample[0].2[0]);
    let (_, _, message) = of(4).nth(usize::try_from(location).unwrap() - 1).unwrap();
    let line = fields(message)
        .into_iter()
        .find(|(number, _, _)| *number == 4)
        .unwrap()
        .2;
    assert_eq!(function(fields(&line)[0].1), "grow");
    assert_eq!(fields(&line)[1].1, 7);
}

fn stacks() -> impl Strategy<Value = Vec<NamedStack>> {
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    let one = (prop::collection::vec(name, 1..4), 1..1_000_000_u64);
    prop::collection::vec(one.prop_map(|(names, bytes)| stack(&names, bytes)), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn nothing_is_lost_or_counted_twice(stacks in stacks()) {
        let sum: u64 = stacks.iter().map(|stack| stack.bytes).sum();
        let profile = NamedProfile::new(1, stacks);
        prop_assert_eq!(profile.total().bytes(), sum);
        prop_assert!(profile.stacks().is_sorted_by(|a, b| a.bytes >= b.bytes));
        prop_assert_eq!(profile.against(&profile).total().bytes(), 0);
        let nothing = NamedProfile::new(1, Vec::new());
        prop_assert_eq!(profile.against(&nothing), profile);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*", tail in "[@t*:0-9a-fx \\[\\]\n]*") {
        let _outcome = HeapDump::parse(&text).is_ok();
        let _outcome = HeapDump::parse(&format!("heap_v2/1\n{tail}")).is_ok();
    }
}
