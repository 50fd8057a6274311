-- postgres: a state with the chunks of its long histories, a line each
CASE t.chunks WHEN 0 THEN t.state ELSE t.state || (
    SELECT string_agg('\x0a'::bytea || h.items, ''::bytea ORDER BY h.history, h.number)
    FROM {v}histories AS h WHERE h.stream = t.stream
) END;

-- sqlite: the same
CASE t.chunks WHEN 0 THEN t.state ELSE CAST(t.state || (
    SELECT group_concat(char(10) || CAST(ordered.items AS TEXT), '') FROM (
        SELECT h.items FROM {v}histories AS h WHERE h.stream = t.stream ORDER BY h.history, h.number
    ) AS ordered
) AS BLOB) END;
