//! The two stores of a symbol server.

use std::fmt;

/// A store of symbols. A file of the same key may be in both stores with different contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Store {
    /// Symbols of regular builds, which every lookup finds.
    #[default]
    Regular,
    /// Symbols of try builds, which only lookups that ask for them find.
    Try,
}

impl Store {
    /// Both stores, in the order in which they are asked.
    pub const ALL: [Self; 2] = [Self::Regular, Self::Try];

    /// The store that a boolean of a column or an answer stands for.
    #[must_use]
    pub const fn of(is_try: bool) -> Self {
        if is_try { Self::Try } else { Self::Regular }
    }

    /// Returns whether this is the store of try symbols.
    #[must_use]
    pub const fn is_try(self) -> bool {
        matches!(self, Self::Try)
    }

    /// The name for people and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Try => "try",
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which stores a lookup asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stores {
    /// Only that of regular symbols.
    #[default]
    Regular,
    /// That of regular symbols, then that of try symbols.
    RegularAndTry,
}

impl Stores {
    /// The stores, in the order in which they are asked.
    pub fn iter(self) -> impl Iterator<Item = Store> {
        Store::ALL
            .into_iter()
            .filter(move |store| self.includes(*store))
    }

    /// Returns whether a store is among these.
    #[must_use]
    pub const fn includes(self, store: Store) -> bool {
        matches!(
            (self, store),
            (Self::RegularAndTry, _) | (_, Store::Regular)
        )
    }

    /// The stores that are among these or among others.
    #[must_use]
    pub fn union(self, others: Self) -> Self {
        self.max(others)
    }
}

impl From<Store> for Stores {
    /// The stores that are asked for a file of one store.
    fn from(store: Store) -> Self {
        match store {
            Store::Regular => Self::Regular,
            Store::Try => Self::RegularAndTry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn try_symbols_are_asked_for_last() {
        let asked = |stores: Stores| stores.iter().collect::<Vec<_>>();
        assert_eq!(asked(Stores::Regular), [Store::Regular]);
        assert_eq!(asked(Stores::RegularAndTry), [Store::Regular, Store::Try]);
        for store in Store::ALL {
            assert!(Stores::from(store).includes(store));
            assert_eq!(Store::of(store.is_try()), store);
        }
        let both = Stores::Regular.union(Stores::RegularAndTry);
        assert_eq!(both, Stores::RegularAndTry);
        assert_eq!(Stores::default().union(Stores::default()), Stores::Regular);
    }
}
