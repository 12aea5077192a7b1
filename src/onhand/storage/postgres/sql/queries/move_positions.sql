UPDATE position AS q
SET place = w.place, cell_no = w.cell_no
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::integer[])
     AS w (k, product_id, position_no, place, cell_no)
WHERE q.k = w.k AND q.product_id = w.product_id AND q.position_no = w.position_no
