//! Which rows go first when the table of missing symbols has too many.
//!
//! Every name that a client invents makes a row, and most such names are requested once. So each row has a
//! [`Standing`], which says how often and for how long the symbol has been requested, and each standing has a share of
//! the table. While there are too many rows, the first standing with more rows than its share loses those whose last
//! request is oldest. So invented names push out one another, and no standing loses a row of its share to another.

use std::time::Duration;

use crate::db::missing::MissingDemand;

/// A symbol that is asked for again after this time is missed by more than one program on one day.
const DAY: Duration = Duration::from_hours(24);

/// How well its requests prove that a symbol is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Asked for once.
    Once,
    /// Asked for several times within a day.
    Repeated,
    /// Asked for again a day or more after the first time.
    Lasting,
}

impl Standing {
    /// All of them, the one that proves the least first.
    pub(super) const ALL: [Self; 3] = [Self::Once, Self::Repeated, Self::Lasting];

    /// The standing of a row.
    pub(super) fn of(row: &MissingDemand) -> Self {
        if row.count <= 1 {
            Self::Once
        } else if row.modified_at - row.created_at < DAY {
            Self::Repeated
        } else {
            Self::Lasting
        }
    }

    /// Its label in metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Repeated => "repeated",
            Self::Lasting => "lasting",
        }
    }

    /// Its share of the rows: a tenth each for what may be invented, the rest for what is missed day after day.
    fn share(self, max_rows: u64) -> u64 {
        let tenth = max_rows / 10;
        match self {
            Self::Once | Self::Repeated => tenth,
            Self::Lasting => max_rows - 2 * tenth,
        }
    }
}

/// Numbers of rows by standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally([u64; Standing::ALL.len()]);

impl Tally {
    /// Adds rows of a standing.
    pub(super) fn add(&mut self, standing: Standing, rows: u64) {
        self.0[standing as usize] += rows;
    }

    /// The rows of a standing.
    pub(super) fn of(&self, standing: Standing) -> u64 {
        self.0[standing as usize]
    }

    /// All rows.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many rows of each standing have to go until at most `max_rows` are left.
    pub(super) fn surplus(&self, max_rows: u64) -> Self {
        let mut too_many = self.total().saturating_sub(max_rows);
        let mut surplus = Self::default();
        for standing in Standing::ALL {
            let beyond_share = self.of(standing).saturating_sub(standing.share(max_rows));
            let rows = beyond_share.min(too_many);
            surplus.add(standing, rows);
            too_many -= rows;
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn row(count: u64, after: Duration) -> MissingDemand {
        let created_at = datetime!(2026-11-23 23:59 UTC);
        MissingDemand {
            id: 1,
            count,
            created_at,
            modified_at: created_at + after,
        }
    }

    #[test]
    fn requests_on_another_day_prove_the_most() {
        let minutes = Duration::from_mins;
        assert_eq!(Standing::of(&row(1, minutes(0))), Standing::Once);
        assert_eq!(Standing::of(&row(2, minutes(0))), Standing::Repeated);
        // Another date, but not another day.
        assert_eq!(Standing::of(&row(900, minutes(5))), Standing::Repeated);
        assert_eq!(Standing::of(&row(2, DAY)), Standing::Lasting);
    }

    #[test]
    fn a_flood_of_new_names_costs_the_others_nothing() {
        let flood = Tally([5_000, 60, 700]);
        assert_eq!(flood.surplus(1_000), Tally([4_760, 0, 0]));
        assert_eq!(Tally([100, 100, 800]).surplus(1_000), Tally::default());
        assert_eq!(Tally([101, 100, 800]).surplus(1_000), Tally([1, 0, 0]));
        assert_eq!(Tally([50, 300, 700]).surplus(1_000), Tally([0, 50, 0]));
        assert_eq!(Tally([100, 0, 905]).surplus(1_000), Tally([0, 0, 5]));
        assert_eq!(Tally([1, 1, 1]).surplus(2), Tally([1, 0, 0]));
    }

    proptest! {
        #[test]
        fn the_bound_holds_and_no_standing_loses_its_share(
            rows in [0_u64..3_000, 0_u64..3_000, 0_u64..3_000],
            max_rows in 1_u64..3_000,
        ) {
            let rows = Tally(rows);
            let surplus = rows.surplus(max_rows);
            prop_assert_eq!(surplus.total(), rows.total().saturating_sub(max_rows));
            for standing in Standing::ALL {
                let left = rows.of(standing) - surplus.of(standing);
                prop_assert!(left >= rows.of(standing).min(standing.share(max_rows)));
            }
        }
    }
}
