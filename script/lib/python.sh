# shellcheck shell=bash
# Python programs for the tests, in an environment of their own below the user's cache, which all
# checkouts share: one for each list of pinned versions.

PYTHON_BIN= # where the programs are
export PYTHON_BIN

need_python() {
    has python3 || missing+=(python3)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
}

# python_install REQUIREMENTS: what the file lists, with the hashes that it names; in PYTHON_BIN.
python_install() {
    local root home
    root=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/strongroom
    home=$root/python-$( (python3 --version && cat "$1") | sha256sum | cut -c -16)
    PYTHON_BIN=$home/bin
    mkdir -p "$root"
    # Of two at a time one waits, and then finds it there.
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
