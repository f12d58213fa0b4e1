// @generated automatically by Diesel CLI.

diesel::table! {
    backup_events (id) {
        id -> Int8,
        at -> Timestamptz,
        kind -> Text,
        org_id -> Text,
        system_id -> Nullable<Uuid>,
        backup_id -> Nullable<Uuid>,
        actor -> Text,
        remote_addr -> Nullable<Inet>,
        detail -> Jsonb,
    }
}

diesel::table! {
    backup_requests (id) {
        id -> Uuid,
        system_id -> Uuid,
        org_id -> Text,
        state -> Text,
        requested_by -> Text,
        requested_at -> Timestamptz,
        expires_at -> Timestamptz,
        backup_id -> Nullable<Uuid>,
        seen_at -> Nullable<Timestamptz>,
        ended_at -> Nullable<Timestamptz>,
        backup_extension -> Nullable<Text>,
    }
}

diesel::table! {
    backups (id) {
        id -> Uuid,
        system_id -> Uuid,
        org_id -> Text,
        object_key -> Text,
        extension -> Text,
        state -> Text,
        filename -> Text,
        mimetype -> Text,
        writer -> Nullable<Uuid>,
        remote_addr -> Nullable<Inet>,
        admitted_at -> Timestamptz,
        window_entry -> Nullable<Timestamptz>,
        want_bytes -> Int8,
        reserved_bytes -> Int8,
        pledged_to -> Nullable<Uuid>,
        seq -> Nullable<Int8>,
        size_bytes -> Nullable<Int8>,
        sha256 -> Nullable<Bytea>,
        encrypted -> Nullable<Bool>,
        damage -> Nullable<Text>,
        uploaded_at -> Nullable<Timestamptz>,
        retired_at -> Nullable<Timestamptz>,
        retired_reason -> Nullable<Text>,
        purge_after -> Nullable<Timestamptz>,
        purge_started_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    destroyed_systems (id) {
        id -> Uuid,
        system_key -> Text,
        org_id -> Text,
        name -> Text,
        destroyed_at -> Timestamptz,
    }
}

diesel::table! {
    org_usage (org_id) {
        org_id -> Text,
        stored_bytes -> Int8,
        reserved_bytes -> Int8,
    }
}

diesel::table! {
    organizations (id) {
        id -> Text,
        name -> Text,
        quota_bytes -> Nullable<Int8>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    service_defaults (only_row) {
        only_row -> Bool,
        org_quota_bytes -> Int8,
    }
}

diesel::table! {
    signing_keys (purpose) {
        purpose -> Text,
        key -> Bytea,
        created_at -> Timestamptz,
        previous_key -> Nullable<Bytea>,
    }
}

diesel::table! {
    systems (id) {
        id -> Uuid,
        system_key -> Text,
        org_id -> Text,
        name -> Text,
        secret_sha256 -> Bytea,
        state -> Text,
        backup_period -> Interval,
        last_seq -> Int8,
        recent_admissions -> Array<Nullable<Timestamptz>>,
        window_epoch -> Int8,
        created_at -> Timestamptz,
        unchanged_at -> Nullable<Timestamptz>,
        suspended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    writers (process_id) {
        process_id -> Uuid,
        started_at -> Timestamptz,
        lease_expires_at -> Timestamptz,
        unbroken_since -> Timestamptz,
    }
}

diesel::joinable!(backup_requests -> organizations (org_id));
diesel::joinable!(backup_requests -> systems (system_id));
diesel::joinable!(backups -> organizations (org_id));
diesel::joinable!(backups -> systems (system_id));
diesel::joinable!(org_usage -> organizations (org_id));
diesel::joinable!(systems -> organizations (org_id));

diesel::allow_tables_to_appear_in_same_query!(
    backup_events,
    backup_requests,
    backups,
    destroyed_systems,
    org_usage,
    organizations,
    service_defaults,
    signing_keys,
    systems,
    writers,
);
