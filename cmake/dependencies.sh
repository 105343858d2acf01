# What cma needs, as Debian 12 packages: the one list, sourced by tests/run.sh and bench/demo.sh.
#
#   . cmake/dependencies.sh
#   cma_install_packages build test     # installs what is missing, says what it does
#
# It uses nothing but bash and dpkg's tools, so it works on a fresh machine. On a system without
# apt, install the programs yourself and set CMA_SKIP_INSTALL=1.

# cma_packages GROUP...: the packages of the groups, one per line.
cma_packages() {
  local group
  for group in "$@"; do
    case $group in
      build)  # the library and the cma command
        printf '%s\n' g++ cmake ninja-build pkg-config libabsl-dev libelf-dev ;;
      test)  # tests/run.sh: frameworks, checkers, and the programs that run on cma
        printf '%s\n' libgtest-dev libgmock-dev libbenchmark-dev clang libclang-rt-14-dev valgrind \
          binutils procps util-linux python3 perl git sqlite3 redis-server redis-tools nodejs \
          stress-ng make groff-base dpkg-dev ;;
      demo)  # bench/demo.sh
        printf '%s\n' libbenchmark-dev redis-server redis-tools procps python3 ;;
      peers)  # the allocators that bench/compare runs beside cma
        printf '%s\n' libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 ;;
      develop)  # for people who change cma
        printf '%s\n' clang-format clang-tidy gcovr gnuplot-nox lintian g++-aarch64-linux-gnu qemu-user ;;
      *)
        echo "cmake/dependencies.sh: no group '$group' (build, test, demo, peers, develop)" >&2
        return 2 ;;
    esac
  done
}

# cma_missing_packages GROUP...: those of them that are not installed.
cma_missing_packages() {
  local packages package
  packages=$(cma_packages "$@") || return
  for package in $(sort -u <<<"$packages"); do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      echo "$package"
  done
}

# cma_install_packages GROUP...: installs what is missing; fails with one message if it cannot.
cma_install_packages() {
  local missing as_root=()
  [[ -z ${CMA_SKIP_INSTALL:-} ]] || return 0
  cma_packages "$@" >/dev/null || return
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "cma: this system has no apt-get; install what these Debian packages hold, then set" \
      "CMA_SKIP_INSTALL=1:" $(cma_packages "$@" | sort -u) >&2
    return 1
  fi
  missing=$(cma_missing_packages "$@" | tr '\n' ' ')
  [[ -n $missing ]] || return 0

  if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "cma: not root and no sudo; as root run: apt-get install $missing" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "cma: installing Debian packages: $missing"
  # A subshell, so that its trap cannot disturb the caller's.
  if ! (cma_install_without_services $missing); then
    echo "cma: could not install: $missing(apt-get's messages are above)" >&2
    return 1
  fi
}

# Installs the packages given without starting a daemon: a redis-server that listens on its default
# port would be in the way. Runs in a subshell of cma_install_packages, which sets as_root.
cma_install_without_services() {
  local policy=/usr/sbin/policy-rc.d
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o
    DPkg::Lock::Timeout=300)
  local had_redis
  had_redis=$(dpkg-query -W -f '${db:Status-Status}' redis-server 2>/dev/null)

  if [[ ! -e $policy ]]; then
    # 101: the policy forbids to start a service. See invoke-rc.d(8).
    trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null || return
    "${as_root[@]}" chmod 755 "$policy" || return
  fi

  "${apt[@]}" update || echo "cma: apt-get update failed; trying with the lists there are" >&2
  "${apt[@]}" install -y --no-install-recommends "$@" </dev/null || return

  # Nor shall a redis-server that nobody asked for start with the machine.
  if [[ $had_redis != installed && -d /run/systemd/system ]] &&
    dpkg-query -W redis-server >/dev/null 2>&1; then
    "${as_root[@]}" systemctl disable --quiet --now redis-server || true
  fi
}
