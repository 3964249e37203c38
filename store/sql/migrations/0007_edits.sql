-- A release can be an edit through the API.

ALTER TABLE shikong.release DROP CONSTRAINT release_kind_check;
ALTER TABLE shikong.release
ADD CONSTRAINT release_kind_check CHECK (kind IN ('load', 'rollback', 'correction', 'edit'));
