-- The first schema. Times are milliseconds since 1970 UTC, dates ISO texts.
-- Columns of type ANY hold hundredths: an integer where 64 bits hold it, else its decimal text. STRICT tables keep
-- both as they are; any other affinity would turn a long text into a float.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organisations (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  ref  TEXT UNIQUE,
  name TEXT NOT NULL DEFAULT '',
  type TEXT NOT NULL DEFAULT ''
) STRICT;

-- linked_parent_id is the parent that the links of imported activities gave last: while they say the same, a parent that
-- was set by hand stands.
-- parent_id is the truth of the tree. It has no foreign key on purpose: data from elsewhere may name a parent that is
-- not stored, and the check must be able to say so.
CREATE TABLE projects (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid                BLOB NOT NULL UNIQUE,
  parent_id           INTEGER,
  iati_identifier     TEXT UNIQUE,
  title               TEXT NOT NULL DEFAULT '',
  title_folded        TEXT NOT NULL DEFAULT '', -- in lower case, for searches
  subtitle            TEXT NOT NULL DEFAULT '',
  activity_status     TEXT NOT NULL DEFAULT '',
  planned_start       TEXT,
  planned_end         TEXT,
  actual_start        TEXT,
  actual_end          TEXT,
  is_published        INTEGER NOT NULL DEFAULT 0,
  is_public           INTEGER NOT NULL DEFAULT 1,
  is_program          INTEGER NOT NULL DEFAULT 0,
  use_project_roles   INTEGER NOT NULL DEFAULT 0,
  aggregate_to_parent INTEGER NOT NULL DEFAULT 1,
  aggregate_children  INTEGER NOT NULL DEFAULT 1,
  organisation_id     INTEGER REFERENCES organisations(id) ON DELETE SET NULL,
  reporting_ref       TEXT,
  default_currency    TEXT NOT NULL DEFAULT '',
  last_updated        TEXT,
  head_xml            TEXT NOT NULL DEFAULT '',
  content_hash        BLOB,
  linked_parent_id    INTEGER,
  created_ms          INTEGER NOT NULL,
  changed_ms          INTEGER NOT NULL
) STRICT;
CREATE INDEX projects_by_parent ON projects (parent_id, id);
CREATE INDEX projects_by_reporting_ref ON projects (reporting_ref, id);

-- Derived from parent_id: depth-first order with gaps, children newest id first. A branch is the places from a
-- project's own to last_place, both inclusive.
CREATE TABLE positions (
  project_id INTEGER PRIMARY KEY REFERENCES projects(id) ON DELETE CASCADE,
  root_id    INTEGER NOT NULL,
  depth      INTEGER NOT NULL,
  place      INTEGER NOT NULL,
  last_place INTEGER NOT NULL
) STRICT;
CREATE INDEX positions_by_place ON positions (root_id, place);

