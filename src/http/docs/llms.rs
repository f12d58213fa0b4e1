//! `/llms.txt`: an index of the documentation for AI tools, in the format of llmstxt.org.

use std::fmt::Write as _;

use super::contents::Entry;
use super::site::Documentation;
use crate::http::base_urls::BaseUrls;

pub fn index(site: &Documentation, urls: &BaseUrls) -> String {
    let BaseUrls { collect, management } = urls;
    let mut out = format!(
        "# Strongroom\n\n\
         > The vault for a fleet's encrypted configuration backups. Appliances upload, list and download their own \
         backups through the collect API ({collect}, Basic auth); portals and automation use the management API \
         ({management}, bearer tokens).\n\n\
         Nothing here names a tenant. Errors say what to do next; wait as `Retry-After` says.\n\n## Guides\n\n"
    );
    for Entry { name, title, summary } in site.markdown_entries() {
        let _ = writeln!(out, "- [{title}]({management}/docs/{name}.md): {summary}");
    }
    let _ = write!(
        out,
        "\n## API\n\n\
         - [OpenAPI 3.1]({management}/openapi.json): every operation of both APIs, with all answers and examples\n\
         - [MCP]({management}/mcp): this documentation through the Model Context Protocol (streamable HTTP, \
         read-only, no credentials)\n\n\
         ## Optional\n\n- [Documentation for people]({management}/docs): the same as HTML\n"
    );
    out
}
