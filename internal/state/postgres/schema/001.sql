-- All of Fairway's state: keys compare as bytes, values are JSON.
CREATE TABLE fairway_state (
	key   bytea PRIMARY KEY,
	value bytea NOT NULL
);

-- The one row that every writer locks, so that writers are serial.
CREATE TABLE fairway_schema (
	one     boolean PRIMARY KEY DEFAULT true CHECK (one),
	version integer NOT NULL
);
INSERT INTO fairway_schema (version) VALUES (0);

-- What follows is for people to look at: Fairway reads none of it.
--
-- Parts of keys are divided by a zero byte, which reads as \000: the scope (s, or t and a team), the table, the row.
-- No text of PostgreSQL can hold what JSON writes \u0000.
CREATE VIEW fairway_users AS
	SELECT r->>'id' AS id, r->>'email' AS email, r->>'name' AS name, (r->>'createdAt')::timestamptz AS created_at
	FROM (
		SELECT replace(convert_from(value, 'UTF8'), '\u0000', '\ufffd')::json->'row' AS r FROM fairway_state
		WHERE key >= '\x73007573657200' AND key < '\x73007573657201' -- s user
	) AS rows;

CREATE VIEW fairway_projects AS
	SELECT r->>'id' AS id, r->>'team' AS team, r->>'name' AS name, r->>'slug' AS slug, r->>'gitURL' AS git_url,
		(r->>'createdAt')::timestamptz AS created_at
	FROM (
		SELECT replace(convert_from(value, 'UTF8'), '\u0000', '\ufffd')::json->'row' AS r FROM fairway_state
		WHERE key >= '\x7400' AND key < '\x7401' AND split_part(encode(key, 'escape'), '\000', 3) = 'project'
	) AS rows;

CREATE VIEW fairway_deployments AS
	SELECT r->>'id' AS id, r->>'team' AS team, r->>'project' AS project, r->>'target' AS target, r->>'status' AS status,
		r->>'code' AS code, r->'source'->>'ref' AS ref, r->'source'->>'commit' AS commit, (r->>'bytes')::bigint AS bytes,
		(r->>'createdAt')::timestamptz AS created_at, (r->>'finishedAt')::timestamptz AS finished_at
	FROM (
		SELECT replace(convert_from(value, 'UTF8'), '\u0000', '\ufffd')::json->'row' AS r FROM fairway_state
		WHERE key >= '\x7400' AND key < '\x7401' AND split_part(encode(key, 'escape'), '\000', 3) = 'deployment'
	) AS rows;

CREATE VIEW fairway_domains AS
	SELECT r->>'name' AS name, r->>'project' AS project, r->>'redirect' AS redirect
	FROM (
		SELECT replace(convert_from(value, 'UTF8'), '\u0000', '\ufffd')::json->'row' AS r FROM fairway_state
		WHERE key >= '\x7300686f737400' AND key < '\x7300686f737401' -- s host
	) AS rows;
