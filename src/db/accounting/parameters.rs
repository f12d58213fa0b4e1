//! The parameters of a statement that takes several sets of rows, each column of a set as an array.
//!
//! One list declares them. [`parameters!`] makes from it the struct that the caller fills, the values that are bound, and the
//! names that the SQL uses. So the order of names and values can't differ.

/// Declares the parameters of the statement in `$file`. The statement refers to them by
/// * `{given}`: the common table expression `given`, one row of all parameters. Each plain value is a column with its name;
/// * `{SET}`, or `{SET(COLUMN, ...)}` for some of its columns: a set of rows, for a `FROM` list that also has `given`.
///
/// All parameters come through `given`, and not directly as `unnest($1, $2)`. So Postgres can't see their values when it
/// plans, and soon keeps one plan of a prepared statement for good.
macro_rules! parameters {
    (
        $(#[$about:meta])*
        $name:ident for $file:literal {
            values { $($value:ident: $rust:ty as $value_sql:ty,)+ }
            $(rows $set:ident($row:ident: $row_type:ty) { $($column:ident: $sql:ty = $expression:expr,)+ })+
        }
    ) => {
        $(#[$about])*
        struct $name<'a> {
            $($value: $rust,)+
            $($set: &'a [$row_type],)+
        }

        impl<'a> $name<'a> {
            /// The text of the statement, with one `$*` for all values.
            fn sql() -> &'static str {
                static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
                    $crate::db::accounting::parameters::expand(
                        include_str!($file),
                        &[$(stringify!($value)),+],
                        &[$((stringify!($set), &[$(stringify!($column)),+])),+],
                    )
                });
                &SQL
            }

            /// The values, in the order of the names in `given`.
            fn values(&self) -> impl QueryFragment<Pg> {
                (
                    ($(self.$value.into_sql::<$value_sql>(),)+),
                    $(($(column(self.$set, |$row| $expression).into_sql::<Array<$sql>>(),)+),)+
                )
            }
        }
    };
}

pub(super) use parameters;

/// Replaces the references in braces.
pub(super) fn expand(template: &str, values: &[&str], sets: &[(&str, &[&str])]) -> String {
    let in_given = |set: &str, column: &str| format!("{set}_{column}");
    let columns =
        sets.iter().flat_map(|(set, columns)| columns.iter().map(move |column| in_given(set, column)));
    let names: Vec<_> = values.iter().map(|name| (*name).to_owned()).chain(columns).collect();
    let rows = |set: &str, columns: &[&str]| {
        let arrays: Vec<_> =
            columns.iter().map(|column| format!("given.{}", in_given(set, column))).collect();
        format!("unnest({}) AS {set} ({})", arrays.join(", "), columns.join(", "))
    };
    let mut parts = template.split('{');
    let mut sql = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once('}').unwrap_or((part, ""));
        let (name, some) = reference.split_once('(').unwrap_or((reference, ""));
        let some: Vec<_> =
            some.trim_end_matches(')').split(", ").filter(|column| !column.is_empty()).collect();
        let replaced = match sets.iter().find(|(set, _)| *set == name) {
            Some((set, all)) => rows(set, if some.is_empty() { all } else { &some }),
            // An unknown reference stays as it is, and Postgres refuses the statement.
            None if name == "given" => format!("given ({}) AS (SELECT $*)", names.join(", ")),
            None => format!("{{{reference}}}"),
        };
        sql += &replaced;
        sql += rest;
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn names_of_one_list_stand_for_the_parameters_and_their_rows() {
        let sets: &[(&str, &[&str])] = &[("old", &["id"]), ("new", &["id", "size"])];
        for (template, sql) in [
            ("WITH {given} SELECT", "WITH given (clock, old_id, new_id, new_size) AS (SELECT $*) SELECT"),
            ("FROM given, {new}", "FROM given, unnest(given.new_id, given.new_size) AS new (id, size)"),
            ("{new(size)};{old}", "unnest(given.new_size) AS new (size);unnest(given.old_id) AS old (id)"),
            ("{nothing(id)} {", "{nothing(id)} {}"),
            ("SELECT 1", "SELECT 1"),
        ] {
            assert_eq!(expand(template, &["clock"], sets), sql);
        }
    }
}
