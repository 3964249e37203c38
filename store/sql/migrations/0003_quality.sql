-- What each load's checks found, and the rows that they refused: a row of quarantine is a row of the source,
-- whatever the number of rules that it broke.

CREATE TABLE shikong.quality_result (
    release_id integer NOT NULL REFERENCES shikong.release (id),
    rule text NOT NULL,
    field text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('stop', 'error', 'warning')),
    failed bigint NOT NULL,
    unchecked text,
    PRIMARY KEY (release_id, rule, field, severity)
);

COMMENT ON COLUMN shikong.quality_result.unchecked IS 'why the rule could not be checked; null where it was';

CREATE TABLE shikong.finding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release_id integer NOT NULL REFERENCES shikong.release (id),
    source_row bigint,
    key text,
    rule text NOT NULL,
    field text,
    severity text NOT NULL,
    value text,
    geom geometry (Geometry, 4490)
);

CREATE INDEX finding_release ON shikong.finding (release_id, source_row);

INSERT INTO shikong.finding (release_id, source_row, rule, field, severity, value)
SELECT release_id, source_row, rule, field, 'error', value FROM shikong.quarantine;

INSERT INTO shikong.quality_result (release_id, rule, field, severity, failed)
SELECT release_id, rule, coalesce(field, ''), severity, count(*) FROM shikong.finding GROUP BY 1, 2, 3, 4;

DELETE FROM shikong.quarantine AS q USING shikong.quarantine AS earlier
WHERE earlier.release_id = q.release_id AND earlier.source_row = q.source_row AND earlier.id < q.id;

ALTER TABLE shikong.quarantine
DROP COLUMN rule,
DROP COLUMN field,
DROP COLUMN value,
ADD COLUMN geom geometry (Geometry, 4490),
ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resubmitted', 'dismissed')),
ADD COLUMN resolved_by integer REFERENCES shikong.release (id),
ADD COLUMN note text;

COMMENT ON COLUMN shikong.quarantine.record IS 'values by declared field as the source had them, other columns by their own names';
