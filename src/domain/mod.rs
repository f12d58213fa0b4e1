pub mod accounting;
pub mod retention;
pub mod window;
