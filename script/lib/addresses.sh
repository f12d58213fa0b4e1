# shellcheck shell=bash
# The addresses at which script/run listens.

# reachable ADDRESS: the address that a client on this machine connects to
reachable() {
    case $1 in
    0.0.0.0:*) echo "127.0.0.1:${1##*:}" ;;
    '[::]:'*) echo "[::1]:${1##*:}" ;;
    *) echo "$1" ;;
    esac
}

# is_free ADDRESS: whether no program listens there
is_free() {
    local address host
    address=$(reachable "$1")
    host=${address%:*} host=${host#[} host=${host%]}
    ! (exec 3<>"/dev/tcp/$host/${address##*:}") 2>/dev/null
}

# another ADDRESS: the address with the next port from 100 ports higher on that is free
another() {
    local port=$((${1##*:} + 100))
    until is_free "${1%:*}:$port"; do port=$((port + 1)); done
    echo "${1%:*}:$port"
}

# addresses_free: ends the script if a program listens at LISTEN_ADDRESS or MANAGEMENT_LISTEN_ADDRESS
addresses_free() {
    local variable
    for variable in LISTEN_ADDRESS MANAGEMENT_LISTEN_ADDRESS; do
        is_free "${!variable}" || die "$(reachable "${!variable}") is in use, perhaps by script/run in another checkout. \
Stop the program that listens there, or take other ports:
    LISTEN_ADDRESS=$(another "$LISTEN_ADDRESS") MANAGEMENT_LISTEN_ADDRESS=$(another "$MANAGEMENT_LISTEN_ADDRESS") $0"
    done
}
