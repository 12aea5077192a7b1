SELECT EXISTS (SELECT FROM {table}_default WHERE at >= $1 AND at < $2)
