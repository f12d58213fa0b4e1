//! Escapes text for HTML.

/// Escapes text for an element or an attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// The link that appears beside a heading or a row, to copy its address.
pub fn permalink(anchor: &str, what: &str) -> String {
    format!("<a class=\"anchor\" href=\"#{}\" aria-label=\"Link to {}\">#</a>", escape(anchor), escape(what))
}

/// A status code as a badge. Its text says what it is; the colour only repeats that.
pub fn status_badge(status: &str) -> String {
    let class = status.get(..1).unwrap_or_default();
    format!("<span class=\"status s{}\">{}</span>", escape(class), escape(status))
}
