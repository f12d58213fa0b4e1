//! The pages of the documentation: the guides, which are Markdown files of `docs/`, the settings, and the list of error codes.

use std::borrow::Cow;

/// A page: its name in the path, its title, and what it is about.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    pub title: &'static str,
    pub summary: &'static str,
}

/// The part of the navigation that a guide belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Clients,
    Operation,
}

impl Part {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Clients => "Guides",
            Self::Operation => "Operation",
        }
    }
}

/// A guide.
pub struct Guide {
    pub entry: Entry,
    pub part: Part,
    pub markdown: Cow<'static, str>,
}

const fn guide(part: Part, entry: Entry, markdown: &'static str) -> Guide {
    Guide { entry, part, markdown: Cow::Borrowed(markdown) }
}

/// The guides that are files, in reading order.
pub const GUIDES: &[Guide] = &[
    guide(
        Part::Clients,
        Entry {
            name: "appliance",
            title: "Writing an appliance script",
            summary: "Upload, list, restore and delete with curl; what each answer means and when to retry.",
        },
        include_str!("../../../docs/appliance.md"),
    ),
    guide(
        Part::Clients,
        Entry {
            name: "portals",
            title: "Portals and automation",
            summary: "The management API: tokens, scopes, downloads, and how to use its documents in a program.",
        },
        include_str!("../../../docs/portals.md"),
    ),
    guide(
        Part::Clients,
        Entry {
            name: "limits",
            title: "Limits and errors",
            summary: "What is limited, what an error looks like, and what to do about it.",
        },
        include_str!("../../../docs/limits.md"),
    ),
    guide(
        Part::Operation,
        Entry {
            name: "install",
            title: "Installing Strongroom",
            summary: "From an empty Debian machine to the first stored backup.",
        },
        include_str!("../../../docs/install.md"),
    ),
    guide(
        Part::Operation,
        Entry {
            name: "operations",
            title: "Operating Strongroom",
            summary: "Health, failures, certificates, upgrades, audits: what to look at and what to do.",
        },
        include_str!("../../../docs/operations.md"),
    ),
    guide(
        Part::Operation,
        Entry {
            name: "support",
            title: "For support staff",
            summary: "Answers to the questions of support with psql and the read-only views.",
        },
        include_str!("../../../docs/support.md"),
    ),
];

/// The table of settings. `config` has it, and startup passes it on.
pub const SETTINGS: Entry = Entry {
    name: "settings",
    title: "Settings",
    summary: "Every environment variable of the service, with its default and meaning.",
};

/// The reference, which is rendered from the OpenAPI document.
pub const REFERENCE: Entry = Entry {
    name: "reference",
    title: "API reference",
    summary: "Every operation of both APIs, with its parameters, answers and examples.",
};

/// The list of error codes, which is rendered from the table of error codes.
pub const ERROR_CODE_LIST: Entry = Entry {
    name: "errors",
    title: "Error codes",
    summary: "What each code of an error under /backup means, and what to do about it.",
};

/// The address of the page that shows this place in a file of the repository.
pub fn page_of_file(file: &str, anchor: &str) -> Option<String> {
    if (file, anchor) == ("../README.md", "#settings") {
        return Some(format!("/docs/{}", SETTINGS.name));
    }
    let name = file.strip_suffix(".md")?;
    GUIDES.iter().any(|guide| guide.entry.name == name).then(|| format!("/docs/{name}{anchor}"))
}
