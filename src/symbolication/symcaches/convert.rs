//! Converts files of symbols to symcaches, a few at a time.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use symbolicate::{Limits, SymError, convert_sym};
use tempfile::NamedTempFile;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::disk::NodeDirectory;
use super::file::{self, Content, HEADER, Header, MadeFrom, SourceKind, Summed};
use super::module::{SymcacheFailure, Unusable, UnusableReason};
use super::native;
use super::source::{Form, Source};
use crate::blocking;
use crate::catalog::{Catalog, SpoolError, SpoolLimit, Spooled, Spooler};
use crate::clock::{SharedClock, Stopwatch};
use crate::cpu::CpuPool;
use crate::download::{UnpackError, Unpacker};
use crate::metrics::{Metrics, ReasonLabel};
use crate::storage::Fetched;
use crate::symbolication::config::SymbolicationConfig;

/// How long opening a file of symbols may take, and how long reading it from its source.
const COPY: Duration = Duration::from_mins(2);

/// How many files of symbols are worked on at a time: read, converted, or stored as a symcache.
const PLACES: usize = 4;

/// The most memory, in units, that a semaphore is made for.
const LARGEST_MEMORY: u32 = 1 << 28;

/// How much memory one permit stands for, in bytes.
const MEMORY_UNIT: u64 = 64 * 1024;

/// How many times the size of its source a conversion takes of memory: twice what well-formed files need.
const MEMORY_FACTOR: u64 = 3;

/// How much is read or written at a time, in bytes.
const PIECE: usize = 256 * 1024;

/// What came of a file of symbols.
#[derive(Debug)]
pub(super) enum Converted {
    /// A file of [`mod@file`]'s layout, which may say that the symbols are unusable, and the place among those that are
    /// worked on.
    File(NamedTempFile, OwnedSemaphorePermit),
    /// Nothing that is worth keeping: what is wrong depends on a setting, or on how the file is stored.
    Refused(Unusable),
}

/// Converts files of symbols.
#[derive(Debug)]
pub(super) struct Converter {
    largest: ByteSize,
    parts: ConverterParts,
    places: Arc<Semaphore>,
    conversions: Semaphore,
    memory: Semaphore,
    memory_units: u32,
}

/// What a converter is made of.
#[derive(Debug)]
pub(super) struct ConverterParts {
    pub(super) catalog: Arc<Catalog>,
    pub(super) spooler: Spooler,
    pub(super) unpacker: Unpacker,
    pub(super) program: PathBuf,
    pub(super) directory: Arc<NodeDirectory>,
    pub(super) cpu: CpuPool,
    pub(super) clock: SharedClock,
    pub(super) metrics: Metrics,
}

impl Converter {
    /// Makes a converter that converts on half of the pool's threads, within the configured memory.
    pub(super) fn new(config: &SymbolicationConfig, parts: ConverterParts) -> Self {
        let memory_units = u32::try_from(config.memory.as_u64() / MEMORY_UNIT).unwrap_or(u32::MAX);
        let memory_units = memory_units.clamp(1, LARGEST_MEMORY);
        Self {
            largest: config.max_source_size,
            places: Arc::new(Semaphore::new(PLACES)),
            conversions: Semaphore::new((parts.cpu.threads() / 2).max(1)),
            memory: Semaphore::new(memory_units as usize),
            memory_units,
            parts,
        }
    }

    /// Reads a file of symbols and converts it. It is called from a task that no client's disconnection cancels.
    pub(super) async fn convert(&self, source: &Source) -> Result<Converted, SymcacheFailure> {
        let original_size = source.found.info.meta.original_size;
        if original_size.is_some_and(|size| size > self.largest.as_u64()) {
            return Ok(self.refuse(source, Unusable::TOO_LARGE));
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| SymcacheFailure::Panicked)?;
        let spooled = match self.spool(source).await? {
            Ok(spooled) => spooled,
            Err(unusable) => return Ok(self.refuse(source, unusable)),
        };
        let _turn = self.conversions.acquire().await;
        let units = self.memory_units_for(spooled.length);
        let _memory = self.memory.acquire_many(units).await;
        let reserved = i64::from(units) * MEMORY_UNIT.cast_signed();
        let ConverterParts { metrics, clock, .. } = &self.parts;
        metrics.symcache_convert_bytes.inc_by(spooled.length);
        metrics.symcache_memory_bytes.inc_by(reserved);
        let stopwatch = Stopwatch::start(clock.as_ref());
        let converted = self.run(source, spooled).await;
        metrics
            .symcache_convert_seconds
            .observe(stopwatch.seconds());
        metrics.symcache_memory_bytes.dec_by(reserved);
        let (file, unusable) = converted?;
        if let Some(unusable) = unusable {
            self.note(source, unusable);
        }
        Ok(Converted::File(file, place))
    }

    /// What a conversion takes of the memory; never more than there is.
    fn memory_units_for(&self, length: u64) -> u32 {
        let units = length.saturating_mul(MEMORY_FACTOR) / MEMORY_UNIT;
        let units = units.clamp(1, u64::from(self.memory_units));
        u32::try_from(units).unwrap_or(self.memory_units)
    }

