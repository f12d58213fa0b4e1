# shellcheck shell=bash
# Debian packages: each `need_*` notes what is missing, `install_missing` installs it in one go and
# does nothing when everything is there. On other systems it names what is missing and stops.

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
    # The server's programs are not in PATH on Debian; pg_find (postgres.sh) knows where they are.
    [ -n "$(pg_find)" ] || missing+=(postgresql)
}

install_missing() {
    [ "${#missing[@]}" -gt 0 ] || return 0
    has apt-get || die "please install what Debian calls: ${missing[*]}"
    say "Installing Debian packages: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || die "sudo was not found; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    "${as_root[@]}" bash "$ROOT/script/lib/apt-install.sh" "${missing[@]}" >&2
    missing=()
}
