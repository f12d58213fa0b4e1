//! Documentation for people, programs and AI tools, on the management listener. It needs no credentials, loads nothing
//! from other hosts, and contains nothing about any tenant. All of it is made from the descriptions beside the handlers
//! ([`document`]), from the guides in `docs/` ([`contents`]), and from the table of settings, which startup passes in.
//!
//! * [`site`] - what is prepared once: the guides and the index of the search
//! * [`layout`] - what surrounds the content of every page; [`assets`] - style, script, font, icon
//! * [`overview`], [`guide_pages`], [`reference`], [`error_pages`], [`search`] - the pages
//! * [`markdown`], [`highlight`], [`html`] - text and code as HTML
//! * [`samples`] - requests in several languages
//! * [`llms`], [`mcp`], [`tools`] - for AI tools

mod assets;
mod contents;
mod document;
mod error_list;
mod error_pages;
mod guide_pages;
mod handlers;
mod highlight;
mod html;
mod layout;
mod llms;
mod markdown;
mod mcp;
mod overview;
mod reference;
mod routes;
mod samples;
mod search;
mod site;
mod tools;

pub use mcp::Mcp;
pub use routes::routes;
pub use site::Documentation;
