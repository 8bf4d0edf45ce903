#!/bin/sh
# Reports how full the file systems are: disk-report.json for programs, disk-report.md for people.
#
#   disk-report.sh TARGET [FULL]     FULL = percent from which a file system counts as full, default 90
#
# Prints one line of JSON. Readers never see half a report: each file is replaced in one step.
set -eu
LC_ALL=C
export LC_ALL

fail() {
    printf 'disk-report: %s\n' "$2" >&2
    exit "$1"
}

[ $# -ge 1 ] || fail 64 "usage: disk-report.sh TARGET [FULL]"
target=$1 full=${2:-90}
case $full in
    '' | *[!0-9]*) fail 64 "FULL must be a number of percent: $full" ;;
esac
mkdir -p -- "$target"
scratch=$(mktemp -d "$target/.report-XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
trap 'exit 143' TERM INT HUP

time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
# A file system that cannot be asked makes df fail after it has listed the others.
df -P -k >"$scratch/df" 2>"$scratch/errors" || [ -s "$scratch/df" ] || fail 74 "$(cat "$scratch/errors")"

awk -v time="$time" -v full="$full" -v json="$scratch/json" -v markdown="$scratch/md" '
    function json_text(text) { gsub(/[\\"]/, "\\\\&", text); gsub(/[[:cntrl:]]/, "?", text); return "\"" text "\"" }
    function cell(text) { gsub(/\|/, "\\|", text); return text }
    BEGIN {
        printf "{\n  \"time\": \"%s\",\n  \"full_percent\": %d,\n  \"file_systems\": [", time, full >json
        printf "# Disk report, %s\n\n| mounted on | size (GiB) | free (GiB) | used |\n|---|--:|--:|--:|\n", time >markdown
    }
    # Devices and mount points may hold blanks: the five columns between them are numbers.
    NR > 1 && match($0, /[[:blank:]]+[0-9]+[[:blank:]]+[0-9]+[[:blank:]]+-?[0-9]+[[:blank:]]+[0-9]+%[[:blank:]]+/) {
        device = substr($0, 1, RSTART - 1)
        mount = substr($0, RSTART + RLENGTH)
        split(substr($0, RSTART, RLENGTH), column)
        used = column[4] + 0
        printf "%s\n    {\"mount\": %s, \"device\": %s, \"size_kib\": %.0f, \"used_kib\": %.0f, \"free_kib\": %.0f, \"used_percent\": %d, \"full\": %s}", \
            (count++ ? "," : ""), json_text(mount), json_text(device), column[1], column[2], column[3], used, \
            (used >= full ? "true" : "false") >json
        printf "| %s | %.1f | %.1f | %d %%%s |\n", cell(mount), column[1] / 1048576, column[3] / 1048576, used, \
            (used >= full ? " **full**" : "") >markdown
        if (used >= full) filled++
    }
    END {
        printf "\n  ]\n}\n" >json
        printf "{\"time\": \"%s\", \"file_systems\": %d, \"full\": %d}\n", time, count, filled
    }
' "$scratch/df" >"$scratch/summary"

mv -- "$scratch/json" "$target/disk-report.json"
mv -- "$scratch/md" "$target/disk-report.md"
cat "$scratch/summary"
