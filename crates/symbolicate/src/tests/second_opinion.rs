//! Well-formed `.sym` files that are made of any bytes, and a naive reader of them.
//!
//! The reader looks through all records for each address and knows nothing of symcaches, trees or ranges. That is
//! enough where functions do not overlap, lines cover their function, inlined functions nest, and `PUBLIC` records
//! stand outside of functions.

use std::collections::HashMap;
use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::Arc;

use symbolicate::Batch;

/// The end of the addresses that a file is about.
pub(crate) const END: u64 = 0x300;

/// A function and its place in the source.
pub(crate) type Place = (String, Option<String>, u64);

/// What an address means: its offset in the outer function, and all functions, innermost first.
pub(crate) type Answer = Option<(u64, Vec<Place>)>;

/// Decisions, as bytes.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    /// The next choice of so many; the first one when there are no more bytes.
    fn below(&mut self, count: u64) -> u64 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        u64::from(*first) % count
    }
}

/// A file that the bytes decide on.
pub(crate) fn write(bytes: &[u8]) -> String {
    let mut choices = Choices(bytes);
    let mut text = String::from("MODULE Linux x86_64 00E1107000000000000000000000000D1 a.so\n");
    for file in 0..4 {
        let number = file * (1 + choices.below(2) * 7);
        writeln!(text, "FILE {number} folder/{file}.c").unwrap();
    }
    for origin in 0..4 {
        writeln!(text, "INLINE_ORIGIN {origin} inlined<{origin}>").unwrap();
    }
    let mut functions = Vec::new();
    let mut start = 0x10 + choices.below(0x20);
    while start < END - 0x100 && !choices.0.is_empty() {
        start += choices.below(4) * choices.below(16);
        let size = 1 + choices.below(0x40);
        functions.push(((start, size), function(&mut choices, start, size)));
        start += size;
    }
    // The order of functions means nothing where they do not overlap.
    if choices.below(2) == 1 {
        functions.reverse();
    }
    text.extend(functions.iter().map(|(_, text)| text.as_str()));
    for public in 0..choices.below(6) {
        let address = choices.below(256) * 3;
        if !functions.iter().any(|(extent, _)| holds(*extent, address)) {
            writeln!(text, "PUBLIC {address:x} 0 public{public}").unwrap();
        }
    }
    text
}

fn function(choices: &mut Choices<'_>, start: u64, size: u64) -> String {
    let mut text = format!("FUNC {start:x} {size:x} 0 function {start}\n");
    inline(choices, &mut text, 0, start, size);
    let mut at = start;
    while at < start + size {
        let length = (1 + choices.below(12)).min(start + size - at);
        let (line, file) = (choices.below(30), choices.below(5));
        writeln!(text, "{at:x} {length:x} {line} {file}").unwrap();
        at += length;
    }
    text
}

/// Inlines functions into parts of a range, and others into those.
fn inline(choices: &mut Choices<'_>, text: &mut String, depth: u64, start: u64, size: u64) {
    let mut at = start + choices.below(4);
    while depth < 5 && choices.below(3) > 0 && at < start + size {
        let length = (1 + choices.below(32)).min(start + size - at);
        let (line, file, origin) = (choices.below(30), choices.below(5), choices.below(5));
        writeln!(
            text,
            "INLINE {depth} {line} {file} {origin} {at:x} {length:x}"
        )
        .unwrap();
        inline(choices, text, depth + 1, at, length);
        at += length + choices.below(4);
    }
}

/// What we answer, in the words of the naive reader.
pub(crate) fn answer(batch: &mut Batch<'_>, address: u64) -> Answer {
    let frame = batch.lookup(address)?;
    let line = |line: Option<NonZeroU32>| line.map_or(0, |line| line.get().into());
    let file = |file: &Option<Arc<str>>| file.as_deref().map(str::to_owned);
    let mut places: Vec<_> = frame
        .inlines
        .iter()
        .map(|inline| {
            (
                inline.function.to_owned(),
                file(&inline.file),
                line(inline.line),
            )
        })
        .collect();
    places.push((
        frame.function.to_owned(),
        file(&frame.file),
        line(frame.line),
    ));
    Some((frame.function_offset.into(), places))
}

