# shellcheck shell=bash
# shellcheck disable=SC2154 # work and body are the script's, the rest is of the other files beside this
# What script/bench measures. Each `*_ours` and its counterpart set `took` to seconds of wall clock.

nginx_pid=
nginx_url=
user=         # the system's key:secret
took=         # of the last thing measured, in seconds
ours=()       # one figure a round
theirs=()
ours_cpu=()   # seconds of the server's processors, of the same uploads
openssl_cpu=()
stored=       # the id of the backup that is downloaded

# random_file FILE: SIZE bytes that no engine can compress or has seen before
random_file() {
    # A keystream is much faster to have than random numbers.
    head -c "$SIZE" /dev/zero |
        openssl enc -aes-256-ctr -K "$(openssl rand -hex 32)" -iv "$(openssl rand -hex 16)" >"$1"
    sync "$1"
}

nginx_start() { # nginx_start DIRECTORY: it takes PUT and gives what is in DIRECTORY/files
    local port
    port=$(free_port)
    nginx_url=http://127.0.0.1:$port
    mkdir -p "$1/files" "$1/tmp"
    cat >"$1/nginx.conf" <<END
$([ "$(id -u)" -ne 0 ] || echo 'user root;')
daemon off;
worker_processes auto;
pid $1/pid;
error_log $1/error.log;
events {}
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path $1/tmp/body;
    proxy_temp_path $1/tmp/proxy;
    fastcgi_temp_path $1/tmp/fastcgi;
    uwsgi_temp_path $1/tmp/uwsgi;
    scgi_temp_path $1/tmp/scgi;
    server {
        listen 127.0.0.1:$port;
        root $1/files;
        client_max_body_size 0;
        dav_methods PUT DELETE;
    }
}
END
    setsid setpriv --pdeathsig TERM nginx -e "$1/error.log" -c "$1/nginx.conf" 9>&- &
    nginx_pid=$!
    for _ in {1..50}; do
        if curl --silent --output /dev/null "$nginx_url/"; then return 0; fi
        sleep 0.1
    done
    tail -n 5 "$1/error.log" >&2 || true
    die "nginx did not start (it needs its dav module)"
}

nginx_stop() {
    [ -n "$nginx_pid" ] || return 0
    kill -TERM "$nginx_pid" 2>/dev/null || true
    wait "$nginx_pid" 2>/dev/null || true
    nginx_pid=
}

database() { # database NAME
    "$PG_BIN/psql" -qc "CREATE DATABASE $1" "$(pg_url postgres)"
    DATABASE_URL=$(pg_url "$1")
    export DATABASE_URL
}

system() { # system STRONGROOM: one to upload as
    "$1" org add bench --name Bench >/dev/null
    user=$("$1" system add --org bench --name bench --json | jq -r '.system_key + ":" + .system_secret')
}

# client ARGUMENT...: curl; the answer goes to $work/answer unless --output is given again
client() {
    run_child curl --silent --show-error --fail-with-body --output "$work/answer" "$@" ||
        die "curl failed: $(head -c 500 "$work/answer")"
}

signed() { # signed ARGUMENT...: curl's own signature, which like Strongroom's leaves a streamed body out
    client --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 "aws:amz:$GARAGE_REGION:s3" \
        --user "$garage_key:$garage_secret" "$@"
}

as_system() { client --user "$user" "$@"; }

