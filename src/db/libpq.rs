//! The library that speaks to Postgres.

/// Returns the version of the libpq that this process uses, for example `15.13`: with a shared library it is the installed one.
#[expect(unsafe_code, reason = "diesel has no wrapper for it")]
pub fn libpq_version() -> String {
    // SAFETY: the function has no arguments and returns a constant.
    let version = unsafe { pq_sys::PQlibVersion() };
    format!("{}.{}", version / 10_000, version % 10_000)
}
