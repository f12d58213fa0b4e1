//! Values that several examples of the documentation share.

use uuid::Uuid;

use crate::domain::ids::{BackupId, Extension};

/// The backup of the examples.
pub fn example_id() -> BackupId {
    BackupId::new(Uuid::from_u128(0x0193_4fab_bc33_7890_a1b2_c3d4_e5f6_a7b8), Extension::Gpg)
}
