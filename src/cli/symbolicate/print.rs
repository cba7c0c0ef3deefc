//! Readable stacks on standard output, with colours on a terminal.

use std::io::{self, BufWriter, Write};

use console::{StyledObject, style};

use super::answer::{Answer, Frame, Inline};
use super::input::Input;
use super::text::Text;

/// Prints an answer in the form of its input: the stacks of JSON one after the other, a text with its addresses
/// replaced and its other lines as they were.
pub(super) fn print(input: &Input, answer: &Answer) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match input {
        Input::Json(_) => write_stacks(&mut out, answer)?,
        Input::Text { text, .. } => write_text(&mut out, text, answer)?,
    }
    out.flush()
}

fn write_stacks(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let stacks: Vec<_> = answer.results.iter().flat_map(|job| &job.stacks).collect();
    for (number, stack) in stacks.iter().enumerate() {
        if stacks.len() > 1 {
            writeln!(out, "{}Stack {number}", if number == 0 { "" } else { "\n" })?;
        }
        for (number, frame) in stack.iter().enumerate() {
            write_frame(out, &format!("#{number:<3}"), frame)?;
        }
    }
    Ok(())
}

fn write_text(out: &mut impl Write, text: &Text, answer: &Answer) -> io::Result<()> {
    let frames = answer
        .results
        .iter()
        .flat_map(|job| job.stacks.iter().flatten());
    let frames: Vec<_> = frames.collect();
    for line in text.lines() {
        match line.frame.and_then(|frame| frames.get(frame)) {
            Some(frame) if frame.function.is_some() => {
                let number = frame_number(&line.text);
                write_frame(out, number, frame)?;
            }
            _ => writeln!(out, "{}", line.text)?,
        }
    }
    Ok(())
}

/// What stands before the first blank of a line that begins with a number of a frame, such as `#01:`.
fn frame_number(line: &str) -> &str {
    let first = line.trim_start().split(' ').next().unwrap_or_default();
    let is_number = first
        .trim_matches(['#', ':'])
        .bytes()
        .all(|byte| byte.is_ascii_digit());
    if is_number { first } else { "" }
}

/// Writes the functions at an address, one a line, the innermost first.
fn write_frame(out: &mut impl Write, number: &str, frame: &Frame) -> io::Result<()> {
    let blank = " ".repeat(number.len());
    let mut label = number;
    for Inline {
        function,
        file,
        line,
    } in &frame.inlines
    {
        let name = style(plain(function.as_deref().unwrap_or("<unknown>"))).bold();
        write!(out, "{label} {name} {}", style("(inlined)").dim())?;
        write_place(out, file.as_deref(), *line)?;
        writeln!(out)?;
        label = &blank;
    }
    write!(out, "{label} ")?;
    let offset = frame.module_offset.as_deref().unwrap_or("?");
    let Some(function) = &frame.function else {
        return writeln!(out, "{} + {}", plain(&frame.module), plain(offset));
    };
    write!(out, "{}", style(plain(function)).bold())?;
    if let Some(offset) = &frame.function_offset {
        write!(out, " + {}", plain(offset))?;
    }
    write_place(out, frame.file.as_deref(), frame.line)?;
    writeln!(
        out,
        " {}",
        style(format!("[{} + {}]", plain(&frame.module), plain(offset))).dim()
    )
}

fn write_place(out: &mut impl Write, file: Option<&str>, line: Option<u32>) -> io::Result<()> {
    let cyan = |text: String| -> StyledObject<String> { style(text).cyan() };
    match (file, line) {
        (Some(file), Some(line)) => write!(out, " at {}", cyan(format!("{}:{line}", plain(file)))),
        (Some(file), None) => write!(out, " at {}", cyan(plain(file))),
        (None, _) => Ok(()),
    }
}

/// A name without control characters, which a terminal would obey.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "44E4EC8C2F41492B9369D6B9A059577C2";

    fn answer() -> Answer {
        let json = serde_json::json!({"results": [{
            "stacks": [[
                {"frame": 0, "module": "xul.dll", "module_offset": "0x1064", "function": "main\u{1b}[2J",
                 "function_offset": "0x4", "file": "main.cpp", "line": 296,
                 "inlines": [{"function": "inlined", "file": "inlined.h", "line": 7}]},
                {"frame": 1, "module": "<unknown>", "module_offset": "0xf"},
            ]],
            "found_modules": {"a.so/1": false, "b.so/2": null, "c.so/3": true},
        }]});
        serde_json::from_value(json).unwrap()
    }

    fn printed(write: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
        console::set_colors_enabled(false);
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn stacks_have_a_line_for_each_function() {
        let text = printed(|out| write_stacks(out, &answer()));
        let expected = "#0   inlined (inlined) at inlined.h:7\n     \
            main\u{fffd}[2J + 0x4 at main.cpp:296 [xul.dll + 0x1064]\n#1   <unknown> + 0xf\n";
        assert_eq!(text, expected);
        assert_eq!(answer().modules_without_symbols(), ["a.so/1"]);
    }

    #[test]
    fn lines_without_a_name_stay_as_they_are() {
        let text = format!("Crash!\n#01: xul.pdb/{ID}+0x1064\nb.so/{ID}+0xf\nc.so+0x1");
        let text = Text::read(&text, Vec::new());
        let expected = format!(
            "Crash!\n#01: inlined (inlined) at inlined.h:7\n     \
             main\u{fffd}[2J + 0x4 at main.cpp:296 [xul.dll + 0x1064]\nb.so/{ID}+0xf\nc.so+0x1\n"
        );
        assert_eq!(printed(|out| write_text(out, &text, &answer())), expected);
    }
}
