DELETE FROM command_id AS i
USING (SELECT DISTINCT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[])) AS w (c, environment_no, kind, id)
WHERE i.c = w.c AND i.environment_no = w.environment_no AND i.kind = w.kind AND i.id = w.id
