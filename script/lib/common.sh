# shellcheck shell=bash
# Every script sources this file first: paths, messages, and a way to run a command so that a
# signal to the script also ends the command. Afterwards ROOT is the checkout, and the current
# directory.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
VAR=$ROOT/var # git-ignored; the scripts write only there
cd "$ROOT" || exit
mkdir -p "$VAR"

# Debian keeps nginx and runuser in sbin, which is not in every user's PATH. rustup's directory is in
# PATH only after a new login.
PATH=$PATH:/usr/sbin:/sbin:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
export PATH

say() { printf '%s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

die() {
    say "$0: $*"
    exit 1
}

# Descriptor 9 is the lock that a script may hold. Long-running commands must not inherit it.

child_pid=

# run_child COMMAND...: runs it in a process group of its own and waits; then ends what is left of the group.
# While bash waits in this way it handles a signal at once, otherwise only after the command.
run_child() {
    local status=0
    setsid "$@" 9>&- &
    child_pid=$!
    wait "$child_pid" || status=$?
    kill -TERM -- "-$child_pid" 2>/dev/null || true
    child_pid=
    return "$status"
}

# stop_child: ends the process group that run_child waits for, after five seconds with SIGKILL
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

# target_dir: prints cargo's target directory (CARGO_TARGET_DIR and cargo's own settings count)
target_dir() {
    cargo metadata --format-version 1 --no-deps --locked | jq -r .target_directory
}
