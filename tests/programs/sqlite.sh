#!/usr/bin/env bash
# sqlite3: a script that fills, indexes, joins, deletes and vacuums.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need sqlite3
cat >"$scratch/work.sql" <<'SQL'
PRAGMA cache_size = -20000;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, size INTEGER, data BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  INSERT INTO item SELECT i, 'name' || (i * 7919 % 10007), i * 31 % 997, zeroblob(i % 300) FROM n;
CREATE INDEX item_name ON item (name);
CREATE TABLE tag (item INTEGER REFERENCES item (id), word TEXT);
INSERT INTO tag SELECT id, substr(hex(name), 1, 9) FROM item WHERE size % 3 = 0;
SELECT count(*), sum(size), sum(length(data)) FROM item;
SELECT word, count(*) AS c, group_concat(name) FROM item JOIN tag ON tag.item = item.id
  GROUP BY word ORDER BY c DESC, word LIMIT 5;
SELECT name, size, row_number() OVER (PARTITION BY size ORDER BY name) FROM item
  ORDER BY name, size, id LIMIT 50;
UPDATE item SET data = zeroblob(length(data) * 20) WHERE id % 10 = 0;
DELETE FROM item WHERE size < 500;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(length(data)), max(name) FROM item;
.dump tag
SQL

work() { sqlite3 work.db <"$scratch/work.sql"; }

expect_cma sqlite3 :memory: 'SELECT 1'
expect_same file work
expect_same memory sqlite3 :memory: ".read $scratch/work.sql"
