//! Explains what a download would answer, and why.
//!
//! An explanation takes the steps of a download and notes each answer with its origin. It counts nothing and remembers
//! nothing, so it has no effect on later requests.

use super::{Candidate, DownloadError, DownloadService, SYM, Wanted, alternatives, is_hopeless};
use crate::catalog::{Module, NamedBy, NoAnswer, SourceAnswer, Sourced};
use crate::db::DbError;
use crate::db::files::HeldId;
use symbols::{NameError, Stores, SymbolKey};

/// The most debug ids of a debug file that are listed.
const LISTED_IDS: u32 = 50;

/// The answer to a request, and the reasons for it.
#[derive(Debug)]
pub struct Explanation {
    /// The answer.
    pub verdict: Verdict,
    /// The names in the order in which they are tried, up to the first that a source holds.
    pub candidates: Vec<CandidateAnswer>,
    /// For a request by code id that no source holds: its module among regular symbols, then among try symbols.
    pub modules: Vec<Sourced<Module>>,
    /// Debug ids under which the debug file was uploaded, the newest first; at most 50.
    pub ids: Result<Vec<HeldId>, DbError>,
}

/// The answer to a request.
#[derive(Debug)]
pub enum Verdict {
    /// No symbol ever has this name.
    Hopeless,
    /// Its suffix is not served.
    NotServed,
    /// The name breaks the grammar.
    Illegal(NameError),
    /// A source holds it.
    Held,
    /// A source holds it in a cabinet.
    Packed,
    /// The client is redirected to this key.
    Renamed(SymbolKey),
    /// No source holds it.
    Missing,
    /// A source holds it, and the object is damaged.
    Damaged,
    /// A source, or the database, could not be asked.
    Unknown,
}

/// The answers of the sources about one name.
#[derive(Debug)]
pub struct CandidateAnswer {
    /// The name.
    pub candidate: Candidate,
    /// The sources, in the order in which they are asked.
    pub sources: Vec<SourceAnswer>,
}

impl DownloadService {
    /// Explains the answer to a request.
    ///
    /// # Errors
    /// Too many explanations are in progress.
    pub async fn explain(
        &self,
        wanted: &Wanted<'_>,
        stores: Stores,
    ) -> Result<Explanation, DownloadError> {
        let turn = self.explaining.try_acquire();
        let _turn = turn.map_err(|_| DownloadError::Busy)?;
        let mut explanation = Explanation {
            verdict: Verdict::Missing,
            candidates: Vec::new(),
            modules: Vec::new(),
            ids: self.ids(&wanted.debug_file, stores).await,
        };
        explanation.verdict = if is_hopeless(wanted) {
            Verdict::Hopeless
        } else if !self.serve.matches(&wanted.file_name) {
            Verdict::NotServed
        } else {
            match wanted.key() {
                Err(error) => Verdict::Illegal(error),
                Ok(key) => self.follow(&key, stores, &mut explanation).await,
            }
        };
        Ok(explanation)
    }

    /// Takes the steps of a lookup and notes them in the explanation.
    async fn follow(
        &self,
        key: &SymbolKey,
        stores: Stores,
        explanation: &mut Explanation,
    ) -> Verdict {
        for candidate in alternatives::of(key) {
            let sources = self.catalog.explain(&candidate.key, stores).await;
            let first = sources.iter().find(|source| source.held.answer != Ok(None));
            let verdict = first.map(|source| match source.held.answer {
                Err(NoAnswer::Damaged) => Verdict::Damaged,
                Err(NoAnswer::Unknown) => Verdict::Unknown,
                Ok(_) if candidate.is_packed => Verdict::Packed,
                Ok(_) => Verdict::Held,
            });
            explanation
                .candidates
                .push(CandidateAnswer { candidate, sources });
            if let Some(verdict) = verdict {
                return verdict;
            }
        }
        if !key.file_name().ends_with(SYM) || key.id().is_debug_id() {
            return Verdict::Missing;
        }
        let (file, id) = (key.debug_file(), key.id());
        let modules = self.catalog.modules();
        explanation.modules = modules.explain(NamedBy::CodeId, file, id, stores).await;
        let first = explanation
            .modules
            .iter()
            .find(|module| module.answer != Ok(None));
        match first.map(|module| &module.answer) {
            None | Some(Ok(None)) => Verdict::Missing,
            Some(Err(_)) => Verdict::Unknown,
            Some(Ok(Some(module))) => {
                Self::renamed(module, key).map_or(Verdict::Missing, Verdict::Renamed)
            }
        }
    }

    async fn ids(&self, debug_file: &str, stores: Stores) -> Result<Vec<HeldId>, DbError> {
        let modules = self.catalog.modules();
        modules.ids(debug_file, stores, LISTED_IDS).await
    }
}
