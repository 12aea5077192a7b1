"""The ERP side at work: messages taken, lines posted, snapshots compared."""
