-- What hangs on a project and is written by the hundred goes with it by one statement for all projects that are deleted,
-- and not by a reference: that asks for the project once for each row, which took most of an import's time. Whoever writes
-- such rows holds the writers' lock, as whoever deletes projects does.
ALTER TABLE project_elements DROP CONSTRAINT project_elements_project_id_fkey;
ALTER TABLE participations DROP CONSTRAINT participations_project_id_fkey;
ALTER TABLE sectors DROP CONSTRAINT sectors_project_id_fkey;
ALTER TABLE recipient_countries DROP CONSTRAINT recipient_countries_project_id_fkey;
ALTER TABLE locations DROP CONSTRAINT locations_project_id_fkey;
ALTER TABLE transactions DROP CONSTRAINT transactions_project_id_fkey;
ALTER TABLE budgets DROP CONSTRAINT budgets_project_id_fkey;
ALTER TABLE planned_disbursements DROP CONSTRAINT planned_disbursements_project_id_fkey;
ALTER TABLE documents DROP CONSTRAINT documents_project_id_fkey;
ALTER TABLE related_activities DROP CONSTRAINT related_activities_project_id_fkey;

CREATE FUNCTION elements_go_with_projects() RETURNS trigger LANGUAGE plpgsql AS $$
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
  RETURN NULL;
END $$;
CREATE TRIGGER elements_go_with_projects AFTER DELETE ON projects REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION elements_go_with_projects();
