#!/bin/sh
# Goes through what waits for a decision: shows each item as the gate holds it, and allows it with a
# signature if you answer y. Needs curl, jq and OpenSSH.
#   signing_reviewer.sh KEY GATES CURL-OPTIONS      --unix-socket FILE, or -H @FILE and EXPACTI_BROKER
# KEY signs: a private key file, or a .pub whose key the ssh-agent has. GATES names the keys of the gates:
#   gate namespaces="expacti-item" ssh-ed25519 AAAA…
set -eu
key=$1 gates=$2
shift 2
url=${EXPACTI_BROKER:-http://localhost}/v1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
api() { path=$1; shift; curl -sS --fail-with-body "$@" "$url/$path"; }
skip() { echo "$id: $1" >&2; }

for id in $(api pending "$@" | jq -r '.[].id | select(test("^cmd_[0-9a-z]{26}$"))'); do
    api "commands/$id" "$@" >"$dir/view"
    # What counts is what the gate signed, not what the broker shows beside it.
    jq -j '.item.statement // ""' "$dir/view" >"$dir/item"
    jq -j '.item.signature // ""' "$dir/view" >"$dir/item.sig"
    ssh-keygen -Y verify -f "$gates" -I gate -n expacti-item -s "$dir/item.sig" \
        <"$dir/item" >/dev/null || { skip 'no gate that I know signed it'; continue; }
    jq -j 'if .command_base64 then .command_base64 else .command | @base64 end' "$dir/view" |
        base64 -d >"$dir/command"
    [ "$(sha256sum <"$dir/command")" = "$(jq -r .sha256 "$dir/item")  -" ] ||
        { skip 'the broker shows another command than the gate holds'; continue; }
    jq -e '.input.came == null' "$dir/view" >/dev/null ||
        { skip 'it has standard input, which this script does not show'; continue; }

    jq -a 'del(.gate, .challenge, .made_at, .purpose, .version)' "$dir/item"
    cat -v "$dir/command"
    printf '\nallow %s? [y/N] ' "$id"
    read -r answer || exit 1
    [ "$answer" = y ] || continue

    printf '{"decisions":[{"decision":"allow","item":%s}],"purpose":"expacti-decision","version":1}' \
        "$(cat "$dir/item")" >"$dir/decision"
    ssh-keygen -Y sign -f "$key" -n expacti-decision <"$dir/decision" >"$dir/decision.sig"
    jq -n --rawfile statement "$dir/decision" --rawfile signature "$dir/decision.sig" \
        --arg sha256 "$(jq -r .sha256 "$dir/item")" '{allow: true} + $ARGS.named' |
        api "commands/$id/decision" "$@" -H 'content-type: application/json' -d @- | jq -r .state
done
