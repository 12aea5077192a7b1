INSERT INTO position (k, product_id, position_no, environment_no, cell_no, place, key, shown)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
