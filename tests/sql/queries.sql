-- Statements that gpudb must answer as plain DuckDB does, one a line: names, types, rows and their order.
-- tests/sql/test_split.py runs them; tests/sql/oracle.py says how.

-- SELECT lists
SELECT embed('tiny', text) FROM reviews
SELECT id, embed('tiny', text) AS e FROM reviews
select id, EMBED('tiny', text) e from reviews
FROM reviews SELECT id, embed('tiny', text)
SELECT *, embed('tiny', text) AS e FROM reviews
SELECT * EXCLUDE (stars), embed('tiny', text) AS e FROM reviews
SELECT * EXCLUDE stars REPLACE (upper(text) AS text), embed('tiny', text) AS e FROM reviews
SELECT * REPLACE (stars + 1 AS stars), embed('tiny', text) AS e FROM reviews
SELECT * RENAME (stars AS points), embed('tiny', text) AS e FROM reviews
SELECT * LIKE 't%', embed('tiny', text) AS e FROM reviews
SELECT COLUMNS('i.*'), embed('tiny', text) AS e FROM reviews
SELECT r.*, embed('tiny', text) AS e FROM reviews r
SELECT embed('tiny', text) AS e, *, id FROM reviews
SELECT r.text, embed('tiny', r.text) AS e FROM reviews AS r
SELECT embed('tiny', reviews.text) FROM reviews
SELECT embed('tiny', text) AS e, text AS t, embed('tiny', t) AS f FROM reviews
SELECT embed('tiny', text), embed('tiny', text), embed('tiny', text) AS third FROM reviews
SELECT embed('tiny', text) AS a, embed('other', text) AS b, embed('tiny', upper(text)) AS c FROM reviews
SELECT embed('tiny', text)[1] AS first, embed('tiny', text)[2:3] AS mid, len(embed('tiny', text)) FROM reviews
SELECT cosine(embed('tiny', text), embed('tiny', 'light')) AS s FROM reviews
SELECT id, dot(embed('tiny', text), embed('tiny', text)), l2(embed('tiny', text), embed('tiny','a')) FROM reviews
SELECT list_sum(embed('tiny', text)) FROM reviews
SELECT CASE WHEN stars > 3 THEN embed('tiny', text) END AS e FROM reviews
SELECT COALESCE(embed('tiny', text), embed('tiny', 'none')) AS e FROM reviews
SELECT embed('tiny', coalesce(text, 'none')) FROM reviews
SELECT embed('tiny', text || ' ' || shop) FROM reviews WHERE id IN (1,2)
SELECT embed('tiny', CAST(id AS VARCHAR)) FROM reviews
SELECT embed('tiny', id::VARCHAR) FROM reviews
SELECT embed('tiny', CASE WHEN id < 3 THEN 'a' ELSE 'b' END) FROM reviews
SELECT embed('tiny', text) IS NULL AS missing, embed('tiny', text) IS NOT NULL FROM reviews
SELECT embed('tiny', text) = embed('tiny', 'the cat') AS same FROM reviews
SELECT [embed('tiny', text), embed('tiny','a')] AS both FROM reviews
SELECT {'v': embed('tiny', text), 'i': id} AS s FROM reviews
SELECT row(id, embed('tiny', text)) AS s FROM reviews
SELECT list_transform(embed('tiny', text), lambda x: x + id) AS y FROM reviews
SELECT CAST(embed('tiny', text) AS DOUBLE[4]) FROM reviews
SELECT embed('tiny', text)::FLOAT[] AS l FROM reviews
SELECT TRY_CAST(embed('tiny', text) AS VARCHAR) FROM reviews

-- constants, literals, comments
SELECT embed('tiny', 'a')
SELECT embed('tiny', 'a') AS v, 1
SELECT embed('tiny', NULL)
SELECT embed('tiny', 'a' || 'b'[1:0])
SELECT cosine(embed('tiny', 'a'), embed('tiny', 'b'))
VALUES (embed('tiny', 'a')), (embed('tiny','b'))
SELECT * FROM (VALUES (embed('tiny', 'a'))) v(x)
SELECT embed('tiny', t) AS e FROM (VALUES ('a'), ('b'), (NULL)) v(t)
SELECT embed('tiny', t) FROM unnest(['a','b','a']) u(t)
SELECT unnest(['a','b']) AS t, embed('tiny', 'a') AS e
SELECT embed('tiny', 'it''s') AS e
SELECT embed('tiny', '--') AS e -- embed('tiny', 'never')
SELECT /* embed( */ embed('tiny', '/* c */') /* x */ AS e
SELECT embed('tiny', 'a;b') AS e
SELECT embed('tiny', 'embed(''tiny'', ''a'')') AS e
SELECT 'embed(''tiny'', text)' AS not_a_call
SELECT "embed" FROM (SELECT 1 AS embed)
SELECT embed FROM (SELECT 1 AS embed)
SELECT embed.a FROM (SELECT 1 AS a) embed
SELECT embed('tiny', $$a$$)
SELECT embed('tiny', E'a')

-- WHERE
SELECT id, embed('tiny', text) FROM reviews WHERE stars >= 4
SELECT id FROM reviews WHERE embed('tiny', text)[1] > 5
SELECT id FROM reviews WHERE stars > 1 AND embed('tiny', text)[1] > 5 AND id < 8
SELECT id FROM reviews WHERE stars = 5 OR embed('tiny', text)[1] > 5
SELECT id FROM reviews WHERE NOT (embed('tiny', text)[1] > 5)
SELECT id, embed('tiny', text) AS e FROM reviews WHERE e[1] > 5
SELECT id, embed('tiny', text)[1] AS e FROM reviews WHERE e > 5 AND id > 1 ORDER BY e DESC, id
SELECT id FROM reviews WHERE embed('tiny', text)[1] BETWEEN 3 AND 9
SELECT id FROM reviews WHERE embed('tiny', text)[1] IN (1,2,3,4,5,6)
SELECT id FROM reviews WHERE embed('tiny', text) IN (SELECT embed('tiny', text) FROM shops)
SELECT id FROM reviews WHERE embed('tiny', text) = ANY (SELECT embed('tiny', text) FROM shops)
SELECT id FROM reviews WHERE text LIKE 'the%' AND embed('tiny', text) IS NOT NULL
SELECT id, embed('tiny', text) FROM reviews WHERE false
SELECT id, embed('tiny', text) FROM reviews WHERE text IS NULL
SELECT id, stars AS id2, embed('tiny', text) AS e FROM reviews WHERE id2 > 2

