SELECT fingerprint, accepted
FROM command_id
WHERE c = $1 AND environment_no = $2 AND kind = $3 AND id = $4
