# shellcheck shell=bash
# Tokens for the management API, and the environment for a second terminal.

# development_tokens: has the service accept tokens that `strongroom token issue` signs, with a secret that is made once.
# What the environment sets is left alone: another secret, or the keys of an identity provider.
development_tokens() {
    [ -z "${JWT_JWKS_URL:-}${JWT_JWKS_FILE:-}" ] || return 0
    if [ -z "${JWT_HS256_SECRET:-}${JWT_HS256_SECRET_FILE:-}" ]; then
        local file=$VAR/jwt-secret
        [ -s "$file" ] || {
            (umask 077 && openssl rand -hex 32 >"$file.new")
            mv "$file.new" "$file"
        }
        export JWT_HS256_SECRET_FILE=$file
    fi
    export JWT_ISSUER=${JWT_ISSUER:-strongroom-run} JWT_AUDIENCE=${JWT_AUDIENCE:-strongroom}
}

# can_issue_tokens: whether the service accepts tokens of `strongroom token issue`
can_issue_tokens() { [ -n "${JWT_HS256_SECRET:-}${JWT_HS256_SECRET_FILE:-}" ]; }

# quoted TEXT: for any shell
quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# write_environment STRONGROOM FILE: writes a file for `.` in a shell. It has this service's settings, some of them secret, and
# puts STRONGROOM into PATH.
write_environment() {
    local name
    # shellcheck disable=SC2016 # the shell that reads the file expands PATH
    (
        umask 077
        {
            echo "# Made by script/run, for the commands of the service that it has started last."
            printf 'PATH=%s:$PATH\n' "$(quoted "$(dirname "$1")")"
            echo 'unset DATABASE_URL_FILE CREDENTIALS_DIRECTORY'
            for name in DATABASE_URL "${!BACKUP_@}" "${!S3_@}" "${!JWT_@}"; do
                printf 'export %s=%s\n' "$name" "$(quoted "${!name}")"
            done
        } >"$2.new"
    )
    mv "$2.new" "$2"
}
