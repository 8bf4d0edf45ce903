#!/bin/sh
# Backs a folder up: one compressed, dated archive with its checksum, verified before it counts; old ones go.
#
#   backup.sh SOURCE TARGET [KEEP]     KEEP = archives that stay, default 7
#
# Prints one line of JSON. A run that fails leaves no archive behind and removes none.
set -eu
LC_ALL=C
export LC_ALL
umask 077

fail() {
    printf 'backup: %s\n' "$2" >&2
    exit "$1"
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

json_text() {
    printf '%s' "$1" | tr '[:cntrl:]' '?' | sed 's/[\\"]/\\&/g'
}

[ $# -ge 2 ] || fail 64 "usage: backup.sh SOURCE TARGET [KEEP]"
source=$1 target=$2 keep=${3:-7}
[ -d "$source" ] || fail 66 "no folder to back up: $source"
case $keep in
    '' | *[!0-9]* | 0*) fail 64 "KEEP must be a number from 1: $keep" ;;
esac

source=$(CDPATH='' cd -- "$source" && pwd)
mkdir -p -- "$target"
target=$(CDPATH='' cd -- "$target" && pwd)
# Inside of itself an archive would grow for ever.
case $target/ in
    "${source%/}"/*) fail 64 "the target lies inside of the source: $target" ;;
esac

name=$(basename -- "$source")
archive=$target/$name-$(date -u +%Y%m%dT%H%M%SZ).tar.gz
scratch=$(mktemp -d "$target/.backup-XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 143' TERM INT HUP

tar -c -f "$scratch/tar" -C "$(dirname -- "$source")" -- "$name"
gzip -c <"$scratch/tar" >"$scratch/archive"

# Read back from disk, decompressed, it must be what tar wrote.
written=$(cksum <"$scratch/tar")
[ "$(gzip -dc <"$scratch/archive" | cksum)" = "$written" ] || fail 74 "the archive does not read back"
entries=$(($(gzip -dc <"$scratch/archive" | tar -t -f - | wc -l)))
sum=$(sha256 <"$scratch/archive")
bytes=$(($(wc -c <"$scratch/archive")))

# A hard link, unlike mv, never replaces an archive of the same second.
ln -- "$scratch/archive" "$archive" || fail 75 "an archive of this second exists: $archive"
printf '%s  %s\n' "$sum" "$(basename -- "$archive")" >"$archive.sha256"

# The glob lists the oldest first.
set -- "$target/$name"-????????T??????Z.tar.gz
removed=0
while [ $# -gt "$keep" ]; do
    rm -f -- "$1" "$1.sha256"
    removed=$((removed + 1))
    shift
done
printf '{"archive": "%s", "bytes": %d, "entries": %d, "sha256": "%s", "removed": %d}\n' \
    "$(json_text "$(basename -- "$archive")")" "$bytes" "$entries" "$sum" "$removed"
