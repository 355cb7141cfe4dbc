-- Counts what there is, then has the planner believe that whatever has rows by the thousand has a hundred thousand: so many
-- that a batch of some hundred is no good part of the table, so few that it is not too large to be hashed whole.
DROP TABLE crowd;
ANALYZE;
SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', relname::text, 'relpages', relpages,
    'reltuples', 100000::real)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples >= 1000;