/// A start and a size.
type Extent = (u64, u64);

fn holds((start, size): Extent, address: u64) -> bool {
    (start..start + size).contains(&address)
}

#[derive(Debug)]
struct Function {
    extent: Extent,
    name: String,
    /// Each with the line and the file.
    lines: Vec<(Extent, u64, u64)>,
    /// Each with the depth, the line and file of the call, and the origin.
    inlines: Vec<(Extent, [u64; 4])>,
}

/// The records of a well-formed file.
#[derive(Debug, Default)]
pub(crate) struct Naive {
    names: HashMap<(bool, u64), String>,
    functions: Vec<Function>,
    publics: Vec<(u64, String)>,
}

impl Naive {
    pub(crate) fn read(text: &str) -> Self {
        let mut naive = Self::default();
        for line in text.lines().skip(1) {
            naive.read_record(line);
        }
        naive
    }

    fn read_record(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let hexadecimal = |index: usize| u64::from_str_radix(words[index], 16).unwrap();
        let decimal = |index: usize| words[index].parse::<u64>().unwrap();
        match words[0] {
            "FILE" | "INLINE_ORIGIN" => {
                let key = (words[0] == "FILE", decimal(1));
                self.names.insert(key, words[2..].join(" "));
            }
            "PUBLIC" => self.publics.push((hexadecimal(1), words[3..].join(" "))),
            "FUNC" => self.functions.push(Function {
                extent: (hexadecimal(1), hexadecimal(2)),
                name: words[4..].join(" "),
                lines: Vec::new(),
                inlines: Vec::new(),
            }),
            "INLINE" => {
                let extent = (hexadecimal(5), hexadecimal(6));
                let inline = (extent, [1, 2, 3, 4].map(decimal));
                self.functions.last_mut().unwrap().inlines.push(inline);
            }
            _ => {
                let line = ((hexadecimal(0), hexadecimal(1)), decimal(2), decimal(3));
                self.functions.last_mut().unwrap().lines.push(line);
            }
        }
    }

    /// What an address means.
    pub(crate) fn look_up(&self, address: u64) -> Answer {
        match self
            .functions
            .iter()
            .find(|function| holds(function.extent, address))
        {
            Some(function) => Some(self.look_into(function, address)),
            None => self.look_outside(address),
        }
    }

    fn look_into(&self, function: &Function, address: u64) -> (u64, Vec<Place>) {
        let mut place = function
            .lines
            .iter()
            .find(|line| holds(line.0, address))
            .map(|line| (line.1, line.2));
        let mut inlines: Vec<_> = function
            .inlines
            .iter()
            .filter(|inline| holds(inline.0, address))
            .map(|inline| inline.1)
            .collect();
        inlines.sort_by_key(|[depth, ..]| std::cmp::Reverse(*depth));
        let mut places = Vec::new();
        for [_, line, file, origin] in inlines {
            let name = self.names.get(&(false, origin)).cloned();
            places.push(self.place(name.unwrap_or_default(), place));
            place = Some((line, file));
        }
        places.push(self.place(function.name.clone(), place));
        (address - function.extent.0, places)
    }

    fn place(&self, name: String, place: Option<(u64, u64)>) -> Place {
        let file = place.and_then(|(_, file)| self.names.get(&(true, file)).cloned());
        let line = place.filter(|_| file.is_some()).map_or(0, |(line, _)| line);
        (name, file, line)
    }

    /// The nearest name below, if no function lies between.
    fn look_outside(&self, address: u64) -> Answer {
        let starts = self.publics.iter().map(|public| public.0);
        let start = starts.filter(|start| *start <= address).max()?;
        let is_hidden = |function: &Function| (start..=address).contains(&(function.extent.0));
        if self.functions.iter().any(is_hidden) {
            return None;
        }
        let public = self.publics.iter().find(|public| public.0 == start)?;
        Some((address - start, vec![(public.1.clone(), None, 0)]))
    }
}
