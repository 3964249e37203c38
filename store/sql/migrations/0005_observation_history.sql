-- Observations are kept when they are corrected or withdrawn, in a table of their own beside what holds now.

DO $$
DECLARE
    found record;
    layer text;
BEGIN
    FOR found IN
        SELECT table_name FROM information_schema.tables
        WHERE table_schema = 'data' AND table_name LIKE '%\_\_series'
    LOOP
        layer := left(found.table_name, -length('__series'));
        EXECUTE format(
            'CREATE TABLE data.%I ('
            ' series integer NOT NULL REFERENCES data.%I (id), time timestamptz NOT NULL,'
            ' value double precision NOT NULL, origin text NOT NULL,'
            ' _release integer NOT NULL REFERENCES shikong.release (id),'
            ' _superseded integer NOT NULL REFERENCES shikong.release (id))',
            layer || '__history', found.table_name
        );
        EXECUTE format('CREATE INDEX %I ON data.%I (series, time)', layer || '__history_time', layer || '__history');
    END LOOP;
END
$$;
