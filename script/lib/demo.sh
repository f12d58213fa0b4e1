# shellcheck shell=bash
# The demo system of script/run, its backup, and the lines to try it with.

DEMO_KEYS=$VAR/demo.json # key and secret; kept here because the secret is shown only once
DEMO_FILE=$VAR/demo-backup.tar.gz.gpg
DEMO_PASSPHRASE=demo

demo_user() { jq -r '.system_key + ":" + .system_secret' "$DEMO_KEYS"; }

# demo_curl URL OPTION...: curl as the demo system
demo_curl() {
    local url=$1
    shift
    curl --silent --show-error --fail-with-body --config <(printf 'user = "%s"\n' "$(demo_user)") "$@" "$url/api/systems/backups"
}

# demo_system STRONGROOM URL: makes the organization `demo` and a system, unless DEMO_KEYS has a valid secret
demo_system() {
    if [ -s "$DEMO_KEYS" ] && demo_curl "$2" >/dev/null 2>&1; then return 0; fi
    "$1" org show demo --json >/dev/null 2>&1 || "$1" org add demo --name Demo >/dev/null
    (umask 077 && "$1" system add --org demo --name demo-fw --json >"$DEMO_KEYS.new")
    mv "$DEMO_KEYS.new" "$DEMO_KEYS"
}

# demo_backup URL: makes an encrypted tarball and uploads it, unless they exist
demo_backup() {
    if [ ! -s "$DEMO_FILE" ]; then
        local dir
        dir=$(mktemp -d /tmp/strongroom-XXXXXX)
        mkdir -m 700 "$dir/etc" "$dir/gnupg"
        printf 'hostname demo-fw\ninterface lan 192.0.2.1/24\n' >"$dir/etc/demo.conf"
        tar -C "$dir" -czf "$dir/backup.tar.gz" etc
        gpg --homedir "$dir/gnupg" --batch --quiet --pinentry-mode loopback \
            --passphrase "$DEMO_PASSPHRASE" --output "$DEMO_FILE.new" --yes -c "$dir/backup.tar.gz" 9>&-
        GNUPGHOME=$dir/gnupg gpgconf --kill gpg-agent || true
        rm -rf "$dir"
        mv "$DEMO_FILE.new" "$DEMO_FILE"
    fi
    if [ "$(demo_curl "$1" | jq '.data.backups | length')" -eq 0 ]; then
        demo_curl "$1" -X POST -H 'Content-Type: application/octet-stream' \
            -H "X-Filename: $(basename "$DEMO_FILE")" --data-binary "@$DEMO_FILE" >/dev/null
    fi
}

# demo_lines STRONGROOM URL MANAGEMENT_URL ENVIRONMENT LOG: prints what to paste into another terminal, for any shell and directory.
# The download takes the newest id from the list, so it works even after the demo backup was pruned.
demo_lines() {
    local backups=$2/api/systems/backups curl file restored
    curl="curl -sS --fail-with-body -u $(quoted "$(demo_user)")"
    file=$(quoted "$DEMO_FILE")
    restored=$(quoted "$VAR/demo-restored.tar.gz.gpg")
    cat <<END

Strongroom is running. Paste these lines into a second terminal.

Upload a backup, list the backups, and download the newest:

$curl -X POST -H 'Content-Type: application/octet-stream' -H 'X-Filename: $(basename "$DEMO_FILE")' --data-binary @$file -w '\n' $backups
$curl -w '\n' $backups
${curl/--fail-with-body/--fail} -o $restored "$backups/\$($curl $backups | jq -r '.data.backups[0].id')"

Decrypt the downloaded backup:

gpg --batch --pinentry-mode loopback --passphrase $DEMO_PASSPHRASE -d $restored | tar -tzv

$(management_lines "$1" "$3")

Use the command line with this service (the file sets DATABASE_URL and other settings, and puts strongroom into PATH):

. $(quoted "$4")
strongroom system list

Documentation  $3/docs
Log            tail -f $(quoted "$5")
Database       $(quoted "$PG_BIN/psql") $(quoted "$DATABASE_URL")
Stop           Ctrl-C here
END
}

# management_lines STRONGROOM MANAGEMENT_URL: prints lines with a token for the management API
management_lines() {
    if ! can_issue_tokens; then
        printf 'The management API takes tokens of the identity provider that JWT_JWKS_URL or JWT_JWKS_FILE names.\n\n'
        return 0
    fi
    local token
    token=$("$1" token issue --org demo --scope "backup:view backup:create backup:delete" --sub script-run --ttl 8h)
    cat <<END
List them as a portal does, with a token for the management API (valid for 8 hours, all scopes of the organization demo):

TOKEN=$token
curl -sS --fail-with-body -H "Authorization: Bearer \$TOKEN" -w '\n' $2/api/systems/$(jq -r .id "$DEMO_KEYS")/backups

END
}
