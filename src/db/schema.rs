// @generated automatically by Diesel CLI, except that `systems` lacks the columns that only SQL text names: Diesel is built for
// tables of 32 columns, because larger ones take much longer to compile.

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
        parent_id -> Nullable<Text>,
        backup_period -> Nullable<Interval>,
        contact_period -> Nullable<Interval>,
    }
}

diesel::table! {
    service_defaults (only_row) {
        only_row -> Bool,
        org_quota_bytes -> Int8,
        backup_period -> Interval,
        backup_period_applied -> Interval,
        facts_missing -> Bool,
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
    system_erasures (system_id) {
        system_id -> Uuid,
        requested_by -> Text,
        requested_at -> Timestamptz,
        phase -> Text,
        backups -> Int8,
        bytes -> Int8,
        objects_erased -> Int8,
        objects_left -> Nullable<Int8>,
        claimed_until -> Nullable<Timestamptz>,
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
        backup_period -> Nullable<Interval>,
        last_seq -> Int8,
        recent_admissions -> Array<Nullable<Timestamptz>>,
        window_epoch -> Int8,
        created_at -> Timestamptz,
        unchanged_at -> Nullable<Timestamptz>,
        suspended_at -> Nullable<Timestamptz>,
        contact_period -> Nullable<Interval>,
        backup_period_in_force -> Interval,
        contact_period_in_force -> Nullable<Interval>,
        state_since -> Nullable<Timestamptz>,
        state_by -> Nullable<Text>,
        previous_secret_sha256 -> Nullable<Bytea>,
        previous_secret_until -> Nullable<Timestamptz>,
        last_seen_at -> Nullable<Timestamptz>,
        last_seen_from -> Nullable<Inet>,
        last_backup_id -> Nullable<Uuid>,
        last_backup_at -> Nullable<Timestamptz>,
        backups_kept -> Int8,
        bytes_kept -> Int8,
        refused_at -> Nullable<Timestamptz>,
        refused_reason -> Nullable<Text>,
        last_credential_refusal_at -> Nullable<Timestamptz>,
        protected_until -> Nullable<Timestamptz>,
        standing -> Text,
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
diesel::joinable!(system_erasures -> systems (system_id));
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
    system_erasures,
    systems,
    writers,
);
