//! Stores that fail, and damaged objects.

mod damaged_objects;
mod failures;
