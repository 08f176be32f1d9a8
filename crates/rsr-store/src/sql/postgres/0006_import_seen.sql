-- What an import has seen so far, by the run it is of. A connection that breaks between two chunks takes nothing of it away.
CREATE TABLE import_seen (
  run        BIGINT NOT NULL,
  project_id BIGINT NOT NULL,
  file       BIGINT NOT NULL,
  is_changed BIGINT NOT NULL,
  PRIMARY KEY (run, project_id)
);
