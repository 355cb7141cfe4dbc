#!/bin/sh
# Writes deploy/.env: the example with a fresh secret wherever a value is missing. Refuses to replace one that is there, since
# what was encrypted and stored with its secrets would be lost.
set -eu
umask 077
cd "$(dirname "$0")"
target=${1:-.env}
if [ -e "$target" ]; then
    echo "$target is there already; move it away to make another" >&2
    exit 1
fi
while IFS= read -r line; do
    case $line in
    '#'*) ;;
    *=) line=$line$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n') ;;
    esac
    printf '%s\n' "$line"
done < gatepost.env.example > "$target.new"
mv "$target.new" "$target"