-- ORDER BY, LIMIT, OFFSET
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY id DESC
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY stars, id LIMIT 3
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY stars DESC NULLS LAST, id LIMIT 3 OFFSET 2
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY 1 DESC LIMIT 3
SELECT embed('tiny', text)[1] AS e, id FROM reviews ORDER BY 1, 2 LIMIT 3
SELECT id FROM reviews ORDER BY embed('tiny', text)[1] DESC, id LIMIT 4
SELECT id, cosine(embed('tiny', text), embed('tiny','light')) AS score FROM reviews ORDER BY score DESC, id LIMIT 3
SELECT id, embed('tiny', text)[1] AS score FROM reviews ORDER BY -score, id
SELECT id, embed('tiny', text)[1] AS score FROM reviews ORDER BY score + stars, id
SELECT id, embed('tiny', text)[1] AS id2 FROM reviews ORDER BY upper(text), id
SELECT stars AS id, embed('tiny', text)[1] AS s FROM reviews ORDER BY id NULLS FIRST, s
SELECT -id AS id, embed('tiny', text)[1] AS s FROM reviews ORDER BY id
SELECT -id AS id, embed('tiny', text)[1] AS s FROM reviews ORDER BY id LIMIT 2
SELECT -id AS id, embed('tiny', text)[1] AS s FROM reviews ORDER BY id + 0 LIMIT 2
SELECT -id AS id, embed('tiny', text)[1] AS s FROM reviews ORDER BY reviews.id LIMIT 2
SELECT id, embed('tiny', text) FROM reviews ORDER BY ALL LIMIT 3
SELECT id, embed('tiny', text) FROM reviews ORDER BY ALL DESC
SELECT id, embed('tiny', text) FROM reviews LIMIT 3
SELECT id, embed('tiny', text) FROM reviews LIMIT 3 OFFSET 4
SELECT id, embed('tiny', text) FROM reviews OFFSET 6
SELECT id, embed('tiny', text) FROM reviews LIMIT 0
SELECT id, embed('tiny', text) FROM reviews LIMIT 50%
SELECT id, embed('tiny', text) FROM reviews ORDER BY id LIMIT (SELECT count(*) FROM shops)
SELECT id, embed('tiny', text) FROM reviews ORDER BY (SELECT city FROM shops s WHERE s.shop = reviews.shop), id LIMIT 5
SELECT *, embed('tiny', text) AS e FROM reviews ORDER BY 1 DESC LIMIT 2
SELECT *, embed('tiny', text) AS e FROM reviews ORDER BY text, id LIMIT 2

-- GROUP BY, HAVING, aggregates
SELECT shop, count(embed('tiny', text)) FROM reviews GROUP BY shop ORDER BY shop
SELECT shop, count(*) , max(embed('tiny', text)[1]) AS m FROM reviews GROUP BY shop HAVING max(embed('tiny', text)[1]) > 2 ORDER BY m, shop
SELECT shop, avg(embed('tiny', text)[1]) AS m FROM reviews GROUP BY ALL ORDER BY ALL
SELECT embed('tiny', text) AS e, count(*) AS n FROM reviews GROUP BY e ORDER BY n DESC, e
SELECT embed('tiny', text) AS e, count(*) AS n FROM reviews GROUP BY 1 ORDER BY 2 DESC, 1
SELECT embed('tiny', text) AS e, count(*) FROM reviews GROUP BY embed('tiny', text) ORDER BY ALL
SELECT embed('tiny', text)[1] AS e, sum(id) FROM reviews GROUP BY ALL ORDER BY 1
SELECT text, embed('tiny', text) AS e, count(*) FROM reviews GROUP BY text ORDER BY text
SELECT text, embed('tiny', text) AS e FROM reviews GROUP BY text ORDER BY text LIMIT 2
SELECT upper(text) AS u, embed('tiny', u) AS e FROM reviews GROUP BY upper(text) ORDER BY 1
SELECT sum(embed('tiny', text)[1]), min(id) FROM reviews
SELECT sum(embed('tiny', text)[1]) FILTER (WHERE stars > 3) AS f, count(*) FILTER (embed('tiny', text) IS NULL) FROM reviews
SELECT list(embed('tiny', text) ORDER BY id DESC) AS l FROM reviews
SELECT arg_max(id, embed('tiny', text)[1]), first(embed('tiny', text) ORDER BY id) FROM reviews
SELECT shop, sum(embed('tiny', text)[1]) FROM reviews GROUP BY ROLLUP (shop) ORDER BY ALL
SELECT shop, stars, sum(embed('tiny', text)[1]) FROM reviews GROUP BY GROUPING SETS ((shop), (stars), ()) ORDER BY ALL
SELECT shop, stars, sum(embed('tiny', text)[1]), grouping(shop) FROM reviews GROUP BY CUBE (shop, stars) ORDER BY ALL
SELECT count(DISTINCT embed('tiny', text)) FROM reviews
SELECT string_agg(text, ';' ORDER BY id) AS t, sum(embed('tiny', text)[1]) FROM reviews
SELECT sum(embed('tiny', text)[1]) FROM reviews LIMIT 1
SELECT count(*) FROM reviews HAVING sum(embed('tiny', text)[1]) > 0
SELECT avg(embed('tiny', text)[1]) + count(*) AS z FROM reviews GROUP BY shop ORDER BY z LIMIT 2

-- DISTINCT
SELECT DISTINCT embed('tiny', text) AS e FROM reviews ORDER BY e
SELECT DISTINCT embed('tiny', text) AS e FROM reviews ORDER BY e LIMIT 3
SELECT DISTINCT ON (shop) shop, id, embed('tiny', text) AS e FROM reviews ORDER BY shop, id DESC
SELECT DISTINCT ON (embed('tiny', text)) id, embed('tiny', text) AS e FROM reviews ORDER BY embed('tiny', text), id

-- windows and QUALIFY
SELECT id, rank() OVER (ORDER BY embed('tiny', text)[1]) AS r FROM reviews ORDER BY id
SELECT id, row_number() OVER (PARTITION BY shop ORDER BY embed('tiny', text)[1] DESC, id) AS r FROM reviews QUALIFY r = 1 ORDER BY id
SELECT id, embed('tiny', text) AS e FROM reviews QUALIFY row_number() OVER (PARTITION BY shop ORDER BY id) = 1 ORDER BY id
SELECT id, sum(embed('tiny', text)[1]) OVER w AS s FROM reviews WINDOW w AS (PARTITION BY shop ORDER BY id) ORDER BY id
SELECT id, lag(embed('tiny', text)) OVER (ORDER BY id) AS p FROM reviews ORDER BY id LIMIT 3
SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s, embed('tiny', text) FROM reviews ORDER BY id LIMIT 3
SELECT id, embed('tiny', text) AS e, count(*) OVER () AS n FROM reviews ORDER BY id LIMIT 3
SELECT id, avg(embed('tiny', text)[1]) OVER w1, max(id) OVER w2 FROM reviews WINDOW w1 AS (ORDER BY id), w2 AS (PARTITION BY embed('tiny', text)) ORDER BY id

