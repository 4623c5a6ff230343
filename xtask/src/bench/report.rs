//! The table at the end, and the same as JSON.

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

/// What was run in turn: our side, Node's if it can, and the seconds of the same work reduced to what cannot be avoided.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) ours: Run,
    pub(crate) node: Option<Run>,
    pub(crate) raw: Option<f64>,
}

/// A workload and its rounds.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<Round>,
}

/// A median with the least and the most.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Row {
    /// Node's time by ours, over the rounds; `None` for what Node cannot do.
    pub(super) fn ratio(&self) -> Option<Spread> {
        spread(self.rounds.iter().filter_map(|round| Some(round.node?.seconds / round.ours.seconds)))
    }

    /// The part of our time that cannot be avoided, over the rounds.
    pub(super) fn of_raw(&self) -> Option<Spread> {
        spread(self.rounds.iter().filter_map(|round| Some(round.raw? / round.ours.seconds)))
    }

    fn micros(&self, side: impl Fn(&Round) -> Option<Run>) -> Option<f64> {
        let per_operation = |run: Run| run.seconds / run.operations as f64 * 1e6;
        Some(spread(self.rounds.iter().filter_map(|round| side(round).map(per_operation)))?.median)
    }

    fn rss(&self, side: impl Fn(&Round) -> Option<Run>) -> Option<u64> {
        self.rounds.iter().filter_map(|round| side(round).map(|run| run.rss)).max()
    }
}

pub(super) fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    Some(Spread { median: *values.get(values.len() / 2)?, least: *values.first()?, most: *values.last()? })
}

/// A cell; empty if there is nothing to say.
fn cell<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "–".into(), show)
}

pub(crate) fn print(rows: &[Row], smoke: bool) {
    println!(
        "\n{:<22} {:>12} {:>12} {:>8}  {:>15} {:>7} {:>9} {:>9}",
        "workload", "Rust", "Node", "ratio", "min to max", "of raw", "Rust RSS", "Node RSS"
    );
    let micros = |value| cell(value, |micros| format!("{micros:.2} µs"));
    let mib = |value: Option<u64>| cell(value, |bytes| format!("{} MiB", bytes >> 20));
    for row in rows {
        let ratio = row.ratio();
        println!(
            "{:<22} {:>12} {:>12} {:>8}  {:>15} {:>7} {:>9} {:>9}",
            row.name,
            micros(row.micros(|round| Some(round.ours))),
            micros(row.micros(|round| round.node)),
            cell(ratio, |ratio| format!("{:.1}x", ratio.median)),
            cell(ratio, |ratio| format!("{:.1} to {:.1}", ratio.least, ratio.most)),
            cell(row.of_raw(), |part| format!("{:.0} %", part.median * 100.0)),
            mib(row.rss(|round| Some(round.ours))),
            mib(row.rss(|round| round.node)),
        );
    }
    println!(
        "\nTimes are per operation, medians; the ratio is Node's time by ours, the median over the pairs of runs."
    );
    println!(
        "Of raw: the time of only what cannot be avoided (see crates/hc-raw), as a part of ours. Rows that end in"
    );
    println!(
        "_sync wait for the device at each append; raw is then a loop of as many writes, each with fdatasync."
    );
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
            let (ratio, of_raw) = (row.ratio(), row.of_raw());
            json!({
                "workload": row.name,
                "rounds": row.rounds.len(),
                "ratio": ratio.map(|ratio| ratio.median),
                "min": ratio.map(|ratio| ratio.least),
                "max": ratio.map(|ratio| ratio.most),
                "ofRaw": of_raw.map(|part| part.median),
                "rssBytes": row.rss(|round| Some(round.ours)),
                "nodeRssBytes": row.rss(|round| round.node),
            })
        })
        .collect();
    write(file, &format!("{:#}\n", json!(rows)))
}

pub(super) fn write(file: &Path, text: &str) -> Outcome {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(file, text))
        .map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_nodes_time_by_ours() {
        let run = |seconds| Run { seconds, operations: 10, rss: 0 };
        let round = |ours, node, raw| Round { ours: run(ours), node: Some(run(node)), raw: Some(raw) };
        let rounds = vec![round(1.0, 2.0, 0.5), round(1.0, 8.0, 0.5), round(2.0, 8.0, 0.5)];
        let row = Row { name: "x", rounds };
        let (ratio, of_raw) = (row.ratio().unwrap(), row.of_raw().unwrap());
        assert_eq!((ratio.least, ratio.median, ratio.most), (2.0, 4.0, 8.0));
        assert_eq!((of_raw.least, of_raw.median), (0.25, 0.5));
    }

    #[test]
    fn what_node_cannot_do_has_no_ratio() {
        let ours = Run { seconds: 1.0, operations: 1, rss: 0 };
        let row = Row { name: "x", rounds: vec![Round { ours, node: None, raw: None }] };
        assert!(row.ratio().is_none() && row.of_raw().is_none());
    }
}
