# roots_alone STATE: whether the state directory is not there yet, or root's and writable by nobody else; says so if not.
# Root runs the Python in it and writes into it, and somebody else's could hold anything.
roots_alone() {
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
