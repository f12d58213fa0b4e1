//! The schemas of the document. Each has a name of its own, and responses refer to it: generated clients name their types
//! after the schemas, and invent names for the others.

use utoipa::openapi::OpenApi;

use crate::http::collect::{backup_requests, health, heartbeat, list, unchanged};
use crate::http::errors::data::{
    BackupRequestStateNow, DependencyDown, Empty, MaxBytes, RetryAfter, ValidationFailed,
};
use crate::http::errors::gateway::GatewayError;
use crate::http::management::fleet::{self, events, organizations, usage};
use crate::http::management::{gateway, systems};
use crate::http::openapi::schemas::{ERROR_ENVELOPE, NamedSchema, envelope, envelope_schema, with_parts};
use crate::http::shared::{backup_metadata, deleted};

/// Adds the schemas that responses refer to.
pub fn add_schemas(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.schemas.extend(envelopes());
    components.schemas.extend(parts());
}

/// The envelopes, with an example of status and message each.
fn envelopes() -> Vec<NamedSchema> {
    vec![
        envelope::<backup_metadata::Metadata>(201, "backup stored"),
        envelope::<list::Backups>(200, "backups listed"),
        envelope::<deleted::Deleted>(200, "backup deleted"),
        envelope::<backup_requests::OpenBackupRequests>(200, "requests listed"),
        envelope::<health::Dependencies>(200, "healthy"),
        envelope::<Empty>(200, "alive"),
        envelope::<unchanged::UnchangedReport>(200, "noted as unchanged"),
        envelope::<heartbeat::Heartbeat>(200, "heartbeat acknowledged"),
        envelope::<fleet::systems::list::Systems>(200, "systems listed"),
        envelope::<fleet::systems::show::SystemInFull>(200, "system found"),
        envelope::<fleet::systems::add::NewCredential>(201, "system added"),
        envelope::<fleet::systems::rotate_secret::RotatedCredential>(200, "secret rotated"),
        envelope::<fleet::systems::totals::SystemTotals>(200, "systems counted"),
        envelope::<systems::list::SystemBackups>(200, "backups listed"),
        envelope::<systems::link::DownloadAddress>(200, "download address made"),
        envelope::<systems::backup_requests::SystemBackupRequests>(200, "requests listed"),
        envelope::<systems::backup_requests::Cancelled>(200, "request cancelled"),
        envelope::<organizations::list::Organizations>(200, "organizations listed"),
        envelope::<organizations::body::OrganizationBody>(200, "organization found"),
        envelope::<fleet::systems::erasure::Erasure>(202, "system is being destroyed"),
        envelope::<usage::month::UsageOfMonth>(200, "usage found"),
        envelope::<usage::trend::Trend>(200, "trend found"),
        envelope::<events::body::Events>(200, "events listed"),
        envelope::<ValidationFailed>(400, "validation failed"),
        envelope::<BackupRequestStateNow>(409, "request has ended"),
        envelope::<MaxBytes>(413, "backup exceeds max upload size"),
        envelope::<RetryAfter>(429, "rate limit exceeded"),
        envelope::<DependencyDown>(503, "backup service unavailable"),
        (ERROR_ENVELOPE.to_owned(), envelope_schema::<Empty>(404, "backup not found")),
    ]
}

/// What the envelopes contain, and the bodies without an envelope.
fn parts() -> Vec<NamedSchema> {
    [
        with_parts::<backup_metadata::Metadata>(),
        with_parts::<list::Backups>(),
        with_parts::<deleted::Deleted>(),
        with_parts::<backup_requests::OpenBackupRequests>(),
        with_parts::<health::Dependencies>(),
        with_parts::<unchanged::UnchangedReport>(),
        with_parts::<heartbeat::Heartbeat>(),
        with_parts::<Empty>(),
        with_parts::<fleet::systems::list::Systems>(),
        with_parts::<fleet::systems::show::SystemInFull>(),
        with_parts::<fleet::systems::add::NewSystem>(),
        with_parts::<fleet::systems::add::NewCredential>(),
        with_parts::<fleet::systems::change::Change>(),
        with_parts::<fleet::systems::rotate_secret::Rotation>(),
        with_parts::<fleet::systems::rotate_secret::RotatedCredential>(),
        with_parts::<fleet::systems::totals::SystemTotals>(),
        with_parts::<systems::list::SystemBackups>(),
        with_parts::<systems::link::DownloadAddress>(),
        with_parts::<systems::backup_requests::SystemBackupRequests>(),
        with_parts::<systems::backup_requests::Cancelled>(),
        with_parts::<organizations::list::Organizations>(),
        with_parts::<organizations::body::OrganizationBody>(),
        with_parts::<usage::month::UsageOfMonth>(),
        with_parts::<usage::trend::Trend>(),
        with_parts::<events::body::Events>(),
        with_parts::<organizations::input::NewOrganization>(),
        with_parts::<organizations::input::OrganizationChange>(),
        with_parts::<fleet::systems::erasure::Erasure>(),
        with_parts::<ValidationFailed>(),
        with_parts::<BackupRequestStateNow>(),
        with_parts::<MaxBytes>(),
        with_parts::<RetryAfter>(),
        with_parts::<DependencyDown>(),
        with_parts::<gateway::list::SiteBackups>(),
        with_parts::<gateway::show::SiteBackupDetails>(),
        with_parts::<gateway::request_backup::BackupRequested>(),
        with_parts::<GatewayError>(),
    ]
    .concat()
}
