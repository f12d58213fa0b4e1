//! How processes end: SIGTERM, SIGKILL, and a pause.

mod graceful;
mod killed_process;
