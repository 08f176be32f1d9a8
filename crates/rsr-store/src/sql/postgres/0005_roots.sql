-- Each row of a project, and of what hangs on it, says by root_id in which tree it lies: the project at its top. It is part of
-- the keys and of the references to what a row belongs to, so that trees can be spread over servers. Projects that lead round
-- in a circle, and those below them, have the root 0.
--
-- positions is where a project's root is looked up, and what it follows from. Keys without the root stay beside, as unique
-- ones: what is known by its id alone is found by them, and versions before this one name them. A distribution drops them.

-- Every reader begins with this table: whoever waits here holds up none that waits for a table below.
LOCK TABLE meta IN ACCESS EXCLUSIVE MODE;

-- References to keys that change; those to what a row belongs to come back below with the root. That an indicator and a
-- period are of a project that is there follows from their result.
ALTER TABLE positions DROP CONSTRAINT positions_project_id_fkey;
ALTER TABLE results DROP CONSTRAINT results_project_id_fkey, DROP CONSTRAINT results_parent_result_id_fkey;
ALTER TABLE indicators DROP CONSTRAINT indicators_result_id_fkey, DROP CONSTRAINT indicators_project_id_fkey,
  DROP CONSTRAINT indicators_parent_indicator_id_fkey;
ALTER TABLE periods DROP CONSTRAINT periods_indicator_id_fkey, DROP CONSTRAINT periods_project_id_fkey,
  DROP CONSTRAINT periods_parent_period_id_fkey;
ALTER TABLE dimension_names DROP CONSTRAINT dimension_names_project_id_fkey,
  DROP CONSTRAINT dimension_names_parent_name_id_fkey;
ALTER TABLE dimension_values DROP CONSTRAINT dimension_values_name_id_fkey,
  DROP CONSTRAINT dimension_values_parent_value_id_fkey;
ALTER TABLE indicator_dimension_names DROP CONSTRAINT indicator_dimension_names_indicator_id_fkey,
  DROP CONSTRAINT indicator_dimension_names_name_id_fkey;
ALTER TABLE updates DROP CONSTRAINT updates_period_id_fkey;
ALTER TABLE disaggregations DROP CONSTRAINT disaggregations_update_id_fkey,
  DROP CONSTRAINT disaggregations_dimension_value_id_fkey;
ALTER TABLE manual_disaggregations DROP CONSTRAINT manual_disaggregations_period_id_fkey,
  DROP CONSTRAINT manual_disaggregations_dimension_value_id_fkey;
ALTER TABLE period_disaggregations DROP CONSTRAINT period_disaggregations_period_id_fkey,
  DROP CONSTRAINT period_disaggregations_dimension_value_id_fkey;
ALTER TABLE contributions DROP CONSTRAINT contributions_period_disaggregation_id_fkey,
  DROP CONSTRAINT contributions_project_id_fkey;
ALTER TABLE jobs DROP CONSTRAINT jobs_period_id_fkey;
ALTER TABLE roles DROP CONSTRAINT roles_project_id_fkey;

-- Each table after the one that its rows get their root from.
DO $$
DECLARE
  of_tree CONSTANT TEXT[] := ARRAY[
    -- the table, its key, the column that leads to the table that has the root
    ['projects', 'id', '', ''],
    ['project_elements', 'project_id, place', 'project_id', 'projects'],
    ['participations', 'project_id, place', 'project_id', 'projects'],
    ['sectors', 'project_id, place', 'project_id', 'projects'],
    ['recipient_countries', 'project_id, place', 'project_id', 'projects'],
    ['locations', 'project_id, place', 'project_id', 'projects'],
    ['transactions', 'project_id, place', 'project_id', 'projects'],
    ['budgets', 'project_id, place', 'project_id', 'projects'],
    ['planned_disbursements', 'project_id, place', 'project_id', 'projects'],
    ['documents', 'project_id, place', 'project_id', 'projects'],
    ['related_activities', 'project_id, place', 'project_id', 'projects'],
    ['results', 'id', 'project_id', 'projects'],
    ['indicators', 'id', 'result_id', 'results'],
    ['periods', 'id', 'indicator_id', 'indicators'],
    ['dimension_names', 'id', 'project_id', 'projects'],
    ['dimension_values', 'id', 'name_id', 'dimension_names'],
    ['indicator_dimension_names', 'indicator_id, name_id', 'indicator_id', 'indicators'],
    ['updates', 'id', 'period_id', 'periods'],
    ['disaggregations', 'id', 'update_id', 'updates'],
    ['manual_disaggregations', 'period_id, dimension_value_id', 'period_id', 'periods'],
    ['period_disaggregations', 'id', 'period_id', 'periods'],
    ['contributions', 'period_disaggregation_id, project_id', 'period_disaggregation_id', 'period_disaggregations']];
  one TEXT[];
