# shellcheck shell=bash
# shellcheck disable=SC2154 # work, strongroom and loader are set by the script, the rest by the other files of this folder
# The parts of script/scale-out: two services, nginx in front of them, the fleet, and the check of the quotas.

service_pids=()  # of the services 1 and 2
service_ports=()
nginx_pid=
nginx_address=
fleet_pid=
watch_pid=

# service_start NUMBER: starts a service that uses the engine's node of that number
service_start() {
    local endpoint
    endpoint=$(sed -n 's/^api_bind_addr = "\(.*\)"/http:\/\/\1/p' "$garage_home/$1.toml")
    LISTEN_ADDRESS=127.0.0.1:${service_ports[$1]} MANAGEMENT_LISTEN_ADDRESS=127.0.0.1:0 S3_ENDPOINT=$endpoint \
        start_server "$strongroom" 2>>"$work/service-$1.log"
    service_pids[$1]=$server_pid
    wait_healthy "http://127.0.0.1:${service_ports[$1]}" || {
        tail -n 20 "$work/service-$1.log" >&2
        die "service $1 did not start"
    }
}

# service_end NUMBER SIGNAL: sends the signal and waits for the end
service_end() {
    kill "-$2" "${service_pids[$1]}" 2>/dev/null || true
    wait "${service_pids[$1]}" 2>/dev/null || true
    service_pids[$1]=
}

# front_start DIRECTORY: starts nginx with the configuration of docs/operations.md
front_start() {
    local port
    port=$(free_port)
    nginx_address=127.0.0.1:$port
    mkdir -p "$1"
    cat >"$1/nginx.conf" <<END
$([ "$(id -u)" -ne 0 ] || echo 'user root;')
daemon off;
worker_processes 2;
pid $1/pid;
error_log $1/error.log;
events {}
http {
    access_log off;
    client_body_temp_path $1/body;
    proxy_temp_path $1/proxy;
    fastcgi_temp_path $1/fastcgi;
    uwsgi_temp_path $1/uwsgi;
    scgi_temp_path $1/scgi;
    upstream strongroom {
        server 127.0.0.1:${service_ports[1]} max_fails=0;
        server 127.0.0.1:${service_ports[2]} max_fails=0;
    }
    server {
        listen $nginx_address;
        client_max_body_size 0;
        location / {
            proxy_pass http://strongroom;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host \$http_host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_request_buffering off;
            proxy_next_upstream error timeout;
            proxy_connect_timeout 5s;
        }
    }
}
END
    setsid setpriv --pdeathsig TERM nginx -e "$1/error.log" -c "$1/nginx.conf" 9>&- &
    nginx_pid=$!
    for _ in {1..300}; do
        if curl --silent --fail --output /dev/null "http://$nginx_address/api/health"; then return 0; fi
        sleep 0.1
    done
    tail -n 5 "$1/error.log" >&2 || true
    die "nginx did not start"
}

# fleet_add FILE ORG COUNT [OPTION...]: adds systems of a new organization, and their credentials to FILE
fleet_add() {
    local file=$1 org=$2 count=$3 number
    shift 3
    "$strongroom" org add "$org" --name "$org" "$@" >/dev/null
    for ((number = 1; number <= count; number++)); do
        "$strongroom" system add --org "$org" --name "$org-$number" --json |
            jq -j '.system_key + ":" + .system_secret' | base64 -w 0 >>"$file"
        echo >>"$file"
    done
}

# fleet_start CREDENTIALS TIGHT: starts the fleet, which reads the phases from descriptor 7
fleet_start() {
    mkfifo "$work/phases"
    "$loader" fleet --address "$nginx_address" --credentials "$1" --tight "$2" \
        <"$work/phases" >"$work/table" 2>"$work/failures" 9>&- &
    fleet_pid=$!
    exec 7>"$work/phases"
}

phase() { # phase strict|loose NAME
    say "$2"
    kill -0 "$fleet_pid" 2>/dev/null || die "the fleet ended unexpectedly: $(tail -n 5 "$work/failures")"
    echo "$1 $2" >&7
}

# watch_quotas: records ten times a second how many organizations are above their quota
watch_quotas() {
    local query="SELECT count(*) FROM org_usage u JOIN organizations o ON o.id = u.org_id
        WHERE u.stored_bytes + u.reserved_bytes > o.quota_bytes"
    while sleep 0.1; do echo "$query;"; done | "$PG_BIN/psql" -X -qAt "$DATABASE_URL" >"$work/watched" 2>&1 7>&- 9>&- &
    watch_pid=$!
}

# scale_stop: ends all of these that were started
scale_stop() {
    ended "$watch_pid" "$fleet_pid" "${service_pids[@]}"
    if [ -n "$nginx_pid" ]; then
        kill -TERM "$nginx_pid" 2>/dev/null || true
        wait "$nginx_pid" 2>/dev/null || true
    fi
}

# fleet_end: waits for the fleet's last checks; fails if the fleet saw a broken promise. Quotas are watched until then.
fleet_end() {
    local status=0
    exec 7>&-
    wait "$fleet_pid" || status=1
    ended "$watch_pid"
    fleet_pid='' watch_pid=''
    return "$status"
}

# settled: whether no upload is under way, and rows and objects agree
settled() {
    [ "$("$PG_BIN/psql" -X -qAtc "SELECT count(*) FROM backups WHERE state = 'receiving'" "$DATABASE_URL")" = 0 ] &&
        "$strongroom" audit --store >"$work/audit" 2>&1
}

# history_of_failures: prints the database's history of some of the backups that the fleet reports
history_of_failures() {
    local id
    grep -oE '[0-9a-f]{8}-[0-9a-f-]{27}' "$work/table" | sort -u | head -n 3 | while read -r id; do
        echo "$id:"
        "$PG_BIN/psql" -X -qAtc "
            SELECT e.at, e.kind, e.actor, e.detail FROM backup_events e WHERE backup_id = '$id' ORDER BY e.at;
            SELECT o.id, o.quota_bytes, u.stored_bytes, u.reserved_bytes FROM backup_events e
                JOIN organizations o ON o.id = e.org_id JOIN org_usage u ON u.org_id = o.id WHERE backup_id = '$id' LIMIT 1;
            SELECT e.at, e.kind, e.detail FROM backup_events e WHERE system_id =
                (SELECT system_id FROM backup_events WHERE backup_id = '$id' LIMIT 1) ORDER BY at DESC LIMIT 40" "$DATABASE_URL"
    done
}

# ended PID...: kills the processes that are still running
ended() {
    local pid
    for pid; do
        [ -n "$pid" ] || continue
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
