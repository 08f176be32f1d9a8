-- Prepares a database of rsr for a distributed PostgreSQL: afterwards every key and every reference of a table that is spread
-- holds root_id, and no trigger is left that a server of a distribution would not run. It does not need Citus; the commands
-- that do are in docs/guides/scaling.md.
--
--   psql --single-transaction --set ON_ERROR_STOP=1 --file crates/rsr-store/src/sql/postgres/0007_narrow.sql \
--     --file docs/deploy/distribute.sql rsr
--
-- The first of the two changes a database alone that comes from before schema version 5.
--
-- Run it on a copy, with schema version 7, while no process of rsr runs. There is no way back but the copy's original.

SELECT pg_advisory_xact_lock(32215080808480769);

-- Links over the border of a tree. An import cuts such links; what was added to a project that has left is computed anew.
UPDATE results r SET parent_result_id = NULL FROM results o
  WHERE o.id = r.parent_result_id AND o.root_id <> r.root_id;
UPDATE indicators i SET parent_indicator_id = NULL FROM indicators o
  WHERE o.id = i.parent_indicator_id AND o.root_id <> i.root_id;
UPDATE periods p SET parent_period_id = NULL FROM periods o
  WHERE o.id = p.parent_period_id AND o.root_id <> p.root_id;
UPDATE dimension_values v SET parent_value_id = NULL FROM dimension_values o
  WHERE o.id = v.parent_value_id AND o.root_id <> v.root_id;
UPDATE dimension_names n SET parent_name_id = NULL FROM dimension_names o
  WHERE o.id = n.parent_name_id AND o.root_id <> n.root_id;
DELETE FROM contributions c USING projects p WHERE p.id = c.project_id AND p.root_id <> c.root_id;

-- References from tables that every server has in full, and those that go by an id alone.
ALTER TABLE jobs DROP CONSTRAINT jobs_period_id_fkey;
ALTER TABLE roles DROP CONSTRAINT roles_project_id_fkey;
ALTER TABLE positions DROP CONSTRAINT positions_project_id_fkey;
ALTER TABLE results DROP CONSTRAINT results_parent_result_id_fkey;
ALTER TABLE indicators DROP CONSTRAINT indicators_parent_indicator_id_fkey;
ALTER TABLE periods DROP CONSTRAINT periods_parent_period_id_fkey;
ALTER TABLE dimension_names DROP CONSTRAINT dimension_names_parent_name_id_fkey;
ALTER TABLE dimension_values DROP CONSTRAINT dimension_values_parent_value_id_fkey;
ALTER TABLE indicator_dimension_names DROP CONSTRAINT indicator_dimension_names_name_id_fkey;
ALTER TABLE disaggregations DROP CONSTRAINT disaggregations_dimension_value_id_fkey;
ALTER TABLE manual_disaggregations DROP CONSTRAINT manual_disaggregations_dimension_value_id_fkey;
ALTER TABLE period_disaggregations DROP CONSTRAINT period_disaggregations_dimension_value_id_fkey;

-- A distribution cannot change the column that says where a row lies: references carry nothing along any more.
DO $$
DECLARE
  moved RECORD;
BEGIN
  FOR moved IN SELECT conrelid::regclass AS child, conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
               WHERE contype = 'f' AND confupdtype = 'c' LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', moved.child, moved.conname);
    EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', moved.child, moved.conname,
                   replace(moved.definition, ' ON UPDATE CASCADE', ''));
  END LOOP;
END $$;

-- Keys without the root, where nothing refers to them any more.
ALTER TABLE projects DROP CONSTRAINT projects_id_key, DROP CONSTRAINT projects_uuid_key,
  DROP CONSTRAINT projects_iati_identifier_key, ADD UNIQUE (uuid, root_id), ADD UNIQUE (iati_identifier, root_id);
ALTER TABLE results DROP CONSTRAINT results_id_key;
ALTER TABLE indicators DROP CONSTRAINT indicators_id_key;
ALTER TABLE periods DROP CONSTRAINT periods_id_key;
ALTER TABLE dimension_names DROP CONSTRAINT dimension_names_id_key;
ALTER TABLE dimension_values DROP CONSTRAINT dimension_values_id_key;
DROP INDEX periods_by_parent;
CREATE UNIQUE INDEX periods_by_parent ON periods (parent_period_id, indicator_id, root_id) WHERE parent_period_id IS NOT NULL;

-- The same references with the root.
ALTER TABLE results ADD FOREIGN KEY (parent_result_id, root_id) REFERENCES results (id, root_id)
  ON DELETE SET NULL (parent_result_id);
ALTER TABLE indicators ADD FOREIGN KEY (parent_indicator_id, root_id) REFERENCES indicators (id, root_id)
  ON DELETE SET NULL (parent_indicator_id);
ALTER TABLE periods ADD FOREIGN KEY (parent_period_id, root_id) REFERENCES periods (id, root_id)
  ON DELETE SET NULL (parent_period_id);
ALTER TABLE dimension_names ADD FOREIGN KEY (parent_name_id, root_id) REFERENCES dimension_names (id, root_id)
  ON DELETE CASCADE;
ALTER TABLE dimension_values ADD FOREIGN KEY (parent_value_id, root_id) REFERENCES dimension_values (id, root_id)
  ON DELETE CASCADE;
ALTER TABLE indicator_dimension_names ADD FOREIGN KEY (name_id, root_id) REFERENCES dimension_names (id, root_id)
  ON DELETE CASCADE;
ALTER TABLE disaggregations ADD FOREIGN KEY (dimension_value_id, root_id) REFERENCES dimension_values (id, root_id)
  ON DELETE CASCADE;
ALTER TABLE manual_disaggregations ADD FOREIGN KEY (dimension_value_id, root_id)
  REFERENCES dimension_values (id, root_id) ON DELETE CASCADE;
ALTER TABLE period_disaggregations ADD FOREIGN KEY (dimension_value_id, root_id)
  REFERENCES dimension_values (id, root_id) ON DELETE CASCADE;

-- In place of the triggers: rows go with their project by references again.
DROP FUNCTION roots_follow_positions, elements_follow_projects, elements_go_with_projects CASCADE;
DO $$
DECLARE
  of_tree TEXT;
BEGIN
  FOREACH of_tree IN ARRAY ARRAY['project_elements', 'participations', 'sectors', 'recipient_countries', 'locations',
      'transactions', 'budgets', 'planned_disbursements', 'documents', 'related_activities', 'contributions'] LOOP
    EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (project_id, root_id) REFERENCES projects (id, root_id)
                    ON DELETE CASCADE', of_tree);
  END LOOP;
END $$;
