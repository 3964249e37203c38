-- What a release touched, so that only the tiles of these places are made anew; and tiles for low zooms, in which
-- features are merged.

ALTER TABLE shikong.release ADD COLUMN touched double precision [];

COMMENT ON COLUMN shikong.release.touched IS
'west, south, east and north (EPSG:4490) of what came, went or changed, one box after the other; null: everything';

CREATE TABLE shikong.overview (
    layer text NOT NULL,
    srid integer NOT NULL,
    zoom integer NOT NULL,
    tile_row integer NOT NULL,
    tile_column integer NOT NULL,
    state text NOT NULL,
    cells bytea NOT NULL,
    tile bytea NOT NULL,
    PRIMARY KEY (layer, srid, zoom, tile_row, tile_column)
);

COMMENT ON COLUMN shikong.overview.state IS 'what it was made from; it counts while this is still so';
COMMENT ON COLUMN shikong.overview.cells IS 'deflated: the code of each cell, as its number in the code list';
