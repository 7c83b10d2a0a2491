# Sourced by the other scripts: ensure_venv LOCKFILE makes .venv and installs exactly what the lock file says.

find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "error: Python 3.11 or newer is needed; none was found on PATH" >&2
  return 1
}

# The stamp names the lock file's content, so that a second call installs nothing and a changed lock installs again.
ensure_venv() {
  local lock=$1 stamp=".venv/installed-$1" digest python
  digest=$(cksum <"$lock")
  if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ]; then
    return
  fi
  echo "installing the packages of $lock into .venv (once)" >&2
  python=$(find_python)
  if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    "$python" -m venv --clear .venv
  fi
  local quiet=(--quiet --disable-pip-version-check)
  # uv installs several times faster; where there is no build of it, pip does the same.
  if .venv/bin/python -m pip install "${quiet[@]}" --require-hashes -r requirements-uv.lock 2>/dev/null; then
    .venv/bin/python -m uv pip install --quiet --require-hashes -r "$lock"
  else
    .venv/bin/python -m pip install "${quiet[@]}" --require-hashes -r "$lock"
  fi
  echo "$digest" >"$stamp"
}
