//! Made-up samples of stacks that leak, turn over, fill up and fall.

use rsr_base::ByteSize;

use super::SiteRules;
use super::judge::judge;
use super::live::LiveSamples;

const MIB: usize = 1 << 20;

/// Plays `epochs`; `each` allocates and frees in one epoch and answers what the program holds beyond its caches.
fn play(epochs: usize, mut each: impl FnMut(&mut LiveSamples, usize) -> usize) -> LiveSamples {
    let mut samples = LiveSamples::new(MIB as u64, |address| address / 100);
    for epoch in 0..epochs {
        let unaccounted = each(&mut samples, epoch);
        samples.end_epoch(unaccounted as u64);
    }
    samples
}

fn leaks(samples: &LiveSamples) -> Vec<u64> {
    let grown = judge(samples, &SiteRules::default());
    grown
        .iter()
        .map(|site| site.dump.live().bytes() >> 20)
        .collect()
}

#[test]
fn what_survives_out_of_every_epoch_leaks() {
    let samples = play(50, |samples, epoch| {
        samples.begin(epoch, MIB, &[101, 201]);
        epoch * MIB
    });
    let grown = judge(&samples, &SiteRules::default());
    assert_eq!(grown.len(), 1);
    assert!(grown[0].n_generations >= 17, "{:?}", grown[0]);
    assert!(grown[0].growth >= ByteSize::from_mib(24));
}

#[test]
fn what_turns_over_does_not() {
    // A queue of thirty epochs, which is full half of the time.
    let samples = play(100, |samples, epoch| {
        samples.begin(epoch, 4 * MIB, &[101, 201]);
        if let Some(oldest) = epoch.checked_sub(30) {
            samples.end(oldest);
        }
        epoch.min(30) * 4 * MIB
    });
    assert_eq!(leaks(&samples), [0_u64; 0]);
}

#[test]
fn what_has_filled_up_does_not() {
    let samples = play(80, |samples, epoch| {
        if epoch < 15 {
            samples.begin(epoch, 4 * MIB, &[101, 201]);
        }
        epoch.min(15) * 4 * MIB
    });
    assert_eq!(leaks(&samples), [0_u64; 0]);
}

#[test]
fn what_fills_a_registered_cache_does_not() {
    let samples = play(80, |samples, epoch| {
        samples.begin(epoch, MIB, &[101, 201]);
        MIB
    });
    assert_eq!(leaks(&samples), [0_u64; 0]);
}

#[test]
fn what_falls_back_raises_the_bar() {
    let mut first = 0;
    let samples = play(90, |samples, epoch| {
        samples.begin(epoch, 2 * MIB, &[101, 201]);
        if epoch % 18 == 17 {
            for address in first..=epoch {
                samples.end(address);
            }
            first = epoch + 1;
        }
        (epoch - first.min(epoch)) * 2 * MIB
    });
    assert_eq!(leaks(&samples), [0_u64; 0]);
}

#[test]
fn one_stack_among_others_is_told_apart() {
    let samples = play(50, |samples, epoch| {
        samples.begin(2 * epoch, MIB, &[701, 801]);
        samples.begin(2 * epoch + 1, MIB, &[101, 201]);
        samples.end(2 * epoch + 1);
        epoch * MIB
    });
    let grown = judge(&samples, &SiteRules::default());
    let stacks: Vec<_> = grown.iter().map(|site| site.dump.to_text()).collect();
    assert_eq!(stacks.len(), 1);
    assert!(stacks[0].contains("@ 0x2bd 0x321\n"), "{}", stacks[0]);
}

#[test]
fn a_queue_that_grows_while_it_turns_over_leaks() {
    // Three more come than go. Of eight, what lives was born over many epochs; of eight hundred, all of it just now.
    for many in [8, 800] {
        let mut first = 0;
        let samples = play(50, |samples, epoch| {
            for n in 0..many {
                samples.begin(epoch * many + n, MIB / 4, &[101, 201]);
            }
            for address in first..first + many - 3 {
                samples.end(address);
            }
            first += many - 3;
            epoch * 3 * MIB
        });
        assert_eq!(leaks(&samples).len(), 1, "of {many}");
    }
}

#[test]
fn a_table_that_is_copied_to_grow_leaks() {
    // One block, which each epoch replaces by one that is half a megabyte larger.
    let samples = play(80, |samples, epoch| {
        samples.begin(epoch, (4 + epoch / 2) * MIB, &[101, 201]);
        if let Some(before) = epoch.checked_sub(1) {
            samples.end(before);
        }
        epoch * MIB / 2
    });
    assert_eq!(leaks(&samples).len(), 1);
}

#[test]
fn calls_from_many_addresses_of_one_function_are_one_stack() {
    let samples = play(50, |samples, epoch| {
        samples.begin(epoch, MIB, &[101 + epoch % 90, 201]);
        epoch * MIB
    });
    assert_eq!(leaks(&samples).len(), 1);
}

