-- What the published conflicts between plans were found from: one row a run that found a state of them.
-- rules: digest of the rules and of what cuts. inputs: by layer, the release and the last row number that was seen.
-- result: the newest release of plan_conflicts after the run, its own or, where nothing differed, the one before.
CREATE TABLE shikong.conflict_run (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rules text NOT NULL,
    inputs jsonb NOT NULL,
    seen_at timestamptz NOT NULL,
    whole boolean NOT NULL,
    result integer NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
