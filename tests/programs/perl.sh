#!/usr/bin/env bash
# Perl: strings, hashes, regular expressions, sorting, and children by fork.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need perl
export PERL_HASH_SEED=0

cat >"$scratch/work.pl" <<'PERL'
use strict;
use warnings;
use List::Util qw(sum shuffle);

my %count;
my $text = join ' ', map { ('alpha', 'beta', 'gamma')[$_ % 3] . ($_ * 7919 % 5003) } 1 .. 200000;
$count{$_}++ for split / /, $text;
print join(',', map { "$_=$count{$_}" } (sort keys %count)[0 .. 20]), "\n";

my $length = 0;
while ($text =~ /(a\w+?)(\d+)\s+(b\w+)/g) { $length += length($1) * $2 % 1009 }
print "$length\n";

my @tree = map { { id => $_, next => [ map { { deep => 'x' x ($_ % 97) } } 1 .. $_ % 30 ] } } 1 .. 5000;
print sum(map { scalar @{ $_->{next} } } @tree), "\n";
@tree = grep { $_->{id} % 2 } @tree;
print join(' ', (sort { $b <=> $a } map { $_ * 31 % 65521 } 1 .. 100000)[0 .. 9]), "\n";

my $grow = '';
$grow .= chr(65 + $_ % 26) x ($_ % 100) for 1 .. 100000;
print length($grow), ' ', unpack('%32C*', $grow), "\n";

for my $child (1 .. 20) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) { my @list = map { "$_" x 20 } 1 .. 5000; exit(@list == 5000 ? $child : 99) }
    waitpid $pid, 0;
    print $? >> 8, "\n";
}
PERL

expect_cma perl -e 'print "x" x 100000'
expect_same work perl "$scratch/work.pl"
