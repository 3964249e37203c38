-- A release can be a stretch of a live stream. Observations have a quality; those that come live say when they were
-- written, and what a live value supersedes says when that was.
ALTER TABLE shikong.release DROP CONSTRAINT release_kind_check;
ALTER TABLE shikong.release
ADD CONSTRAINT release_kind_check CHECK (kind IN ('load', 'rollback', 'correction', 'edit', 'live'));

DO $$
DECLARE
    layer text;
BEGIN
    FOR layer IN
        SELECT left(table_name, -length('__series')) FROM information_schema.tables
        WHERE table_schema = 'data' AND right(table_name, length('__series')) = '__series'
    LOOP
        EXECUTE format(
            'ALTER TABLE data.%I ADD COLUMN quality smallint NOT NULL DEFAULT 0, ADD COLUMN _recorded timestamptz',
            layer
        );
        EXECUTE format(
            'ALTER TABLE data.%I ADD COLUMN quality smallint NOT NULL DEFAULT 0, ADD COLUMN _recorded timestamptz,'
            ' ADD COLUMN _superseded_at timestamptz',
            layer || '__history'
        );
    END LOOP;
END
$$;
