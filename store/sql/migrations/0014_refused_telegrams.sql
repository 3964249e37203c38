-- Frames of stations that brought no values, or not all, with the reason.
CREATE TABLE shikong.refused_telegram (
    journal uuid NOT NULL,
    number bigint NOT NULL,
    received_at timestamptz NOT NULL,
    protocol text NOT NULL,
    peer text NOT NULL,
    station text,
    reason text NOT NULL,
    told text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (journal, number)
);
COMMENT ON COLUMN shikong.refused_telegram.number IS 'in the journal of the receiver';
CREATE INDEX refused_telegram_time ON shikong.refused_telegram (received_at);
CREATE INDEX refused_telegram_station ON shikong.refused_telegram (station, received_at);
