# shellcheck shell=bash
# shellcheck disable=SC2154 # work is set by the script, the rest by the other files of this folder
# Shared by all rows of script/bench: nginx, databases, rounds and their report.

nginx_pid=
nginx_url=
took=         # the last measured figure: seconds, milliseconds, requests a second
ours=()       # one figure a round
theirs=()
ours_cpu=()   # the server's processor seconds, for the same uploads
openssl_cpu=()

nginx_start() { # nginx_start DIRECTORY: starts nginx, which takes PUT and serves DIRECTORY/files
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
    keepalive_requests 1000000000;
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
    for _ in {1..300}; do
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

sql() { "$PG_BIN/psql" -X -qAtv ON_ERROR_STOP=1 "$@" "$DATABASE_URL"; }

# defaults: measures the defaults: drops the settings of the caller's environment and of earlier rows
defaults() {
    unset "${!BACKUP_@}" "${!S3_@}" "${!TLS_@}" DATABASE_URL_FILE CREDENTIALS_DIRECTORY RUST_LOG
    export LISTEN_ADDRESS=127.0.0.1:0 MANAGEMENT_LISTEN_ADDRESS=127.0.0.1:0
}

unlimited_rate() { export BACKUP_RATE_LIMIT_PER_MINUTE=0 BACKUP_RATE_LIMIT_PER_HOUR=0; }

timed() { # timed COMMAND...
    local start=$EPOCHREALTIME
    "$@"
    took=$(awk -v start="$start" -v end="$EPOCHREALTIME" 'BEGIN { printf "%.3f", end - start }')
}

cpu_of() { # cpu_of PID: prints its user and system seconds so far
    awk -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.2f", ($12 + $13) / ticks }' "/proc/$1/stat"
}

# rounds OURS THEIRS: fills `ours` and `theirs`. The first round is not counted.
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

# report ROW UNIT OURS THEIRS LEAST AIM: prints the fraction of the reference's speed, from times or, if the unit is
# /s, from rates. Where less is better (<=), it prints how many times as much Strongroom takes.
report() {
    local mine other turned=0
    # shellcheck disable=SC2086 # a list of figures
    mine=$(median $3) other=$(median $4)
    case $2$5 in /s*|*'<='*) turned=1 ;; esac
    awk -v row="$1" -v unit="$2" -v mine="$mine" -v other="$other" -v turned="$turned" -v least="$5" -v aim="$6" \
        'BEGIN { printf "%-16s %10.3f %-3s %10.3f %-3s %7.2f %10s %8s\n", row, mine, unit, other, unit,
            turned ? mine / other : other / mine, least, aim }'
    say "    $1: Strongroom $3; reference $4"
}

# report_alone ROW UNIT OURS LEAST AIM: prints a row without a reference
report_alone() {
    # shellcheck disable=SC2086 # a list of figures
    printf '%-16s %10.3f %-3s %10s %-3s %7s %10s %8s\n' "$1" "$(median $3)" "$2" - '' - "$4" "$5"
    say "    $1: $3"
}
