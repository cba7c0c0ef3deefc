//! Explains what a download would answer, and why.
//!
//! An explanation takes the steps of a download and notes each answer with its origin. It counts nothing and remembers
//! nothing, so it has no effect on later requests.

use super::code_id::{is_by_code_id, key_of};
use super::{Candidate, DownloadError, DownloadService, Wanted, alternatives, is_hopeless};
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
        } else if !self.serve.matches_file(&wanted.file_name) {
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
            let verdict = self.ask(candidate, stores, explanation).await;
            if let Some(verdict) = verdict {
                return verdict;
            }
        }
        if let Some(verdict) = self.follow_spellings(key, stores, explanation).await {
            return verdict;
        }
        if !is_by_code_id(key) {
            return Verdict::Missing;
        }
        let (file, id) = (key.debug_file(), key.id());
        let modules = self.catalog.modules();
        explanation.modules = modules.explain(NamedBy::CodeId, file, id, stores).await;
        let modules = explanation.modules.iter();
        let first = modules
            .map(|module| &module.answer)
            .find(|answer| **answer != Ok(None));
        let module = match first {
            None | Some(Ok(None)) => return Verdict::Missing,
            Some(Err(_)) => return Verdict::Unknown,
            Some(Ok(Some(module))) => module,
        };
        let Some(key) = key_of(module).cloned() else {
            return Verdict::Missing;
        };
        let candidate = Candidate {
            key: key.clone(),
            is_packed: false,
        };
        match self.ask(candidate, stores, explanation).await {
            Some(Verdict::Held) => Verdict::Renamed(key),
            verdict => verdict.unwrap_or(Verdict::Missing),
        }
    }

    /// Takes the steps of a lookup of other spellings, and notes them in the explanation.
    async fn follow_spellings(
        &self,
        key: &SymbolKey,
        stores: Stores,
        explanation: &mut Explanation,
    ) -> Option<Verdict> {
        for candidate in alternatives::of(key) {
            for store in stores.iter() {
                let spellings = self.catalog.spellings();
                let known = spellings.explain(&candidate.key, store).await?;
                let Ok(other) = known.answer else {
                    return Some(Verdict::Unknown);
                };
                let Some(key) = other else { continue };
                let candidate = Candidate { key, ..candidate };
                let verdict = self.ask(candidate, stores, explanation).await;
                if verdict.is_some() {
                    return verdict;
                }
            }
        }
        None
    }

    /// Asks the sources for one name and notes their answers. The verdict is unknown or damaged if a source comes
    /// first that could not be asked or holds a damaged object, and `None` if no source holds it.
    async fn ask(
        &self,
        candidate: Candidate,
        stores: Stores,
        explanation: &mut Explanation,
    ) -> Option<Verdict> {
        let sources = self.catalog.explain(&candidate.key, stores).await;
        let first = sources.iter().find(|source| source.held.answer != Ok(None));
        let verdict = first.map(|source| match source.held.answer {
            Err(NoAnswer::Damaged) => Verdict::Damaged,
            Err(NoAnswer::Unknown) => Verdict::Unknown,
            Ok(_) if candidate.is_packed => Verdict::Packed,
            Ok(_) => Verdict::Held,
        });
        let answer = CandidateAnswer { candidate, sources };
        explanation.candidates.push(answer);
        verdict
    }

    async fn ids(&self, debug_file: &str, stores: Stores) -> Result<Vec<HeldId>, DbError> {
        let modules = self.catalog.modules();
        modules.ids(debug_file, stores, LISTED_IDS).await
    }
}
