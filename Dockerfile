# The service alone, for a PostgreSQL of your own (compose.yaml), or with its embedded one in the volume /var/lib/onhand.
# Runs as an unprivileged user and writes nowhere but there and /tmp, so the root file system may be read-only.

FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/runtime.txt requirements/
RUN python -m venv /opt/onhand \
 && /opt/onhand/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# hatchling is of the locked set for development; it only packs the files.
COPY requirements/dev.txt requirements/
RUN python -m venv /opt/pack \
 && /opt/pack/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/dev.txt \
 && /opt/pack/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/onhand/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps dist/*.whl

FROM python:3.13-slim
# The account needs a name: PostgreSQL asks for it.
RUN groupadd --system --gid 10001 onhand \
 && useradd --system --uid 10001 --gid onhand --home-dir /var/lib/onhand --shell /usr/sbin/nologin onhand \
 && install --directory --owner onhand --group onhand --mode 0700 /var/lib/onhand
COPY --from=build /opt/onhand /opt/onhand
ENV PATH=/opt/onhand/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ONHAND_DATA_DIRECTORY=/var/lib/onhand
USER onhand
WORKDIR /var/lib/onhand
VOLUME /var/lib/onhand
EXPOSE 8300
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8300/readyz', timeout=2)"]
ENTRYPOINT ["onhand"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8300"]
