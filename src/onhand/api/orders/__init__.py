"""The order side over HTTP: bodies in the vendor's field names, errors with the codes of the order specification."""
