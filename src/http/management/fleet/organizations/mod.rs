//! `/api/organizations`: the organizations that a caller may see, which are that of its token and all below it.

pub mod add;
pub mod body;
pub mod change;
pub mod input;
pub mod list;
pub mod show;
