"""The command line.

Two kinds of commands. *Administration* (`migrate`, `environments`, `clients`, `verify`, `doctor`) works on the
database itself: whoever can open it is the administrator, so nothing has to exist before the first client does.
It may run while the service runs. *Daily work* (`config`, `load`, `query`, `reserve`, `holds` …) goes over HTTP
like any other client, with the scopes of its token.
"""
