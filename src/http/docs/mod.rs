//! Documentation for people, programs and AI tools, on the management listener. It needs no credentials, loads nothing from
//! the network, and says nothing about any tenant. All of it is made from the descriptions beside the handlers
//! ([`document`]) and from the guides in `docs/`.

pub mod collect;
mod document;
mod error_pages;
mod guides;
mod handlers;
mod llms;
pub mod manage;
mod markdown;
mod mcp;
mod own;
mod page;
mod reference;
mod routes;
mod tools;

pub use mcp::Mcp;
pub use routes::routes;
