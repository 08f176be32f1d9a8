-- What only programs of before step 5 asked for, which named no root: the keys by which their upserts found rows, and the
-- triggers that gave rows a root. Each row that is stored paid for them, about as much as for itself.

LOCK TABLE meta IN ACCESS EXCLUSIVE MODE;

ALTER TABLE updates DROP CONSTRAINT IF EXISTS updates_id_key;
ALTER TABLE project_elements DROP CONSTRAINT IF EXISTS project_elements_project_id_place_key;
ALTER TABLE indicator_dimension_names DROP CONSTRAINT IF EXISTS indicator_dimension_names_indicator_id_name_id_key;
ALTER TABLE contributions DROP CONSTRAINT IF EXISTS contributions_period_disaggregation_id_project_id_key;
ALTER TABLE dimension_names DROP CONSTRAINT IF EXISTS dimension_names_project_id_name_key;
ALTER TABLE dimension_values DROP CONSTRAINT IF EXISTS dimension_values_name_id_value_key;
ALTER TABLE disaggregations DROP CONSTRAINT IF EXISTS disaggregations_update_id_dimension_value_id_key;
ALTER TABLE period_disaggregations DROP CONSTRAINT IF EXISTS period_disaggregations_period_id_dimension_value_id_key;

DO $$
DECLARE
  of_tree TEXT;
BEGIN
  FOREACH of_tree IN ARRAY ARRAY[
    'parent', 'project_elements', 'participations', 'sectors', 'recipient_countries', 'locations', 'transactions', 'budgets',
    'planned_disbursements', 'documents', 'related_activities', 'results', 'indicators', 'periods', 'dimension_names',
    'dimension_values', 'indicator_dimension_names', 'updates', 'disaggregations', 'manual_disaggregations',
    'period_disaggregations', 'contributions'] LOOP
    EXECUTE format('DROP FUNCTION IF EXISTS %I CASCADE', 'root_of_' || of_tree);
  END LOOP;
END $$;
