//! Converts files of symbols to symcaches, a few at a time.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use symbolicate::{Limits, SymError, convert_sym};
use symbols::Sha256;
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::file::{self, Content, HEADER, Header, MadeFrom, SourceKind, Summed};
use super::module::{SymcacheFailure, Unusable, UnusableReason};
use super::source::Source;
use crate::catalog::{Catalog, SpoolError, SpoolLimit, Spooled, Spooler};
use crate::cpu::CpuPool;
use crate::scratch::Scratch;
use crate::symbolication::config::SymbolicationConfig;

/// How long opening a file of symbols may take, and how long reading it from its source.
const COPY: Duration = Duration::from_mins(2);

/// How many files of symbols are read into temporary files, or wait there, at a time.
const SPOOLS: usize = 4;

/// How much memory one permit stands for, in bytes.
const MEMORY_UNIT: u64 = 64 * 1024;

/// How many times the size of its source a conversion takes of memory: twice what well-formed files need.
const MEMORY_FACTOR: u64 = 3;

/// How much is read or written at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// What came of a file of symbols.
#[derive(Debug)]
pub(super) enum Converted {
    /// A file of [`file`]'s layout, for the source of this digest. It may say that the symbols are unusable.
    File(NamedTempFile, Sha256),
    /// Nothing that is worth keeping: what is wrong depends on a setting, or on how the file is stored.
    Refused(Unusable),
}

/// Converts files of symbols.
#[derive(Debug)]
pub(super) struct Converter {
    largest: ByteSize,
    spooler: Spooler,
    scratch: Arc<Scratch>,
    cpu: CpuPool,
    spools: Semaphore,
    conversions: Semaphore,
    memory: Semaphore,
    memory_units: u32,
}

impl Converter {
    /// Makes a converter that converts on half of the pool's threads, within the configured memory.
    pub(super) fn new(
        config: &SymbolicationConfig,
        spooler: Spooler,
        scratch: Arc<Scratch>,
        cpu: CpuPool,
    ) -> Self {
        let memory_units = u32::try_from(config.memory.as_u64() / MEMORY_UNIT).unwrap_or(u32::MAX);
        let memory_units = memory_units.clamp(1, 1 << 28);
        Self {
            largest: config.max_source_size,
            spooler,
            scratch,
            spools: Semaphore::new(SPOOLS),
            conversions: Semaphore::new((cpu.threads() / 2).max(1)),
            memory: Semaphore::new(memory_units as usize),
            memory_units,
            cpu,
        }
    }

    /// Reads a file of symbols and converts it.
    pub(super) async fn convert(
        &self,
        catalog: &Catalog,
        source: &Source,
    ) -> Result<Converted, SymcacheFailure> {
        let meta = &source.found.info.meta;
        if meta
            .original_size
            .is_some_and(|size| size > self.largest.as_u64())
        {
            return Ok(Converted::Refused(Unusable::TOO_LARGE));
        }
        let _place = self.spools.acquire().await;
        let (spooled, digest) = match self.spool(catalog, source).await? {
            Ok(spooled) => spooled,
            Err(unusable) => return Ok(Converted::Refused(unusable)),
        };
        let units = (spooled.length.saturating_mul(MEMORY_FACTOR) / MEMORY_UNIT)
            .clamp(1, u64::from(self.memory_units));
        let units = u32::try_from(units).unwrap_or(self.memory_units);
        let _turn = self.conversions.acquire().await;
        let _memory = self.memory.acquire_many(units).await;
        let scratch = Arc::clone(&self.scratch);
        let job = move || {
            let target = scratch.named_file()?;
            convert(spooled, digest, target.as_file())?;
            Ok::<_, io::Error>(target)
        };
        let converted = self
            .cpu
            .run(job)
            .await
            .map_err(|_| SymcacheFailure::Panicked)?;
        Ok(Converted::File(converted?, digest))
    }

    /// Reads a file into a temporary one, and returns the digest of the version that was read.
    async fn spool(
        &self,
        catalog: &Catalog,
        source: &Source,
    ) -> Result<Result<(Spooled, Sha256), Unusable>, SymcacheFailure> {
        let opening = timeout(COPY, catalog.open(&source.found, None)).await;
        let fetched = opening.map_err(|_| SymcacheFailure::TimedOut)??;
        // It was removed a moment ago; the next question finds that out from the catalog.
        let fetched = fetched.ok_or(SymcacheFailure::Changed)?;
        let digest = source.opened_as(&fetched.info).digest;
        let limit = SpoolLimit {
            bytes: self.largest,
            time: COPY,
        };
        match self.spooler.spool(fetched, limit).await {
            Ok(spooled) => Ok(Ok((spooled, digest))),
            Err(SpoolError::TooLarge(_)) => Ok(Err(Unusable::TOO_LARGE)),
            Err(SpoolError::Damaged(_)) => Ok(Err(Unusable::NOT_INFLATED)),
            Err(error) => Err(SymcacheFailure::Source(Arc::new(error))),
        }
    }
}

/// Converts a `.sym` file into a file of [`file`]'s layout.
fn convert(source: Spooled, digest: Sha256, mut target: &File) -> io::Result<()> {
    target.seek(SeekFrom::Start(HEADER as u64))?;
    let reader = BufReader::with_capacity(PIECE, source.file);
    let mut writer = Summed::new(BufWriter::with_capacity(PIECE, target));
    let content = match convert_sym(reader, &Limits::default(), &mut writer) {
        Ok(converted) => {
            let (length, crc32) = writer.finish()?;
            Content::usable(converted.program_file, length, crc32)
        }
        Err(SymError::Read(error) | SymError::Write(error)) => return Err(error),
        Err(SymError::TooComplex { line, .. }) => unusable(UnusableReason::TooComplex, line),
        Err(SymError::Damaged { line, .. }) => unusable(UnusableReason::Damaged, line),
        Err(error) => return Err(io::Error::other(error)),
    };
    let made_from = MadeFrom {
        digest,
        size: source.length,
        kind: SourceKind::Sym,
    };
    file::finish(target, &Header { made_from, content })
}

fn unusable(reason: UnusableReason, line: u64) -> Content {
    Content::Unusable(Unusable {
        reason,
        line: Some(line),
    })
}
