-- Children in any order, a chunk at a time: each index is one order of siblings, from rising values on, the newest of
-- equal ones first. The one by id also says who may see them, so that counting reads no project.
DROP INDEX projects_by_parent;
CREATE INDEX projects_by_parent ON projects (parent_id, id, is_public, is_published);
CREATE INDEX children_by_title ON projects (parent_id, substr(title, 1, 100), id DESC) WHERE parent_id IS NOT NULL;
CREATE INDEX children_by_planned_start ON projects (parent_id, planned_start, id DESC) WHERE parent_id IS NOT NULL;
CREATE INDEX children_by_planned_end ON projects (parent_id, planned_end, id DESC) WHERE parent_id IS NOT NULL;
CREATE INDEX children_by_actual_start ON projects (parent_id, actual_start, id DESC) WHERE parent_id IS NOT NULL;
CREATE INDEX children_by_actual_end ON projects (parent_id, actual_end, id DESC) WHERE parent_id IS NOT NULL;
