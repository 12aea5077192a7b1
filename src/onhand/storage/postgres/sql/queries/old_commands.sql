SELECT kind, id, at
FROM command_id
WHERE environment_no = $1 AND at < $2
LIMIT $3
FOR UPDATE SKIP LOCKED