-- joins
SELECT r.id, s.city, embed('tiny', r.text) AS e FROM reviews r JOIN shops s ON r.shop = s.shop ORDER BY r.id
SELECT id, city, embed('tiny', r.text) AS a, embed('tiny', s.text) AS b FROM reviews r LEFT JOIN shops s USING (shop) ORDER BY id
SELECT *, embed('tiny', r.text) AS a FROM reviews r LEFT JOIN shops s USING (shop) ORDER BY id
SELECT r.*, s.city, embed('tiny', r.text) AS a FROM reviews r RIGHT JOIN shops s USING (shop) ORDER BY id, city
SELECT *, embed('tiny', r.text) AS a FROM reviews r FULL JOIN shops s ON r.shop = s.shop ORDER BY ALL
SELECT shop, embed('tiny', city) AS a FROM reviews NATURAL JOIN (SELECT shop, city FROM shops) ORDER BY shop, id
SELECT r.id, s.shop FROM reviews r JOIN shops s ON embed('tiny', r.text) = embed('tiny', s.text) ORDER BY r.id, s.shop
SELECT r.id, s.shop FROM reviews r JOIN shops s ON r.shop = s.shop AND embed('tiny', r.text)[1] > 3 ORDER BY r.id, s.shop
SELECT r.id, s.shop, dot(embed('tiny', r.text), embed('tiny', s.text)) AS d FROM reviews r, shops s ORDER BY d DESC NULLS LAST, r.id, s.shop LIMIT 5
SELECT r.id, s.shop, dot(embed('tiny', r.text), embed('tiny', s.text)) AS d FROM reviews r CROSS JOIN shops s WHERE s.city IS NOT NULL ORDER BY r.id, s.shop
SELECT r.id, embed('tiny', r.text) AS e FROM reviews r SEMI JOIN shops s ON r.text = s.text ORDER BY r.id
SELECT r.id, embed('tiny', r.text) AS e FROM reviews r ANTI JOIN shops s ON r.text = s.text ORDER BY r.id
SELECT a.id, b.id, embed('tiny', a.text) FROM reviews a JOIN reviews b ON a.id + 1 = b.id ORDER BY a.id
SELECT a.id AS x, b.id AS y FROM reviews a ASOF JOIN reviews b ON a.id > b.id WHERE embed('tiny', a.text)[1] > 2 ORDER BY 1
SELECT r.id, l.w, embed('tiny', l.w) AS e FROM reviews r, LATERAL (SELECT upper(r.text) AS w) l ORDER BY r.id
SELECT r.id, w, embed('tiny', w) AS e FROM reviews r, unnest(string_split(r.text, ' ')) u(w) WHERE r.id IN (1,7) ORDER BY r.id, w
SELECT id, unnest(['a','b']) AS t, embed('tiny', text) AS e FROM reviews ORDER BY id, t
SELECT id, unnest(['a','b']) AS t, embed('tiny', text) AS e FROM reviews ORDER BY id, t LIMIT 3
SELECT embed('tiny', unnest(['a','b'])) AS e FROM shops
SELECT r.id, embed('tiny', r.text) FROM reviews r POSITIONAL JOIN shops s ORDER BY r.id

-- subqueries
SELECT id FROM reviews WHERE embed('tiny', text)[1] = (SELECT max(embed('tiny', text)[1]) FROM reviews) ORDER BY id
SELECT (SELECT embed('tiny', text)[1] FROM shops WHERE shop = 'x') AS s
SELECT id, (SELECT max(city) FROM shops) AS c, embed('tiny', text) FROM reviews ORDER BY id
SELECT id, (SELECT city FROM shops s WHERE s.shop = r.shop) AS c, embed('tiny', text) FROM reviews r ORDER BY id
SELECT id FROM reviews r WHERE EXISTS (SELECT 1 FROM shops s WHERE s.shop = r.shop) AND embed('tiny', text)[1] > 1 ORDER BY id
SELECT id, embed('tiny', text) FROM reviews r WHERE EXISTS (SELECT 1 FROM shops s WHERE s.shop = r.shop AND s.city = 'Ulm') ORDER BY id
SELECT id, embed('tiny', text) FROM reviews WHERE shop IN (SELECT shop FROM shops WHERE city IS NOT NULL) ORDER BY id
SELECT id, embed('tiny', text) FROM reviews WHERE shop NOT IN (SELECT shop FROM shops WHERE city = 'Ulm') ORDER BY id
SELECT id, embed('tiny', text)[1] + (SELECT count(*) FROM shops) AS z FROM reviews ORDER BY id
SELECT id, embed('tiny', text)[1] > (SELECT count(*) FROM shops s WHERE s.shop = reviews.shop) AS z FROM reviews ORDER BY id
SELECT id, shop IN (SELECT shop FROM shops) AS known, embed('tiny', text) FROM reviews ORDER BY id
SELECT id, exists(SELECT 1 FROM shops s WHERE s.text = reviews.text) AS known, embed('tiny', text) FROM reviews ORDER BY id
SELECT id, reviews.text IN (SELECT s.text FROM shops s WHERE s.shop <> reviews.shop) AS known, embed('tiny', text) FROM reviews ORDER BY id
SELECT * FROM (SELECT id, embed('tiny', text) AS e FROM reviews) WHERE e[1] > 3 ORDER BY id
SELECT max(e[1]) FROM (SELECT embed('tiny', text) AS e FROM reviews) q
SELECT q.e, s.city FROM (SELECT shop, embed('tiny', text) AS e FROM reviews) q JOIN shops s USING (shop) ORDER BY ALL
SELECT id, embed('tiny', u) FROM (SELECT id, upper(text) AS u FROM reviews WHERE stars > 3) ORDER BY id
SELECT id, embed('tiny', (SELECT max(shop) FROM shops)) AS e FROM reviews ORDER BY id
SELECT id, embed('tiny', (SELECT s.text FROM shops s WHERE s.shop = reviews.shop)) AS e FROM reviews ORDER BY id
SELECT embed('tiny', (SELECT max(shop) FROM shops WHERE city IS NOT NULL)) AS e
SELECT s.shop, (SELECT max(embed('tiny', r.text)[1]) FROM reviews r WHERE r.shop = 'x') AS m FROM shops s ORDER BY 1
SELECT ARRAY(SELECT embed('tiny', text)[1] FROM reviews ORDER BY id) AS a
SELECT id FROM reviews WHERE id IN (SELECT id FROM reviews WHERE embed('tiny', text)[1] > 3 ORDER BY id LIMIT 2) ORDER BY id

