DELETE FROM {table} AS t
USING product AS p
WHERE p.environment_no = $1 AND t.k = p.k AND t.product_id = p.product_id
