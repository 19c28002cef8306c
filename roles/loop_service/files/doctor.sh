# Tell what there is on the NAS and change nothing, in one round trip; by a shell alone, as Python may be old or missing.
# Behind state.sh.
# doctor.sh DOCKER STATE PYTHON REQUESTS LOOP KEYS SERVICES NAMES ENV DOCKERFILE... -- SOURCE...
# Each line is a word and what was found, the word alone when there is nothing. Of .env and keys only modes and names.
# Python would first look for its modules here, which is a home directory that others may write into.
cd /
docker=$1 state=${2%/} python=$3 requests=$4 loop=$5 keys=$6 services=$7 names=$8 env=$9
shift 9
# An engine or a disk that hangs must not hang the doctor, where the NAS has a command for it.
limit="timeout 10"
$limit true 2>/dev/null || limit=

echo "user $(id -u)"
[ -f /etc/synoinfo.conf ] && echo "dsm $(sed -n 's/^productversion="\(.*\)"/\1/p' /etc.defaults/VERSION 2>/dev/null)"
# Not even to look at it is anything run that somebody else may have written.
roots_alone "$state" 2>/dev/null || requests=
# -B, because a compiled file would be a change.
echo "python $("$python" -B -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)"
echo "requests $(PYTHONPATH=$requests "$python" -B -c 'import requests; print(requests.__version__)' 2>/dev/null)"
[ -x "$docker" ] && [ -f "$docker" ] && echo "docker $docker"
# Of an engine that is down docker tells something, too, and fails.
engine=$($limit "$docker" version --format '{{.Server.Version}} {{.Server.APIVersion}}' 2>/dev/null) || engine=
echo "engine $engine"
for service in $services; do
  $limit "$docker" inspect --type container --format "container $service {{.State.Status}} \
{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}\
{{range \$network, \$endpoint := .NetworkSettings.Networks}} network:{{\$network}}{{end}}{{range .HostConfig.Links}} link:{{.}}{{end}}" \
    "$service" 2>/dev/null
done

if [ -L "$state" ]; then
  echo "state link $(readlink "$state")"
elif [ -d "$state" ]; then
  stat -c 'state %a %u' "$state"
elif [ -e "$state" ]; then
  echo "state file"
fi
# WHAT PLACE: the space on its disk, or on that of the first directory above it that there is.
space() {
  place=$2
  until [ -e "$place" ] || [ "$place" = / ]; do place=$(dirname "$place"); done
  $limit df -Pk "$place" 2>/dev/null | awk -v what="$1" 'NR == 2 { printf "space-%s %d %s\n", what, $4 / 1024, $6 }'
}
space volume "$state"
images=$($limit "$docker" info --format '{{.DockerRootDir}}' 2>/dev/null) && space images "$images"
space build "${TMPDIR:-/tmp}"

# The checkout belongs to a user, and this is root, whom git then mistrusts it.
[ -d "$loop" ] && echo "checkout $(git -c safe.directory="$loop" -C "$loop" rev-parse --short=7 HEAD 2>/dev/null)"
kind=dockerfile
for path; do
  case $path in
    --) kind=source ;;
    *) if [ -e "$path" ]; then echo "$kind found $path"; else echo "$kind missing $path"; fi ;;
  esac
done
[ -d "$keys" ] && stat -c 'keys %a %n' "$keys"
for key in "$keys"/*; do
  grep -qsF 'PRIVATE KEY' "$key" && stat -c 'key %a %n' "$key"
done
# The API keys in .env as a deployment has them, which takes the same lines (tasks/env_file.yml) and reads them by the
# same grammar (filter_plugins/loop_env_file.py). Of a value only whether there is one is told; where a key's quote is
# not closed, a deployment refuses the file.
understand='
function take(pattern) {
  if (!match(text, "^(" pattern ")")) return 0
  taken = substr(text, 1, RLENGTH)
  text = substr(text, RLENGTH + 1)
  return 1
}
function run_command(    exported, assigned, i) {
  exported = words && word[1] == "export"
  for (i = 1 + exported; i <= words; i++) assigned += word[i] ~ /^[A-Za-z_][A-Za-z0-9_]*=/
  if (exported || assigned == words) for (i = 1 + exported; i <= words; i++) assign(word[i])
  words = 0
}
function assign(text,    at) {
  at = index(text, "=")
  there[substr(text, 1, at - 1)] = substr(text, at + 1) !~ ("^(" nothing ")*$")
}
BEGIN {
  escaped = "\\\\(.|\n)"
  piece = "\047[^\047]*\047|\"([^\"\\\\]|" escaped ")*\"|" escaped "|[^ \t\n\047\"\\\\;&|]"
  nothing = "\047\047|\"(\\\\\n)*\"|\\\\\n"
  count = split(names, name, " ")
}
{ text = text $0 "\n" }
END {
  while (text != "") {
    if (take("([ \t]|\\\\\n)+|#[^\n]*")) continue
    if (take("[\n;&|]+")) { run_command(); continue }
    taken = ""
    take("(" piece ")+")
    if (text !~ /^[\047"]/) {
      if (taken != "") word[++words] = taken
      else text = substr(text, 2)
      continue
    }
    for (i = 1; i <= count; i++) if (taken == name[i] || index(taken, name[i] "=") == 1) open = name[i]
    if (open) break
    run_command()
    take("[^\n]*\n")
  }
  run_command()
  for (i = 1; i <= count; i++) if (there[name[i]] && !open) print "api-key " name[i]
  if (open) print "open-quote " open
}'
# An empty one has nothing to hide: a container that hides it makes one where there is none any more.
if [ -s "$env" ]; then
  stat -c 'env %a %n' "$env"
  # Without a byte order mark and the line ends of Windows.
  grep -sE "($(echo "$names" | tr ' ' '|'))[[:space:]]*=" "$env" | tr -d '\357\273\277\r' |
    LC_ALL=C awk -v names="$names" "$understand"
fi
echo "time $(date +%s)"