-- One row for each child element of an activity but results: the truth that exports give back. The place sorts them
-- into the order of the 2.03 schema.
CREATE TABLE project_elements (
  project_id      INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place           INTEGER NOT NULL,
  name            TEXT NOT NULL,
  xml             TEXT NOT NULL,
  omitted_because TEXT,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

-- What queries ask for of those elements; (project_id, place) is the element's.
CREATE TABLE participations (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  role       TEXT NOT NULL,
  org_ref    TEXT,
  org_type   TEXT,
  name       TEXT NOT NULL,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE sectors (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  vocabulary TEXT NOT NULL,
  code       TEXT NOT NULL,
  percentage TEXT,
  name       TEXT NOT NULL,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipient_countries (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  code       TEXT NOT NULL,
  percentage TEXT,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE locations (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  name       TEXT NOT NULL,
  country    TEXT,
  pos        TEXT,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE transactions (
  project_id   INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place        INTEGER NOT NULL,
  type         TEXT NOT NULL,
  date         TEXT,
  value        ANY,
  currency     TEXT NOT NULL,
  value_date   TEXT,
  provider_ref TEXT,
  receiver_ref TEXT,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
  project_id   INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place        INTEGER NOT NULL,
  type         TEXT NOT NULL,
  status       TEXT NOT NULL,
  period_start TEXT,
  period_end   TEXT,
  value        ANY,
  currency     TEXT NOT NULL,
  value_date   TEXT,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE planned_disbursements (
  project_id   INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place        INTEGER NOT NULL,
  type         TEXT NOT NULL,
  period_start TEXT,
  period_end   TEXT,
  value        ANY,
  currency     TEXT NOT NULL,
  value_date   TEXT,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  url        TEXT NOT NULL,
  format     TEXT NOT NULL,
  title      TEXT NOT NULL,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE related_activities (
  project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place      INTEGER NOT NULL,
  type       TEXT NOT NULL,
  ref        TEXT NOT NULL,
  PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;
-- Only parents and children link; files hold thousands of siblings.
CREATE INDEX related_by_ref ON related_activities (ref, type, project_id) WHERE type IN ('1', '2');

-- Results. The xml column holds the parts without columns of their own, as the children of the canonical element.
CREATE TABLE results (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id         INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place              INTEGER NOT NULL,
  parent_result_id   INTEGER REFERENCES results(id) ON DELETE SET NULL,
  type               TEXT NOT NULL DEFAULT '',
  title              TEXT NOT NULL DEFAULT '',
  description        TEXT NOT NULL DEFAULT '',
  aggregation_status INTEGER,
  xml                TEXT NOT NULL DEFAULT '',
  omitted_because    TEXT
) STRICT;
CREATE INDEX results_by_project ON results (project_id, place, id);
CREATE INDEX results_by_parent ON results (parent_result_id) WHERE parent_result_id IS NOT NULL;

CREATE TABLE indicators (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  result_id           INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE,
  project_id          INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place               INTEGER NOT NULL,
  parent_indicator_id INTEGER REFERENCES indicators(id) ON DELETE SET NULL,
  kind                INTEGER NOT NULL DEFAULT 1,
  measure             TEXT NOT NULL DEFAULT '',
  is_cumulative       INTEGER NOT NULL DEFAULT 0,
  is_ascending        INTEGER,
  aggregation_status  INTEGER,
  has_scores          INTEGER NOT NULL DEFAULT 0,
  reference           TEXT,
  title               TEXT NOT NULL DEFAULT '',
  description         TEXT NOT NULL DEFAULT '',
  xml                 TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX indicators_by_result ON indicators (result_id, place, id);
CREATE INDEX indicators_by_project ON indicators (project_id, id);
CREATE INDEX indicators_by_parent ON indicators (parent_indicator_id, id) WHERE parent_indicator_id IS NOT NULL;

-- value, numerator and denominator are what stands; is_manual tells whether the manual value or the roll-up gave it.
-- manual_text is the manual value as it was typed, also where it is no number.
CREATE TABLE periods (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  indicator_id       INTEGER NOT NULL REFERENCES indicators(id) ON DELETE CASCADE,
  project_id         INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  place              INTEGER NOT NULL,
  parent_period_id   INTEGER REFERENCES periods(id) ON DELETE SET NULL,
  start_date         TEXT,
  end_date           TEXT,
  target_value       TEXT NOT NULL DEFAULT '',
  value              ANY,
  numerator          ANY,
  denominator        ANY,
  is_manual          INTEGER NOT NULL DEFAULT 0,
  manual_text        TEXT,
  manual_value       ANY,
  manual_numerator   ANY,
  manual_denominator ANY,
  narrative          TEXT NOT NULL DEFAULT '',
  score              INTEGER,
  scores             TEXT NOT NULL DEFAULT '',
  comment            TEXT NOT NULL DEFAULT '',
  xml                TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX periods_by_indicator ON periods (indicator_id, place, id);
CREATE INDEX periods_by_project ON periods (project_id, id);
CREATE UNIQUE INDEX periods_by_parent ON periods (parent_period_id, indicator_id) WHERE parent_period_id IS NOT NULL;

CREATE TABLE dimension_names (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id     INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  parent_name_id INTEGER REFERENCES dimension_names(id) ON DELETE CASCADE,
  name           TEXT NOT NULL,
  UNIQUE (project_id, name)
) STRICT;
CREATE INDEX dimension_names_by_parent ON dimension_names (parent_name_id) WHERE parent_name_id IS NOT NULL;

CREATE TABLE dimension_values (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  name_id         INTEGER NOT NULL REFERENCES dimension_names(id) ON DELETE CASCADE,
  parent_value_id INTEGER REFERENCES dimension_values(id) ON DELETE CASCADE,
  value           TEXT NOT NULL,
  UNIQUE (name_id, value)
) STRICT;
CREATE INDEX dimension_values_by_parent ON dimension_values (parent_value_id) WHERE parent_value_id IS NOT NULL;

CREATE TABLE indicator_dimension_names (
  indicator_id INTEGER NOT NULL REFERENCES indicators(id) ON DELETE CASCADE,
  name_id      INTEGER NOT NULL REFERENCES dimension_names(id) ON DELETE CASCADE,
  PRIMARY KEY (indicator_id, name_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX indicator_dimension_names_by_name ON indicator_dimension_names (name_id);

CREATE TABLE users (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL,
  email      TEXT UNIQUE,
  is_admin   INTEGER NOT NULL DEFAULT 0,
  is_active  INTEGER NOT NULL DEFAULT 1,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE updates (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  period_id   INTEGER NOT NULL REFERENCES periods(id) ON DELETE CASCADE,
  user_id     INTEGER NOT NULL REFERENCES users(id),
  status      TEXT NOT NULL CHECK (status IN ('D', 'P', 'R', 'A')),
  value       ANY,
  numerator   ANY,
  denominator ANY,
  text        TEXT NOT NULL DEFAULT '',
  narrative   TEXT NOT NULL DEFAULT '',
  score       INTEGER,
  scores      TEXT NOT NULL DEFAULT '',
  created_ms  INTEGER NOT NULL,
  changed_ms  INTEGER NOT NULL
) STRICT;
CREATE INDEX updates_by_period ON updates (period_id, id);
CREATE INDEX updates_by_user ON updates (user_id);

CREATE TABLE disaggregations (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  update_id          INTEGER NOT NULL REFERENCES updates(id) ON DELETE CASCADE,
  dimension_value_id INTEGER NOT NULL REFERENCES dimension_values(id) ON DELETE CASCADE,
  value              ANY,
  numerator          ANY,
  denominator        ANY,
  narrative          TEXT NOT NULL DEFAULT '',
  is_incomplete      INTEGER,
  UNIQUE (update_id, dimension_value_id)
) STRICT;
CREATE INDEX disaggregations_by_value ON disaggregations (dimension_value_id);

CREATE TABLE manual_disaggregations (
  period_id          INTEGER NOT NULL REFERENCES periods(id) ON DELETE CASCADE,
  dimension_value_id INTEGER NOT NULL REFERENCES dimension_values(id) ON DELETE CASCADE,
  value              ANY,
  numerator          ANY,
  denominator        ANY,
  PRIMARY KEY (period_id, dimension_value_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX manual_disaggregations_by_value ON manual_disaggregations (dimension_value_id);

CREATE TABLE period_disaggregations (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  period_id          INTEGER NOT NULL REFERENCES periods(id) ON DELETE CASCADE,
  dimension_value_id INTEGER NOT NULL REFERENCES dimension_values(id) ON DELETE CASCADE,
  value              ANY,
  numerator          ANY,
  denominator        ANY,
  is_manual          INTEGER NOT NULL DEFAULT 0,
  UNIQUE (period_id, dimension_value_id)
) STRICT;
CREATE INDEX period_disaggregations_by_value ON period_disaggregations (dimension_value_id);

CREATE TABLE contributions (
  period_disaggregation_id INTEGER NOT NULL REFERENCES period_disaggregations(id) ON DELETE CASCADE,
  project_id               INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
  value                    ANY,
  numerator                ANY,
  denominator              ANY,
  PRIMARY KEY (period_disaggregation_id, project_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contributions_by_project ON contributions (project_id);

CREATE TABLE jobs (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  period_id      INTEGER NOT NULL REFERENCES periods(id) ON DELETE CASCADE,
  root_period_id INTEGER NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('scheduled', 'running', 'finished', 'failed', 'maxxed')),
  attempts       INTEGER NOT NULL DEFAULT 0,
  worker         TEXT,
  lease_until_ms INTEGER,
  run_after_ms   INTEGER NOT NULL DEFAULT 0,
  reason         TEXT,
  created_ms     INTEGER NOT NULL,
  changed_ms     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_one_scheduled ON jobs (period_id) WHERE state = 'scheduled';
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_period ON jobs (period_id);
CREATE INDEX jobs_by_root ON jobs (root_period_id, state);

CREATE TABLE roles (
  user_id         INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  project_id      INTEGER REFERENCES projects(id) ON DELETE CASCADE,
  organisation_id INTEGER REFERENCES organisations(id) ON DELETE CASCADE,
  role            TEXT NOT NULL CHECK (role IN ('admin', 'editor', 'reporter', 'viewer'))
) STRICT;
CREATE INDEX roles_by_user ON roles (user_id);
CREATE INDEX roles_by_project ON roles (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX roles_by_organisation ON roles (organisation_id) WHERE organisation_id IS NOT NULL;

CREATE TABLE tokens (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    INTEGER NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE,
  scope      TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  revoked_ms INTEGER
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id);

CREATE INDEX organisations_by_name ON organisations (name) WHERE ref IS NULL;

CREATE TABLE import_runs (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  started_ms  INTEGER NOT NULL,
  finished_ms INTEGER,
  is_linked   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE import_files (
  run_id    INTEGER NOT NULL REFERENCES import_runs(id) ON DELETE CASCADE,
  file      TEXT NOT NULL,
  n_read    INTEGER NOT NULL,
  n_kept    INTEGER NOT NULL,
  n_skipped INTEGER NOT NULL,
  n_findings INTEGER NOT NULL,
  cut_short TEXT
) STRICT;
CREATE INDEX import_files_by_run ON import_files (run_id);
