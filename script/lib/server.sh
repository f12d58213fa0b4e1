# shellcheck shell=bash
# Starts and stops `strongroom serve`.

server_pid=
server_url=

# start_server BINARY: starts it with the environment's settings. It has a session of its own, because Ctrl-C in a
# terminal would interrupt the uploads under way. It gets SIGTERM if the script is killed.
start_server() {
    setsid setpriv --pdeathsig TERM "$1" serve 7>&- 9>&- &
    server_pid=$!
}

# start_listening BINARY LOG: starts it, with its log in a file, and waits until it is healthy. Sets server_url to
# its address, because LISTEN_ADDRESS may have port 0.
start_listening() {
    start_server "$1" 2>"$2"
    server_url=
    for _ in {1..300}; do
        server_url=$(sed -n 's|.*listening on \(https\{0,1\}://[^ ]*\).*|\1|p' "$2" | head -n 1)
        [ -z "$server_url" ] || break
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    if [ -z "$server_url" ] || ! wait_healthy "$server_url"; then
        tail -n 20 "$2" >&2
        die "the server did not start"
    fi
}

# wait_healthy URL: waits until `GET URL/api/health` is 200; fails if the server ends before
wait_healthy() {
    local tries=300
    until curl --silent --fail --output /dev/null --max-time 5 "$1/api/health"; do
        kill -0 "$server_pid" 2>/dev/null || return 1
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}

# stop_server: stops it; uploads under way may finish (SHUTDOWN_GRACE). Another signal to the script kills it.
stop_server() {
    [ -n "$server_pid" ] || return 0
    trap 'kill -KILL "$server_pid" 2>/dev/null || true' INT TERM HUP
    kill -TERM "$server_pid" 2>/dev/null || true
    while kill -0 "$server_pid" 2>/dev/null; do wait "$server_pid" || true; done
    server_pid=
}
