# Begin a verb: take the lock, write the start into the history, and tell what there is; in one round trip.
# Behind state.sh.
# begin.sh DOCKER STATE PYTHON FORMAT SERVICES ENTRY LEASE LEAST TOKEN CHECKOUT...
# ENTRY is a JSON object without its closing brace, empty to take no lock.
# LEAST is in MiB.
docker=$1 state=$2 python=$3 format=$4 services=$5 entry=$6 lease=$7 least=$8 token=$9
shift 9
umask 077
roots_alone "$state" || exit 1

write_lock() {
  up=$(cut -d . -f 1 /proc/uptime)
  entry="$entry, \"at\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\""
  printf '%s, "lease": %s, "until": %s, "nas_boot": "%s"}\n' "$entry" "$lease" $((up + lease)) \
    "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" >"$state/lock/partial" &&
    mv "$state/lock/partial" "$state/lock/owner.json" &&
    # A line that a full disk or a power cut left half written ends here.
    { [ -z "$(tail -c 1 "$state/history.jsonl" 2>/dev/null)" ] || echo >>"$state/history.jsonl"; } &&
    printf '%s, "event": "start"}\n' "$entry" >>"$state/history.jsonl"
}

take_lock() {
  write_lock || { rm -rf "$state/lock"; exit 1; }
  echo taken
}

held=
if [ -z "$entry" ]; then
  ! [ -d "$state/lock" ] || held=yes
else
  make_state "$state" >/dev/null || exit 1
  if grep -qsF "\"$token\"" "$state/lock/owner.json"; then
    echo taken # over, from somebody who was gone
  elif mkdir "$state/lock" 2>/dev/null; then
    take_lock
  elif [ -d "$state/lock" ]; then
    held=yes # and told so whatever becomes of it: who is told nothing goes on without a lock
  elif mkdir "$state/lock"; then
    take_lock # which was given back just now
  else
    exit 1 # for the reason that mkdir told
  fi
fi
# Not by echo, which changes the backslashes of JSON in some shells.
[ -z "$held" ] || printf 'locked %s\n' "$(cat "$state/lock/owner.json" 2>/dev/null)"
names=
for service in $services; do
  names="$names $service $service-candidate $service-next $service-discard"
  ls "$state/swap-$service.json" "$state/restore-$service.json" 2>/dev/null
done
found=$("$docker" container inspect --format "$format {{.ResolvConfPath}}" $names 2>/dev/null)
printf '%s\n' "$found"
# Where images and the copy of a build's files go, and our own state. A container's path tells the first in no time.
root=$(printf '%s\n' "$found" | sed -n '/\/containers\//{s|.* \(/.*\)/containers/.*|\1|p;q;}')
df -Pk "${root:-$("$docker" info --format '{{.DockerRootDir}}' 2>/dev/null)}" /tmp "$state" 2>/dev/null |
  awk -v least="$least" 'NR > 1 && $4 / 1024 < least { printf "full %s %d\n", $6, $4 / 1024 }'
ls -d "$python" 2>/dev/null
# Of what is about to be built: a sync may move it meanwhile. The checkout is a user's, whom root's git mistrusts.
for checkout; do
  echo "revision $(git -c safe.directory="$checkout" -C "$checkout" rev-parse --short=7 HEAD 2>/dev/null || echo unknown) $checkout"
done
