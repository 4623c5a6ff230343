//! Pictures of what was measured, as SVG: bars of the ratios, and curves of cost over length.
//!
//! Both axes that show times or ratios are logarithmic: what is twice as fast is as far away everywhere.

use std::fmt::Write;

use super::report::Row;

/// Units of the picture; SVG scales to where it is shown.
const WIDTH: f64 = 760.0;
const ROW: f64 = 30.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 50.0;

const OURS: &str = "#c4551d";
const NODE: &str = "#3c873a";
const GRID: &str = "#dddddd";

/// A picture that is being drawn.
struct Picture(String);

impl Picture {
    fn new(width: f64, height: f64) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        ))
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(
            self.0,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        );
    }

    fn bar(&mut self, at: (f64, f64), size: (f64, f64), colour: &str) {
        let ((x, y), (width, height)) = (at, size);
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        );
    }

    fn dot(&mut self, (x, y): (f64, f64), colour: &str) {
        let _ = writeln!(self.0, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
    }

    /// `anchor` is `start`, `middle` or `end`.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let _ = writeln!(self.0, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    }

    fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// Where a value is between the ends of a logarithmic axis, from 0 to 1.
fn place(value: f64, (least, most): (f64, f64)) -> f64 {
    (value.max(least) / least).log10() / (most / least).log10()
}

/// The powers of ten around the values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = values.clone().fold(f64::INFINITY, f64::min).max(1e-9);
    let most = values.fold(0.0, f64::max).max(least);
    let (from, to) = (least.log10().floor(), most.log10().ceil());
    (10_f64.powf(from), 10_f64.powf(to.max(from + 1.0)))
}

/// How many times as fast as Node each workload is: a bar for the median, a line from the least to the most.
pub(super) fn ratios(rows: &[Row]) -> String {
    let compared: Vec<_> = rows.iter().filter_map(|row| Some((row.name, row.ratio()?))).collect();
    let height = TOP + ROW * compared.len() as f64 + 30.0;
    let mut picture = Picture::new(WIDTH, height);
    let (_, most) = decades(compared.iter().map(|(_, ratio)| ratio.most));
    let axis = (1.0, most.max(10.0));
    let x = |ratio: f64| LEFT + (WIDTH - LEFT - RIGHT) * place(ratio, axis);
    picture.text(
        (10.0, 20.0),
        "start",
        "How many times as fast as Node (median and range of the pairs of runs)",
    );
    for step in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0] {
        if step <= axis.1 {
            picture.line((x(step), TOP - 8.0), (x(step), height - 20.0), GRID, 1.0);
            picture.text((x(step), height - 5.0), "middle", &format!("{step}"));
        }
    }
    for (number, (name, ratio)) in compared.iter().enumerate() {
        let y = TOP + ROW * number as f64;
        picture.text((LEFT - 10.0, y + 15.0), "end", name);
        picture.bar((LEFT, y + 2.0), (x(ratio.median) - LEFT, ROW - 12.0), OURS);
        picture.line((x(ratio.least), y + 11.0), (x(ratio.most), y + 11.0), "#333333", 1.5);
        picture.text((x(ratio.most) + 6.0, y + 15.0), "start", &format!("{:.1}", ratio.median));
    }
    picture.finish()
}

/// One line of a panel: its points are (blocks in the log, microseconds).
pub(super) struct Curve {
    pub(super) ours: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// Panels side by side, each with its own curves over the length of the log.
pub(super) fn curves(title: &str, panels: &[(&str, Vec<Curve>)]) -> String {
    const PANEL: f64 = 300.0;
    const HEIGHT: f64 = 340.0;
    const MARGIN: f64 = 62.0;
    let mut picture = Picture::new(PANEL * panels.len() as f64, HEIGHT);
    picture.text((10.0, 20.0), "start", title);
    for (number, (name, curves)) in panels.iter().enumerate() {
        let (left, right) = (PANEL * number as f64 + MARGIN, PANEL * (number as f64 + 1.0) - 15.0);
        let (top, bottom) = (TOP + 20.0, HEIGHT - 50.0);
        let points = curves.iter().flat_map(|curve| &curve.points);
        let across = decades(points.clone().map(|(blocks, _)| *blocks));
        let up = decades(points.map(|(_, micros)| *micros));
        let x = |blocks| left + (right - left) * place(blocks, across);
        let y = |micros| bottom - (bottom - top) * place(micros, up);
        picture.text(((left + right) / 2.0, top - 12.0), "middle", &format!("{name}: µs per operation"));
        for power in steps(up) {
            picture.line((left, y(power)), (right, y(power)), GRID, 1.0);
            picture.text((left - 6.0, y(power) + 4.0), "end", &format!("{power}"));
        }
        for power in steps(across) {
            picture.line((x(power), top), (x(power), bottom), GRID, 1.0);
            picture.text((x(power), bottom + 18.0), "middle", &format!("10^{:.0}", power.log10()));
        }
        picture.text(((left + right) / 2.0, bottom + 36.0), "middle", "blocks in the log");
        for Curve { ours, points } in curves {
            let (colour, label) = if *ours { (OURS, "Rust") } else { (NODE, "Node") };
            for pair in points.windows(2) {
                let [(x1, y1), (x2, y2)] = pair else { continue };
                picture.line((x(*x1), y(*y1)), (x(*x2), y(*y2)), colour, 2.0);
            }
            points.iter().for_each(|(blocks, micros)| picture.dot((x(*blocks), y(*micros)), colour));
            if let Some((blocks, micros)) = points.first() {
                picture.text((x(*blocks) + 6.0, y(*micros) - 8.0), "start", label);
            }
        }
    }
    picture.finish()
}

fn steps((least, most): (f64, f64)) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(least), |step| Some(step * 10.0)).take_while(move |step| *step <= most * 1.01)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_reaches_from_power_to_power() {
        let (least, most) = decades([3.0, 40.0].into_iter());
        assert!((least - 1.0).abs() < 1e-9 && (most - 100.0).abs() < 1e-9);
        assert!((place(10.0, (least, most)) - 0.5).abs() < 1e-9);
        assert_eq!(steps((1.0, 100.0)).count(), 3);
    }

    #[test]
    fn every_point_of_a_curve_is_drawn() {
        let points = vec![(1e4, 5.0), (1e5, 6.0), (1e6, 7.0)];
        let drawn = curves("t", &[("get", vec![Curve { ours: true, points }])]);
        assert_eq!(drawn.matches("<circle").count(), 3);
        assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n"));
    }
}
