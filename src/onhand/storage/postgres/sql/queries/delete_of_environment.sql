DELETE FROM {table} WHERE environment_no = $1
