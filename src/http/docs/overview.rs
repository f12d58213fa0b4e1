//! The first page, and the page for paths that don't exist.

use super::contents::{ERROR_CODE_LIST, Entry, REFERENCE};
use super::highlight::code_block;
use super::html::escape;
use super::layout::{self, Page, Width, icons};
use super::markdown::inline;
use super::site::Documentation;
use crate::http::base_urls::BaseUrls;

/// `/docs`.
pub fn index(site: &Documentation, urls: &BaseUrls) -> String {
    let address = |name: &str, url: &str, whose: &str| {
        format!("<div><dt>{name}</dt><dd><code>{}</code><span>{whose}</span></dd></div>", escape(url))
    };
    let hero = format!(
        "<div class=\"hero\"><h1>Strongroom documentation</h1><p class=\"lead\">The vault for a fleet\u{2019}s encrypted \
         configuration backups. Appliances send their backups here, and get them back when they have to be restored.</p>\
         <dl class=\"addresses\">{}{}</dl></div>",
        address("Collect API", &urls.collect, "for appliances, with Basic auth"),
        address("Management API", &urls.management, "for portals and automation, with bearer tokens"),
    );
    let programs = inline(
        "[`/openapi.json`](/openapi.json) describes both APIs (OpenAPI 3.1). [`/llms.txt`](/llms.txt) is an index for \
         AI tools, and `/mcp` offers them this documentation through the [Model Context \
         Protocol](/docs/portals#connect-an-ai-tool).",
    );
    let steps = format!(
        "<p>The operator gives each appliance a system key and a system secret. With them and an encrypted file, three \
         commands try everything:</p>{}",
        first_steps(&urls.collect)
    );
    let main = [
        hero,
        section("who", "Where to begin", &format!("<ul class=\"cards\">{}</ul>", cards())),
        section("first-steps", "First steps", &steps),
        section("life", "The life of a backup", LIFE),
        section("pages", "All pages", &format!("<dl class=\"pages\">{}</dl>", pages(site))),
        section("programs", "For programs", &format!("<p>{programs}</p>")),
    ]
    .concat();
    layout::render(site, &Page { title: "Documentation", width: Width::Full, main: &main, ..Page::default() })
}

fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>{content}</section>\n")
}

/// Whom the documentation is for, and where each begins.
fn cards() -> String {
    let all = [
        (
            icons::APPLIANCE,
            "/docs/appliance",
            "You connect an appliance",
            "Upload, list, restore and delete with curl, and a complete script to start from.",
        ),
        (
            icons::PORTAL,
            "/docs/portals",
            "You develop a portal",
            "Tokens and scopes, download links, backup requests, and how to generate a client.",
        ),
        (
            icons::OPERATOR,
            "/docs/install",
            "You run the service",
            "Install it, then health and metrics, outages, restoring and upgrades.",
        ),
        (
            icons::SUPPORT,
            "/docs/support",
            "You help somebody",
            "What a status means, and what the database says about a backup.",
        ),
    ];
    let card = |(icon, url, title, text): (&str, &str, &str, &str)| {
        format!("<li><a href=\"{url}\">{icon}<b>{title}</b><span>{text}</span></a></li>")
    };
    all.into_iter().map(card).collect()
}

fn first_steps(collect: &str) -> String {
    let backups = format!("{collect}/api/systems/backups");
    let steps = [
        (
            "Upload a backup. <code>201</code> means that it is stored durably.",
            format!(
                "curl --fail-with-body -u KEY:SECRET -X POST \\\n    -H 'Content-Type: application/octet-stream' \\\n    \
                 -H 'X-Filename: backup.tar.gz.gpg' \\\n    -T backup.tar.gz.gpg {backups}"
            ),
        ),
        (
            "List the backups of the system, the newest first.",
            format!("curl --fail-with-body -u KEY:SECRET {backups}"),
        ),
        ("Fetch one by its id.", format!("curl --fail -u KEY:SECRET -o restore.tar.gz.gpg {backups}/ID")),
    ];
    let step =
        |(text, command): (&str, String)| format!("<li><p>{text}</p>{}</li>", code_block("sh", &command));
    format!("<ol class=\"steps\">{}</ol>", steps.into_iter().map(step).collect::<String>())
}

/// What happens to a backup, as a list that the style draws as a line.
const LIFE: &str = "<ol class=\"life\">\
    <li><b>Encrypt</b><span>The appliance encrypts the file. Strongroom cannot read it.</span></li>\
    <li><b>Admit</b><span>Credential, rate limit and quota are checked. The bytes are reserved.</span></li>\
    <li><b>Receive</b><span>The body is streamed to the store, counted and hashed. If it fails, nothing is left.</span></li>\
    <li class=\"good\"><b>Store</b><span><code>201</code>: the backup is durable and in the list, with its SHA-256.</span></li>\
    <li><b>Restore</b><span>The appliance fetches it, or a portal makes a download link.</span></li>\
    <li><b>Retire</b><span>When there are too many, the oldest are pruned. The newest never is.</span></li>\
    </ol>";

fn pages(site: &Documentation) -> String {
    let row = |Entry { name, title, summary }| {
        format!(
            "<div><dt><a href=\"/docs/{name}\">{}</a></dt><dd>{}</dd></div>",
            escape(title),
            escape(summary)
        )
    };
    site.guides().iter().map(|guide| guide.entry).chain([REFERENCE, ERROR_CODE_LIST]).map(row).collect()
}

/// The page for a path that does not exist. It does not repeat the path.
pub fn not_found(site: &Documentation) -> String {
    let main = "<p class=\"eyebrow\">404</p><h1>No such page</h1><p class=\"lead\">The address may have a mistake, or the \
                page has another name now.</p><p>Search for it above, or begin at the <a href=\"/docs\">overview</a>.</p>";
    layout::render(site, &Page { title: "No such page", name: "nothing", main, ..Page::default() })
}
