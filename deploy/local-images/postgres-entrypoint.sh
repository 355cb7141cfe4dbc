#!/bin/sh
# What ../compose.yaml uses of the official image's entry point: make the cluster once, run the scripts of
# /docker-entrypoint-initdb.d against it while it listens to nobody else, then become the server.
set -eu

mkdir -p "$PGHOST"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?}" "${POSTGRES_USER:=postgres}"
    export POSTGRES_USER
    trap 'rm -rf "$PGDATA"' EXIT # half a cluster is worse than none
    password_file=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$password_file"
    # shellcheck disable=SC2086  several arguments in one variable, as in the official image
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$password_file" ${POSTGRES_INITDB_ARGS:-}
    rm "$password_file"
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata="$PGDATA" --wait --options="-c listen_addresses='' -c unix_socket_directories=$PGHOST" start
    export PGPASSWORD="$POSTGRES_PASSWORD"
    for script in /docker-entrypoint-initdb.d/*.sh; do
        sh "$script"
    done
    unset PGPASSWORD
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
    trap - EXIT
fi

if [ "$1" = postgres ]; then
    shift
    set -- postgres -c listen_addresses='*' -c unix_socket_directories="$PGHOST" "$@"
fi
exec "$@"
