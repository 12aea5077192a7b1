"""The ERP's side of stock: lines, their statuses, the figures they move and the reservations they offset. Pure."""
