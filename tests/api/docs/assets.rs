//! Style and script are cached for long, and an upgrade shows at once.

use super::crawl::{attributes, text};
use crate::harness::Server;

#[test]
fn url_of_a_style_or_script_contains_the_hash_of_its_content() {
    let server = Server::start();
    let page = text(&server.manage("GET", "/docs").send().status(200));
    let mut urls = attributes(&page, "href");
    urls.extend(attributes(&page, "src"));
    for name in ["style.css", "docs.js", "inter.woff2", "icon.svg"] {
        let path = format!("/docs/{name}");
        let prefix = format!("{path}?v=");
        let url =
            urls.iter().find(|url| url.starts_with(&prefix)).unwrap_or_else(|| panic!("no {name}: {urls:?}"));
        let answer = server.manage("GET", url).send().status(200);
        assert_eq!(answer.must_have("cache-control"), "public, max-age=31536000, immutable", "{name}");
        let version = url.strip_prefix(&prefix).expect("a version");
        assert_eq!(answer.must_have("etag"), format!("\"{version}\""), "{name}");
        // A page of another version of the program asks for another one: that must not be kept.
        for other in [path.clone(), format!("{path}?v=0123456789ab"), format!("{path}?v=")] {
            let answer = server.manage("GET", &other).send().status(200);
            assert_eq!(answer.must_have("cache-control"), "public, max-age=300", "{other}");
        }
    }
    // Style and page name the font by the same URL, so that it is loaded once.
    let style = text(&server.manage("GET", "/docs/style.css").send().status(200));
    let font = urls.iter().find(|url| url.starts_with("/docs/inter.woff2?v=")).expect("the font");
    assert!(style.contains(&format!("url({font})")), "{}", &style[..600]);
}

#[test]
fn known_style_is_not_sent_again() {
    let server = Server::start();
    let first = server.manage("GET", "/docs/style.css").send().status(200);
    let etag = first.must_have("etag").to_owned();
    let again = server.manage("GET", "/docs/style.css").header("if-none-match", &etag).send().status(304);
    assert!(again.body.is_empty(), "{again}");
    assert_eq!(again.must_have("etag"), etag);
    server.manage("GET", "/docs/style.css").header("if-none-match", "\"other\"").send().status(200);
}
