# roots_alone STATE: whether the state directory is not there yet, or root's and writable by nobody else; says so if not.
# Root runs the Python in it and writes into it, and somebody else's could hold anything.
roots_alone() {
  set -- "${1%/}" # else a link is followed
  [ -e "$1" ] || [ -L "$1" ] || return 0
  if [ -d "$1" ] && ! [ -L "$1" ]; then
    case $(stat -c '%u %a' "$1") in
      *[2367]? | *[2367]) ;;
      "$(id -u) "*) return 0 ;;
    esac
  fi
  echo "The state directory $1 is not root's alone ($(stat -c '%A of %U' "$1")), and root runs Python from it:" \
    "move it away on the NAS and run this again, which makes a new one." >&2
  return 1
}

# make_state STATE [CHECK]: makes it where there is none, and says so; one that somebody else makes meanwhile is not
# adopted. With CHECK it only says so.
make_state() {
  if ! [ -e "$1" ] && ! [ -L "$1" ]; then
    [ -z "$2" ] || { echo "made $1"; return 0; }
    # chmod, because below a Synology ACL the umask does not count.
    mkdir "$1" && chmod 700 "$1" || return 1
    # What came into it before that is somebody else's.
    [ -z "$(ls -A "$1")" ] || { rm -rf "$1"; echo "Somebody else writes into $1: run this again." >&2; return 1; }
    echo "made $1"
  fi
  roots_alone "$1" && { [ "$2" ] || chmod 700 "$1"; }
}