    async fn run(
        &self,
        source: &Source,
        spooled: Spooled,
    ) -> Result<(NamedTempFile, Option<Unusable>), SymcacheFailure> {
        let directory = Arc::clone(&self.parts.directory);
        let digest = source.digest;
        if source.form == Form::Sym {
            let job = move || {
                let target = directory.temporary()?;
                let size = spooled.length;
                let content = convert_file(spooled, target.as_file())?;
                finish(
                    target,
                    MadeFrom {
                        digest,
                        size,
                        kind: SourceKind::Sym,
                    },
                    content,
                )
            };
            let converted = self.parts.cpu.run(job).await;
            return Ok(converted.map_err(|_| SymcacheFailure::Panicked)??);
        }
        let (program, id) = (self.parts.program.clone(), source.key.id().clone());
        // The thread only waits: the child computes.
        let converted = blocking::run(move || {
            let target = directory.temporary()?;
            let size = spooled.length;
            let content = match native::convert(&program, spooled.file, &id, target.as_file())? {
                Ok((length, crc32)) => Content::usable(None, length, crc32),
                Err(reason) => Content::Unusable(Unusable { reason, line: None }),
            };
            finish(
                target,
                MadeFrom {
                    digest,
                    size,
                    kind: SourceKind::Native,
                },
                content,
            )
        });
        Ok(converted.await?)
    }

    fn refuse(&self, source: &Source, unusable: Unusable) -> Converted {
        self.note(source, unusable);
        Converted::Refused(unusable)
    }

    /// Counts and logs symbols that cannot be used, never what stands in them. This happens once for a file: after that
    /// the answer is remembered.
    fn note(&self, source: &Source, Unusable { reason, line }: Unusable) {
        let reason = reason.name();
        let label = ReasonLabel { reason };
        let failures = &self.parts.metrics.symcache_convert_failures;
        failures.get_or_create(&label).inc();
        tracing::warn!(
            event = "symbols_unusable",
            key = %source.key,
            reason,
            line,
            "no symcache can be made of these symbols"
        );
    }

    /// Reads a file into a temporary one.
    async fn spool(&self, source: &Source) -> Result<Result<Spooled, Unusable>, SymcacheFailure> {
        let catalog = &self.parts.catalog;
        let opening = timeout(COPY, catalog.open(&source.found, None)).await;
        let fetched = opening.map_err(|_| SymcacheFailure::TimedOut)??;
        let fetched = fetched.ok_or(SymcacheFailure::Changed)?;
        if source.digest_of(&fetched.info) != source.digest {
            catalog
                .forget(&source.found.source, &source.found.path)
                .await;
            return Err(SymcacheFailure::Changed);
        }
        if source.form == Form::PackedNative {
            return self.unpack(source, fetched).await;
        }
        let limit = SpoolLimit {
            bytes: self.largest,
            time: COPY,
        };
        match self.parts.spooler.spool(fetched, limit).await {
            Ok(spooled) => Ok(Ok(spooled)),
            Err(SpoolError::TooLarge(_)) => Ok(Err(Unusable::TOO_LARGE)),
            // What was uploaded is no gzip file. Otherwise the storage has damaged it, which the next upload mends.
            Err(SpoolError::Damaged(_)) if source.form == Form::GzippedNative => {
                Ok(Err(Unusable::DAMAGED))
            }
            Err(error) => Err(SymcacheFailure::Source(Arc::new(error))),
        }
    }

    /// Takes a file out of the cabinet in which it is kept.
    async fn unpack(
        &self,
        source: &Source,
        cabinet: Fetched,
    ) -> Result<Result<Spooled, Unusable>, SymcacheFailure> {
        let name = source.key.debug_file();
        let modified_at = cabinet.info.modified_at;
        let unpacker = &self.parts.unpacker;
        match unpacker.unpack(cabinet, name, self.largest).await {
            Ok((file, length)) => Ok(Ok(Spooled {
                file,
                length,
                modified_at,
            })),
            Err(UnpackError::Cabinet(_)) => Ok(Err(Unusable::DAMAGED)),
            Err(UnpackError::TooLarge(_)) => Ok(Err(Unusable::TOO_LARGE)),
            Err(error) => Err(io::Error::other(error).into()),
        }
    }
}

/// Converts a `.sym` file, and writes the symcache behind the place of the header.
fn convert_file(source: Spooled, mut target: &File) -> io::Result<Content> {
    target.seek(SeekFrom::Start(HEADER as u64))?;
    let reader = BufReader::with_capacity(PIECE, source.file);
    let mut writer = Summed::new(BufWriter::with_capacity(PIECE, target));
    match convert_sym(reader, &Limits::default(), &mut writer) {
        Ok(converted) => {
            let (length, crc32) = writer.finish()?;
            Ok(Content::usable(converted.program_file, length, crc32))
        }
        Err(SymError::Read(error) | SymError::Write(error)) => Err(error),
        Err(SymError::TooComplex { line, .. }) => Ok(unusable(UnusableReason::TooComplex, line)),
        Err(SymError::Damaged { line, .. }) => Ok(unusable(UnusableReason::Damaged, line)),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Writes the header, and returns the file with what is wrong with the symbols, if anything is.
fn finish(
    target: NamedTempFile,
    made_from: MadeFrom,
    content: Content,
) -> io::Result<(NamedTempFile, Option<Unusable>)> {
    let unusable = match content {
        Content::Unusable(unusable) => Some(unusable),
        Content::Usable { .. } => None,
    };
    file::finish(target.as_file(), &Header { made_from, content })?;
    Ok((target, unusable))
}

fn unusable(reason: UnusableReason, line: u64) -> Content {
    Content::Unusable(Unusable {
        reason,
        line: Some(line),
    })
}
