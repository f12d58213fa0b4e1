//! Reads and writes the states of rows as text columns.

use diesel::deserialize::{self, FromSql, Queryable};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Text;

use crate::domain::backup_request::BackupRequestState;
use crate::domain::erasure::ErasurePhase;
use crate::domain::refusal::RefusalReason;
use crate::domain::row_state::{BackupState, SystemState};
use crate::domain::status::SystemStatus;

macro_rules! as_text {
    ($state:ident, $of:literal) => {
        impl FromSql<Text, Pg> for $state {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let word = str::from_utf8(value.as_bytes())?;
                let unknown = || format!("{word:?} is no state of {}", $of);
                Ok(Self::parse(word).ok_or_else(unknown)?)
            }
        }

        impl Queryable<Text, Pg> for $state {
            type Row = Self;

            fn build(row: Self) -> deserialize::Result<Self> {
                Ok(row)
            }
        }

        // Bound like any other text.
        impl AsExpression<Text> for $state {
            type Expression = <&'static str as AsExpression<Text>>::Expression;

            fn as_expression(self) -> Self::Expression {
                AsExpression::<Text>::as_expression(self.as_str())
            }
        }
    };
}

as_text!(SystemState, "a system");
as_text!(BackupState, "a backup");
as_text!(BackupRequestState, "a request");
as_text!(ErasurePhase, "an erasure");
as_text!(SystemStatus, "a system, its status");
as_text!(RefusalReason, "a refused upload");
