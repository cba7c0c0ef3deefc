//! Draws a run as SVG: how slow the slowest answers were, and how many answers came in each second.
//!
//! The upper part is a curve for each status: the time that a share of its answers did not exceed. Its horizontal axis
//! gives every nine the same room, so that the slowest thousandth can be seen beside the median; its vertical axis is
//! logarithmic. The lower part has a bar for each second.

use std::fmt::Write as _;

use super::Report;
use super::svg::{COLOURS, LEFT, RIGHT, head, line, rectangle, text};
use super::table::time;

/// The lines of the picture, one for each status, or for each of the runs that are compared.
#[derive(Debug)]
pub(crate) struct Curve {
    /// For the legend.
    pub(crate) name: String,
    /// Shares and microseconds.
    pub(crate) points: Vec<(f64, u64)>,
    /// Answers in each second.
    pub(crate) seconds: Vec<u64>,
}

const HEIGHT: f64 = 680.0;
/// Top and bottom of the curves.
const CURVES: (f64, f64) = (120.0, 412.0);
/// Top and bottom of the bars.
const BARS: (f64, f64) = (484.0, 620.0);

/// The most bars; of longer runs a bar stands for several seconds.
const MAX_BARS: usize = 120;

/// Shares that the horizontal axis names.
const SHARES: [(f64, &str); 8] = [
    (0.0, "fastest"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
    (0.999_999, "99.9999 %"),
];

/// Of answers that are failures.
const FAILURE: &str = "#d03b2f";

impl Report {
    /// A curve for each status.
    pub(crate) fn curves(&self) -> Vec<Curve> {
        let curve = |row: &super::Row| Curve {
            name: row.status.clone(),
            points: row.percentiles.clone(),
            seconds: self
                .each_second
                .iter()
                .map(|second| second.get(&row.status).copied().unwrap_or(0))
                .collect(),
        };
        self.statuses.iter().map(curve).collect()
    }

    /// One curve for all answers together.
    pub(crate) fn curve(&self, name: &str) -> Curve {
        Curve {
            name: name.to_owned(),
            points: self.all.percentiles.clone(),
            seconds: self
                .each_second
                .iter()
                .map(|second| second.values().sum())
                .collect(),
        }
    }

    /// What was done, for the head of a picture.
    pub(crate) fn headline(&self) -> (String, String) {
        let setting = &self.setting;
        (
            format!("{} {}", setting.scenario, setting.server),
            format!(
                "{}, {} connections, {:.0} s: {} requests, {:.1}/s, median {}, p99 {}",
                setting.pace,
                setting.connections,
                self.seconds,
                self.requests,
                self.requests_per_second,
                time(self.all.median_microseconds),
                time(self.all.p99_microseconds),
            ),
        )
    }
}

/// The whole picture.
pub(crate) fn draw(headline: &(String, String), curves: &[Curve]) -> String {
    let mut svg = head(HEIGHT, headline);
    legend(&mut svg, curves);
    draw_curves(&mut svg, curves);
    draw_bars(&mut svg, curves);
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, curves: &[Curve]) {
    let mut x = LEFT;
    for (index, curve) in curves.iter().enumerate() {
        rectangle(svg, (x, 79.0), (14.0, 14.0), colour(curve, index));
        text(svg, x + 20.0, 91.0, "", &curve.name);
        #[expect(clippy::cast_precision_loss, reason = "names are short")]
        let width = curve.name.chars().count() as f64 * 8.0;
        x += width + 48.0;
    }
}

/// From shares and times to places in the picture.
struct Scale {
    /// Powers of ten of the lowest and the highest time, in microseconds.
    decades: (u32, u32),
    /// The number of nines at the right end.
    nines: f64,
}

impl Scale {
    /// A scale that holds all of the curves; `None` if they have no point.
    fn of(curves: &[Curve]) -> Option<Self> {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let fastest = points().map(|(_, time)| *time).min()?.max(1);
        let slowest = points().map(|(_, time)| *time).max()?.max(1);
        let first = fastest.ilog10();
        Some(Self {
            decades: (first, (slowest.ilog10() + 1).max(first + 1)),
            nines: points().map(|(share, _)| nines(*share)).fold(1.0, f64::max),
        })
    }

    fn x(&self, share: f64) -> f64 {
        LEFT + nines(share) / self.nines * (RIGHT - LEFT)
    }

    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    fn y(&self, time: u64) -> f64 {
        let (first, last) = (f64::from(self.decades.0), f64::from(self.decades.1));
        let part = ((time.max(1) as f64).log10() - first) / (last - first);
        CURVES.1 - part * (CURVES.1 - CURVES.0)
    }

    fn draw(&self, svg: &mut String) {
        for decade in self.decades.0..=self.decades.1 {
            let time = 10_u64.pow(decade);
            let y = self.y(time);
            line(svg, (LEFT, y), (RIGHT, y));
            text(
                svg,
                LEFT - 10.0,
                y + 4.0,
                "text-anchor=\"end\" fill=\"#666\"",
                &round_time(time),
            );
        }
        for (share, name) in SHARES {
            if nines(share) <= self.nines + 0.01 {
                let x = self.x(share);
                line(svg, (x, CURVES.0), (x, CURVES.1));
                text(
                    svg,
                    x,
                    CURVES.1 + 20.0,
                    "text-anchor=\"middle\" fill=\"#666\"",
                    name,
                );
            }
        }
    }
}

fn draw_curves(svg: &mut String, curves: &[Curve]) {
    let Some(scale) = Scale::of(curves) else {
        return;
    };
    scale.draw(svg);
    heading(
        svg,
        CURVES.0,
        "time that this share of the answers did not exceed",
    );
    for (index, curve) in curves.iter().enumerate() {
        let places = curve
            .points
            .iter()
            .map(|(share, time)| (scale.x(*share), scale.y(*time)));
        let points: Vec<String> = places.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.5\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
            points.join(" "),
            colour(curve, index),
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn draw_bars(svg: &mut String, curves: &[Curve]) {
    let seconds = curves
        .iter()
        .map(|curve| curve.seconds.len())
        .max()
        .unwrap_or(0);
    let group = seconds.div_ceil(MAX_BARS).max(1);
    let bars = seconds.div_ceil(group);
    let rate = |curve: &Curve, bar: usize| {
        let counts = curve.seconds.iter().skip(bar * group).take(group);
        counts.sum::<u64>() as f64 / group as f64
    };
    let height = |bar: usize| curves.iter().map(|curve| rate(curve, bar)).sum::<f64>();
    let highest = (0..bars).map(height).fold(0.0, f64::max);
    if highest <= 0.0 {
        return;
    }
    let top = round_up(highest);
    for share in [0.0, 0.5, 1.0] {
        let y = BARS.1 - share * (BARS.1 - BARS.0);
        line(svg, (LEFT, y), (RIGHT, y));
        let label = format!("{}", top * share);
        text(
            svg,
            LEFT - 10.0,
            y + 4.0,
            "text-anchor=\"end\" fill=\"#666\"",
            &label,
        );
    }
    heading(svg, BARS.0, "answers in each second");
    let width = (RIGHT - LEFT) / bars as f64;
    for bar in 0..bars {
        let mut y = BARS.1;
        for (index, curve) in curves.iter().enumerate() {
            let tall = rate(curve, bar) / top * (BARS.1 - BARS.0);
            if tall > 0.0 {
                y -= tall;
                let place = (LEFT + bar as f64 * width + width * 0.08, y);
                rectangle(svg, place, (width * 0.84, tall), colour(curve, index));
            }
        }
    }
    let end = format!("{} s", bars * group);
    text(svg, LEFT, BARS.1 + 20.0, "fill=\"#666\"", "0 s");
    text(
        svg,
        RIGHT,
        BARS.1 + 20.0,
        "text-anchor=\"end\" fill=\"#666\"",
        &end,
    );
}

/// The number of nines of a share: 0.9 has one, 0.99 two.
fn nines(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// The next number of the form 1, 2, 4, 5 or 8 with zeros, so that its half is a short one too.
fn round_up(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0].map(|step| step * unit);
    steps
        .into_iter()
        .find(|step| *step >= value)
        .unwrap_or(10.0 * unit)
}

fn round_time(microseconds: u64) -> String {
    match microseconds {
        0..1000 => format!("{microseconds} µs"),
        1000..1_000_000 => format!("{} ms", microseconds / 1000),
        _ => format!("{} s", microseconds / 1_000_000),
    }
}

fn colour(curve: &Curve, index: usize) -> &'static str {
    if curve.name == "no answer" || curve.name.starts_with('5') {
        return FAILURE;
    }
    COLOURS[index % COLOURS.len()]
}

/// A line of text above a part of the picture.
fn heading(svg: &mut String, top: f64, words: &str) {
    text(
        svg,
        LEFT,
        top - 10.0,
        "fill=\"#666\" font-size=\"12\"",
        words,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str) -> Curve {
        Curve {
            name: name.to_owned(),
            points: vec![(0.0, 100), (0.5, 250), (0.9, 900), (0.99, 12_000)],
            seconds: vec![40, 60],
        }
    }

    #[test]
    fn every_status_has_a_curve_a_bar_a_second_and_a_name() {
        let svg = draw(
            &("a <title>".to_owned(), String::new()),
            &[curve("302"), curve("503")],
        );
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline ").count(), 2);
        // The ground, and for each status the key of the legend and two bars.
        assert_eq!(svg.matches("<rect ").count(), 1 + 2 * 3);
        for text in [
            ">302<",
            ">503<",
            ">a &lt;title><",
            ">99 %<",
            ">100 µs<",
            ">100 ms<",
            ">200<",
        ] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_run_without_an_answer_has_a_picture_too() {
        let silent = Curve {
            name: "no answer".to_owned(),
            points: Vec::new(),
            seconds: vec![0],
        };
        let svg = draw(&(String::new(), String::new()), &[silent]);
        assert!(svg.contains(">no answer<") && !svg.contains("NaN"));
        assert!(!draw(&(String::new(), String::new()), &[]).contains("NaN"));
    }

    #[test]
    fn the_scale_ends_with_a_round_number() {
        for (value, top) in [
            (1.0, 1.0),
            (63.0, 80.0),
            (120.0, 200.0),
            (999.0, 1000.0),
            (0.3, 0.4),
        ] {
            assert!((round_up(value) - top).abs() < 1e-9, "{value}");
        }
    }
}
