# shellcheck shell=bash
# A private Postgres cluster that listens on a Unix socket only. Its one account is the superuser
# `strongroom`. The account needs no password; the socket's directory has mode 0700.

PG_USER=strongroom
PG_BIN=      # where initdb and postgres are
PG_RUN=()    # the command that runs them as another user, if needed
PG_SOCKETS=  # the directory of the socket, short: a socket's path may have 107 bytes
PG_HOME=     # the directory of its files
PG_DATA=     # PG_HOME/data after the start, for pg_stop

# pg_find [MAJOR]: prints the directory of the newest installed server (or of that version), or nothing
pg_find() {
    local bin
    # shellcheck disable=SC2086 # the star shall expand
    bin=$(printf '%s\n' /usr/lib/postgresql/${1:-*}/bin | sort -V | tail -n 1)
    # On other systems than Debian; but a requested version is not replaced by another.
    if [ ! -x "$bin/initdb" ] && [ -z "${1:-}" ] && has initdb; then
        bin=$(dirname "$(readlink -f "$(command -v initdb)")")
    fi
    if [ -x "$bin/initdb" ]; then echo "$bin"; fi
}

# pg_home DIRECTORY: decides how Postgres is run, and where its files are: PG_HOME is DIRECTORY
# unless only root has access to it.
pg_home() {
    PG_HOME=$1
    mkdir -p "$PG_HOME"
    PG_BIN=$(pg_find)
    PG_SOCKETS=$(mktemp -d /tmp/strongroom-XXXXXX)
    [ "$(id -u)" -eq 0 ] || return 0

    # Postgres refuses to run as root. In a user namespace, root can be another user and still own its
    # files. initdb needs a user with a name.
    local name
    for name in postgres nobody; do
        id "$name" >/dev/null 2>&1 || continue
        PG_RUN=(unshare -U "--map-user=$(id -u "$name")" "--map-group=$(id -g "$name")")
        "${PG_RUN[@]}" test -w "$PG_HOME" 2>/dev/null && return 0
    done

    # User namespaces are not permitted: uses the account of the Debian package.
    PG_RUN=(env -C / runuser -u postgres --)
    chown postgres "$PG_HOME" "$PG_SOCKETS"
    if ! "${PG_RUN[@]}" test -w "$PG_HOME"; then
        PG_HOME=/var/lib/postgresql/strongroom-$(cksum <<<"$1" | cut -d' ' -f1)
        mkdir -p "$PG_HOME"
        chown postgres "$PG_HOME"
        say "The account postgres has no access to $1; the database is in $PG_HOME"
    fi
}

# pg_end_stale DIRECTORY: stops a server on DIRECTORY/data that a killed script has left running. Removes the
# file postmaster.pid, which would prevent a new start.
pg_end_stale() {
    local data=$1/data pid sockets
    [ -s "$data/postmaster.pid" ] || return 0
    pid=$(sed -n 1p "$data/postmaster.pid")
    sockets=$(sed -n 5p "$data/postmaster.pid")
    if [ "/proc/$pid/cwd" -ef "$data" ]; then
        "${PG_RUN[@]}" "$PG_BIN/pg_ctl" stop -s -D "$data" -m fast
    fi
    rm -f "$data/postmaster.pid"
    case $sockets in /tmp/strongroom-??????) rm -rf "$sockets" ;; esac
}

# pg_start DIRECTORY [SETTING=VALUE...]: starts the cluster DIRECTORY/data, and makes it if there is
# none. Callers hold a lock, so only one process does this at a time.
pg_start() {
    local home=$1 major options="-k $PG_SOCKETS -c listen_addresses=''" setting sync=()
    shift
    for setting; do
        options="$options -c $setting"
        if [ "$setting" = fsync=off ]; then sync=(--no-sync); fi
    done

    if [ -s "$home/data/PG_VERSION" ]; then
        major=$(cat "$home/data/PG_VERSION")
        PG_BIN=$(pg_find "$major")
        [ -n "$PG_BIN" ] ||
            die "$home was made by PostgreSQL $major: install that version, or move the directory away"
        pg_end_stale "$home"
    else
        # Renamed when it is complete, so that an incomplete cluster is never started.
        rm -rf "$home/data" "$home/new"
        "${PG_RUN[@]}" "$PG_BIN/initdb" "${sync[@]}" -D "$home/new" -U "$PG_USER" -A trust \
            -E UTF8 --locale=C >/dev/null || die "initdb failed in $home"
        mv "$home/new" "$home/data"
    fi
    # pg_ctl gives the server a session of its own: Ctrl-C does not reach it.
    PG_DATA=$home/data
    "${PG_RUN[@]}" "$PG_BIN/pg_ctl" start -s -w -t 180 -D "$PG_DATA" -l "$home/log" -o "$options" 9>&- || {
        tail -n 20 "$home/log" >&2
        die "Postgres did not start; its log is $home/log"
    }
}

# pg_url DATABASE
pg_url() { echo "postgres:///$1?host=$PG_SOCKETS&user=$PG_USER"; }

# pg_stop [fast|immediate]: stops the cluster, if it was started, and removes the sockets
pg_stop() {
    if [ -n "$PG_DATA" ]; then
        "${PG_RUN[@]}" "$PG_BIN/pg_ctl" stop -s -D "$PG_DATA" -m "${1:-fast}" || true
    fi
    if [ -n "$PG_SOCKETS" ]; then rm -rf "$PG_SOCKETS"; fi
    PG_DATA='' PG_SOCKETS=''
}
