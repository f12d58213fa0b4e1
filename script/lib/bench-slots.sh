# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # `took` is read by bench.sh; work, loader and strongroom are set by the script, the rest by the other files of this folder
# The row of script/bench about systems that keep many backups.

SLOTS=10000

slots_many() {
    load 201 --url "$other_url/api/systems/backups" --method POST --size "$SMALL" --credentials "$work/many" \
        --clients "$CLIENTS" --seconds "$PERIOD"
    took=$(figure per_second)
    DATABASE_URL=$slots_database settle
}

slots_few() {
    upload_small "$work/many" --clients "$CLIENTS" --seconds "$PERIOD"
    took=$(figure per_second)
    settle
}

# Every system has all the backups that it may keep, so that each upload replaces one.
bench_slots() {
    local slots_database few
    defaults
    unlimited_rate
    database slots
    slots_database=$DATABASE_URL
    BACKUP_MAX_PER_SYSTEM=$SLOTS BACKUP_DATA_DIR=$work/slots start_other "$strongroom" "$work/slots.log"
    fleet "$CLIENTS" "$CLIENTS" $((CLIENTS * SLOTS)) n
    database few_slots
    few=$DATABASE_URL
    BACKUP_DATA_DIR=$work/few start_listening "$strongroom" "$work/few.log"
    fleet "$CLIENTS" "$CLIENTS" 0 n
    credentials "$work/many" 1 "$CLIENTS"
    # The generated rows have no facts: the first upload of each system works them out.
    for url in "$server_url" "$other_url"; do
        load 201 --url "$url/api/systems/backups" --method POST --size "$SMALL" --credentials "$work/many" \
            --clients "$CLIENTS" --requests 11
    done
    steady
    DATABASE_URL=$slots_database steady
    rounds slots_many slots_few
    report many-slots /s "${ours[*]}" "${theirs[*]}" 0.95 1
    for url in "$few" "$slots_database"; do DATABASE_URL=$url audited; done
    servers_done
}