#[test]
fn the_peak_is_kept_after_it_is_over() {
    let samples = play(6, |samples, epoch| {
        match epoch {
            0..3 => samples.begin(epoch, 8 * MIB, &[101, 201]),
            3 => (0..2).for_each(|address| samples.end(address)),
            _ => samples.begin(epoch, MIB, &[701, 801]),
        }
        0
    });
    let (now, peak) = (samples.dump(), samples.dump_peak());
    assert!(peak.to_text().contains("@ 0x65 0xc9\n") && !peak.to_text().contains("@ 0x2bd"));
    assert_eq!(peak.live().bytes() >> 20, 24, "three of eight");
    assert!(now.live() < peak.live());
}

#[test]
fn a_table_that_is_replaced_is_no_leak_before_it_falls_for_the_first_time() {
    // One that fills for 23 epochs and is kept for 23 more, with 3 MiB for each eight epochs.
    let samples = play(45, |samples, epoch| {
        if epoch % 8 < 3 {
            samples.begin(epoch, MIB, &[101, 201]);
        }
        epoch * 3 * MIB / 8
    });
    assert_eq!(leaks(&samples), [0_u64; 0]);
}

#[test]
fn what_is_replaced_as_a_whole_by_something_larger_does_not() {
    // Tables that are read anew every forty epochs; each is larger than the one before. Judged right after, when all that
    // lives is young.
    let by_four: fn(usize) -> usize = |nth| 8 + 4 * nth;
    let threefold: fn(usize) -> usize = |nth| 4 * [1, 3, 9, 27, 81][nth];
    for (size, epochs) in [by_four, threefold]
        .into_iter()
        .flat_map(|size| [121, 124, 161, 165].map(|epochs| (size, epochs)))
    {
        let mut kept = 0..0;
        let samples = play(epochs, |samples, epoch| {
            if epoch % 40 == 0 {
                let next = kept.end..kept.end + size(epoch / 40);
                next.clone()
                    .for_each(|address| samples.begin(address, MIB, &[101, 201]));
                kept.clone().for_each(|address| samples.end(address));
                kept = next;
            }
            kept.len() * MIB
        });
        assert_eq!(leaks(&samples), [0_u64; 0], "after {epochs} epochs");
    }
}

#[test]
fn two_steps_of_what_turns_over_do_not() {
    // A queue of thirty epochs that fills up, and holds twice as much from the hundred and twentieth on.
    for epochs in [160, 165, 170, 180] {
        let mut queue = std::collections::VecDeque::new();
        let mut address = 0;
        let samples = play(epochs, |samples, epoch| {
            for _ in 0..if epoch > 120 { 2 } else { 1 } {
                address += 1;
                samples.begin(address, MIB, &[101, 201]);
                queue.push_back((epoch, address));
            }
            while queue.front().is_some_and(|(born, _)| born + 30 <= epoch) {
                if let Some((_, oldest)) = queue.pop_front() {
                    samples.end(oldest);
                }
            }
            queue.len() * MIB
        });
        assert_eq!(leaks(&samples), [0_u64; 0], "after {epochs} epochs");
    }
}

#[test]
fn a_slow_leak_is_found_within_half_an_hour() {
    let samples = play(100, |samples, epoch| {
        if epoch % 4 == 0 {
            samples.begin(epoch, MIB, &[101, 201]);
        }
        epoch * MIB / 4
    });
    assert_eq!(leaks(&samples).len(), 1);
}

#[test]
fn marks_at_which_a_stack_held_nothing_are_as_good_as_kept() {
    // Held in some epochs and not in others, against every total ever noted.
    let mut all = Vec::new();
    let samples = play(300, |samples, epoch| {
        samples.begin(2 * epoch, MIB, &[701, 801]);
        if epoch >= 7 {
            // Known from here on.
            samples.begin(2 * epoch + 1, MIB, &[101, 201]);
            if epoch % 11 < 6 {
                samples.end(2 * epoch + 1);
            }
            if epoch % 40 == 39 {
                (0..=epoch).for_each(|address| samples.end(2 * address + 1));
            }
            let stack = &samples.stacks[1];
            all.push(stack.bytes);
            assert_eq!(stack.count < 0.5, stack.bytes == 0.0);
        }
        0
    });
    let stack = &samples.stacks[1];
    // The n-th of `all` was noted at the end of epoch 8 + n.
    let at = |epoch: u32| all[epoch as usize - 8];
    for (scale, every) in [1, 4].into_iter().enumerate() {
        for marks in [20, 30, 40, 64] {
            let seen = stack.held(300, scale, marks).unwrap();
            let last = 300 / every;
            let wanted =
                [0, 1, 2, 3, 4].map(|quarters| at((last - marks + marks * quarters / 4) * every));
            // Marks are kept in half the digits.
            let is_same = |(seen, wanted): (f64, f64)| (seen - wanted).abs() <= wanted * 1e-6;
            assert!(
                seen.into_iter().zip(wanted).all(is_same),
                "scale {scale}, {marks} marks: {seen:?} and {wanted:?}"
            );
        }
    }
    assert_eq!(stack.held(300, 2, 18), None, "not yet for so long");
    assert!(stack.held(300, 2, 17).is_some());
}
