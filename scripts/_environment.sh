# shellcheck shell=bash
# Sourced by run and test: sets $root and $venv; `make_environment EXTRA` makes $venv fit for use.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
stamp=$venv/.complete

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

find_python() {
  local candidate candidates=(python3.13 python3.12 python3.11 python3 python)
  [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    # Version managers leave commands on PATH that fail when run, so finding one is not enough.
    if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "Expected Python 3.11 or newer; none of these is: ${candidates[*]}." \
    "Install it, or name it: PYTHON=/path/to/python3 $0"
}

# Two words: the first changes when .venv must be made anew (the project moved, another Python),
# the second when it must be brought up to date. Fails while there is no working .venv.
fingerprint() {
  "${PYTHON:-$venv/bin/python}" -I - "$root" 2>/dev/null <<'END'
import hashlib, pathlib, sys

def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()

root = pathlib.Path(sys.argv[1])
pins = (root / name for name in ("pyproject.toml", "constraints.txt"))
print(
    digest(root, sys.base_prefix, sys.implementation.cache_tag),
    digest(*(path.read_bytes() for path in pins)),
)
END
}

is_ready() {
  [[ $(cat "$stamp" 2>/dev/null) == "$(fingerprint) $1"* ]]
}

# Locks descriptor 9. The system unlocks it when the last process that has it open ends: a crash
# leaves no lock behind, and a pip that outlives its script still holds off the next set-up.
take_turn() {
  "$python" -I - <<'END'
from fcntl import LOCK_EX, LOCK_NB, flock

try:
    flock(9, LOCK_EX | LOCK_NB)
except BlockingIOError:
    print("Waiting for another set-up of .venv...", flush=True)
    flock(9, LOCK_EX)
END
}

# uv takes a tenth of the time of pip, which takes over where uv cannot be had or reaches no index.
get_packages() {
  local pip=("$venv/bin/python" -I -m pip install -q --disable-pip-version-check
    -c "$root/constraints.txt")
  if "${pip[@]}" uv 2>/dev/null && "$venv/bin/uv" pip install -q --python "$venv/bin/python" \
    --system-certs --link-mode copy -c "$root/constraints.txt" "$@"; then return; fi
  printf 'Without uv; pip takes a minute…\n'
  "${pip[@]}" "$@"
}

set_up() {
  local before
  before=$(cat "$stamp" 2>/dev/null || true)
  printf 'Setting up .venv (once)…\n'
  # No stamp means interrupted: pip takes half-installed packages for whole, so start over.
  rm -f "$stamp"
  if [[ $before != "$(fingerprint | cut -d ' ' -f 1) "* ]]; then
    "$python" -I -m venv --clear "$venv" ||
      fail "$python could not make $venv." \
        "On Debian and Ubuntu, install what it needs: apt install python3-venv"
  fi
  get_packages -e "$root${1:+[$1]}" ||
    fail "Could not install into $venv, for the reason above. The next run starts over."
  printf '%s %s\n' "$(fingerprint)" "$1" >"$stamp"
}

make_environment() {
  local extra=$1 python
  if is_ready "$extra"; then return; fi
  python=$(find_python)
  (
    take_turn
    is_ready "$extra" || set_up "$extra"
  ) 9<>"$root/scripts/_environment.sh" </dev/null >&2
}
