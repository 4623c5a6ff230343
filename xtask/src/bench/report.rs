//! The table at the end.

use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;

/// One run of a workload on one side.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    /// Operations in that time.
    pub(crate) operations: u64,
    /// Resident bytes of the process at the end.
    pub(crate) rss: u64,
}

/// A workload: pairs of runs, ours and Node's.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<(Run, Run)>,
    /// Seconds of the same work reduced to what cannot be avoided.
    pub(crate) raw: Vec<f64>,
}

impl Row {
    /// Node's time by ours, for each pair.
    fn ratios(&self) -> Vec<f64> {
        sorted(self.runs.iter().map(|(ours, theirs)| theirs.seconds / ours.seconds))
    }

    /// The part of our time that cannot be avoided.
    fn share_of_raw(&self) -> f64 {
        let ours = median(&sorted(self.runs.iter().map(|(ours, _)| ours.seconds)));
        median(&sorted(self.raw.iter().copied())) / ours
    }

    fn per_operation(&self, side: impl Fn(&(Run, Run)) -> Run) -> f64 {
        median(&sorted(self.runs.iter().map(|pair| side(pair).seconds / side(pair).operations as f64)))
    }

    fn rss(&self, side: impl Fn(&(Run, Run)) -> Run) -> u64 {
        self.runs.iter().map(|pair| side(pair).rss).max().unwrap_or(0)
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn bounds(sorted: &[f64]) -> (f64, f64) {
    (sorted.first().copied().unwrap_or(f64::NAN), sorted.last().copied().unwrap_or(f64::NAN))
}

pub(crate) fn print(rows: &[Row], smoke: bool) {
    println!(
        "\n{:<14} {:>12} {:>12} {:>8}  {:>15} {:>6} {:>9} {:>9}",
        "workload", "Rust", "Node", "ratio", "min to max", "of raw", "Rust RSS", "Node RSS"
    );
    for row in rows {
        let ratios = row.ratios();
        let (least, most) = bounds(&ratios);
        println!(
            "{:<14} {:>9.2} µs {:>9.2} µs {:>7.1}x  {:>6.1} to {:>5.1} {:>5.0}% {:>5} MiB {:>5} MiB",
            row.name,
            row.per_operation(|pair| pair.0) * 1e6,
            row.per_operation(|pair| pair.1) * 1e6,
            median(&ratios),
            least,
            most,
            row.share_of_raw() * 100.0,
            row.rss(|pair| pair.0) >> 20,
            row.rss(|pair| pair.1) >> 20,
        );
    }
    println!(
        "\nTimes are per operation, medians; the ratio is Node's time by ours, the median over the pairs of runs."
    );
    println!("Of raw: the time of only what cannot be avoided (see crates/hc-raw), as a part of ours.");
    if smoke {
        println!(
            "A smoke run: small, once, without optimisation. It shows that the workloads run, not how fast."
        );
    }
}

pub(crate) fn write_json(rows: &[Row], file: &Path) -> Outcome {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let ratios = row.ratios();
            let (least, most) = bounds(&ratios);
            json!({
                "workload": row.name,
                "ratio": median(&ratios),
                "min": least,
                "max": most,
                "pairs": ratios.len(),
                "ofRaw": row.share_of_raw(),
            })
        })
        .collect();
    std::fs::write(file, format!("{:#}\n", json!(rows)))
        .map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_nodes_time_by_ours() {
        let run = |seconds| Run { seconds, operations: 10, rss: 0 };
        let runs = vec![(run(1.0), run(2.0)), (run(1.0), run(8.0)), (run(2.0), run(8.0))];
        let row = Row { name: "x", runs, raw: vec![0.5] };
        assert!((row.share_of_raw() - 0.5).abs() < f64::EPSILON);
        assert_eq!(row.ratios(), [2.0, 4.0, 8.0]);
        assert!((median(&row.ratios()) - 4.0).abs() < f64::EPSILON);
    }
}
