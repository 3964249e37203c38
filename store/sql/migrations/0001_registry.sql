-- The registry: what was loaded when and from where, and what was refused.
-- Layer tables live in schema data and are derived from the declarations (store/tables.py).

CREATE EXTENSION IF NOT EXISTS postgis;

CREATE SCHEMA data;
CREATE SCHEMA staging;

CREATE TABLE shikong.release (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer text NOT NULL,
    source text NOT NULL,
    source_sha256 text,
    source_crs text,
    datum_note text,
    origin text NOT NULL CHECK (origin IN ('delivered', 'generated')),
    principal text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows_read bigint NOT NULL,
    rows_stored bigint NOT NULL,
    rows_quarantined bigint NOT NULL,
    added bigint NOT NULL,
    changed bigint NOT NULL,
    ended bigint NOT NULL,
    unchanged bigint NOT NULL,
    current_rows bigint,
    extent double precision [],
    time_from timestamptz,
    time_to timestamptz,
    place text
);

COMMENT ON COLUMN shikong.release.extent IS 'west, south, east, north in EPSG:4490 degrees';
COMMENT ON COLUMN shikong.release.place IS 'rasters and cubes: path below the data folder';

CREATE INDEX release_layer ON shikong.release (layer, id DESC);

CREATE TABLE shikong.quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release_id integer NOT NULL REFERENCES shikong.release (id),
    layer text NOT NULL,
    source_row bigint NOT NULL,
    rule text NOT NULL,
    field text,
    value text,
    record jsonb NOT NULL
);

CREATE INDEX quarantine_release ON shikong.quarantine (release_id);
