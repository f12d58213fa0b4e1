-- A refusal stands if no backup was stored after it. Only those reasons are taken over that refuse an upload when it is sent: an
-- upload that fails late may have been sent before the newest stored one.
UPDATE systems AS s SET
    last_refusal_at = greatest(s.last_refusal_at, e.refused_at),
    last_refusal_reason = CASE WHEN s.last_refusal_at >= e.refused_at THEN s.last_refusal_reason ELSE e.reason END,
    last_credential_refusal_at = greatest(s.last_credential_refusal_at, e.credential_refused_at),
    refused_at = CASE WHEN e.stands THEN e.refused_at ELSE s.refused_at END,
    refused_reason = CASE WHEN e.stands THEN e.reason ELSE s.refused_reason END,
    refused_since = CASE WHEN e.stands THEN e.refused_at ELSE s.refused_since END,
    refused_upload_at = CASE WHEN e.stands THEN e.refused_at ELSE s.refused_upload_at END
FROM (
    SELECT f.*, coalesce(f.reason IN ('rate', 'size', 'quota') AND of.refused_at IS NULL
        AND f.refused_at > coalesce((SELECT max(greatest(b.uploaded_at, b.admitted_at)) FROM backups AS b
            WHERE b.system_id = of.id AND b.state = 'stored'), '-infinity'), false) AS stands
    FROM jsonb_to_recordset($1::jsonb)
        AS f (system_id uuid, refused_at timestamptz, reason text, credential_refused_at timestamptz)
    JOIN systems AS of ON of.id = f.system_id
) AS e
WHERE s.id = e.system_id