-- CTEs
WITH v AS (SELECT id, embed('tiny', text) AS e FROM reviews) SELECT * FROM v ORDER BY id
WITH v AS (SELECT id, embed('tiny', text) AS e FROM reviews) SELECT a.id, b.id, dot(a.e, b.e) AS d FROM v a, v b WHERE a.id < b.id ORDER BY ALL
WITH v AS MATERIALIZED (SELECT id, embed('tiny', text) AS e FROM reviews) SELECT e FROM v ORDER BY id
WITH r AS (SELECT * FROM reviews WHERE stars > 3) SELECT id, embed('tiny', text) FROM r ORDER BY id
WITH r AS (SELECT * FROM reviews WHERE stars > 3), s AS (SELECT id, embed('tiny', text) AS e FROM r) SELECT id, e FROM s WHERE e[1] > 2 ORDER BY id
WITH reviews AS (SELECT 1 AS id, 'a' AS text) SELECT id, embed('tiny', text) FROM reviews
WITH r AS (SELECT 'a' AS text) SELECT * FROM (WITH r AS (SELECT 'b' AS text) SELECT embed('tiny', text) AS e FROM r) q, r
WITH r AS (SELECT 'a' AS text) SELECT embed('tiny', text) AS e, (WITH r AS (SELECT 'b' AS text) SELECT max(embed('tiny', text)[1]) FROM r) AS m FROM r
WITH r(t) AS (SELECT text FROM reviews) SELECT embed('tiny', t) FROM r
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, embed('tiny', i::VARCHAR) FROM n ORDER BY i
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5), v AS (SELECT i, embed('tiny', i::VARCHAR) AS e FROM n) SELECT * FROM v ORDER BY i
WITH RECURSIVE v AS (SELECT embed('tiny', text) AS e FROM reviews), n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, e FROM v, n ORDER BY ALL
WITH a AS (WITH b AS (SELECT embed('tiny', text) AS e, id FROM reviews) SELECT * FROM b WHERE id < 4) SELECT * FROM a ORDER BY id
WITH v AS (SELECT embed('tiny', text) AS e FROM reviews UNION ALL SELECT embed('tiny', text) FROM shops) SELECT count(*), count(e) FROM v
WITH x AS (SELECT 1) SELECT embed('tiny', 'a')
WITH q AS (SELECT embed('tiny', 'light') AS v) SELECT id, cosine(embed('tiny', text), q.v) AS s FROM reviews, q ORDER BY s DESC NULLS LAST, id
WITH q AS (SELECT embed('tiny', 'light') AS v) SELECT id, cosine(embed('tiny', text), (SELECT v FROM q)) AS s FROM reviews ORDER BY s DESC NULLS LAST, id

-- set operations
SELECT embed('tiny', text) AS e FROM reviews UNION ALL SELECT embed('tiny', text) FROM shops
SELECT embed('tiny', text) AS e FROM reviews UNION SELECT embed('tiny', text) FROM shops ORDER BY e
SELECT embed('tiny', text) AS e FROM reviews EXCEPT SELECT embed('tiny', text) FROM shops ORDER BY e
SELECT embed('tiny', text) AS e FROM reviews INTERSECT SELECT embed('tiny', text) FROM shops ORDER BY e
SELECT embed('tiny', text) AS e FROM reviews INTERSECT ALL SELECT embed('tiny', text) FROM shops ORDER BY e
SELECT id, embed('tiny', text) AS e FROM reviews UNION ALL BY NAME SELECT embed('tiny', text) AS e, city FROM shops ORDER BY ALL
(SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY id LIMIT 2) UNION ALL (SELECT id, embed('tiny', text) FROM reviews ORDER BY id DESC LIMIT 2) ORDER BY 1
SELECT embed('tiny', text) AS e FROM reviews UNION ALL SELECT NULL LIMIT 3
SELECT id, embed('tiny', text) AS e FROM (SELECT 1 AS id, 'a' AS text UNION ALL SELECT 2, 'b') ORDER BY id

-- empty tables
SELECT id, embed('tiny', text) FROM empty
SELECT *, embed('tiny', text) AS e, embed('other', text) AS o FROM empty
SELECT count(embed('tiny', text)), sum(embed('tiny', text)[1]) FROM empty
SELECT id, embed('tiny', text) FROM empty UNION ALL SELECT id, embed('tiny', text) FROM reviews
SELECT r.id, embed('tiny', e.text) FROM reviews r LEFT JOIN empty e USING (id) ORDER BY 1

-- odd identifiers
SELECT "Wei""rd col", embed('tiny', "Wei""rd col") FROM "Odd one"
SELECT *, embed('tiny', "Wei""rd col") AS "sel ect" FROM "Odd one" ORDER BY "select" DESC
SELECT vector_1, column_1, star_0, embed('tiny', column_1) FROM "Odd one"
SELECT *, vector_1 + star_0, embed('tiny', column_1) FROM "Odd one"
SELECT o."select" AS "FROM", embed('tiny', o.column_1) AS "embed" FROM "Odd one" o ORDER BY "FROM" DESC
SELECT ID, embed('tiny', TEXT) AS E FROM Reviews WHERE e IS NOT NULL ORDER BY Id
SELECT id AS "vector_1", embed('tiny', text) AS "column_1" FROM reviews ORDER BY "vector_1" DESC
SELECT id AS x, embed('tiny', text) AS x FROM reviews
SELECT text, text, embed('tiny', text) FROM reviews
SELECT e: embed('tiny', text), i: id FROM reviews