timed() { # timed COMMAND...
    local start=$EPOCHREALTIME
    "$@"
    took=$(awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.3f", end - start }')
}

cpu_of() { # cpu_of PID: user and system seconds so far
    awk -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.2f", ($12 + $13) / ticks }' "/proc/$1/stat"
}

# rounds OURS THEIRS: fills `ours` and `theirs`. A first round is not counted.
rounds() {
    local round
    ours=() theirs=() ours_cpu=() openssl_cpu=()
    for ((round = 0; round <= ROUNDS; round++)); do
        if ((round % 2)); then
            "$1"
            ours+=("$took")
        fi
        "$2"
        theirs+=("$took")
        if ((round % 2 == 0)); then
            "$1"
            ours+=("$took")
        fi
    done
    ours=("${ours[@]:1}") theirs=("${theirs[@]:1}")
    ours_cpu=("${ours_cpu[@]:1}") openssl_cpu=("${openssl_cpu[@]:1}")
}

median() {
    printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# report ROW UNIT OURS THEIRS LEAST AIM: of times, how much of the reference's speed is reached; where
# less is better (<=), how many times as much it takes.
report() {
    local mine other turned=0
    # shellcheck disable=SC2086 # a list of figures
    mine=$(median $3) other=$(median $4)
    case $5 in '<='*) turned=1 ;; esac
    awk -v row="$1" -v unit="$2" -v mine="$mine" -v other="$other" -v turned="$turned" -v least="$5" -v aim="$6" \
        'BEGIN { printf "%-16s %10.3f %s %10.3f %s %8.2f %10s %8s\n", row, mine, unit, other, unit,
            turned ? mine / other : other / mine, least, aim }'
    say "    $1: Strongroom $3; reference $4"
}

# What was uploaded is what arrived.
check_upload() {
    local file=$1 sha256
    sha256=$(openssl dgst -sha256 -r "$file" | cut -d' ' -f1)
    jq -e --arg sha256 "$sha256" --argjson size "$SIZE" \
        '.data.sha256 == $sha256 and .data.size == $size' "$work/answer" >/dev/null ||
        die "what was stored is not what was sent: $(head -c 500 "$work/answer")"
}

upload() { # upload FILE
    as_system -X POST -H 'Content-Type: application/octet-stream' -T "$1" "$server_url/api/systems/backups"
}

# Deletes the backup of the last answer, and waits until nothing of it is on its way to the disk.
remove_upload() {
    as_system -X DELETE "$server_url/api/systems/backups/$(jq -r .data.id "$work/answer")"
    for _ in {1..100}; do
        [ "$("$PG_BIN/psql" -Atc 'SELECT count(*) FROM backups' "$DATABASE_URL")" -ne 0 ] || break
        sleep 0.1
    done
    sync
}

local_upload_ours() {
    local cpu before
    before=$(cpu_of "$server_pid")
    timed upload "$body"
    cpu=$(awk -v before="$before" -v after="$(cpu_of "$server_pid")" 'BEGIN { print after - before }')
    ours_cpu+=("$cpu")
    check_upload "$body"
    remove_upload
    local TIMEFORMAT='%U %S'
    openssl_cpu+=("$({ time openssl dgst -sha256 "$body" >/dev/null; } 2>&1 | awk '{ print $1 + $2 }')")
}

nginx_put() {
    client -T "$body" "$nginx_url/upload"
    sync "$work/nginx/files/upload"
}

local_upload_nginx() {
    timed nginx_put
    rm "$work/nginx/files/upload"
    sync
}

store_body() {
    upload "$body"
    check_upload "$body"
    stored=$(jq -r .data.id "$work/answer")
    sync
    cat "$body" >/dev/null
}

# download CURL URL: all of it, to nowhere
download() {
    "$1" --output /dev/null --write-out '%{size_download}' "$2" >"$work/got"
    [ "$(cat "$work/got")" = "$SIZE" ] || die "$(cat "$work/got") of $SIZE bytes came from $2"
}

local_download_ours() { timed download as_system "$server_url/api/systems/backups/$stored"; }
local_download_nginx() { timed download client "$nginx_url/body"; }

# An engine that has seen a block need not write it again: each upload has bytes of its own.
s3_upload_ours() {
    random_file "$work/fresh"
    timed upload "$work/fresh"
    check_upload "$work/fresh"
    remove_upload
}

s3_upload_curl() {
    random_file "$work/fresh"
    timed signed -T "$work/fresh" "$garage_endpoint/$GARAGE_BUCKET/direct"
    signed -X DELETE "$garage_endpoint/$GARAGE_BUCKET/direct"
    sync
}

object_url() {
    local key
    key=$("$PG_BIN/psql" -Atc "SELECT object_key FROM backups WHERE state = 'stored'" "$DATABASE_URL")
    echo "$garage_endpoint/$GARAGE_BUCKET/$key"
}

s3_download_ours() { local_download_ours; }
s3_download_curl() { timed download signed "$(object_url)"; }
