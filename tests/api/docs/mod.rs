//! The documentation that the service serves: pages, OpenAPI, MCP.

mod assets;
mod crawl;
mod mcp;
mod openapi;
mod openapi_management;
mod openapi_order;
mod openapi_schemas;
mod pages;
mod reference;
mod samples;
mod search;
