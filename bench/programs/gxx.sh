#!/usr/bin/env bash
# g++ compiles a file that includes much of the standard library. One op is one group of templates
# and their instantiations in it.
. "$(dirname "${BASH_SOURCE[0]}")/_program.sh"
read_flags 25 "$@"
need g++
{
  sed '/^@unit@$/,$d' "$here/work.cc.in"
  for ((i = 0; i < ops; ++i)); do
    sed "1,/^@unit@$/d; s/@N@/$i/g" "$here/work.cc.in"
  done
} >"$scratch/work.cc"
timed g++ -std=c++20 -O1 -c "$scratch/work.cc" -o "$scratch/work.o"
