-- Ids as they were accepted at these times: one that was pruned since and used again stays.
DELETE FROM command_id AS i
USING (SELECT DISTINCT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[], $5::bigint[]))
      AS w (c, environment_no, kind, id, at)
WHERE i.c = w.c AND i.environment_no = w.environment_no AND i.kind = w.kind AND i.id = w.id AND i.at = w.at
