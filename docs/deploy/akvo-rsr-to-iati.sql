-- Akvo RSR's PostgreSQL database as one IATI 2.03 file, for `rsr import iati`.
--
--   createdb akvo && pg_restore --no-owner --dbname akvo DUMP      (psql akvo < DUMP, where it is plain SQL)
--   psql --no-psqlrc --quiet --tuples-only --no-align --dbname akvo --file akvo-rsr-to-iati.sql > activities.xml
--   rsr import iati activities.xml
--
-- It reads, and changes nothing that lasts. Which column becomes what is in docs/guides/migration.md; what a column is not named
-- there does not come along. The order of elements is that of the standard.

\set ON_ERROR_STOP on
BEGIN;

-- The parent stands in a column of the project since 2022, in a table of relations before.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM information_schema.columns
             WHERE table_name = 'rsr_project' AND column_name = 'contributes_to_project_id') THEN
    CREATE TEMP VIEW above AS
      SELECT id AS project_id, contributes_to_project_id AS parent_id FROM rsr_project
      WHERE contributes_to_project_id IS NOT NULL;
  ELSE
    CREATE TEMP VIEW above AS
      SELECT project_id, related_project_id AS parent_id FROM rsr_relatedproject WHERE relation = '1'
      UNION
      SELECT related_project_id, project_id FROM rsr_relatedproject WHERE relation = '2';
  END IF;
END $$;

-- A project without an identifier gets one from its number, so that it can be imported again and others can point to it.
CREATE TEMP VIEW known AS
  SELECT p.*, coalesce(nullif(trim(p.iati_activity_id), ''), 'AKVO-RSR-' || p.id) AS identifier FROM rsr_project p;

CREATE TEMP VIEW period_xml AS
  SELECT s.indicator_id,
    xmlagg(xmlelement(NAME period,
      xmlelement(NAME "period-start", xmlattributes(s.period_start AS "iso-date")),
      xmlelement(NAME "period-end", xmlattributes(s.period_end AS "iso-date")),
      CASE WHEN s.target_value <> '' THEN xmlelement(NAME target, xmlattributes(s.target_value AS value),
        CASE WHEN s.target_comment <> '' THEN xmlelement(NAME comment, xmlelement(NAME narrative, s.target_comment)) END) END,
      CASE WHEN s.actual_value <> '' THEN xmlelement(NAME actual, xmlattributes(s.actual_value AS value),
        CASE WHEN s.actual_comment <> '' THEN xmlelement(NAME comment, xmlelement(NAME narrative, s.actual_comment)) END) END)
      ORDER BY s.period_start, s.id) AS xml
  FROM rsr_indicatorperiod s
  WHERE s.period_start IS NOT NULL AND s.period_end IS NOT NULL
  GROUP BY s.indicator_id;

CREATE TEMP VIEW indicator_xml AS
  SELECT i.result_id,
    xmlagg(xmlelement(NAME indicator,
      xmlattributes(CASE WHEN i.measure IN ('1', '2', '3', '4', '5') THEN i.measure ELSE '1' END AS measure,
                    CASE WHEN i.ascending THEN '1' WHEN NOT i.ascending THEN '0' END AS ascending),
      xmlelement(NAME title, xmlelement(NAME narrative, i.title)),
      CASE WHEN i.description <> '' THEN xmlelement(NAME description, xmlelement(NAME narrative, i.description)) END,
      s.xml) ORDER BY i.id) AS xml
  FROM rsr_indicator i LEFT JOIN period_xml s ON s.indicator_id = i.id
  GROUP BY i.result_id;

CREATE TEMP VIEW result_xml AS
  SELECT r.project_id,
    xmlagg(xmlelement(NAME result,
      xmlattributes(CASE WHEN r.type IN ('1', '2', '3', '9') THEN r.type ELSE '9' END AS type,
                    CASE WHEN r.aggregation_status THEN '1' WHEN NOT r.aggregation_status THEN '0' END AS "aggregation-status"),
      xmlelement(NAME title, xmlelement(NAME narrative, r.title)),
      CASE WHEN r.description <> '' THEN xmlelement(NAME description, xmlelement(NAME narrative, r.description)) END,
      i.xml) ORDER BY r.id) AS xml
  FROM rsr_result r JOIN indicator_xml i ON i.result_id = r.id
  GROUP BY r.project_id;

CREATE TEMP VIEW day_xml AS
  SELECT p.id AS project_id,
    xmlagg(xmlelement(NAME "activity-date", xmlattributes(d.kind AS type, d.day AS "iso-date")) ORDER BY d.kind) AS xml
  FROM rsr_project p,
    LATERAL (VALUES ('1', p.date_start_planned), ('2', p.date_start_actual),
                    ('3', p.date_end_planned), ('4', p.date_end_actual)) AS d (kind, day)
  WHERE d.day IS NOT NULL
  GROUP BY p.id;

SELECT '<iati-activities version="2.03">';

SELECT xmlelement(NAME "iati-activity",
    xmlattributes(to_char(p.last_modified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS "last-updated-datetime",
                  nullif(p.currency, '') AS "default-currency", nullif(p.language, '') AS "xml:lang"),
    xmlelement(NAME "iati-identifier", p.identifier),
    xmlelement(NAME "reporting-org",
      xmlattributes(coalesce(nullif(o.iati_org_id, ''), 'AKVO-RSR-ORG-' || coalesce(o.id, 0)) AS ref, '21' AS type),
      xmlelement(NAME narrative, coalesce(nullif(o.long_name, ''), o.name, 'unknown'))),
    xmlelement(NAME title, xmlelement(NAME narrative, p.title)),
    xmlelement(NAME description, xmlattributes('1' AS type),
      xmlelement(NAME narrative, coalesce(nullif(p.project_plan_summary, ''), nullif(p.subtitle, ''), p.title))),
    xmlelement(NAME "participating-org", xmlattributes('4' AS role, '21' AS type, nullif(o.iati_org_id, '') AS ref),
      xmlelement(NAME narrative, coalesce(nullif(o.long_name, ''), o.name, 'unknown'))),
    xmlelement(NAME "activity-status", xmlattributes(CASE WHEN p.iati_status BETWEEN '1' AND '6' THEN p.iati_status ELSE '2' END AS code)),
    coalesce(d.xml, xmlelement(NAME "activity-date", xmlattributes('1' AS type, p.created_at::date AS "iso-date"))),
    CASE WHEN a.identifier IS NOT NULL THEN xmlelement(NAME "related-activity", xmlattributes(a.identifier AS ref, '1' AS type)) END,
    r.xml)
FROM known p
LEFT JOIN rsr_organisation o ON o.id = p.primary_organisation_id
LEFT JOIN day_xml d ON d.project_id = p.id
LEFT JOIN result_xml r ON r.project_id = p.id
LEFT JOIN LATERAL (
  SELECT k.identifier FROM above u JOIN known k ON k.id = u.parent_id WHERE u.project_id = p.id ORDER BY k.id LIMIT 1
) a ON true
ORDER BY p.id;

SELECT '</iati-activities>';
ROLLBACK;
