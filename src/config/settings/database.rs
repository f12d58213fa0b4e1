use secrecy::SecretString;

use crate::config::check;
use crate::config::setting::{About, Default::Required, Group, Kind, Setting, settings};

settings! {
    "Database";

    /// Postgres, as a URL or a libpq connection string with one host or several; pgbouncer only in session mode.
    ///
    /// The value below reaches a Postgres on the same machine through its socket, where the account
    /// `strongroom` needs no password:
    ///   runuser -l postgres -c 'createuser strongroom'
    ///   runuser -l postgres -c 'createdb --owner=strongroom strongroom'
    /// Over a network: postgres://strongroom:PASSWORD@db.example.net/strongroom?sslmode=verify-full
    /// With a standby: postgres://strongroom:PASSWORD@db1,db2/strongroom?target_session_attrs=read-write
    /// pgbouncer needs pool_mode = session.
    DATABASE_URL: SecretString {
        Required { example: "postgres:///strongroom?host=/run/postgresql" },
        Kind::Secret,
        check::secret,
    }
}
