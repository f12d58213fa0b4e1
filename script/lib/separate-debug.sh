#!/bin/bash
# separate-debug.sh PROGRAM: moves the debug information of PROGRAM to PROGRAM.debug. gdb, addr2line and the backtraces of
# PROGRAM itself find it there by the name and the checksum in PROGRAM (.gnu_debuglink); gdb also by the build id, in
# /usr/lib/debug. The names of functions stay in PROGRAM, for backtraces without the file.
set -euo pipefail

program=$1
debug=$program.debug

# id FILE: prints its build id
id() { readelf --notes "$1" 2>/dev/null | sed -n 's/.*Build ID: //p'; }

build_id=$(id "$program")
[ -n "$build_id" ] || {
    echo "$0: $program has no build id" >&2
    exit 1
}
if ! readelf --section-headers --wide "$program" | grep -q ' \.debug_info '; then
    # Done before: cargo has left the program as it was.
    [ -e "$debug" ] && [ "$(id "$debug")" = "$build_id" ] && exit 0
    echo "$0: $program has no debug information, and $debug does not belong to it" >&2
    exit 1
fi
trap 'rm -f "$debug.new" "$program.new"' EXIT
# Cargo may have put the same program back.
if [ ! -e "$debug" ] || [ "$(id "$debug")" != "$build_id" ]; then
    objcopy --only-keep-debug --compress-debug-sections=zlib "$program" "$debug.new"
    chmod 644 "$debug.new"
    mv "$debug.new" "$debug"
fi
# Renamed: the file is also cargo's own (a hard link), and may be running.
objcopy --strip-debug --add-gnu-debuglink="$debug" "$program" "$program.new"
mv "$program.new" "$program"
