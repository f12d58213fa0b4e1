# shellcheck shell=bash
# shellcheck disable=SC2154 # work, loader and strongroom are set by the script, the rest by the other files of this folder
# The row of script/bench about appliances that wait for a backup request.

WAITERS=10000
KEPT=48  # MiB that the service may keep after they have left
MADE=20  # backup requests that are made while they wait

waiting() {
    curl --silent --fail "$management_url/metrics" | awk '$1 == "strongroom_systems_waiting" { print $2 }'
}

connected() { sql -c "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"; }

# Each round has a server of its own, because a server keeps some memory after a load. Sets `took` to MiB.
waiters_round() {
    local base before n
    BACKUP_DATA_DIR=$work/waiters start_listening "$strongroom" "$work/waiters.log"
    management_url=$(sed -n 's|.*management API on \(http://[^ ]*\).*|\1|p' "$work/waiters.log" | head -n 1)
    upload_small "$work/beside" --requests 50
    steady
    upload_small "$work/beside" --seconds 5
    alone+=("$(figure p50_ms)")
    base=$(kib VmRSS) before=$(connected)
    echo 5 >"/proc/$server_pid/clear_refs" # resets the high-water mark
    setsid setpriv --pdeathsig TERM "$loader" --url "$server_url/api/systems/backups/requests?wait=35" \
        --clients "$WAITERS" --requests 1 --credentials "$work/waiting" >"$work/waiters.json" 9>&- &
    loading=$!
    for ((n = 0; n < 100; n++)); do
        [ "$(waiting)" -lt "$WAITERS" ] || break
        sleep 0.2
    done
    [ "$(waiting)" -eq "$WAITERS" ] || die "of $WAITERS only $(waiting) wait: is \`ulimit -Hn\` above that?"
    connections+=("$before/$(connected)")
    # `request` is a process of its own, so the waiters' process learns of it only through Postgres.
    for ((n = 1; n <= MADE; n++)); do
        "$strongroom" request "sys$((n * WAITERS / MADE))" >/dev/null 2>"$work/request.log" || die "$(cat "$work/request.log")"
    done
    upload_small "$work/beside" --seconds 5
    beside+=("$(figure p50_ms)")
    wait "$loading" || die "the wait failed"
    loading=
    jq -e --argjson all "$WAITERS" '.broken == 0 and .statuses == {"200": $all}' "$work/waiters.json" >/dev/null ||
        die "not every wait succeeded: $(cat "$work/waiters.json")"
    took=$(mib "$(kib VmHWM)" "$base")
    # The service checks every 15 seconds whether there is memory to return.
    for ((n = 0; n < 60; n++)); do
        [ "$(kib VmRSS)" -gt $((base + KEPT * 1024)) ] || break
        sleep 1
    done
    kept+=("$(mib "$(kib VmRSS)" "$base")")
    [ "$(kib VmRSS)" -le $((base + KEPT * 1024)) ] || die "the service keeps ${kept[-1]} MiB after the waiters have left"
    seen+=("$(sql -c "SELECT round(max(extract(epoch FROM seen_at - requested_at)) * 1000) FROM backup_requests
        HAVING count(*) = $MADE AND count(seen_at) = $MADE")")
    [ -n "${seen[-1]}" ] || die "not every backup request was seen"
    sql -c "DELETE FROM backup_requests"
    servers_done
}

bench_waiters() {
    local round management_url raised=() alone=() beside=() connections=() seen=() kept=()
    defaults
    unlimited_rate
    ulimit -n "$(ulimit -Hn)"
    database waiters
    fleet 100 $((WAITERS + 1)) 0 '(n - 1) % 100 + 1'
    credentials "$work/waiting" 1 "$WAITERS"
    credentials "$work/beside" $((WAITERS + 1)) $((WAITERS + 1))
    for ((round = 0; round < ROUNDS; round++)); do
        waiters_round
        raised+=("$took")
    done
    report_alone waiters MiB "${raised[*]}" - -
    say "    connections to Postgres before/while $WAITERS wait: ${connections[*]}"
    say "    MiB kept after their end: ${kept[*]}"
    say "    ms until the slowest of $MADE backup requests was seen: ${seen[*]}"
    say "    another client's upload during the wait, alone: ${beside[*]}, ${alone[*]} ms"
}
