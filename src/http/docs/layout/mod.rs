//! The layout of all pages: header, navigation, content, and the list of the page's sections.

pub mod icons;
mod navigation;

pub use navigation::folded_sections;

use super::assets::{FONT, ICON, SCRIPT, STYLE};
use super::contents::Entry;
use super::html::escape;
use super::markdown::Heading;
use super::site::Documentation;

/// What a page puts into the layout.
#[derive(Default)]
pub struct Page<'a> {
    pub title: &'a str,
    /// The page's entry in the navigation.
    pub name: &'a str,
    /// For other programs that show the page's address.
    pub summary: &'a str,
    /// The sections of the page, in order.
    pub headings: &'a [Heading],
    /// The list below the page's entry in the navigation, as HTML.
    pub chapters: &'a str,
    /// What the search field contains.
    pub query: &'a str,
    pub width: Width,
    /// The content, as HTML.
    pub main: &'a str,
}

/// How much of a wide screen the content uses.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// One column of text, and the list of sections beside it.
    #[default]
    Text,
    /// All of it.
    Full,
}

/// The page as HTML.
pub fn render(site: &Documentation, page: &Page) -> String {
    let title = match page.name {
        "" => "Strongroom documentation".to_owned(),
        _ => format!("{} \u{b7} Strongroom", escape(page.title)),
    };
    let summary = if page.summary.is_empty() {
        String::new()
    } else {
        format!("<meta name=\"description\" content=\"{}\">", escape(page.summary))
    };
    let width = if page.width == Width::Full { " full" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title>{summary}<link rel=\"icon\" href=\"{icon}\" type=\"image/svg+xml\">\
         <link rel=\"preload\" href=\"{font}\" as=\"font\" type=\"font/woff2\" crossorigin>\
         <link rel=\"stylesheet\" href=\"{style}\"><script src=\"{script}\"></script></head>\n\
         <body><a class=\"skip\" href=\"#main\">Skip to the content</a>{header}\
         <div class=\"frame{width}\">{navigation}\n<main id=\"main\" tabindex=\"-1\">{main}</main>{sections}</div>\
         </body></html>\n",
        icon = ICON.url(),
        font = FONT.url(),
        style = STYLE.url(),
        script = SCRIPT.url(),
        header = header(page.query),
        navigation = navigation::navigation(site, page),
        main = page.main,
        sections =
            if page.width == Width::Text { navigation::sections(page.headings) } else { String::new() },
    )
}

fn header(query: &str) -> String {
    format!(
        "<header class=\"top\"><button class=\"icon menu\" type=\"button\" popovertarget=\"navigation\" \
         aria-label=\"Menu\">{menu}</button>\
         <a class=\"brand\" href=\"/docs\" aria-label=\"Strongroom {version} documentation\">{logo}<b>Strongroom</b> \
         <span class=\"version\">{version}</span></a>\
         <form class=\"search\" role=\"search\" action=\"/docs/search\">{magnifier}\
         <input type=\"search\" name=\"q\" value=\"{query}\" placeholder=\"Search\" aria-label=\"Search the documentation\" \
         autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"200\"><kbd aria-hidden=\"true\">/</kbd>\
         </form><button class=\"icon theme\" type=\"button\" hidden>{theme}</button></header>\n",
        menu = icons::MENU,
        logo = icons::LOGO,
        version = env!("CARGO_PKG_VERSION"),
        magnifier = icons::MAGNIFIER,
        query = escape(query),
        theme = icons::THEME,
    )
}

/// The links at the end of a page to the ones before and after it.
pub fn neighbours(before: Option<Entry>, after: Option<Entry>) -> String {
    let link = |entry: Option<Entry>, class: &str, label: &str| {
        entry.map_or_else(String::new, |Entry { name, title, .. }| {
            format!(
                "<a class=\"{class}\" href=\"/docs/{name}\" rel=\"{class}\"><span>{label}</span> {}</a>",
                escape(title)
            )
        })
    };
    format!(
        "<nav class=\"neighbours\" aria-label=\"Neighbouring pages\">{}{}</nav>",
        link(before, "prev", "Previous"),
        link(after, "next", "Next")
    )
}
