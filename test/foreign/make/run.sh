#!/bin/bash
# run.sh MAKER BACKEND [ARGUMENT…]: runs makers/MAKER.sh in network, mount and PID namespaces of its own, which end with it.
# BACKEND: nft or legacy. Programs are taken from $PROGRAMS, fixtures are written to test/foreign/<program>/.
set -eu
MAKE=$(cd "$(dirname "$0")" && pwd)
OUT=${OUT:-$(dirname "$MAKE")}
NODE=${NODE:-node}
PROGRAMS=${PROGRAMS:?the folder of the programs that were built}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
export MAKE OUT NODE PROGRAMS SCRATCH
unshare --net --mount --pid --fork --mount-proc --kill-child \
  bash -c 'set -eu; source "$MAKE/scene.sh"; own_files; use_backend "$2"; source "$MAKE/$1.sh" "${@:3}"' run "$@"
