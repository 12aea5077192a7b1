-- A chunk by time: everything up to the time of the n-th oldest row.
DELETE FROM refusal_default
WHERE at < $1
  AND at <= (SELECT max(at) FROM (SELECT at FROM refusal_default WHERE at < $1 ORDER BY at LIMIT $2) AS oldest)
