-- The recorded clock is told by releases alone: a row of history names the release that superseded it,
-- and every row the line of the source that it came from.

ALTER TABLE shikong.release
ADD COLUMN kind text NOT NULL DEFAULT 'load' CHECK (kind IN ('load', 'rollback', 'correction')),
ADD COLUMN restores integer REFERENCES shikong.release (id),
ADD COLUMN valid_from timestamptz;

COMMENT ON COLUMN shikong.release.restores IS 'rollback: the release whose state it brings back';
COMMENT ON COLUMN shikong.release.valid_from IS 'since when the delivered snapshot holds, where its rows do not say it';

DO $$
DECLARE
    past record;
    layer text;
BEGIN
    FOR past IN
        SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'data' AND table_name LIKE '%\_\_history' AND column_name = 'recorded_to'
    LOOP
        layer := left(past.table_name, -length('__history'));
        EXECUTE format('ALTER TABLE data.%I ADD COLUMN _source_row bigint', layer);
        EXECUTE format(
            'ALTER TABLE data.%I ADD COLUMN _source_row bigint,'
            ' ADD COLUMN _superseded integer REFERENCES shikong.release (id)', past.table_name
        );
        EXECUTE format(
            'UPDATE data.%I AS h SET _superseded = ('
            ' SELECT min(r.id) FROM shikong.release AS r WHERE r.layer = %L AND r.published_at >= h.recorded_to'
            ') WHERE h.recorded_to IS NOT NULL', past.table_name, layer
        );
        EXECUTE format('ALTER TABLE data.%I DROP COLUMN recorded_from, DROP COLUMN recorded_to', past.table_name);
    END LOOP;
END
$$;
