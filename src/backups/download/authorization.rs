//! What permits a download, and for how long.

use std::net::IpAddr;
use std::sync::Arc;

use crate::auth::basic::{SecretSha256, SystemIdentity};
use crate::db::access_state::{AccessState, CurrentAccess};
use crate::domain::row_state::SystemState;

/// The reader of a backup, for the history.
#[derive(Clone)]
pub enum Reader {
    /// The appliance.
    System { remote_addr: Option<IpAddr>, authorization: DownloadAuthorization },
    /// A portal, named by the subject of its token.
    Caller { sub: String, remote_addr: Option<IpAddr> },
    /// A person or program with a signed link. Who has made the link is recorded, too.
    Link { remote_addr: Option<IpAddr>, authorization: DownloadAuthorization },
}

impl Reader {
    /// Returns the system as the reader.
    pub fn system(identity: &SystemIdentity, remote_addr: Option<IpAddr>) -> Self {
        let authorization = DownloadAuthorization::Credential(identity.secret_sha256().clone());
        Self::System { remote_addr, authorization }
    }

    pub(super) fn authorization(&self) -> DownloadAuthorization {
        match self {
            Self::System { authorization, .. } | Self::Link { authorization, .. } => authorization.clone(),
            Self::Caller { .. } => DownloadAuthorization::Token,
        }
    }
}

/// What permits a download.
#[derive(Clone)]
pub enum DownloadAuthorization {
    /// The system's secret permits it while the system is active and this secret is valid.
    Credential(SecretSha256),
    /// A token permits it while the system exists. The token is not checked again.
    Token,
    /// A signed link permits it while an access that was granted when the link was made is valid.
    Link { access_state: Arc<AccessState>, signature: Vec<u8> },
}

impl DownloadAuthorization {
    pub(in crate::backups) fn link(signature: Vec<u8>, access_state: AccessState) -> Self {
        Self::Link { access_state: Arc::new(access_state), signature }
    }

    /// Returns whether a permitted download may continue. `now`: the present state of the system; `None`: it does not exist.
    pub(super) fn is_valid(&self, now: Option<&CurrentAccess>) -> bool {
        let Some(now) = now else { return false };
        match self {
            Self::Credential(secret) => now.has_secret(secret.bytes()),
            Self::Token => now.present.state != SystemState::Destroying,
            Self::Link { access_state, .. } => now.permits(access_state),
        }
    }

    pub(super) fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    pub(super) fn is_same_link(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Link { signature: a, .. }, Self::Link { signature: b, .. }) if a == b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authorization_ends_when_the_access_state_of_its_system_changes() {
        let access_state =
            || AccessState { state: SystemState::Active, secret_sha256: vec![1; 32], suspended_at: None };
        let suspended = AccessState { state: SystemState::Suspended, ..access_state() };
        let rotated = AccessState { secret_sha256: vec![2; 32], ..access_state() };
        let destroying = AccessState { state: SystemState::Destroying, ..access_state() };
        let overlap = Some(vec![1; 32]);
        for (now, previous, by_credential, by_token, by_link) in [
            (Some(access_state()), None, true, true, true),
            (Some(suspended.clone()), None, false, true, false),
            (Some(rotated.clone()), None, false, true, false),
            (Some(rotated.clone()), overlap.clone(), true, true, true),
            (Some(rotated), Some(vec![3; 32]), false, true, false),
            (Some(suspended), overlap.clone(), false, true, false),
            (Some(destroying), overlap, false, false, false),
            (None, None, false, false, false),
        ] {
            let now = now.map(|present| CurrentAccess { present, previous_secret_sha256: previous });
            let credential = DownloadAuthorization::Credential(SecretSha256::new([1; 32]));
            let link =
                DownloadAuthorization::Link { access_state: Arc::new(access_state()), signature: vec![1] };
            let is_valid = |authorization: DownloadAuthorization| authorization.is_valid(now.as_ref());
            let all = (is_valid(credential), is_valid(DownloadAuthorization::Token), is_valid(link));
            assert_eq!(all, (by_credential, by_token, by_link));
        }
    }
}
