//! Colours code for the pages: strings, comments, numbers, keywords, names. The languages are those of the guides and of the
//! reference. Each character of the code is escaped on its way out, whatever the colours.

mod languages;
mod tokens;

use std::fmt::Write as _;

use super::html::escape;
use languages::{LANGUAGES, Language};

/// The HTML of a block of code: a box with the name of its language.
pub fn code_block(language: &str, code: &str) -> String {
    let name = find(language).map_or("", |language| language.title);
    let label = if name.is_empty() { String::new() } else { format!(" data-language=\"{name}\"") };
    format!("<div class=\"code\"{label}><pre><code>{}</code></pre></div>\n", highlight(language, code))
}

/// The HTML of code in a language; plain text if the language is not known.
pub fn highlight(language: &str, code: &str) -> String {
    let code = code.trim_end();
    let Some(language) = find(language) else { return escape(code) };
    let mut out = String::with_capacity(code.len() * 2);
    for (class, text) in tokens::split(language, code) {
        match class.letter() {
            Some(letter) => {
                let _ = write!(out, "<span class=\"{letter}\">{}</span>", escape(text));
            }
            None => out.push_str(&escape(text)),
        }
    }
    out
}

fn find(name: &str) -> Option<&'static Language> {
    let name = name.to_ascii_lowercase();
    LANGUAGES.iter().find(|language| language.names.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_html(language: &str, code: &str, expected: &str) {
        assert_eq!(highlight(language, code), expected);
    }

    #[test]
    fn each_language_has_its_colours() {
        assert_html(
            "sh",
            "curl -u \"$KEY\" x # note",
            "<span class=\"f\">curl</span> <span class=\"p\">-u</span> <span class=\"s\">&quot;</span>\
             <span class=\"v\">$KEY</span><span class=\"s\">&quot;</span> x <span class=\"c\"># note</span>",
        );
        assert_html(
            "json",
            r#"{"a": "b", "n": -1.5e3, "t": true}"#,
            "{<span class=\"p\">&quot;a&quot;</span>: <span class=\"s\">&quot;b&quot;</span>, \
             <span class=\"p\">&quot;n&quot;</span>: <span class=\"n\">-1.5e3</span>, \
             <span class=\"p\">&quot;t&quot;</span>: <span class=\"k\">true</span>}",
        );
        assert_html(
            "python",
            "import x\ny = f('a\\'b')  # c",
            "<span class=\"k\">import</span> x\ny = <span class=\"f\">f</span>(<span class=\"s\">&#39;a\\&#39;b&#39;</span>)  \
             <span class=\"c\"># c</span>",
        );
        assert_html(
            "sql",
            "select 'it''s' FROM t -- all",
            "<span class=\"k\">select</span> <span class=\"s\">&#39;it&#39;</span><span class=\"s\">&#39;s&#39;</span> \
             <span class=\"k\">FROM</span> t <span class=\"c\">-- all</span>",
        );
        assert_html(
            "http",
            "GET /x HTTP/1.1\nHost: a",
            "<span class=\"k\">GET</span> /x HTTP/<span class=\"n\">1.1</span>\n<span class=\"p\">Host</span>: a",
        );
        assert_html(
            "ini",
            "[Unit]\nA=b ; c",
            "<span class=\"k\">[Unit]</span>\n<span class=\"p\">A</span>=b <span class=\"c\">; c</span>",
        );
    }

    #[test]
    fn marks_inside_words_and_strings_are_no_comments() {
        assert_html("sh", "a#b", "<span class=\"f\">a</span>#b");
        assert_html("javascript", "\"http://x\"", "<span class=\"s\">&quot;http://x&quot;</span>");
        assert_html("nothing", "<a> # b", "&lt;a&gt; # b");
    }

    proptest! {
        #[test]
        fn no_character_is_lost_or_left_unescaped(
            language in "sh|json|python|javascript|sql|nginx|ini|http|none",
            code in "[ -~\u{e9}\u{1f600}\n]{0,80}",
        ) {
            let html = highlight(&language, &code);
            let mut text = html.clone();
            for letter in ["c", "s", "n", "k", "p", "v", "f"] {
                text = text.replace(&format!("<span class=\"{letter}\">"), "");
            }
            let text = text.replace("</span>", "");
            prop_assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
            let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            prop_assert_eq!(plain.replace("&#39;", "'").replace("&amp;", "&"), code.trim_end());
        }
    }
}
