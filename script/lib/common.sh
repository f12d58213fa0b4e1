# shellcheck shell=bash
# What every script starts with: where things are, messages, and running a command so that a
# signal to the script also ends the command. Source it; then ROOT is the checkout and the current
# directory.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
VAR=$ROOT/var # git-ignored; all that the scripts make goes there
cd "$ROOT" || exit
mkdir -p "$VAR"

# Debian keeps nginx and runuser in sbin, which is not in everybody's PATH; rustup asks for a new
# login before its own directory is.
PATH=$PATH:/usr/sbin:/sbin:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
export PATH

say() { printf '%s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

die() {
    say "$0: $*"
    exit 1
}

# Descriptor 9 is the lock that a script may hold; what outlives a moment must not inherit it.

child_pid=

# run_child COMMAND...: runs it in a process group of its own and waits; what it leaves running is
# ended too. bash acts on a signal at once while it waits like this, else only after the command.
run_child() {
    local status=0
    setsid "$@" 9>&- &
    child_pid=$!
    wait "$child_pid" || status=$?
    kill -TERM -- "-$child_pid" 2>/dev/null || true
    child_pid=
    return "$status"
}

# Ends what run_child waits for when a signal came: the whole group, after five seconds by force.
stop_child() {
    [ -n "$child_pid" ] || return 0
    local tries=50
    kill -TERM -- "-$child_pid" 2>/dev/null || kill -TERM "$child_pid" 2>/dev/null || true
    while [ "$tries" -gt 0 ] && kill -0 -- "-$child_pid" 2>/dev/null; do
        sleep 0.1
        tries=$((tries - 1))
    done
    kill -KILL -- "-$child_pid" 2>/dev/null || true
    wait "$child_pid" 2>/dev/null || true
    child_pid=
}

# target_dir: where cargo puts what it builds (CARGO_TARGET_DIR and cargo's own settings count).
target_dir() {
    cargo metadata --format-version 1 --no-deps --locked | jq -r .target_directory
}
