-- Who wants mail about failed aggregations: those with a role in an organisation are its people.
ALTER TABLE users ADD COLUMN wants_aggregation_mail INTEGER NOT NULL DEFAULT 0;

-- Mail to be sent. It is written in the transaction that it tells of, and goes once it was sent or has waited too long.
-- Recipients are one a line.
CREATE TABLE mails (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  recipients      TEXT NOT NULL,
  subject         TEXT NOT NULL,
  body            TEXT NOT NULL,
  attachment_name TEXT,
  attachment      TEXT,
  attempts        INTEGER NOT NULL DEFAULT 0,
  send_after_ms   INTEGER NOT NULL DEFAULT 0,
  created_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_by_time ON mails (send_after_ms, id);

CREATE INDEX jobs_by_change ON jobs (changed_ms, id);