-- everything else
SELECT r.rowid, embed('tiny', text) FROM (SELECT text, row_number() OVER () AS rowid FROM reviews) r
SELECT * FROM (SELECT shop, stars, embed('tiny', text)[1] AS e FROM reviews) PIVOT (max(e) FOR shop IN ('x','y')) ORDER BY ALL
PIVOT (SELECT shop, embed('tiny', text)[1] AS e FROM reviews) ON shop USING sum(e)
SELECT id, embed('tiny', text) FROM reviews FETCH FIRST 2 ROWS ONLY
SELECT id, try(embed('tiny', text)) FROM reviews
SELECT struct_pack(v := embed('tiny', text)) FROM reviews
SELECT id, embed('tiny', text) AS e, e[1] AS f, f + 1 AS g FROM reviews WHERE g > 3 ORDER BY g, id
SELECT date '2020-01-01' + id::INT AS d, embed('tiny', text) FROM reviews
SELECT id // 2, id % 3, id ** 2, embed('tiny', text), -id, +id, 1e3, 0.1, 1_000 FROM reviews
SELECT id, embed('tiny', text) FROM reviews WHERE text SIMILAR TO 'the.*' OR text ~ 'a.*' OR text GLOB '*b'
SELECT [x * 2 for x in embed('tiny', text)] AS l FROM reviews
SELECT embed('tiny', text) FROM reviews r ORDER BY r.stars IS NULL, r.stars DESC, r.id
SELECT INTERVAL 3 DAY, embed('tiny', text) FROM reviews
SELECT id, extract(year FROM DATE '2020-02-03'), embed('tiny', text) FROM reviews
SELECT MAP {'a': embed('tiny', text)} AS m FROM reviews
SELECT id, embed('tiny', text) FROM reviews WHERE (id, stars) IN ((1,5),(2,4))
SELECT id, embed('tiny', text) FROM main.reviews
SELECT id, embed('tiny', reviews.text) FROM main.reviews
SELECT id, embed('tiny', main.reviews.text) FROM main.reviews
SELECT id IS DISTINCT FROM stars, embed('tiny', text) FROM reviews
SELECT id, embed('tiny', text) AS e, FROM reviews
SELECT id, (embed('tiny', text)) AS e FROM reviews;
SELECT s.a, embed('tiny', s.t) FROM (SELECT {'a': id, 't': text} AS s FROM reviews)
SELECT embed('tiny', r.t), r.s.a FROM (SELECT text AS t, {'a': id} AS s FROM reviews) r
SELECT embed('tiny', l[1]) FROM (SELECT [text] AS l FROM reviews)
SELECT embed('tiny', string_split(text, ' ')[1]) FROM reviews WHERE id IN (1,7)
SELECT embed('tiny', text[1:3]) FROM reviews WHERE id IN (1,7)
SELECT embed('tiny', trim(text)) FROM reviews WHERE stars=5
SELECT r FROM (SELECT id, embed('tiny', text) AS e FROM reviews) r ORDER BY id
SELECT reviews, embed('tiny', text) FROM reviews
SELECT id, embed('tiny', text) FROM reviews AS reviews(id, s, text, shop)
SELECT id, embed('tiny', text) FROM reviews AS r(id, s, t, text)
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY random() * 0 + id LIMIT 3
SELECT id AS text2, text AS id, embed('tiny', text) AS e FROM reviews ORDER BY text2
SELECT shop AS text, embed('tiny', text) AS e FROM reviews
SELECT shop AS text, embed('tiny', text) AS e FROM reviews GROUP BY reviews.shop, reviews.text ORDER BY ALL
SELECT DISTINCT shop, count(embed('tiny', text)) OVER (PARTITION BY shop) AS n FROM reviews ORDER BY ALL
SELECT id, embed('tiny', text) AS e FROM reviews WHERE id > 1 ORDER BY e[1], id LIMIT 2
DESCRIBE SELECT id, embed('tiny', text) FROM reviews
SUMMARIZE SELECT embed('tiny', text)[1] AS e FROM reviews
SELECT any_value(embed('tiny', text)) FROM reviews WHERE text = 'the cat'
SELECT sum(s) FROM (SELECT unnest(embed('tiny', text)) AS s FROM reviews)
SELECT id, unnest(embed('tiny', text)) AS x FROM reviews ORDER BY id, x LIMIT 5
SELECT t.* FROM (SELECT embed('tiny', text) AS e, id FROM reviews) t ORDER BY id LIMIT 1
SELECT CASE embed('tiny', text)[1] WHEN 1 THEN 'one' ELSE 'many' END AS c FROM reviews
SELECT NULLIF(embed('tiny', text)[1], 6), greatest(embed('tiny', text)[1], embed('tiny', text)[2]) FROM reviews
SELECT if(stars > 3, embed('tiny', text)[1], 0) FROM reviews
SELECT coalesce(stars, embed('tiny', text)[1]) AS c FROM reviews ORDER BY c, id
SELECT id FROM reviews GROUP BY id, embed('tiny', text) HAVING embed('tiny', text)[1] > 3 ORDER BY id
SELECT count(*) FROM reviews GROUP BY embed('tiny', text) ORDER BY 1
TABLE reviews
SELECT id, embed('tiny', text) FROM reviews UNION ALL FROM (SELECT 1 AS a, embed('tiny','a'))

