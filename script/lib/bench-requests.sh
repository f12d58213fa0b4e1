# shellcheck shell=bash
# shellcheck disable=SC2154 # work, loader and strongroom are set by the script, the rest by the other files of this folder
# The rows of script/bench about many small requests. Each `*_ours` and its counterpart set `took` to
# requests a second, or to the median time of a request in milliseconds.

CLIENTS=64
SMALL=65536                # bytes of a small upload
SECRET=script-bench-script-bench-script-bench
other_pid=                 # of a second server, where there are two
other_url=
loading=                   # the pid of a load that runs during the measurement
left=                      # backups that a load left to be purged
drained=                   # the seconds until they were purged
leftover=()                # both figures, for each round
purged=()                  # uploads a second, including the time until the pruned backups were purged

# Ends the load first, because servers wait for its uploads.
stop_servers() {
    if [ -n "$loading" ]; then kill "$loading" 2>/dev/null || true; fi
    stop_server
    server_pid=$other_pid other_pid=
    stop_server
}

servers_done() {
    stop_servers
    traps # stop_server sets traps of its own
}

start_other() { # like start_listening, for the second server
    local pid=$server_pid url=$server_url
    start_listening "$@"
    other_pid=$server_pid other_url=$server_url server_pid=$pid server_url=$url
}

# fleet ORGS SYSTEMS ROWS ORG_OF: fills the database; ORG_OF is an SQL expression, the organization of system `n`
fleet() {
    "$strongroom" migrate >/dev/null 2>"$work/migrate.log" || die "$(tail -n 5 "$work/migrate.log")"
    sql -v orgs="$1" -v systems="$2" -v rows="$3" -v org_of="$4" -v secret="$SECRET" \
        -f script/lib/bench-fleet.sql
}

# credentials FILE FIRST LAST: writes the credentials of these systems, a line each
credentials() {
    local n
    for ((n = $2; n <= $3; n++)); do printf '%s' "sys$n:$SECRET" | base64 -w 0 && echo; done >"$1"
}

# load STATUS ARGUMENT...: runs the load; fails unless every answer has that status (a regular expression)
load() {
    local status=$1
    shift
    run_child "$loader" "$@" >"$work/load.json" || die "the load failed"
    jq -e --arg status "^$status\$" '.broken == 0 and .requests > 0 and all(.statuses | keys[]; test($status))' \
        "$work/load.json" >/dev/null ||
        die "not every answer was $status: $(cat "$work/load.json")"
}

figure() { jq -r ".$1" "$work/load.json"; }

# upload_small CREDENTIALS ARGUMENT...
upload_small() {
    local who=$1
    shift
    load 201 --url "$server_url/api/systems/backups" --method POST --size "$SMALL" --credentials "$who" "$@"
}

due() { sql -c "SELECT count(*) FROM backups WHERE state = 'retired' AND purge_after <= now()"; }

