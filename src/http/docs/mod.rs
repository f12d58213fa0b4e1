//! Documentation for people, programs and AI tools, on the management listener. It needs no credentials, loads nothing from
//! the network, and says nothing about any tenant. All of it is made from the descriptions beside the handlers
//! ([`openapi`]) and from the guides in `docs/`.

mod answers;
pub mod collect;
mod errors;
mod guides;
mod handlers;
mod headers;
mod llms;
pub mod manage;
mod markdown;
mod mcp;
mod openapi;
mod own;
mod page;
mod reference;
mod routes;
mod tools;

pub use mcp::Mcp;
pub use routes::routes;
