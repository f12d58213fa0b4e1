# shellcheck shell=bash
# A private Postgres cluster that listens on a Unix socket only. Its one account is the superuser
# `strongroom`; who can reach the socket (the directory has mode 0700) needs no password.

PG_USER=strongroom
PG_BIN=      # where initdb and postgres are
PG_RUN=()    # what goes in front of them
PG_SOCKETS=  # the directory of the socket, short: a socket's path may have 107 bytes
PG_HOME=     # the directory that its files go to
PG_DATA=     # PG_HOME/data once it was started, for pg_stop

# pg_find [MAJOR]: the newest installed server (or that version's), or nothing.
pg_find() {
    local bin
    # shellcheck disable=SC2086 # the star shall expand
    bin=$(printf '%s\n' /usr/lib/postgresql/${1:-*}/bin | sort -V | tail -n 1)
    # Elsewhere than on Debian; but a version that is asked for is not replaced by another.
    if [ ! -x "$bin/initdb" ] && [ -z "${1:-}" ] && has initdb; then
        bin=$(dirname "$(readlink -f "$(command -v initdb)")")
    fi
    if [ -x "$bin/initdb" ]; then echo "$bin"; fi
}

# pg_home DIRECTORY: decides how Postgres is run, and where its files go: PG_HOME is DIRECTORY
# unless only root can get there.
pg_home() {
    PG_HOME=$1
    mkdir -p "$PG_HOME"
    PG_BIN=$(pg_find)
    PG_SOCKETS=$(mktemp -d /tmp/strongroom-XXXXXX)
    [ "$(id -u)" -eq 0 ] || return 0

    # Postgres refuses to run as root. In a user namespace, root can be somebody else while its
    # files stay its own; initdb wants that somebody to have a name.
    local name
    for name in postgres nobody; do
        id "$name" >/dev/null 2>&1 || continue
        PG_RUN=(unshare -U "--map-user=$(id -u "$name")" "--map-group=$(id -g "$name")")
        "${PG_RUN[@]}" test -w "$PG_HOME" 2>/dev/null && return 0
    done

    # Not allowed here: then the account that came with the package.
    PG_RUN=(env -C / runuser -u postgres --)
    chown postgres "$PG_HOME" "$PG_SOCKETS"
    if ! "${PG_RUN[@]}" test -w "$PG_HOME"; then
        PG_HOME=/var/lib/postgresql/strongroom-$(cksum <<<"$1" | cut -d' ' -f1)
        mkdir -p "$PG_HOME"
        chown postgres "$PG_HOME"
        say "The account postgres can't get to $1; the database is in $PG_HOME"
    fi
}

# pg_end_stale DIRECTORY: stops what a killed script left running on DIRECTORY/data. A file that
# names a process which is not that server (any more) would keep a new one from starting, and goes.
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
# none. One process at a time: callers hold a lock.
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
        # Gets its name when it is complete, so that a half-made one is never started.
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

# pg_stop [fast|immediate]: also right when nothing was started. The sockets go too.
pg_stop() {
    if [ -n "$PG_DATA" ]; then
        "${PG_RUN[@]}" "$PG_BIN/pg_ctl" stop -s -D "$PG_DATA" -m "${1:-fast}" || true
    fi
    if [ -n "$PG_SOCKETS" ]; then rm -rf "$PG_SOCKETS"; fi
    PG_DATA='' PG_SOCKETS=''
}
