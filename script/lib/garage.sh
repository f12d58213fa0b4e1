# shellcheck shell=bash
# Garage, a real S3 engine: a cluster on free loopback ports with a bucket and a key. Its files are in
# a directory of the run.

GARAGE_VERSION=2.5.0
GARAGE_REGION=garage
GARAGE_BUCKET=strongroom
GARAGE=          # the program
garage_home=     # the files of the cluster
garage_pids=()   # its nodes
garage_endpoint= # the first node's S3 listener
garage_key=
garage_secret=

# garage_install: finds Garage 2 in PATH, or installs it once with cargo, below CARGO_INSTALL_ROOT or the
# user's cache, which all checkouts share. Takes ten minutes and more when it has to be built.
garage_install() {
    local root=${CARGO_INSTALL_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/strongroom}
    GARAGE=$(command -v garage || true)
    if [ -n "$GARAGE" ] && "$GARAGE" --version 2>/dev/null | grep -qE "^garage (v|cargo:)?2[.]"; then return 0; fi
    GARAGE=$root/bin/garage
    [ ! -x "$GARAGE" ] || return 0
    mkdir -p "$root"
    say "Installing Garage $GARAGE_VERSION below $root (once; takes ten minutes and more)"
    # Of two scripts at a time one waits, and then finds the program.
    run_child flock "$root/.garage.lock" \
        cargo install garage --locked --version "$GARAGE_VERSION" --root "$root" >&2
}

# free_port [PORT...]: prints a free port of the loopback address, below the range for outgoing connections. It is none
# of the PORTs, which were chosen before and may not be in use yet.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        case " $* " in *" $port "*) continue ;; esac
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return 0
        fi
    done
    die "no free port was found"
}

# garage_node NUMBER ARGUMENT...: runs the command line of that node
garage_node() {
    local config=$garage_home/$1.toml
    shift
    timeout 60 "$GARAGE" --config "$config" "$@"
}

# garage_fail TEXT: ends the script, and prints the last log lines of each node
garage_fail() {
    tail -n 10 "$garage_home"/*.log >&2 || true
    die "$1"
}

# garage_wait WHAT COMMAND...: waits until COMMAND succeeds, for some minutes at most
garage_wait() {
    local what=$1 tries=600 pid
    shift
    until "$@" >/dev/null 2>&1; do
        for pid in "${garage_pids[@]}"; do
            kill -0 "$pid" 2>/dev/null || garage_fail "a Garage node ended unexpectedly"
        done
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || garage_fail "Garage: timeout: $what"
        sleep 0.2
    done
}

garage_healthy() {
    garage_node 1 json-api GetClusterHealth | jq -e '.status == "healthy"'
}

# garage_run NUMBER: starts that node, in a session of its own: Ctrl-C in a terminal ends the script first, and the
# script ends the nodes.
garage_run() {
    setsid setpriv --pdeathsig TERM "$GARAGE" --config "$garage_home/$1.toml" server \
        >>"$garage_home/$1.log" 2>&1 7>&- 9>&- &
    garage_pids[$1]=$!
}

# garage_kill NUMBER: kills that node with SIGKILL
garage_kill() {
    kill -KILL "${garage_pids[$1]}"
    wait "${garage_pids[$1]}" 2>/dev/null || true
}

# garage_again NUMBER: starts that node after garage_kill, and waits until the cluster is healthy
garage_again() {
    garage_run "$1"
    garage_wait "the cluster did not become healthy" garage_healthy
}

# garage_start DIRECTORY NODES: starts a cluster in which every node has a copy of every object. Compression is off:
# ciphertext does not compress.
garage_start() {
    local nodes=$2 node secret id bucket rpc=() s3=()
    garage_home=$1
    mkdir -p "$garage_home"
    secret=$(openssl rand -hex 32)
    for ((node = 1; node <= nodes; node++)); do
        rpc[node]=$(free_port "${rpc[@]}" "${s3[@]}")
        s3[node]=$(free_port "${rpc[@]}" "${s3[@]}")
        cat >"$garage_home/$node.toml" <<END
metadata_dir = "$garage_home/$node/meta"
data_dir = "$garage_home/$node/data"
db_engine = "lmdb"
replication_factor = $nodes
compression_level = "none"
rpc_secret = "$secret"
rpc_bind_addr = "127.0.0.1:${rpc[node]}"
rpc_public_addr = "127.0.0.1:${rpc[node]}"

[s3_api]
s3_region = "$GARAGE_REGION"
api_bind_addr = "127.0.0.1:${s3[node]}"
END
        garage_run "$node"
    done
    garage_endpoint=http://127.0.0.1:${s3[1]}

    for ((node = 1; node <= nodes; node++)); do
        garage_wait "node $node did not start" garage_node "$node" status
        id=$(garage_node "$node" node id --quiet 2>/dev/null)
        if [ "$node" -gt 1 ]; then
            garage_wait "node $node did not connect" garage_node 1 node connect "$id"
        fi
        garage_wait "the layout was not accepted" \
            garage_node 1 layout assign --zone "dc$node" --capacity 1T "${id%@*}"
    done
    garage_node 1 layout apply --version 1 >/dev/null || garage_fail "Garage: the layout was not applied"
    garage_wait "the cluster did not become healthy" garage_healthy

    bucket=$(garage_node 1 json-api CreateBucket "{\"globalAlias\": \"$GARAGE_BUCKET\"}" | jq -er .id) ||
        garage_fail "Garage: the bucket was not made"
    # Each test makes a bucket of its own.
    read -r garage_key garage_secret < <(
        garage_node 1 json-api CreateKey '{"name": "strongroom", "allow": {"createBucket": true}}' |
        jq -er '.accessKeyId + " " + .secretAccessKey') || garage_fail "Garage: the key was not made"
    garage_node 1 json-api AllowBucketKey "{\"bucketId\": \"$bucket\", \"accessKeyId\": \"$garage_key\",
        \"permissions\": {\"read\": true, \"write\": true, \"owner\": false}}" >/dev/null ||
        garage_fail "Garage: the key was given no rights"
}

# garage_stop: stops all nodes, if any, and removes the files
garage_stop() {
    local pid tries=50
    for pid in "${garage_pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${garage_pids[@]}"; do
        while [ "$tries" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
            sleep 0.1
            tries=$((tries - 1))
        done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    garage_pids=()
    if [ -n "$garage_home" ]; then rm -rf "$garage_home"; fi
    garage_home=
}

# garage_variables: prints Strongroom's settings as NAME=VALUE lines, and the same for the tests
garage_variables() {
    local name value
    while read -r name value; do
        case $name in
        BUCKET | REGION) echo "BACKUP_S3_$name=$value" ;;
        *) echo "S3_$name=$value" ;;
        esac
        echo "STRONGROOM_TEST_S3_$name=$value"
    done <<END
ENDPOINT $garage_endpoint
BUCKET $GARAGE_BUCKET
REGION $GARAGE_REGION
ACCESS_KEY $garage_key
SECRET_KEY $garage_secret
END
}