# Waits until all pruned backups are purged (`drained` seconds), and the disk has no writes left.
settle() {
    local start=$EPOCHREALTIME i
    left=$(due)
    for ((i = 0; i < 6000; i++)); do
        [ "$(due)" -ne 0 ] || break
        sleep 0.1
    done
    drained=$(awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.1f", end - start }')
    sync
}

# Makes Postgres drop the plans for empty tables, which happens by itself within a minute of a first load.
steady() {
    settle
    sql -c 'VACUUM (ANALYZE)'
}

audited() {
    "$strongroom" audit >"$work/audit" 2>&1 || die "the audit found differences: $(tail -n 5 "$work/audit")"
}

small_many() {
    upload_small "$work/many" --clients "$CLIENTS" --seconds "$PERIOD"
    small_done
}

small_one() {
    upload_small "$work/one" --clients "$CLIENTS" --seconds "$PERIOD"
    small_done
}

small_done() {
    took=$(figure per_second)
    settle
    leftover+=("$left/$drained s")
    purged+=("$(awk -v sent="$(figure requests)" -v seconds="$PERIOD" -v drained="$drained" \
        'BEGIN { printf "%.1f", sent / (seconds + drained) }')")
}

small_nginx() {
    load 20[14] --url "$nginx_url/{client}-{turn}" --method PUT --size "$SMALL" --clients "$CLIENTS" \
        --seconds "$PERIOD"
    took=$(figure per_second)
    sync
}

bench_small() {
    defaults
    unlimited_rate
    # 64 systems with an organization each, and 64 in one.
    database small
    fleet $((CLIENTS + 1)) $((2 * CLIENTS)) 0 "least(n, $((CLIENTS + 1)))"
    credentials "$work/many" 1 "$CLIENTS"
    credentials "$work/one" $((CLIENTS + 1)) $((2 * CLIENTS))
    BACKUP_DATA_DIR=$work/small start_listening "$strongroom" "$work/small.log"
    # Each system reaches its cap of ten before the measurement.
    upload_small "$work/many" --clients "$CLIENTS" --requests 11
    upload_small "$work/one" --clients "$CLIENTS" --requests 11
    steady
    if wants upload-small; then
        nginx_start "$work/nginx-small"
        leftover=() purged=()
        rounds small_many small_nginx
        nginx_stop
        report upload-small /s "${ours[*]}" "${theirs[*]}" 0.1 0.2
        # A rate at which the backlog of the purge grows would not be a steady state.
        report '  until purged' /s "${purged[*]:1}" "${theirs[*]}" - -
        say "    left to be purged at a load's end, and how long that took: ${leftover[*]}"
    fi
    if wants upload-one-org; then
        leftover=()
        rounds small_one small_many
        report upload-one-org /s "${ours[*]}" "${theirs[*]}" 0.8 1.0
        say "    left to be purged at a load's end, and how long that took: ${leftover[*]}"
    fi
    audited
    servers_done
}

statements() { grep -cE 'LOG:  (statement|execute)' "$PG_HOME/log" || true; }
look_ups() { grep -cE 'LOG:  execute .* FROM systems WHERE system_key' "$PG_HOME/log" || true; }

refused_ours() {
    local before look_ups_before
    before=$(statements) look_ups_before=$(look_ups)
    load 429 --url "$server_url/api/systems/backups" --method POST "${refused[@]}"
    took=$(figure per_second)
    asked+=("$(($(statements) - before))/$(($(look_ups) - look_ups_before))")
}

# The same head and body, read and discarded in the same place, but without authentication or any decision.
refused_live() {
    load 200 --url "$server_url/api/health/live" --method GET "${refused[@]}"
    took=$(figure per_second)
}

bench_refused() {
    local refused asked=()
    defaults
    export BACKUP_RATE_LIMIT_PER_MINUTE=0 BACKUP_RATE_LIMIT_PER_HOUR=1
    database refused
    fleet 1 1 0 1
    sql -c "ALTER DATABASE refused SET log_statement = 'all'" # for connections made from here on
    credentials "$work/refused-one" 1 1
    refused=(--clients "$CLIENTS" --size 1024 --seconds "$PERIOD" --credentials "$work/refused-one")
    BACKUP_DATA_DIR=$work/refused start_listening "$strongroom" "$work/refused.log"
    upload_small "$work/refused-one" # the only one that is admitted in this hour
    rounds refused_ours refused_live
    report refused /s "${ours[*]}" "${theirs[*]}" 0.5 0.8
    say "    SQL statements / credential queries in each $PERIOD s: ${asked[*]}"
    servers_done
}

kib() { sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$server_pid/status"; }
mib() { awk -v base="${2:-0}" -v kib="$1" 'BEGIN { printf "%.1f", (kib - base) / 1024 }'; }
receiving() { sql -c "SELECT count(*) FROM backups WHERE state = 'receiving'"; }

# Each round has a server of its own, because a server keeps some memory after a load. Sets `took` to MiB.
trickle_round() {
    local base busy most=0 i
    BACKUP_DATA_DIR=$work/trickle start_listening "$strongroom" "$work/trickle.log"
    upload_small "$work/beside" --requests 50
    steady
    upload_small "$work/beside" --seconds $((PERIOD / 2))
    alone+=("$(figure p50_ms)")
    base=$(kib VmRSS)
    echo 5 >"/proc/$server_pid/clear_refs" # resets the high-water mark
    setsid setpriv --pdeathsig TERM "$loader" --url "$server_url/api/systems/backups" --method POST --clients 1000 \
        --size $((1 << 20)) --trickle 500 --seconds $((PERIOD + 10)) --credentials "$work/slow" >"$work/trickle.json" 9>&- &
    loading=$!
    for ((i = 0; i < 100; i++)); do
        [ "$(receiving)" -lt 1000 ] || break
        sleep 0.1
    done
    [ "$(receiving)" -eq 1000 ] || die "of 1,000 uploads $(receiving) were admitted"
    for ((i = 0; i < 20; i++)); do
        busy=$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strongroom' AND state <> 'idle'")
        if [ "$busy" -gt "$most" ]; then most=$busy; fi
        sleep 0.1
    done
    connections+=("$most")
    upload_small "$work/beside" --seconds $((PERIOD / 2))
    beside+=("$(figure p50_ms)")
    wait "$loading" || die "the slow load failed"
    loading=
    jq -e '.open == 1000' "$work/trickle.json" >/dev/null || die "not all stayed open: $(cat "$work/trickle.json")"
    took=$(mib "$(kib VmHWM)" "$base")
    resident+=("$(mib "$base")")
    # The clients have disconnected: waits until all uploads are aborted.
    for ((i = 0; i < 600; i++)); do
        [ "$(receiving)" -ne 0 ] || break
        sleep 0.1
    done
    audited
    servers_done
}

bench_trickle() {
    local round raised=() alone=() beside=() connections=() resident=()
    defaults
    unlimited_rate
    ulimit -n "$(ulimit -Hn)"
    database trickle
    fleet 16 251 0 '(n - 1) % 16 + 1'
    credentials "$work/slow" 1 250 # four uploads each, the maximum of a system
    credentials "$work/beside" 251 251
    for ((round = 0; round < ROUNDS; round++)); do
        trickle_round
        raised+=("$took")
    done
    report_alone trickle MiB "${raised[*]}" '<= 128' '<= 96'
    say "    MiB resident before: ${resident[*]}; another client's upload during the load, alone: ${beside[*]}, ${alone[*]} ms"
    say "    most connections to Postgres in use while only bodies arrived: ${connections[*]}"
}

# p50 SERVER STATUS ARGUMENT...: sets `took` to the median time of a request
p50() {
    local url=$1 status=$2
    shift 2
    load "$status" --url "$url/api/systems/backups" --credentials "$work/some" --clients 8 --seconds "$PERIOD" "$@"
    took=$(figure p50_ms)
}

list_million() { p50 "$other_url" 200; }
list_thousand() { p50 "$server_url" 200; }
upload_million() {
    p50 "$other_url" 201 --method POST --size "$SMALL"
    DATABASE_URL=$million settle
}
upload_thousand() {
    p50 "$server_url" 201 --method POST --size "$SMALL"
    DATABASE_URL=$thousand settle
}

bench_million() {
    local thousand million url
    defaults
    unlimited_rate
    # Started before the rows exist: a service whose database has backups refuses an empty directory as its store.
    database thousand
    thousand=$DATABASE_URL
    BACKUP_DATA_DIR=$work/thousand start_listening "$strongroom" "$work/thousand.log"
    fleet 100 100 1000 n
    database million
    million=$DATABASE_URL
    BACKUP_DATA_DIR=$work/million start_other "$strongroom" "$work/million.log"
    fleet 1000 100000 1000000 '(n - 1) % 1000 + 1'
    # The generated rows have no objects: the measured systems get real backups in their place.
    credentials "$work/some" 1 8
    for url in "$server_url" "$other_url"; do
        load 201 --url "$url/api/systems/backups" --method POST --size "$SMALL" --credentials "$work/some" \
            --clients 8 --requests 11
    done
    DATABASE_URL=$thousand steady
    DATABASE_URL=$million steady
    rounds list_million list_thousand
    report 'million, list' ms "${ours[*]}" "${theirs[*]}" '<= 1.2' '<= 1.05'
    rounds upload_million upload_thousand
    report 'million, upload' ms "${ours[*]}" "${theirs[*]}" '<= 1.2' '<= 1.05'
    for url in "$thousand" "$million"; do DATABASE_URL=$url audited; done
    servers_done
}