BEGIN
  FOREACH one SLICE 1 IN ARRAY of_tree LOOP
    EXECUTE format('ALTER TABLE %1$I ADD COLUMN root_id BIGINT, DROP CONSTRAINT %2$I', one[1], one[1] || '_pkey');
    IF one[1] = 'projects' THEN
      UPDATE projects SET root_id = coalesce((SELECT o.root_id FROM positions o WHERE o.project_id = projects.id), 0);
    ELSE
      EXECUTE format('UPDATE %1$I SET root_id = o.root_id FROM %3$I o WHERE o.id = %1$I.%2$I', one[1], one[3], one[4]);
      EXECUTE format('UPDATE %1$I SET root_id = 0 WHERE root_id IS NULL', one[1]);
    END IF;
    EXECUTE format('ALTER TABLE %1$I ALTER COLUMN root_id SET NOT NULL, ADD PRIMARY KEY (%2$s, root_id)', one[1], one[2]);
    -- The statistics that a parent's children, and a project's rows, are of one tree.
    IF one[3] = 'project_id' THEN
      EXECUTE format('CREATE STATISTICS %2$I (dependencies) ON project_id, root_id FROM %1$I', one[1], one[1] || '_of_tree');
    END IF;
  END LOOP;
END $$;
CREATE STATISTICS projects_of_tree (dependencies) ON parent_id, root_id FROM projects;
CREATE STATISTICS indicators_of_tree (dependencies) ON project_id, root_id FROM indicators;
CREATE STATISTICS periods_of_tree (dependencies) ON project_id, root_id FROM periods;

-- Keys without the root.
ALTER TABLE projects ADD UNIQUE (id);
ALTER TABLE results ADD UNIQUE (id);
ALTER TABLE indicators ADD UNIQUE (id);
ALTER TABLE periods ADD UNIQUE (id);
ALTER TABLE dimension_names ADD UNIQUE (id);
ALTER TABLE dimension_values ADD UNIQUE (id);
ALTER TABLE updates ADD UNIQUE (id);
ALTER TABLE project_elements ADD UNIQUE (project_id, place);
ALTER TABLE indicator_dimension_names ADD UNIQUE (indicator_id, name_id);
ALTER TABLE contributions ADD UNIQUE (period_disaggregation_id, project_id);

-- Keys with it beside the primary one.
ALTER TABLE dimension_names ADD UNIQUE (project_id, name, root_id);
ALTER TABLE dimension_values ADD UNIQUE (name_id, value, root_id);
ALTER TABLE disaggregations ADD UNIQUE (update_id, dimension_value_id, root_id);
ALTER TABLE period_disaggregations ADD UNIQUE (period_id, dimension_value_id, root_id);

