//! Stores that fail, and objects that are damaged.

mod damaged_objects;
mod failures;
