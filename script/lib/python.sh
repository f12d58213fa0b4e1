# shellcheck shell=bash
# Python programs for the tests. Each list of pinned versions has an environment of its own in the user's
# cache, which all checkouts share.

PYTHON_BIN= # where the programs are
export PYTHON_BIN

need_python() {
    has python3 || missing+=(python3)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
}

# python_install REQUIREMENTS: installs the packages of the file, checks their hashes, and sets PYTHON_BIN
python_install() {
    local root home
    root=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/strongroom
    home=$root/python-$( (python3 --version && cat "$1") | sha256sum | cut -c -16)
    PYTHON_BIN=$home/bin
    mkdir -p "$root"
    # Of two scripts at a time one waits, and then finds the environment.
    exec 7>"$root/.python.lock"
    flock 7
    if [ ! -e "$home/complete" ]; then
        say "Installing the Python programs of $1 (once)"
        rm -rf "$home"
        python3 -m venv "$home"
        run_child "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$1"
        touch "$home/complete"
    fi
    exec 7>&-
}
