#!/usr/bin/env bash
# git: a repository of some hundred commits is made, cloned, packed and checked. Same contents and
# dates give the same hashes.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need git
export HOME=$scratch GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Author GIT_AUTHOR_EMAIL=author@example.org
export GIT_COMMITTER_NAME=Author GIT_COMMITTER_EMAIL=author@example.org
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

work() {
  set -e
  export GIT_AUTHOR_DATE='2001-02-03 04:05:06 +0000' GIT_COMMITTER_DATE='2001-02-03 04:05:06 +0000'
  git init -q -b main repository
  cd repository
  git config gc.auto 0
  git config pack.threads 4
  local round file
  for round in $(seq 24); do
    mkdir -p "part$((round % 8))"
    for file in $(seq 30); do
      seq "$round" "$((round * file % 2000 + 10))" >"part$((round % 8))/file$file"
    done
    git add .
    git commit -q -m "round $round"
  done
  git checkout -q -b side HEAD~12
  seq 5000 >side_file
  git add side_file
  git commit -q -m side
  git merge -q -m merge main
  cd ..
  git clone -q --no-local repository clone
  cd clone
  git gc -q --aggressive --prune=now
  git fsck --full --strict
  git log --stat | sha256sum
  git rev-parse HEAD
  git ls-tree -r HEAD | sha256sum
  git blame side_file | wc -l
  git grep -c 1999 | sha256sum
  git diff HEAD~5 | sha256sum
  git archive HEAD | sha256sum
}

expect_cma git --version
expect_same work work
