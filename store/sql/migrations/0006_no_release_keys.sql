-- The tables of layers name releases without foreign keys: a key costs a look-up for each row that is loaded, a
-- third of the time that filling a table takes, and releases are never deleted.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT conrelid::regclass AS of_table, conname AS name
        FROM pg_constraint
        WHERE contype = 'f'
          AND confrelid = 'shikong.release'::regclass
          AND connamespace = 'data'::regnamespace
          AND coninhcount = 0
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.of_table, found.name);
    END LOOP;
END
$$;
