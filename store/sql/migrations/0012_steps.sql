-- The steps that features of layers with a workflow have taken: who, when, from which state to which, in which release.
CREATE TABLE shikong.step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer text NOT NULL,
    key text NOT NULL,
    step text NOT NULL,
    before text,
    after text NOT NULL,
    principal text NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    release integer NOT NULL,
    note text
);
CREATE INDEX step_of_feature ON shikong.step (layer, key, id);

-- Files that belong to features.
CREATE TABLE shikong.attachment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    layer text NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    size integer NOT NULL,
    sha256 bytea NOT NULL,
    content bytea NOT NULL,
    principal text NOT NULL,
    attached_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
ALTER TABLE shikong.attachment ALTER COLUMN content SET STORAGE EXTERNAL;  -- documents are packed already
CREATE INDEX attachment_of_feature ON shikong.attachment (layer, key, id);

-- Both are written once: what has been done and handed in stays as it was.
CREATE FUNCTION shikong.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is written once and never changed', tg_table_name;
END
$$;
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON shikong.step
FOR EACH STATEMENT EXECUTE FUNCTION shikong.refuse_change();
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON shikong.attachment
FOR EACH STATEMENT EXECUTE FUNCTION shikong.refuse_change();
