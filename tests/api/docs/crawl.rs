//! Reads all pages of the documentation by their links.

use std::collections::BTreeSet;

use crate::harness::{Answer, Server};

/// Returns the values of these attributes.
pub fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let opening = format!(" {name}=\"");
    html.split(opening.as_str()).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect()
}

pub fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("UTF-8")
}

/// Returns all pages and files that can be reached from `/docs` and from the search, with their addresses. Fails at a link that leads nowhere
/// or to another host.
pub fn pages(server: &Server) -> Vec<(String, Answer)> {
    let mut pages: Vec<(String, Answer)> = Vec::new();
    let mut open: Vec<String> = ["/docs", "/docs/search", "/docs/search?q=413"].map(str::to_owned).to_vec();
    let mut links = BTreeSet::new();
    while let Some(path) = open.pop() {
        if pages.iter().any(|(seen, _)| *seen == path) {
            continue;
        }
        let answer = server.manage("GET", &path).send().status(200);
        if answer.must_have("content-type").starts_with("text/html") {
            let html = text(&answer);
            for link in attributes(&html, "href").into_iter().chain(attributes(&html, "src")) {
                assert!(link.starts_with(['/', '#']) && !link.starts_with("//"), "{path} links to {link}");
                let (to, anchor) = link.split_once('#').unwrap_or((link, ""));
                let to = if to.is_empty() { path.as_str() } else { to };
                links.insert((path.clone(), to.to_owned(), anchor.to_owned()));
                open.push(to.to_owned());
            }
        }
        pages.push((path, answer));
    }
    for (from, to, anchor) in links.iter().filter(|(_, _, anchor)| !anchor.is_empty()) {
        let (_, target) = pages.iter().find(|(path, _)| path == to).expect("a page that was read");
        let there = attributes(&text(target), "id").contains(&anchor.as_str());
        assert!(there, "{from} links to {to}#{anchor}, which does not exist");
    }
    pages
}
