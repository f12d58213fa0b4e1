//! The chapters of the document: who needs which operations, in the order of use.
//!
//! This table makes the tags, and orders the operations. Readers of OpenAPI show operations in the order of the text, and
//! generators make a module or a class of each tag.

use serde_json::json;
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::tag::{Tag, TagBuilder};

use super::methods::operations_mut;

/// A tag and its operations.
pub struct Chapter {
    pub tag: &'static str,
    /// The heading: `x-displayName`, which Redoc and Scalar show, too.
    pub title: &'static str,
    pub description: &'static str,
    /// The ids of the operations, in the order in which a client comes to need them.
    pub operations: &'static [&'static str],
}

pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        tag: "Appliances",
        title: "For appliances",
        description: "The collect API: an appliance uploads its backups, and fetches them again. It sees only its own.",
        operations: &[
            "uploadBackup",
            "listBackups",
            "downloadBackup",
            "deleteBackup",
            "noteUnchanged",
            "sendHeartbeat",
            "listRequests",
        ],
    },
    Chapter {
        tag: "Portals",
        title: "For portals",
        description: "The management API: the backups of an organization's systems, and the state of the backup requests. \
                      To request a backup, use `POST /backup/{siteId}` of the gateway.",
        operations: &[
            "listSystemBackups",
            "linkSystemBackup",
            "followLink",
            "deleteSystemBackup",
            "listSystemRequests",
            "cancelSystemRequest",
            "destroySystem",
        ],
    },
    Chapter {
        tag: "Fleet",
        title: "For managing a fleet",
        description: "The management API: which systems are protected, which are not, and why; new systems, changes, new \
                      secrets.",
        operations: &[
            "listSystems",
            "totalSystems",
            "exportSystems",
            "showSystem",
            "addSystem",
            "changeSystem",
            "rotateSystemSecret",
        ],
    },
    Chapter {
        tag: "Organizations",
        title: "For the administration of organizations",
        description: "The management API: the organization of the token and all below it, with their limits and what they use.",
        operations: &[
            "listOrganizations",
            "showOrganization",
            "addOrganization",
            "changeOrganization",
            "showOrganizationUsage",
        ],
    },
    Chapter {
        tag: "History",
        title: "What happened",
        description: "The management API: who did what, and what was used each day.",
        operations: &["listEvents", "listSystemEvents", "showTrend"],
    },
    Chapter {
        tag: "Gateway",
        title: "For programs written for a backup gateway",
        description: "The management API in the format of a backup gateway: a site is a system, and a file is a backup. \
                      Errors have a format of their own.",
        operations: &["requestSiteBackup", "listSiteBackups", "showSiteBackup"],
    },
    Chapter {
        tag: "Operation",
        title: "For operation",
        description: "Health checks and metrics.",
        operations: &["health", "live", "metrics"],
    },
];

/// Sets the tags of the document and of its operations.
pub fn add_tags(document: &mut OpenApi) {
    document.tags = Some(CHAPTERS.iter().map(tag).collect());
    for operation in operations_mut(document) {
        let id = operation.operation_id.as_deref().unwrap_or_default();
        let chapter = CHAPTERS.iter().find(|chapter| chapter.operations.contains(&id));
        operation.tags = chapter.map(|chapter| vec![chapter.tag.to_owned()]);
    }
}

/// The place of an operation in the table.
pub fn place(operation_id: &str) -> usize {
    let mut all = CHAPTERS.iter().flat_map(|chapter| chapter.operations);
    all.position(|id| *id == operation_id).unwrap_or(usize::MAX)
}

fn tag(chapter: &Chapter) -> Tag {
    let title = ExtensionsBuilder::new().add("x-displayName", json!(chapter.title)).build();
    TagBuilder::new().name(chapter.tag).description(Some(chapter.description)).extensions(Some(title)).build()
}
