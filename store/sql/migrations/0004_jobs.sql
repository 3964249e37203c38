-- Jobs: how far each has come. The queue itself (schema procrastinate) belongs to the library; store/queue.py
-- brings it to the shape that the installed version needs, before this step runs.

CREATE TABLE shikong.job_progress (
    job_id bigint PRIMARY KEY REFERENCES procrastinate.procrastinate_jobs (id) ON DELETE CASCADE,
    phase text NOT NULL,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint,
    message text,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON COLUMN shikong.job_progress.rows_total IS 'null when the source cannot tell beforehand';
COMMENT ON COLUMN shikong.job_progress.message IS 'what came of it, or why it failed; nothing secret';
