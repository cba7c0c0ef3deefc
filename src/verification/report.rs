//! What a verification found, in bounded memory.

/// How many problems of each kind are kept with their paths. All of them are counted.
const KEPT: usize = 1000;

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Objects that were read to their end and have the recorded digest.
    pub intact: u64,
    /// Objects that were read to their end and have no recorded digest to compare with.
    pub without_digest: u64,
    /// How many bytes of objects were read, as stored.
    pub bytes: u64,
    /// Damaged objects that lie where they were.
    pub damaged: Problems,
    /// Damaged objects that were set aside.
    pub set_aside: Problems,
    /// Objects and parts of the listing that could not be read; it is unknown whether they are damaged.
    pub unreadable: Problems,
    /// Files that are no symbols; no lookup reaches them, and they were not read.
    pub foreign: Problems,
    /// Objects that are older than what was asked for; they were not read.
    pub older: u64,
    /// Objects that were replaced or removed meanwhile.
    pub changed: u64,
}

impl Report {
    /// How many objects were read, or tried.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.intact + self.without_digest + self.damaged() + self.unreadable.count
    }

    /// How many objects are damaged, whether they were set aside or not.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged.count + self.set_aside.count
    }
}

/// Problems of one kind.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Problem>,
}

/// A problem with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object's path; empty for a part of the listing.
    pub path: String,
    /// What is wrong, and what was done about it; empty where the kind says it all.
    pub reason: String,
}

impl Problem {
    pub(super) fn new(path: &str, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

impl Problems {
    pub(super) fn add(&mut self, problem: Problem) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_counted_and_the_first_are_kept() {
        let mut problems = Problems::default();
        for number in 0..KEPT + 5 {
            problems.add(Problem::new(&number.to_string(), ""));
        }
        assert_eq!(problems.count, KEPT as u64 + 5);
        assert_eq!(problems.first.len(), KEPT);
        assert_eq!(problems.first[0].path, "0");
    }
}
