# shellcheck shell=bash
# Debian packages: each `need_*` records missing packages, and `install_missing` installs all of them at once.
# On other systems `install_missing` names them and ends the script.

missing=()

need_command() { # need_command COMMAND PACKAGE
    has "$1" || missing+=("$2")
}

need_build_tools() {
    has cargo || die "cargo was not found: install a Rust toolchain first"
    need_command cc build-essential
    need_command pkg-config pkg-config
    { has pkg-config && pkg-config --exists libpq; } || missing+=(libpq-dev)
    { has pkg-config && pkg-config --exists openssl; } || missing+=(libssl-dev)
}

need_postgres() {
    # The server's programs are not in PATH on Debian; pg_find (postgres.sh) finds them.
    [ -n "$(pg_find)" ] || missing+=(postgresql)
}

install_missing() {
    [ "${#missing[@]}" -gt 0 ] || return 0
    has apt-get || die "apt-get was not found; install the equivalents of these Debian packages: ${missing[*]}"
    say "Installing Debian packages: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || die "sudo was not found; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    "${as_root[@]}" bash "$ROOT/script/lib/apt-install.sh" "${missing[@]}" >&2
    missing=()
}
