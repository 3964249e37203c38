-- Who may sign in. Of a token only its digest is kept; it is long and random, so that a plain digest is safe.
CREATE TABLE shikong.account (
    name text PRIMARY KEY CHECK (name <> ''),
    roles text[] NOT NULL CHECK (cardinality(roles) > 0),
    token_sha256 bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
