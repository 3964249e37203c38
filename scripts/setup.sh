#!/usr/bin/env bash
# Install what is missing on this machine, once. Usage: scripts/setup.sh base|dev|clients
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-base}

say() { printf '\033[36m▸\033[0m %s\n' "$*" >&2; }
fail() { printf '\033[31m✗\033[0m %s\n' "$*" >&2; exit 1; }

# --- programs from the system's packages ---------------------------------------------------------
have_postgis() { ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1 || { command -v pg_config >/dev/null && [ -f "$(pg_config --sharedir)/extension/postgis.control" ]; }; }

# What reports are made with: PDF, and Chinese letters in pictures and PDF.
report_packages() {
  local libraries fonts
  libraries=$(/sbin/ldconfig -p)
  [[ $libraries == *libpango-1.0.so.0* ]] || echo libpango-1.0-0
  [[ $libraries == *libpangoft2-1.0.so.0* ]] || echo libpangoft2-1.0-0
  [[ $libraries == *libharfbuzz-subset.so.0* ]] || echo libharfbuzz-subset0
  fonts=$(fc-list 2>/dev/null || true; ls /usr/share/fonts/*/noto 2>/dev/null || true)
  [[ $fonts == *Noto*CJK* ]] || echo fonts-noto-cjk
}

wanted=()
mapfile -t for_reports < <(report_packages)
if [ -z "${DATABASE_URL:-}" ] && ! have_postgis; then wanted+=(postgresql postgresql-15-postgis-3); fi
if [ "$level" = dev ] && ! have_postgis; then wanted+=(postgresql postgresql-15-postgis-3); fi
# Tests of telemetry run a broker of their own.
if [ "$level" != base ] && ! [ -x /usr/sbin/mosquitto ]; then wanted+=(mosquitto); fi
if [ "$level" = clients ]; then
  have_postgis || wanted+=(postgresql postgresql-15-postgis-3)
  command -v ogr2ogr >/dev/null || wanted+=(gdal-bin)
  command -v chromium >/dev/null || wanted+=(chromium)
  /usr/bin/python3 -c 'import qgis.core' 2>/dev/null || wanted+=(python3-qgis qgis-providers)
fi
python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
if [ "$(id -u)" = 0 ]; then run=(); elif sudo -n true 2>/dev/null; then run=(sudo -n); else run=(none); fi
if [ ${#for_reports[@]} -gt 0 ]; then
  # The service runs without them, and says so when it is asked for a report.
  if [ "$level" = base ] && { [ "${run[0]:-}" = none ] || ! command -v apt-get >/dev/null; }; then
    say "reports need packages that are missing: ${for_reports[*]}"
  else
    wanted+=("${for_reports[@]}")
  fi
fi

if [ ${#wanted[@]} -gt 0 ]; then
  mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
  if [ "${run[0]:-}" = none ] || ! command -v apt-get >/dev/null; then
    fail "please install: ${wanted[*]}  (or set DATABASE_URL to a PostGIS database)"
  fi
  say "installing ${wanted[*]}"
  log=$(mktemp)
  # Debian would start a cluster of its own beside the service's private one.
  if [ ! -f /etc/postgresql-common/createcluster.conf ]; then
    "${run[@]}" mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' | "${run[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  { "${run[@]}" apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1 \
    || { tail -n 5 "$log" >&2; fail "apt could not install: ${wanted[*]}  (whole log: $log)"; }
  rm -f "$log"
  # matplotlib remembers which fonts there were.
  case " ${wanted[*]} " in *fonts-*) rm -f "${MPLCONFIGDIR:-$HOME/.cache/matplotlib}"/fontlist-*.json ;; esac
fi

# --- the virtual environment, from pinned and hashed requirements --------------------------------
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed"
if [ "$level" = base ]; then pins=requirements/base.txt; else pins=requirements/dev.txt; fi
stamp=.venv/.installed
digest=$(cat requirements/base.txt requirements/dev.txt pyproject.toml | sha256sum | cut -d' ' -f1)
if ! grep -qsx "$pins $digest" "$stamp" && ! grep -qsx "requirements/dev.txt $digest" "$stamp"; then
  [ -x .venv/bin/python ] || { say "making the virtual environment"; python3 -m venv .venv; }
  say "installing Python packages ($pins)"
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --only-binary=:all: -r "$pins" \
    || fail "the packages of $pins could not be installed; is a package index reachable?"
  log=$(mktemp)
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . >"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; fail "the service itself could not be installed into .venv"; }
  rm -f "$log"
  echo "$pins $digest" >"$stamp"
fi

# --- scripts and styles of the pages -------------------------------------------------------------
scripts/web-assets.sh