-- more of everything
SELECT id, embed('tiny', text) FROM reviews WHERE embed('tiny', text)[1] > 3 LIMIT 2
SELECT id AS text, embed('tiny', text) AS e FROM reviews
SELECT stars AS s, embed('tiny', text) AS e FROM reviews ORDER BY s + id, id LIMIT 3
SELECT upper(shop) AS shop, count(embed('tiny', text)) AS n FROM reviews GROUP BY shop ORDER BY ALL
SELECT upper(shop) AS u, count(embed('tiny', text)) AS n FROM reviews GROUP BY u ORDER BY ALL
SELECT upper(shop) AS u, count(embed('tiny', text)) AS n FROM reviews GROUP BY u HAVING n > 2 AND u = 'X' ORDER BY ALL
SELECT id, embed('tiny', text)[1] AS x, rank() OVER (ORDER BY x, id) AS r FROM reviews QUALIFY r < 4 AND x > 1 ORDER BY r
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY row_number() OVER (ORDER BY stars DESC, id) LIMIT 3
SELECT r.shop, s.shop, embed('tiny', r.text) AS e FROM reviews r LEFT JOIN shops s USING (shop) ORDER BY r.id
SELECT r.shop, s.shop, shop, embed('tiny', r.text) AS e FROM reviews r FULL JOIN shops s USING (shop) ORDER BY ALL
SELECT *, embed('tiny', a.text) AS e FROM reviews a JOIN reviews b ON a.id = b.id ORDER BY a.id
SELECT a.*, b.*, embed('tiny', a.text) AS e FROM reviews a JOIN reviews b ON a.id = b.id + 1 ORDER BY a.id
WITH c AS (SELECT 'a' AS t) SELECT id, (SELECT embed('tiny', t) FROM c) AS e FROM reviews ORDER BY id
WITH c AS (SELECT 'a' AS t) SELECT * FROM (SELECT embed('tiny', t) AS e FROM c) q, c
SELECT id FROM reviews WHERE EXISTS (SELECT 1 FROM shops s WHERE embed('tiny', s.text)[1] > 3) ORDER BY id
SELECT (SELECT count(*) FROM reviews q WHERE q.stars > r.stars) AS better, embed('tiny', r.text) AS e FROM reviews r ORDER BY better, id LIMIT 3
SELECT embed('tiny', text) e FROM reviews ORDER BY e LIMIT 2
SELECT embed('other', text) AS o FROM (SELECT id, text, embed('tiny', text) AS e FROM reviews) WHERE e[1] > 3 ORDER BY id
SELECT embed('tiny', text) AS e FROM (SELECT text FROM reviews UNION ALL SELECT text FROM shops) ORDER BY e
SELECT any_value(id ORDER BY id) AS i, embed('tiny', text) AS e FROM reviews GROUP BY text ORDER BY embed('tiny', text)[1], i
SELECT text, count(*) AS n FROM reviews GROUP BY text HAVING embed('tiny', text)[1] > 3 ORDER BY text
SELECT text || '!' AS t, embed('tiny', text) AS e FROM reviews GROUP BY text, text || '!' ORDER BY t
SELECT sum(x) FROM (SELECT embed('tiny', text)[1] AS x FROM reviews LIMIT 3)
SELECT max(embed('tiny', text)[1]) OVER () AS m, min(id) AS i FROM reviews GROUP BY text ORDER BY ALL
SELECT sum(embed('tiny', text)[1]) OVER (ORDER BY text) AS m, text FROM reviews GROUP BY text ORDER BY text
SELECT sum(count(embed('tiny', text))) OVER () AS m, text FROM reviews GROUP BY text ORDER BY text
SELECT x.id FROM reviews x WHERE (SELECT embed('tiny', 'a'))[1] > 3 ORDER BY id
SELECT text, embed('tiny', text)[1] + count(*) AS z FROM reviews GROUP BY text ORDER BY z, text
SELECT text, embed('tiny', text) AS e FROM reviews GROUP BY ALL ORDER BY text
SELECT shop, text, embed('tiny', text) AS e FROM reviews GROUP BY 1, 2 ORDER BY 1, 2
SELECT shop, (SELECT max(city) FROM shops s WHERE s.shop = r.shop) AS c, count(embed('tiny', text)) AS n FROM reviews r GROUP BY shop ORDER BY shop
SELECT count(*) FROM reviews r WHERE embed('tiny', text)[1] > (SELECT avg(stars) FROM reviews q WHERE q.shop = r.shop)
SELECT id FROM reviews r WHERE embed('tiny', text)[1] > 3 AND id IN (SELECT id FROM reviews q WHERE q.shop = r.shop) ORDER BY id
SELECT id, embed('tiny', text) AS e FROM reviews WHERE stars > (SELECT avg(stars) FROM reviews) ORDER BY id
WITH a AS (SELECT id, embed('tiny', text) AS e FROM reviews), b AS (SELECT a.id, e, text FROM a JOIN reviews USING (id)) SELECT id, e = embed('tiny', text) AS same FROM b ORDER BY id
WITH a AS (SELECT id, text FROM reviews WHERE embed('tiny', text)[1] > 3) SELECT id, embed('other', text) FROM a ORDER BY id
SELECT id, embed('tiny', text) AS e FROM (SELECT * FROM reviews ORDER BY id DESC LIMIT 3) ORDER BY id
SELECT id, embed('tiny', text) AS e FROM (FROM reviews WHERE stars = 5) q
SELECT * FROM (SELECT id, embed('tiny', text) AS e FROM reviews) a JOIN (SELECT shop, embed('tiny', text) AS f FROM shops) b ON a.e = b.f ORDER BY ALL
SELECT a.id FROM reviews a WHERE EXISTS (SELECT 1 FROM shops b WHERE b.shop = a.shop) AND NOT EXISTS (SELECT 1 FROM shops b WHERE b.text = a.text) AND embed('tiny', a.text) IS NOT NULL ORDER BY 1
SELECT CASE WHEN id IN (SELECT 3) THEN NULL ELSE embed('tiny', text) END AS e FROM reviews
SELECT id, CASE WHEN EXISTS (SELECT 1 FROM shops s WHERE s.shop = reviews.shop) THEN embed('tiny', text)[1] ELSE 0 END AS e FROM reviews
SELECT id % 2 AS odd, list(id ORDER BY embed('tiny', text)[1], id) AS ids FROM reviews GROUP BY odd ORDER BY odd
SELECT id % 2 AS odd, max(embed('tiny', text)[1]) AS m FROM reviews GROUP BY ALL HAVING m > 0 ORDER BY odd
SELECT first_value(embed('tiny', text)) OVER (PARTITION BY shop ORDER BY id) AS f FROM reviews ORDER BY id
SELECT id, ntile(3) OVER (ORDER BY embed('tiny', text)) AS n FROM reviews ORDER BY id
SELECT DISTINCT ON (shop) shop, embed('tiny', text)[1] AS x FROM reviews ORDER BY shop, x DESC
SELECT DISTINCT embed('tiny', text)[1] > 5 AS big FROM reviews ORDER BY big
SELECT DISTINCT shop, embed('tiny', text)[1] AS e FROM reviews ORDER BY shop, e LIMIT 4 OFFSET 1
SELECT id, embed('tiny', text) FROM reviews WHERE id = 1 UNION ALL SELECT id, embed('tiny', text) FROM reviews WHERE id = 2 UNION ALL SELECT 3, NULL
SELECT id, embed('tiny', text) FROM reviews WHERE text = 'the cat' AND stars = 5 OR id = 2
SELECT id, embed('tiny', text) FROM reviews WHERE (stars = 5 AND embed('tiny', text)[1] > 3) OR id = 2
SELECT t.id, embed('tiny', t.text) FROM reviews AS t WHERE t.text IS NOT NULL AND t.id BETWEEN 2 AND 6 ORDER BY t.id DESC
SELECT id + 1 AS id, embed('tiny', text) AS e FROM reviews WHERE id > 6
SELECT id AS a, a + 1 AS b, b * 2 AS c, embed('tiny', text) AS e FROM reviews
SELECT lower(text) AS t, embed('tiny', t) AS e, embed('tiny', upper(t)) AS f FROM reviews WHERE t <> ''
SELECT 'a' AS t, embed('tiny', t) AS e
SELECT 'a' AS t, embed('tiny', t) AS e FROM reviews LIMIT 2
SELECT embed('tiny', text) AS "a b", "a b"[1] AS "c""d" FROM reviews
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY e IS NULL, e[1] DESC, id LIMIT 4
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY CASE WHEN stars IS NULL THEN 0 ELSE stars END, id LIMIT 4
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY shop NULLS FIRST, id DESC LIMIT 4
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY shop ASC NULLS LAST, id LIMIT 4
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY shop DESC NULLS FIRST, id LIMIT 4
SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY text COLLATE NOCASE, id LIMIT 4
SELECT reviews.*, embed('tiny', text) AS e FROM reviews JOIN (SELECT 1 AS one) ON true WHERE one = 1
SELECT * EXCLUDE (text) FROM (SELECT *, embed('tiny', text) AS e FROM reviews) ORDER BY id
SELECT COLUMNS(lambda c: c LIKE 'i%'), embed('tiny', text) AS e FROM reviews
SELECT * NOT LIKE 's%', embed('tiny', text) AS e FROM reviews
SELECT * SIMILAR TO 's.*', embed('tiny', text) AS e FROM reviews
SELECT * ILIKE 'S%', embed('tiny', text) AS e FROM reviews
SELECT *, embed('tiny', text) AS e FROM reviews r SEMI JOIN shops s USING (shop)
SELECT r.shop, count(embed('tiny', text)) AS n FROM reviews r JOIN (SELECT shop AS sh FROM shops) s ON r.shop = s.sh GROUP BY shop ORDER BY 1
SELECT embed('tiny', text) AS e, list(id ORDER BY id) AS ids FROM reviews GROUP BY embed('tiny', text) ORDER BY ids
SELECT embed('tiny', shop) AS e, embed('tiny', text) AS f FROM reviews
SELECT embed('tiny', shop) AS e, count(*) AS n FROM reviews GROUP BY shop ORDER BY shop
SELECT embed('tiny', coalesce(r.text, s.text)) AS e FROM reviews r LEFT JOIN shops s ON r.shop = s.shop ORDER BY r.id
SELECT embed('tiny@1', text) AS e FROM reviews
SELECT id, embed('tiny', text) AS e FROM range(3) t(id), (SELECT 'a' AS text)
SELECT embed('tiny', i::VARCHAR) AS e FROM range(1, 4) r(i)
SELECT embed('tiny', i::VARCHAR) AS e FROM generate_series(1, 3) r(i)
SELECT s.e[1] FROM (SELECT {'e': embed('tiny', text)} AS s FROM reviews)
SELECT id FROM reviews WHERE list_contains([1.0::FLOAT, 6, 9], embed('tiny', text)[1]) ORDER BY id
SELECT id, list_filter(embed('tiny', text), lambda v: v > stars) AS l FROM reviews ORDER BY id
SELECT id, list_reduce(embed('tiny', text), lambda a, b: a + b) AS l FROM reviews WHERE text IS NOT NULL ORDER BY id
SELECT id, array_cosine_similarity(embed('tiny', text), embed('tiny', 'a')) AS c, array_distance(embed('tiny', text), embed('tiny', text)) AS d FROM reviews WHERE text IS NOT NULL
SELECT id, cosine(embed('tiny', text), [1, 2, 3, 4]) AS c FROM reviews WHERE text IS NOT NULL
SELECT id, text IN ('the cat', 'a dog') AS known, embed('tiny', text) FROM reviews
SELECT id, embed('tiny', text) FROM reviews WHERE text NOT IN ('the cat', 'a dog')
SELECT id, embed('tiny', text) FROM reviews WHERE text IN (SELECT embed_text FROM (SELECT 'the cat' AS embed_text))
SELECT max(id) AS m, embed('tiny', 'a') AS e FROM reviews WHERE embed('tiny', text)[1] > 3
SELECT (SELECT embed('tiny', text) FROM reviews WHERE id = 1) = (SELECT embed('tiny', text) FROM reviews WHERE id = 4) AS same
SELECT q.* FROM reviews r JOIN LATERAL (SELECT r.id AS i, upper(r.text) AS u) q ON true WHERE embed('tiny', q.u)[1] > 3 ORDER BY i
SELECT id, $$it's$$ AS s, embed('tiny', text) FROM reviews
SELECT id, stars::VARCHAR || 'x' AS s, CAST(stars AS DOUBLE) / 2 AS h, stars / 2 AS q, stars // 2 AS d, embed('tiny', text) FROM reviews
SELECT id, date_trunc('month', DATE '2024-05-17') AS m, DATE '2024-05-17' - DATE '2024-05-01' AS d, embed('tiny', text) FROM reviews
SELECT id, regexp_replace(text, '[aeiou]', '*', 'g') AS r, regexp_extract(text, '(\w+)', 1) AS x, embed('tiny', text) FROM reviews
SELECT id, strftime(DATE '2024-05-17', '%Y/%m') AS d, embed('tiny', text) FROM reviews
SELECT id, printf('%03d', id) AS p, format('{}-{}', id, shop) AS f, embed('tiny', text) FROM reviews
SELECT id, concat_ws('-', shop, stars) AS c, split_part(text, ' ', 2) AS p, length(text) AS n, strlen(text) AS b, embed('tiny', text) FROM reviews
SELECT id, hash(text) AS h, md5(text) AS m, embed('tiny', text) FROM reviews
SELECT id, list_sort([3, 1, 2]) AS l, {'a': 1, 'b': [1]} AS s, map(['k'], [1]) AS m, embed('tiny', text) FROM reviews
SELECT id, greatest(id, stars) AS g, least(id, stars) AS l, nullif(stars, 5) AS n, ifnull(stars, 0) AS i, embed('tiny', text) FROM reviews
SELECT id, text ^@ 'the' AS p, starts_with(text, 'a') AS s, text LIKE '%\%%' ESCAPE '\' AS l, embed('tiny', text) FROM reviews
SELECT id, stars & 1 AS a, stars | 8 AS o, xor(stars, 1) AS x, ~stars AS n, stars << 1 AS sh, embed('tiny', text) FROM reviews
SELECT id, median(stars) OVER () AS m, quantile_cont(stars, 0.5) OVER () AS q, embed('tiny', text) FROM reviews
SELECT shop, bool_and(embed('tiny', text)[1] > 3) AS b, histogram(embed('tiny', text)[1]::INT) AS h, approx_count_distinct(id) AS a FROM reviews GROUP BY shop ORDER BY shop
SELECT shop, arg_min(text, embed('tiny', text)[1]) AS t, max_by(id, embed('tiny', text)[1]) AS m, list_sort(array_agg(embed('tiny', text)[1])) AS l FROM reviews GROUP BY shop ORDER BY shop
SELECT json_object('id', id) AS j, to_json(embed('tiny', text)) AS k FROM reviews
SELECT id, '{"a": 1}'::JSON -> 'a' AS j, '{"a": 1}'::JSON ->> '$.a' AS k, embed('tiny', text) FROM reviews
SELECT id, epoch_ms(0) AS t, make_date(2024, 1, 2) AS d, age(TIMESTAMP '2024-01-02', TIMESTAMP '2023-01-01') AS a, embed('tiny', text) FROM reviews
SELECT id, TIMESTAMP '2024-01-02 03:04:05' AT TIME ZONE 'UTC' AS t, embed('tiny', text) FROM reviews
SELECT id, trim(BOTH ' ' FROM text) AS a, position('c' IN text) AS p, substring(text FROM 2 FOR 3) AS s, overlay FROM (SELECT id, text, embed('tiny', text) AS overlay FROM reviews)
SELECT id, log(100) AS a, ln(2.0) AS b, log2(8) AS c, log10(10) AS d, log(2, 8) AS e, embed('tiny', text) FROM reviews
SELECT id, date_diff('day', DATE '2024-01-01', DATE '2024-02-01') AS a, datesub('month', DATE '2024-01-01', DATE '2024-03-01') AS b, date_part('year', DATE '2024-01-01') AS c, embed('tiny', text) FROM reviews
SELECT id, DATE '2024-01-31' + INTERVAL 1 MONTH AS a, DATE '2024-01-01' + 3 AS b, INTERVAL '1 day 2 hours' AS c, to_days(3) AS d, embed('tiny', text) FROM reviews
SELECT id, array_length([1, 2]) AS a, len('abc') AS b, list_slice([1, 2, 3], 1, 2) AS c, [1, 2, 3][-1] AS d, list_concat([1], [2]) AS e, embed('tiny', text) FROM reviews
SELECT id, string_split('a,b', ',') AS a, list_aggregate([1, 2], 'sum') AS b, flatten([[1], [2]]) AS c, range(3) AS d, embed('tiny', text) FROM reviews
SELECT id, typeof(embed('tiny', text)) AS t, typeof(stars) AS s, pg_typeof(id) AS p, embed('tiny', text) FROM reviews
SELECT id, CAST('1.5' AS DECIMAL(4, 2)) AS d, 1.50 AS e, 1::HUGEINT AS h, 'x'::BLOB AS b, '2024-01-01'::TIMESTAMP AS t, 5::TINYINT AS y, 5::UBIGINT AS u, embed('tiny', text) FROM reviews
SELECT id, NOT stars > 3 AS a, stars IS NOT DISTINCT FROM 5 AS b, stars BETWEEN 2 AND 4 AS c, (stars > 3) IS TRUE AS d, stars <> 3 AND NOT stars = 4 AS e, embed('tiny', text) FROM reviews
SELECT id, - -id AS a, -(-id) AS b, 2 - (3 - 4) AS c, 2 / (3 * 4.0) AS d, (1 + 2) * 3 AS e, NOT (true AND false) AS f, embed('tiny', text) FROM reviews
SELECT id, CASE stars WHEN 5 THEN 'best' WHEN 4 THEN 'good' END AS a, CASE WHEN stars IS NULL THEN 'none' ELSE 'some' END AS b, embed('tiny', text) FROM reviews
SELECT id, ascii('a') AS a, chr(98) AS b, repeat('x', 3) AS c, lpad('5', 3, '0') AS d, reverse('abc') AS e, left('abc', 2) AS f, right('abc', 2) AS g, replace('aba', 'a', 'c') AS h, instr('abc', 'b') AS i, contains('abc', 'b') AS j, embed('tiny', text) FROM reviews
SELECT id, encode('ä') AS a, decode('x'::BLOB) AS b, base64('x'::BLOB) AS c, hex('a') AS d, unicode('ä') AS e, to_base(10, 2) AS f, bin(5) AS g, translate('abc', 'a', 'x') AS h, levenshtein('ab', 'ac') AS i, jaccard('ab', 'ac') AS j, embed('tiny', text) FROM reviews
SELECT id, struct_extract({'a': 1}, 'a') AS a, {'a': {'b': 2}}.a.b AS b, ({'a': 1}).a AS c, map {'x': 1}['x'] AS d, element_at(map {'x': 1}, 'x') AS e, map_keys(map {'x': 1}) AS f, embed('tiny', text) FROM reviews
SELECT id, list_any_value([NULL, 1]) AS a, list_distinct([1, 1]) AS b, list_position([1, 2], 2) AS c, array_to_string(['a', 'b'], '-') AS d, list_zip([1], [2]) AS e, list_has_any([1], [1]) AS f, [1] && [1] AS g, list_intersect([1, 2], [2]) AS h, unpivot_list FROM (SELECT id, embed('tiny', text) AS unpivot_list FROM reviews)
SELECT embed('tiny', text) AS text, count(*) AS n FROM reviews GROUP BY text ORDER BY n DESC, 1
SELECT upper(text) AS text, embed('tiny', text) AS e, count(*) AS n FROM reviews GROUP BY text ORDER BY ALL

