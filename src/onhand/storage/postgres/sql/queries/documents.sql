SELECT t.*
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[]) AS w (d, environment_no, kind, id)
JOIN document AS t USING (d, environment_no, kind, id)
