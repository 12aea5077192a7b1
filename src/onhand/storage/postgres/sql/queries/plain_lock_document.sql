SELECT version, body
FROM document
WHERE d = $1 AND environment_no = $2 AND kind = $3 AND id = $4
FOR UPDATE
