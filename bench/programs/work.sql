-- Work for sqlite.sh, which puts in the number of rows.
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, note TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, item INTEGER, amount INTEGER, who TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
  INSERT INTO item SELECT i, 'item ' || i, i % 97 * 1.5, hex(zeroblob(i % 60)) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows} * 2)
  INSERT INTO sale SELECT i, (i * 7919) % {rows} + 1, i % 13, 'customer ' || (i % 1000) FROM n;
CREATE INDEX sale_item ON sale(item);
CREATE INDEX item_name ON item(name);
SELECT who, sum(amount * price) FROM sale JOIN item ON item.id = sale.item
  GROUP BY who ORDER BY 2 DESC LIMIT 5;
UPDATE item SET note = note || name WHERE id % 3 = 0;
DELETE FROM sale WHERE id % 4 = 1;
SELECT count(*), count(DISTINCT name), group_concat(substr(note, 1, 2)) IS NULL FROM item;
SELECT name FROM item WHERE note LIKE '%77%' ORDER BY name LIMIT 5;
