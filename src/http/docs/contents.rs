//! The pages of the documentation: the guides, which are Markdown files of `docs/`, and the list of error codes.

/// A page: its name in the path, its title, and what it is about.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    pub title: &'static str,
    pub summary: &'static str,
}

/// A guide.
pub struct Guide {
    pub entry: Entry,
    pub markdown: &'static str,
}

/// All guides, in reading order.
pub const GUIDES: &[Guide] = &[
    Guide {
        entry: Entry {
            name: "appliance",
            title: "Writing an appliance script",
            summary: "Upload, list, restore and delete with curl; what each answer means and when to retry.",
        },
        markdown: include_str!("../../../docs/appliance.md"),
    },
    Guide {
        entry: Entry {
            name: "portals",
            title: "Portals and automation",
            summary: "The management API: tokens, scopes, downloads, and how to use its documents in a program.",
        },
        markdown: include_str!("../../../docs/portals.md"),
    },
    Guide {
        entry: Entry {
            name: "limits",
            title: "Limits and errors",
            summary: "What is limited, what an error looks like, and what to do about it.",
        },
        markdown: include_str!("../../../docs/limits.md"),
    },
    Guide {
        entry: Entry {
            name: "install",
            title: "Installing Strongroom",
            summary: "From an empty Debian machine to the first stored backup.",
        },
        markdown: include_str!("../../../docs/install.md"),
    },
    Guide {
        entry: Entry {
            name: "operations",
            title: "Operating Strongroom",
            summary: "Health, failures, certificates, upgrades, audits: what to look at and what to do.",
        },
        markdown: include_str!("../../../docs/operations.md"),
    },
    Guide {
        entry: Entry {
            name: "support",
            title: "For support staff",
            summary: "Answers to the questions of support with psql and the read-only views.",
        },
        markdown: include_str!("../../../docs/support.md"),
    },
];

/// The list of error codes, which is rendered from the table of error codes.
pub const ERROR_CODE_LIST: Entry = Entry {
    name: "errors",
    title: "Error codes",
    summary: "What each code of the gateway API means and what to do about it.",
};

/// The guide with this name.
pub fn guide(name: &str) -> Option<&'static Guide> {
    GUIDES.iter().find(|guide| guide.entry.name == name)
}

/// Everything that can be read as Markdown: the guides and the list of error codes.
pub fn markdown_entries() -> impl Iterator<Item = Entry> {
    GUIDES.iter().map(|guide| guide.entry).chain([ERROR_CODE_LIST])
}
