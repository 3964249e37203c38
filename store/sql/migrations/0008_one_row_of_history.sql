-- A version whose end became known later is one row of history, where it was two: `_ended` is the release that told the
-- end, and `_held_to` is what `valid_to` was believed to be before. Rows of before stay as they are: two each.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'data' AND table_name LIKE '%\_\_history' AND column_name = 'valid_to'
    LOOP
        EXECUTE format(
            'ALTER TABLE data.%I ADD COLUMN _ended integer, ADD COLUMN _held_to timestamptz', found.table_name
        );
        EXECUTE format('CREATE INDEX %I ON data.%I (_ended)', found.table_name || '_ended', found.table_name);
    END LOOP;
END
$$;
