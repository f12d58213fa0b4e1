# shellcheck shell=bash
# shellcheck disable=SC2154 # work is set by the script, the rest by the other files of this folder
# The rows of script/bench about one large body. Each `*_ours` and its counterpart set `took` to elapsed
# seconds.

body=   # the file
user=   # the system's key:secret
stored= # the id of the backup that is downloaded

# random_file FILE: writes SIZE bytes that no engine can compress or deduplicate
random_file() {
    # A keystream is much faster than random numbers.
    head -c "$SIZE" /dev/zero |
        openssl enc -aes-256-ctr -K "$(openssl rand -hex 32)" -iv "$(openssl rand -hex 16)" >"$1"
    sync "$1"
}

system() { # system STRONGROOM: adds the system that uploads
    "$1" org add bench --name Bench >/dev/null
    user=$("$1" system add --org bench --name bench --json | jq -r '.system_key + ":" + .system_secret')
}

# client ARGUMENT...: runs curl; writes the answer to $answer or else to $work/answer
client() {
    local output=${answer:-$work/answer}
    run_child curl --silent --show-error --fail-with-body --output "$output" "$@" ||
        die "curl failed: $(head -c 500 "$output")"
}

signed() { # signed ARGUMENT...: with curl's own signature, which does not cover the body, like Strongroom's for streams
    client --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 "aws:amz:$GARAGE_REGION:s3" \
        --user "$garage_key:$garage_secret" "$@"
}

as_system() { client --user "$user" "$@"; }

# check_upload FILE: fails unless the stored bytes are those of FILE
check_upload() {
    local file=$1 sha256
    sha256=$(openssl dgst -sha256 -r "$file" | cut -d' ' -f1)
    jq -e --arg sha256 "$sha256" --argjson size "$SIZE" \
        '.data.sha256 == $sha256 and .data.size == $size' "$work/answer" >/dev/null ||
        die "the stored bytes are not those that were sent: $(head -c 500 "$work/answer")"
}

upload() { # upload FILE
    as_system -X POST -H 'Content-Type: application/octet-stream' -T "$1" "$server_url/api/systems/backups"
}

# Deletes the backup of the last answer, and waits until the disk has no writes left of it.
remove_upload() {
    as_system -X DELETE "$server_url/api/systems/backups/$(jq -r .data.id "$work/answer")"
    for _ in {1..100}; do
        [ "$("$PG_BIN/psql" -Atc 'SELECT count(*) FROM backups' "$DATABASE_URL")" -ne 0 ] || break
        sleep 0.1
    done
    sync
}

local_upload_ours() {
    local cpu before
    before=$(cpu_of "$server_pid")
    timed upload "$body"
    cpu=$(awk -v before="$before" -v after="$(cpu_of "$server_pid")" 'BEGIN { print after - before }')
    ours_cpu+=("$cpu")
    check_upload "$body"
    remove_upload
    local TIMEFORMAT='%U %S'
    openssl_cpu+=("$({ time openssl dgst -sha256 "$body" >/dev/null; } 2>&1 | awk '{ print $1 + $2 }')")
}

nginx_put() {
    client -T "$body" "$nginx_url/upload"
    sync "$work/nginx/files/upload"
}

local_upload_nginx() {
    timed nginx_put
    rm "$work/nginx/files/upload"
    sync
}

store_body() {
    upload "$body"
    check_upload "$body"
    stored=$(jq -r .data.id "$work/answer")
    sync
    cat "$body" >/dev/null
}

# download CURL URL: downloads everything and discards it
download() {
    # curl has one --output for each URL: a second one would not count.
    answer=/dev/null "$1" --write-out '%{size_download}' "$2" >"$work/got"
    [ "$(cat "$work/got")" = "$SIZE" ] || die "$2 sent $(cat "$work/got") of $SIZE bytes"
}

local_download_ours() { timed download as_system "$server_url/api/systems/backups/$stored"; }
local_download_nginx() { timed download client "$nginx_url/body"; }

# Each upload has new bytes, because an engine need not write a known block again.
s3_upload_ours() {
    random_file "$work/fresh"
    timed upload "$work/fresh"
    check_upload "$work/fresh"
    remove_upload
}

s3_upload_curl() {
    random_file "$work/fresh"
    timed signed -T "$work/fresh" "$garage_endpoint/$GARAGE_BUCKET/direct"
    signed -X DELETE "$garage_endpoint/$GARAGE_BUCKET/direct"
    sync
}

object_url() {
    local key
    key=$("$PG_BIN/psql" -Atc "SELECT object_key FROM backups WHERE state = 'stored'" "$DATABASE_URL")
    echo "$garage_endpoint/$GARAGE_BUCKET/$key"
}

s3_download_ours() { local_download_ours; }
s3_download_curl() { timed download signed "$(object_url)"; }

# Raises the limits that would refuse or prune so many large uploads.
large_bodies() {
    defaults
    unlimited_rate
    export BACKUP_MAX_UPLOAD_SIZE=$SIZE BACKUP_MAX_SIZE_PER_SYSTEM=$((20 * SIZE)) BACKUP_MAX_SIZE_PER_ORG=0
    body=$VAR/bench/body-$SIZE
    if [ ! -s "$body" ]; then
        random_file "$body.new"
        mv "$body.new" "$body"
    fi
}

bench_local() {
    large_bodies
    nginx_start "$work/nginx"
    database local
    BACKUP_DATA_DIR=$work/objects start_listening "$strongroom" "$work/local.log"
    system "$strongroom"
    if wants upload-local || wants cpu-local; then
        rounds local_upload_ours local_upload_nginx
        if wants upload-local; then report upload-local s "${ours[*]}" "${theirs[*]}" 0.55 0.75; fi
        if wants cpu-local; then report cpu-local s "${ours_cpu[*]}" "${openssl_cpu[*]}" '<= 2.5' '<= 1.8'; fi
    fi
    if wants download-local; then
        store_body
        ln "$body" "$work/nginx/files/body"
        rounds local_download_ours local_download_nginx
        report download-local s "${ours[*]}" "${theirs[*]}" 0.7 1.0
    fi
    servers_done
    nginx_stop
}

bench_s3() {
    large_bodies
    garage_start "$work/garage" 1
    database s3
    export BACKUP_S3_BUCKET=$GARAGE_BUCKET BACKUP_S3_REGION=$GARAGE_REGION S3_ENDPOINT=$garage_endpoint
    export S3_ACCESS_KEY=$garage_key S3_SECRET_KEY=$garage_secret
    start_listening "$strongroom" "$work/s3.log"
    system "$strongroom"
    if wants upload-s3; then
        rounds s3_upload_ours s3_upload_curl
        report upload-s3 s "${ours[*]}" "${theirs[*]}" 0.8 0.95
    fi
    if wants download-s3; then
        store_body
        rounds s3_download_ours s3_download_curl
        report download-s3 s "${ours[*]}" "${theirs[*]}" 0.85 0.95
    fi
    servers_done
}
