//! Statements that are parsed and planned only once per connection.
//!
//! Diesel keeps a prepared statement only if it knows that the query's text has few variants: not for `UPDATE`, nor for an
//! `INSERT` of several rows, nor for `sql_query`. The frequent statements here have a constant text, however many rows they
//! take (as arrays, with `unnest`), so they can be kept.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Untyped;

use super::Conn;

/// A constant SQL text with the values for its `$*`, which becomes `$1, $2, ...`.
pub(super) struct Prepared<B> {
    sql: &'static str,
    binds: B,
}

/// Makes a prepared statement. `binds` is a tuple of values with their types (`IntoSql`); nested tuples are flattened.
pub(super) fn prepared<B>(sql: &'static str, binds: B) -> Prepared<B> {
    Prepared { sql, binds }
}

impl<B: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (head, tail) = self.sql.split_once("$*").unwrap_or((self.sql, ""));
        out.push_sql(head);
        self.binds.walk_ast(out.reborrow())?;
        out.push_sql(tail);
        Ok(())
    }
}

// Without a static id diesel keeps the statement by its text.
impl<B> QueryId for Prepared<B> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<B> Query for Prepared<B> {
    type SqlType = Untyped;
}

impl<B> RunQueryDsl<Conn> for Prepared<B> {}

/// Returns one value of each row, to bind them as an array.
pub(super) fn column<'a, T, U>(rows: &'a [T], value: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}
