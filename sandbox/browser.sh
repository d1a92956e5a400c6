#!/bin/sh
# The browser that tests open the page in: Debian's Chromium, installed if it is missing and this may
# be done. Where it may not, says how, and is no failure: those tests then say that they are skipped.
set -eu

for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
  if [ -n "$browser" ] && command -v "$browser" >/dev/null; then exit 0; fi
done

how="apt install chromium, or name one: CHROMIUM=/path/to/chrome make test"
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "There is no Chromium to open the page in. Install one: $how" >&2
  exit 0
fi
echo "Installing Chromium, to open the page in …" >&2
export DEBIAN_FRONTEND=noninteractive
# Its own dependencies bring fonts that have Vietnamese letters.
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } ||
  echo "Chromium could not be installed; try it by hand: $how" >&2
