#!/usr/bin/env bash
# cmake/dependencies.sh on a made-up machine: it installs what is missing and only that, brings the
# lists up to date first, and ends with one message when it cannot.
set -euo pipefail
root=${CMA_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$root/cmake/dependencies.sh"
unset CMA_SKIP_INSTALL

scratch=$(mktemp -d)
trap 'command rm -rf "$scratch"' EXIT
log=$scratch/log

# Stand-ins: functions come before programs. Nothing is installed by this test.
sudo() { "$@"; }
env() { shift; "$@"; } # drops DEBIAN_FRONTEND=...
systemctl() { echo "systemctl $*" >>"$log"; }
tee() { cat >/dev/null; }
chmod() { :; }
rm() { :; }
dpkg-query() {
  local package=${*: -1}
  grep -qxF "$package" "$scratch/installed" || return 1
  echo installed
}
apt-get() {
  local words=" $* "
  echo "${words#*300 }" >>"$log"
  [[ $words != *" install "* || ! -e $scratch/refuse ]]
}
faults=0
fault() {
  echo "dependencies_test: $1"
  faults=1
}

for group in build test demo peers develop; do
  [[ -n $(cma_packages "$group") ]] || fault "group $group is empty"
done
cma_packages nonsense 2>/dev/null && fault "an unknown group is accepted"

# Two packages are missing.
cma_packages build | grep -v -x -e g++ -e cmake >"$scratch/installed"
: >"$log"
output=$(cma_install_packages build) || fault "install failed: $output"
[[ $output == *"installing Debian packages: cmake g++ "* ]] || fault "it does not say what it does"
[[ $(sed -n 1p "$log") == update* ]] || fault "no update first: $(cat "$log")"
[[ $(sed -n 2p "$log") == "install -y --no-install-recommends cmake g++ " ]] ||
  fault "it should install cmake and g++ only: $(cat "$log")"

# Nothing is missing.
cma_packages build >"$scratch/installed"
: >"$log"
output=$(cma_install_packages build) || fault "fails with nothing to do"
[[ -z $output && ! -s $log ]] || fault "nothing is missing, yet: $output $(cat "$log")"

# The packages are not to be had.
: >"$scratch/installed"
: >"$scratch/refuse"
if output=$(cma_install_packages build 2>&1); then fault "success without the packages"; fi
[[ $output == *"could not install: cmake g++ "* ]] || fault "no clear message: $output"

[[ $faults == 0 ]] && echo "dependencies_test: installs what is missing and only that"
exit $faults