-- in any order
SELECT DISTINCT text, embed('tiny', text) AS e FROM reviews
SELECT id, embed('tiny', text) FROM reviews USING SAMPLE 100%
SELECT id, embed('tiny', text) FROM reviews TABLESAMPLE 100%

-- other functions of models
SELECT classify('tiny', text) FROM reviews
SELECT id, classify('tiny', text).label, classify('tiny', text).probability AS p FROM reviews
SELECT (classify('tiny', text)).label AS l, count(*) AS n FROM reviews GROUP BY l ORDER BY l
SELECT classify('tiny', text)['label'] AS l FROM reviews WHERE classify('tiny', text).probability > 3
SELECT classify('tiny', upper(text)).label FROM reviews ORDER BY classify('tiny', text).probability, id LIMIT 3
SELECT classify('tiny', 'a').label, classify('tiny', 'a')
SELECT struct_extract(classify('tiny', text), 'label') FROM reviews
SELECT classify_all('tiny', text)['long'] AS p FROM reviews
SELECT classify_all('tiny', text) FROM reviews
SELECT map_keys(classify_all('tiny', text)), cardinality(classify_all('tiny', text)) FROM reviews
SELECT id, tag('tiny', text) FROM reviews
SELECT id, unnest(tag('tiny', text)) AS span FROM reviews
SELECT id, unnest(tag('tiny', text), recursive := true) FROM reviews WHERE id < 3
SELECT [s.start FOR s IN tag('tiny', text) IF s.start > 2] AS starts FROM reviews
SELECT list_filter(tag('tiny', text), lambda s: s.start > 2 AND s.label != shop) AS late FROM reviews
SELECT len(tag('tiny', text)) AS n, tag('tiny', text)[1].label FROM reviews
SELECT score('tiny', text, shop) FROM reviews
SELECT id, score('tiny', 'query', text) AS score FROM reviews ORDER BY score DESC NULLS LAST, id
SELECT score('tiny', text, 'query') + score('tiny', 'query', text) FROM reviews
SELECT score('tiny', 'a', 'b'), score('tiny', NULL, 'b'), score('tiny', 'a', NULL)
SELECT r.id, s.city, score('tiny', r.text, s.text) AS x FROM reviews r JOIN shops s ON r.shop = s.shop ORDER BY r.id, s.city
SELECT max(score('tiny', text, shop)) AS best, shop FROM reviews GROUP BY shop ORDER BY shop
SELECT id FROM reviews WHERE score('tiny', text, shop) > 500
SELECT id, rank() OVER (ORDER BY score('tiny', text, 'q') DESC) AS r FROM reviews WHERE text IS NOT NULL
SELECT fill_mask('tiny', text) FROM reviews
SELECT fill_mask('tiny', text, top := 2)[1].token FROM reviews
SELECT fill_mask('tiny', text, 1) FROM reviews
SELECT len(fill_mask('tiny', 'a', top => 3))
SELECT embed('tiny', text) AS e, classify('tiny', text).label AS l, score('tiny', text, text) AS s FROM reviews
SELECT score FROM (SELECT id AS score FROM reviews) WHERE score > 3
SELECT tag, score, classify FROM (SELECT id AS tag, stars AS score, shop AS classify FROM reviews)
SELECT classify('tiny', text) FROM empty
SELECT score('tiny', text, text) FROM empty
SELECT "score"('tiny', text, shop), SCORE /* ( */ ('tiny', text, shop) FROM reviews
WITH score (a) AS (SELECT 1) SELECT a, classify FROM score, (VALUES (2)) AS tag (classify)
SELECT count(score) FILTER (WHERE score > 1) AS tag FROM (SELECT stars AS score FROM reviews)
SELECT embed('tiny', text) AS score, s.tag FROM reviews, (SELECT 1 AS tag) s WHERE score('tiny', text, 'a') > 300
SELECT id, classify('tiny', text, shop).label AS pair, classify('tiny', text).label AS single FROM reviews
SELECT classify('tiny', 'a', 'b'), classify('tiny', 'a', NULL) IS NULL
