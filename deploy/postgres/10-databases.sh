#!/bin/sh
# Runs once, when the cluster is made: a role and a database for each service, closed to the other services. Each service makes
# its own tables when it starts.
set -eu

create() {
    psql --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres \
        --set ON_ERROR_STOP=1 --set "name=$1" --set "password=$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

create auth "${GATEPOST_AUTH_POSTGRES_PASSWORD:?}"
create users "${GATEPOST_USERS_POSTGRES_PASSWORD:?}"
create notify "${GATEPOST_NOTIFY_POSTGRES_PASSWORD:?}"
psql --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
    --command 'REVOKE ALL ON DATABASE postgres FROM PUBLIC'