-- What a row belongs to carries it along into another tree, and takes it away with itself.
ALTER TABLE results ADD FOREIGN KEY (project_id, root_id) REFERENCES projects (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE indicators ADD FOREIGN KEY (result_id, root_id) REFERENCES results (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE periods ADD FOREIGN KEY (indicator_id, root_id) REFERENCES indicators (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE dimension_names ADD FOREIGN KEY (project_id, root_id) REFERENCES projects (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE dimension_values ADD FOREIGN KEY (name_id, root_id) REFERENCES dimension_names (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE indicator_dimension_names ADD FOREIGN KEY (indicator_id, root_id) REFERENCES indicators (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE updates ADD FOREIGN KEY (period_id, root_id) REFERENCES periods (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE disaggregations ADD FOREIGN KEY (update_id, root_id) REFERENCES updates (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE manual_disaggregations ADD FOREIGN KEY (period_id, root_id) REFERENCES periods (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE period_disaggregations ADD FOREIGN KEY (period_id, root_id) REFERENCES periods (id, root_id)
  ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE contributions ADD FOREIGN KEY (period_disaggregation_id, root_id)
  REFERENCES period_disaggregations (id, root_id) ON UPDATE CASCADE ON DELETE CASCADE;

-- What a row was copied from, or counts for, may be in another tree until an import has cut such links: they go by the id.
ALTER TABLE positions ADD FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE;
ALTER TABLE results ADD FOREIGN KEY (parent_result_id) REFERENCES results (id) ON DELETE SET NULL;
ALTER TABLE indicators ADD FOREIGN KEY (parent_indicator_id) REFERENCES indicators (id) ON DELETE SET NULL;
ALTER TABLE periods ADD FOREIGN KEY (parent_period_id) REFERENCES periods (id) ON DELETE SET NULL;
ALTER TABLE dimension_names ADD FOREIGN KEY (parent_name_id) REFERENCES dimension_names (id) ON DELETE CASCADE;
ALTER TABLE dimension_values ADD FOREIGN KEY (parent_value_id) REFERENCES dimension_values (id) ON DELETE CASCADE;
ALTER TABLE indicator_dimension_names ADD FOREIGN KEY (name_id) REFERENCES dimension_names (id) ON DELETE CASCADE;
ALTER TABLE disaggregations ADD FOREIGN KEY (dimension_value_id) REFERENCES dimension_values (id) ON DELETE CASCADE;
ALTER TABLE manual_disaggregations ADD FOREIGN KEY (dimension_value_id) REFERENCES dimension_values (id) ON DELETE CASCADE;
ALTER TABLE period_disaggregations ADD FOREIGN KEY (dimension_value_id) REFERENCES dimension_values (id) ON DELETE CASCADE;
ALTER TABLE jobs ADD FOREIGN KEY (period_id) REFERENCES periods (id) ON DELETE CASCADE;
ALTER TABLE roles ADD FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE;

-- A program of the version before names no root: the row above gives it. Whoever names it pays for one comparison.
CREATE FUNCTION root_of_parent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.root_id := coalesce((SELECT root_id FROM projects WHERE id = NEW.parent_id), NEW.id);
  RETURN NEW;
END $$;
CREATE TRIGGER root_of_parent BEFORE INSERT ON projects
  FOR EACH ROW WHEN (NEW.root_id IS NULL) EXECUTE FUNCTION root_of_parent();

DO $$
DECLARE
  of_tree CONSTANT TEXT[] := ARRAY[
    ['project_elements', 'project_id', 'projects'], ['participations', 'project_id', 'projects'],
    ['sectors', 'project_id', 'projects'], ['recipient_countries', 'project_id', 'projects'],
    ['locations', 'project_id', 'projects'], ['transactions', 'project_id', 'projects'],
    ['budgets', 'project_id', 'projects'], ['planned_disbursements', 'project_id', 'projects'],
    ['documents', 'project_id', 'projects'], ['related_activities', 'project_id', 'projects'],
    ['results', 'project_id', 'projects'], ['indicators', 'result_id', 'results'],
    ['periods', 'indicator_id', 'indicators'], ['dimension_names', 'project_id', 'projects'],
    ['dimension_values', 'name_id', 'dimension_names'], ['indicator_dimension_names', 'indicator_id', 'indicators'],
    ['updates', 'period_id', 'periods'], ['disaggregations', 'update_id', 'updates'],
    ['manual_disaggregations', 'period_id', 'periods'], ['period_disaggregations', 'period_id', 'periods'],
    ['contributions', 'period_disaggregation_id', 'period_disaggregations']];
  one TEXT[];
BEGIN
  FOREACH one SLICE 1 IN ARRAY of_tree LOOP
    EXECUTE format($body$
      CREATE FUNCTION %1$I() RETURNS trigger LANGUAGE plpgsql AS $f$
      BEGIN
        NEW.root_id := coalesce((SELECT root_id FROM %3$I WHERE id = NEW.%2$I), 0);
        RETURN NEW;
      END $f$;
      CREATE TRIGGER root_of_owner BEFORE INSERT ON %4$I
        FOR EACH ROW WHEN (NEW.root_id IS NULL) EXECUTE FUNCTION %1$I();
      $body$, 'root_of_' || one[1], one[2], one[3], one[1]);
  END LOOP;
END $$;

-- A project's root is what its position says once a transaction is kept, or when it asks for that, whoever moved it.
CREATE FUNCTION roots_follow_positions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  project CONSTANT BIGINT := coalesce(NEW.project_id, OLD.project_id);
  root CONSTANT BIGINT := coalesce((SELECT o.root_id FROM positions o WHERE o.project_id = project), 0);
BEGIN
  UPDATE projects SET root_id = root WHERE id = project AND root_id <> root;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER roots_follow_new_positions AFTER INSERT OR DELETE ON positions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION roots_follow_positions();
CREATE CONSTRAINT TRIGGER roots_follow_positions AFTER UPDATE OF root_id ON positions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.root_id <> NEW.root_id) EXECUTE FUNCTION roots_follow_positions();

-- What hangs on a project without a reference follows it, of all projects that a statement changes at once.
CREATE FUNCTION elements_follow_projects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM before b JOIN after a ON a.id = b.id WHERE a.root_id <> b.root_id) THEN
    UPDATE project_elements x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE participations x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE sectors x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE recipient_countries x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE locations x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE transactions x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE budgets x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE planned_disbursements x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE documents x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
    UPDATE related_activities x SET root_id = a.root_id FROM after a WHERE x.project_id = a.id AND x.root_id <> a.root_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER elements_follow_projects AFTER UPDATE ON projects REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION elements_follow_projects();

-- What a project gave to another one lies in the tree of that one, which may not be its own any more: it goes with the
-- project as its elements do.
CREATE OR REPLACE FUNCTION elements_go_with_projects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM project_elements WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM participations WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM sectors WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM recipient_countries WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM locations WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM transactions WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM budgets WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM planned_disbursements WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM documents WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM related_activities WHERE project_id IN (SELECT id FROM gone);
  DELETE FROM contributions WHERE project_id IN (SELECT id FROM gone);
  RETURN NULL;
END $$;
