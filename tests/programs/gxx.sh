#!/usr/bin/env bash
# g++ compiles a large generated source and standard headers; the object files are the same byte
# for byte.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need g++
{
  printf '#include <%s>\n' algorithm functional map memory regex string unordered_map vector
  echo 'template <int N> struct Chain { static std::string Name() {'
  echo '  return Chain<N - 1>::Name() + std::to_string(N); } };'
  echo 'template <> struct Chain<0> { static std::string Name() { return "chain"; } };'
  for i in $(seq 120); do
    cat <<CC
struct Type$i { std::map<std::string, std::vector<int>> table; int value = $i; };
int Function$i(const Type$i& type, int n) {
  int sum = type.value;
  for (const auto& [name, numbers] : type.table) {
    for (int number : numbers) sum += number * n % $((i + 1));
    switch ((n + $i) % 5) { case 0: sum ^= $i; break; case 1: sum += 7; break; default: --sum; }
    sum += static_cast<int>(name.size());
  }
  return sum;
}
CC
  done
  echo 'std::string Last() { return Chain<200>::Name(); }'
  echo 'bool Match(const std::string& s) { return std::regex_match(s, std::regex("a+b*")); }'
} >"$scratch/large.cc"

compile() {
  cp "$scratch/large.cc" .
  g++ -std=c++17 "$@" -frandom-seed=1 -c large.cc -o large.o
  sha256sum large.o
}

expect_cma g++ -E -x c++ /dev/null
expect_same unoptimised compile -O0
expect_same optimised compile -O2
