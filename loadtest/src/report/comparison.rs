//! Draws how the throughputs of one run compare: a bar for each target, as long as its share of the longest.

use super::svg::{COLOURS, LEFT, RIGHT, head, rectangle, text};

/// Where the bars begin, right of their names.
const START: f64 = LEFT + 90.0;
/// Room for the words behind the longest bar.
const WORDS: f64 = 190.0;
/// Top of the first bar, from one to the next, and the height of one.
const TOP: f64 = 90.0;
const STEP: f64 = 44.0;
const THICKNESS: f64 = 26.0;

/// A target's bar.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) requests_per_second: f64,
    /// What stands behind the bar.
    pub(crate) words: String,
}

/// The whole picture.
pub(crate) fn draw(headline: &(String, String), bars: &[Bar]) -> String {
    let height = bars.iter().fold(TOP, |height, _| height + STEP);
    let mut svg = head(height, headline);
    let longest = bars.iter().fold(f64::MIN_POSITIVE, |longest, bar| {
        longest.max(bar.requests_per_second)
    });
    let mut top = TOP;
    for (bar, colour) in bars.iter().zip(COLOURS.iter().cycle()) {
        let length = bar.requests_per_second / longest * (RIGHT - WORDS - START);
        let baseline = top + THICKNESS * 0.7;
        text(&mut svg, LEFT, baseline, "", &bar.name);
        rectangle(&mut svg, (START, top), (length, THICKNESS), colour);
        text(
            &mut svg,
            START + length + 10.0,
            baseline,
            "fill=\"#666\"",
            &bar.words,
        );
        top += STEP;
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_every_word_is_there() {
        let bar = |name: &str, requests_per_second| Bar {
            name: name.to_owned(),
            requests_per_second,
            words: format!("{requests_per_second}/s"),
        };
        let headline = ("hot a<b".to_owned(), "3 rounds".to_owned());
        let svg = draw(&headline, &[bar("heartbeat", 400.0), bar("found", 100.0)]);
        for words in [
            "hot a&lt;b",
            "3 rounds",
            "heartbeat",
            "found",
            "400/s",
            "100/s",
        ] {
            assert!(svg.contains(words), "{words}");
        }
        let whole = RIGHT - WORDS - START;
        for length in [whole, whole / 4.0] {
            assert!(svg.contains(&format!("width=\"{length:.1}\"")), "{svg}");
        }
        assert!(draw(&headline, &[bar("heartbeat", 0.0)]).contains("width=\"0.0\""));
    }
}
