-- What an import has seen so far, by the run it is of.
CREATE TABLE import_seen (
  run        INTEGER NOT NULL,
  project_id INTEGER NOT NULL,
  file       INTEGER NOT NULL,
  is_changed INTEGER NOT NULL,
  PRIMARY KEY (run, project_id)
) STRICT, WITHOUT ROWID;
