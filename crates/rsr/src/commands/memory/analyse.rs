//! `rsr memory analyse`: recorded series, judged as the service would have while they were recorded.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rsr_base::ByteSize;
use rsr_monitoring::{LeakSample, analyse};
use serde_json::{Map, Value, json};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::Out;

/// Most bytes of one line, so that a file without line ends is refused and not held.
const LINE_MAX: u64 = 64 << 20;

/// Judges the series of every file; a line that is none ends it.
pub(super) fn run(files: &[PathBuf]) -> Outcome {
    let mut out = Out::new();
    for path in files {
        let name = path.display();
        let failed = |error: io::Error| {
            Failure::of(Exit::Usage, error).context(format_args!("{name} cannot be read"))
        };
        let mut reader: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(File::open(path).map_err(failed)?))
        };
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let length = reader
                .by_ref()
                .take(LINE_MAX)
                .read_until(b'\n', &mut line)
                .map_err(failed)?;
            if length == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let verdict = judge(&line).map_err(|reason| {
                // What was judged before stands.
                Failure::new(Exit::Usage, format_args!("{name}, line {number}: {reason}"))
            });
            match verdict {
                Ok(verdict) => out.json(&verdict)?,
                Err(failure) => {
                    out.flush()?;
                    return Err(failure);
                }
            }
        }
    }
    out.end(Exit::Done)
}

/// One series; what is wrong with it where it is none.
fn judge(line: &[u8]) -> Result<Value, String> {
    if line.len() as u64 == LINE_MAX {
        return Err(format!("longer than {} MiB", LINE_MAX >> 20));
    }
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| format!("no JSON object (column {})", error.column()))?;
    let Value::Object(series) = value else {
        return Err("no JSON object".to_owned());
    };
    let id = series.get("id").ok_or("id is missing")?.clone();
    if !id.is_string() && !id.is_number() {
        return Err("id must be a text or a number".to_owned());
    }
    let step_s = series.get("step_s").ok_or("step_s is missing")?;
    let step_s = step_s
        .as_f64()
        .filter(|step| *step > 0.0 && *step <= 86_400.0)
        .ok_or("step_s must be a number of seconds above 0, a day at most")?;
    let allocated = numbers(&series, "allocated", None)?.ok_or("allocated is missing")?;
    let n = Some(allocated.len());
    let resident = numbers(&series, "resident", n)?;
    let load = numbers(&series, "load", n)?;
    let accounted = numbers(&series, "accounted", n)?;
    let at = |figures: &Option<Vec<f64>>, place: usize| {
        figures
            .as_ref()
            .and_then(|figures| figures.get(place))
            .copied()
    };
    let samples = allocated
        .iter()
        .enumerate()
        .map(|(place, held)| LeakSample {
            at: moment(place, step_s),
            allocated: mib(*held),
            accounted: at(&accounted, place).map_or(ByteSize::ZERO, mib),
            resident: at(&resident, place).map(mib),
            load: at(&load, place),
        });
    let alarm_s = analyse(samples).map(|at| number(at.as_secs_f64()));
    Ok(json!({ "id": id, "alarm_s": alarm_s }))
}

/// The figures of one name: as many as there are moments.
fn numbers(
    series: &Map<String, Value>,
    name: &str,
    n: Option<usize>,
) -> Result<Option<Vec<f64>>, String> {
    let values = match series.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values,
        Some(_) => return Err(format!("{name} must be a list of numbers")),
    };
    if let Some(n) = n.filter(|n| *n != values.len()) {
        return Err(format!(
            "{name} has {} figures, allocated has {n}",
            values.len()
        ));
    }
    let figures = values.iter().enumerate().map(|(place, value)| {
        // A petabyte is no memory of a process.
        let figure = value.as_f64().filter(|figure| (0.0..=1e9).contains(figure));
        figure.ok_or_else(|| format!("{name}: figure {} is no number from 0 on", place + 1))
    });
    figures.collect::<Result<_, _>>().map(Some)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "places of a list that fits into memory"
)]
fn moment(place: usize, step_s: f64) -> Duration {
    Duration::from_secs_f64(place as f64 * step_s)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 0 to a petabyte"
)]
fn mib(mib: f64) -> ByteSize {
    ByteSize::from_bytes((mib * 1_048_576.0) as u64)
}

/// Whole seconds without a point.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole seconds of a series"
)]
fn number(seconds: f64) -> Value {
    if seconds.fract() == 0.0 {
        json!(seconds as u64)
    } else {
        json!(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leak(id: &Value, n: u32) -> String {
        let allocated: Vec<f64> = (0..n).map(|place| 200.0 + f64::from(place) * 0.5).collect();
        json!({ "id": id, "step_s": 300, "allocated": allocated }).to_string()
    }

    #[test]
    fn a_leak_alarms_and_a_flat_series_does_not() {
        let verdict = judge(leak(&json!("a"), 432).as_bytes()).unwrap();
        assert_eq!(verdict["id"], "a");
        assert!(verdict["alarm_s"].as_u64().is_some(), "{verdict}");
        let flat = r#"{"id":7,"step_s":0.5,"allocated":[100,100],"load":[1,2],"resident":null}"#;
        assert_eq!(
            judge(flat.as_bytes()).unwrap().to_string(),
            r#"{"alarm_s":null,"id":7}"#
        );
    }

    #[test]
    fn an_alarm_is_not_moved_by_what_comes_later() {
        let long = judge(leak(&json!("a"), 432).as_bytes()).unwrap();
        let at = u32::try_from(long["alarm_s"].as_u64().unwrap()).unwrap();
        let short = judge(leak(&json!("a"), at / 300 + 1).as_bytes()).unwrap();
        assert_eq!(long, short);
        let shorter = judge(leak(&json!("a"), at / 300).as_bytes()).unwrap();
        assert_eq!(shorter["alarm_s"], Value::Null);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |line: &str| judge(line.as_bytes()).unwrap_err();
        assert_eq!(said("[1]"), "no JSON object");
        assert!(said("{").starts_with("no JSON object (column"));
        assert_eq!(said("{}"), "id is missing");
        assert!(said(r#"{"id":1,"step_s":0,"allocated":[]}"#).contains("step_s must be"));
        assert_eq!(said(r#"{"id":1,"step_s":60}"#), "allocated is missing");
        assert_eq!(
            said(r#"{"id":1,"step_s":60,"allocated":[1,"x"]}"#),
            "allocated: figure 2 is no number from 0 on"
        );
        assert_eq!(
            said(r#"{"id":1,"step_s":60,"allocated":[1,2],"load":[1]}"#),
            "load has 1 figures, allocated has 2"
        );
    }
}
