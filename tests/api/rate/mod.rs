//! Rate limits: the sliding window of each system.

mod limits;
mod sliding_window;
