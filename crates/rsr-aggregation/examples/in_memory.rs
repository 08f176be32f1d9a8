//! Numbers of a portfolio that is all in memory, rolled up in one pass: exact, with "no value" apart from zero, and with a
//! cycle in the data that stops nothing.
#![expect(clippy::print_stdout, reason = "it shows something")]

use rsr_aggregation::{Hundredths, Numbers, Rollup};
use rsr_base::PeriodId;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    //        1
    //      /   \
    //     2     3         8 -> 9 -> 8, which somebody entered by mistake
    //    / \
    //   4   5
    let links = [
        (1, None),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(2)),
        (5, Some(2)),
        (8, Some(9)),
        (9, Some(8)),
    ];
    let (mut rollup, broken) =
        Rollup::new(links.map(|(id, parent)| (PeriodId(id), parent.map(PeriodId))))?;
    println!("in a circle: {:?}", broken.cycles);

    for (id, reported) in [(3, "0"), (4, "0.10"), (5, "0.20")] {
        let value = Hundredths::parse(reported)?;
        rollup.set_own(
            PeriodId(id),
            true,
            &Numbers {
                value,
                ..Numbers::NONE
            },
        );
    }
    rollup.run()?;

    for id in [1, 2, 3] {
        let total = rollup.total(PeriodId(id))?.ok_or("it was named above")?;
        let value = total
            .numbers
            .value
            .map_or("no value".to_owned(), |value| value.to_string());
        println!("period {id}: {value}");
    }
    let top = rollup.total(PeriodId(1))?.ok_or("it was named above")?;
    assert_eq!(
        top.numbers.value,
        Hundredths::parse("0.30")?,
        "not 0.30000000000000004"
    );
    Ok(())
}
