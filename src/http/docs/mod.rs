//! Documentation for people, programs and AI tools, on the management listener. It needs no credentials, loads nothing
//! from other hosts, and contains nothing about any tenant. All of it is made from the descriptions beside the handlers
//! ([`document`]) and from the guides in `docs/` ([`contents`]).

mod contents;
mod document;
mod error_pages;
mod guide_pages;
mod handlers;
mod layout;
mod llms;
mod markdown;
mod mcp;
mod overview;
mod reference;
mod routes;
mod tools;

pub use mcp::Mcp;
pub use routes::routes;
