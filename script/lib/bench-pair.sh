# shellcheck shell=bash
# shellcheck disable=SC2154 # work, loader and strongroom are set by the script, the rest by the other files of this folder
# The rows of script/bench that compare this build with an earlier one (OLD=BINARY), as pairs: both run beside each other, each with
# a database and a store of its own, and take turns. What is reported is the median of the pairs' ratios.

old_pid='' old_url='' old_database=''
new_database=''
pair_rates=() pair_times=() pair_cpu=() pair_service=() pair_lists=()

# postgres_cpu: prints the processor seconds of all processes of the cluster so far
postgres_cpu() {
    local postmaster pid total=0
    postmaster=$(head -n 1 "$PG_HOME/data/postmaster.pid")
    for pid in "$postmaster" $(pgrep -P "$postmaster"); do
        total=$(awk -v total="$total" -v more="$(cpu_of "$pid" 2>/dev/null || echo 0)" 'BEGIN { print total + more }')
    done
    echo "$total"
}

# pair_round WHICH: measures one build; sets rate, time, service (processor milliseconds of the service for an upload), cpu (with Postgres)
# and lists
pair_round() {
    local pid url before_service before_postgres
    if [ "$1" = old ]; then
        pid=$old_pid url=$old_url DATABASE_URL=$old_database
    else
        pid=$server_pid url=$server_url DATABASE_URL=$new_database
    fi
    export DATABASE_URL
    before_service=$(cpu_of "$pid") before_postgres=$(postgres_cpu)
    load 201 --url "$url/api/systems/backups" --method POST --size "$SMALL" --credentials "$work/many" \
        --clients "$CLIENTS" --seconds "$PERIOD"
    rate=$(figure per_second)
    settle
    service=$(awk -v a="$before_service" -v b="$(cpu_of "$pid")" -v n="$(figure requests)" \
        'BEGIN { printf "%.4f", 1000 * (b - a) / n }')
    cpu=$(awk -v a="$before_postgres" -v b="$(postgres_cpu)" -v n="$(figure requests)" -v more="$service" \
        'BEGIN { printf "%.4f", more + 1000 * (b - a) / n }')
    load 201 --url "$url/api/systems/backups" --method POST --size "$SMALL" --credentials "$work/many" \
        --clients 1 --seconds $((PERIOD / 2))
    time=$(figure p50_ms)
    settle
    load 200 --url "$url/api/systems/backups" --credentials "$work/many" --clients "$CLIENTS" --seconds $((PERIOD / 2))
    lists=$(figure per_second)
}

ratio() { awk -v mine="$1" -v other="$2" 'BEGIN { printf "%.3f", mine / other }'; }

bench_pair() {
    local round rate time service cpu lists old new
    defaults
    unlimited_rate
    database pair_new
    new_database=$DATABASE_URL
    fleet "$CLIENTS" "$CLIENTS" 0 n
    BACKUP_DATA_DIR=$work/pair-new start_listening "$strongroom" "$work/pair-new.log"
    old_pid=$server_pid old_url=$server_url
    database pair_old
    old_database=$DATABASE_URL
    strongroom=$OLD fleet "$CLIENTS" "$CLIENTS" 0 n
    BACKUP_DATA_DIR=$work/pair-old start_listening "$OLD" "$work/pair-old.log"
    # The names are those of the servers: `other_` is stopped with it.
    other_pid=$server_pid other_url=$server_url
    server_pid=$old_pid server_url=$old_url
    old_pid=$other_pid old_url=$other_url
    credentials "$work/many" 1 "$CLIENTS"
    for url in "$server_url" "$old_url"; do
        load 201 --url "$url/api/systems/backups" --method POST --size "$SMALL" --credentials "$work/many" \
            --clients "$CLIENTS" --requests 11
    done
    for ((round = 0; round <= ROUNDS; round++)); do
        # The first round is not counted. In the others they take turns in going first.
        if ((round % 2)); then
            pair_round old
            old="$rate $time $cpu $service $lists"
            pair_round new
            new="$rate $time $cpu $service $lists"
        else
            pair_round new
            new="$rate $time $cpu $service $lists"
            pair_round old
            old="$rate $time $cpu $service $lists"
        fi
        say "    uploads a second, ms of one client, processor ms with Postgres and without, lists a second: $new; old $old"
        if ((round == 0)); then continue; fi
        read -r -a new <<<"$new"
        read -r -a old <<<"$old"
        pair_rates+=("$(ratio "${new[0]}" "${old[0]}")")
        pair_times+=("$(ratio "${new[1]}" "${old[1]}")")
        pair_cpu+=("$(ratio "${new[2]}" "${old[2]}")")
        pair_service+=("$(ratio "${new[3]}" "${old[3]}")")
        pair_lists+=("$(ratio "${new[4]}" "${old[4]}")")
    done
    say "    resident after it: $(mib "$(kib VmRSS)") MiB; old $(server_pid=$old_pid && mib "$(kib VmRSS)") MiB"
    report_alone 'pair: rate' x "${pair_rates[*]}" 1.9 2.5
    report_alone 'pair: latency' x "${pair_times[*]}" '<= 0.45' '<= 0.3'
    report_alone 'pair: processor' x "${pair_cpu[*]}" '<= 0.55' '<= 0.4'
    report_alone '  service alone' x "${pair_service[*]}" - -
    report_alone 'pair: list' x "${pair_lists[*]}" 1.8 2.3
    DATABASE_URL=$new_database audited
    servers_done
}
