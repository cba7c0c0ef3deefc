//! Writes small minidumps: a crashed thread on Windows x86-64, its stack, and modules.
//!
//! The layouts are those of `minidumpapiset.h`; what is not told is zero.

/// A module in the process.
pub(crate) struct Module {
    /// Where it is loaded.
    pub(crate) base: u64,
    /// The code file's name.
    pub(crate) code_file: &'static str,
    /// The time stamp of the header, the first half of the code id.
    pub(crate) timestamp: u32,
    /// The size in memory, the second half of the code id.
    pub(crate) size: u32,
    /// The debug file's name, and the debug id of 32 digits and an age of one; `None` for a module that does not say.
    pub(crate) debug: Option<(&'static str, &'static str)>,
}

const THREAD: u32 = 1;

const STACK: u64 = 0x0010_0000;

const HEADER: usize = 32;

const DIRECTORY_ENTRY: usize = 12;

/// The registers (`CONTEXT`): its size, and where its flags, `Rsp` and `Rip` lie.
const CONTEXT: usize = 1232;
const CONTEXT_FLAGS: usize = 0x30;
const CONTEXT_RSP: usize = 0x98;
const CONTEXT_RIP: usize = 0xF8;

struct Writer {
    bytes: Vec<u8>,
}

/// Size and place of something, as minidumps tell them.
type Location = [u32; 2];

/// A minidump of a thread that crashed at `instruction`, on whose stack these words lie, last pushed first.
pub(crate) fn minidump(instruction: u64, stack: &[u64], modules: &[Module]) -> Vec<u8> {
    let streams = 4;
    let mut file = Writer {
        bytes: vec![0; HEADER + streams * DIRECTORY_ENTRY],
    };
    let words: Vec<u8> = stack.iter().flat_map(|word| word.to_le_bytes()).collect();
    let stack = file.put(&words);
    let mut context = [0; CONTEXT];
    context[CONTEXT_FLAGS..][..4].copy_from_slice(&0x0010_000B_u32.to_le_bytes());
    context[CONTEXT_RSP..][..8].copy_from_slice(&STACK.to_le_bytes());
    context[CONTEXT_RIP..][..8].copy_from_slice(&instruction.to_le_bytes());
    let context = file.put(&context);

    let thread = [
        numbers(&[1, THREAD, 0, 0, 0, 0, 0]),
        STACK.to_le_bytes().to_vec(),
        numbers(&stack),
        numbers(&context),
    ];
    let exception = [
        numbers(&[THREAD, 0, 0xC000_0005, 0, 0, 0]),
        instruction.to_le_bytes().to_vec(),
        vec![0; 8 + 15 * 8],
        numbers(&context),
    ];
    // x86-64, one processor, Windows 10.
    let mut system = [0; 56];
    (system[0], system[6], system[7], system[8], system[20]) = (9, 1, 1, 10, 2);
    let modules = file.put_modules(modules);
    let directory = [
        (3, file.put(&thread.concat())),
        (4, modules),
        (6, file.put(&exception.concat())),
        (7, file.put(&system)),
    ];

    let mut head = numbers(&[0x504D_444D, 0xA793, 4, 32, 0, 0, 0, 0]);
    for (kind, location) in directory {
        head.extend(numbers(&[kind]));
        head.extend(numbers(&location));
    }
    file.bytes[..head.len()].copy_from_slice(&head);
    file.bytes
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> Location {
        let start = self.bytes.len();
        self.bytes.extend(bytes);
        [bytes.len(), start].map(|number| u32::try_from(number).unwrap())
    }

    fn put_modules(&mut self, modules: &[Module]) -> Location {
        let mut list = numbers(&[u32::try_from(modules.len()).unwrap()]);
        for module in modules {
            let name: Vec<u8> = module
                .code_file
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
            let length = numbers(&[u32::try_from(name.len()).unwrap()]);
            let [_, name] = self.put(&[length, name, vec![0; 2]].concat());
            let debug = module
                .debug
                .map_or([0, 0], |(file, id)| self.put(&code_view(file, id)));
            list.extend(module.base.to_le_bytes());
            list.extend(numbers(&[module.size, 0, module.timestamp, name]));
            list.extend([0; 52]);
            list.extend(numbers(&debug));
            list.extend([0; 24]);
        }
        self.put(&list)
    }
}

/// A `CodeView` record of the kind that names a PDB.
fn code_view(file: &str, id: &str) -> Vec<u8> {
    let (guid, age) = id.split_at(32);
    let mut guid = hex::decode(guid).unwrap();
    for number in [0..4, 4..6, 6..8] {
        guid[number].reverse();
    }
    let age = u32::from_str_radix(age, 16).unwrap();
    [
        b"RSDS",
        &guid[..],
        &age.to_le_bytes(),
        file.as_bytes(),
        b"\0",
    ]
    .concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}
