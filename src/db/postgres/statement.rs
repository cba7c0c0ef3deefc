//! Statements that are put together with their values.
//!
//! A value is added where its placeholder is written, so that no placeholder is counted by hand: a new column is one
//! line beside the others. The same calls in the same order give the same text, under which a connection keeps the
//! statement prepared.

use tokio_postgres::types::ToSql;

use super::values::Parameter;

/// The values of a statement, in the order of their placeholders.
#[derive(Default)]
pub(super) struct Values(Vec<Parameter>);

/// A column of rows that are inserted, with the values of all of them.
pub(super) struct Column {
    name: &'static str,
    sql_type: &'static str,
    values: Parameter,
}

impl From<(&'static str, &'static str, Parameter)> for Column {
    /// Its name, the type of its values, and an array with one value for each row.
    fn from((name, sql_type, values): (&'static str, &'static str, Parameter)) -> Self {
        Self {
            name,
            sql_type,
            values,
        }
    }
}

/// Rows as a statement reads them.
pub(super) struct Rows {
    /// The names of their columns, with commas between them.
    pub(super) columns: String,
    /// The function in the FROM clause that makes rows of the arrays.
    pub(super) source: String,
}

impl Values {
    /// Adds a value and returns its placeholder.
    pub(super) fn add(&mut self, value: impl ToSql + Send + Sync + 'static) -> String {
        self.push(Box::new(value))
    }

    /// Adds the values of one row, by column. Returns the names of the columns and the placeholders of the values, with
    /// commas between them.
    pub(super) fn row(&mut self, row: Vec<(&'static str, Parameter)>) -> (String, String) {
        let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        let values: Vec<String> = values.into_iter().map(|value| self.push(value)).collect();
        (names.join(", "), values.join(", "))
    }

    /// Adds the values of many rows, column by column.
    pub(super) fn rows(&mut self, columns: Vec<Column>) -> Rows {
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let mut arrays = Vec::new();
        for column in columns {
            arrays.push(format!(
                "{}::{}[]",
                self.push(column.values),
                column.sql_type
            ));
        }
        Rows {
            columns: names.join(", "),
            source: format!("unnest({})", arrays.join(", ")),
        }
    }

    /// The values, for the call.
    pub(super) fn into_parameters(self) -> Vec<Parameter> {
        self.0
    }

    fn push(&mut self, value: Parameter) -> String {
        self.0.push(value);
        format!("${}", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::array;
    use super::*;

    #[test]
    fn placeholders_are_numbered_as_they_are_added() {
        let mut values = Values::default();
        assert_eq!(values.add(7_i64), "$1");
        let row: Vec<(_, Parameter)> = vec![("a", Box::new(1_i64)), ("b", Box::new(true))];
        let (names, placeholders) = values.row(row);
        assert_eq!((&*names, &*placeholders), ("a, b", "$2, $3"));
        let rows = values.rows(vec![
            Column::from(("c", "bigint", array(&[1_i64, 2], |number| *number))),
            Column::from(("d", "boolean", array(&[true, false], |is_so| *is_so))),
        ]);
        assert_eq!(rows.columns, "c, d");
        assert_eq!(rows.source, "unnest($4::bigint[], $5::boolean[])");
        assert_eq!(values.into_parameters().len(), 5);
    }
}
