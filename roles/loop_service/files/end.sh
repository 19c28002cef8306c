# End a verb: write its outcome into the history, and give the lock back if it is ours.
# Behind state.sh.
# end.sh STATE TOKEN ENTRY
# ENTRY is a JSON object without its closing brace.
state=$1 token=$2 entry=$3
umask 077
# There is nothing to write into, or nothing that is to be trusted.
{ [ -d "$state" ] && roots_alone "$state" 2>/dev/null; } || exit 0
ours=$(grep -sF "\"$token\"" "$state/lock/owner.json")
# A line that a full disk or a power cut left half written ends here.
[ -z "$(tail -c 1 "$state/history.jsonl" 2>/dev/null)" ] || echo >>"$state/history.jsonl"
printf '%s, "at": "%s", "event": "end", "swaps": [%s]}\n' "$entry" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
  "$([ -n "$ours" ] && grep -s '}$' "$state/lock/swaps.jsonl" | paste -sd, -)" >>"$state/history.jsonl"
written=$?
[ -z "$ours" ] || rm -rf "$state/lock"
exit $written
