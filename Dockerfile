# The server's image. `.ci/image` runs the same steps without Docker.
FROM python:3.11-slim AS packages
WORKDIR /app
COPY requirements.txt ./
COPY clients/python clients/python
RUN python -m venv /opt/venv
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt ./clients/python

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DATA_DIR=/data HOST=0.0.0.0 PORT=8000
# What docs/runbook.md calls in the container: jq, redis-cli, ps and top, fuser. The rest is in the base image.
RUN apt-get update && apt-get install --yes --no-install-recommends jq redis-tools procps psmisc \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --no-create-home chat && mkdir -m 700 /data /archive /backups \
    && chown chat /data /archive /backups
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
RUN SECRET_KEY=only-for-this-step DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0
USER chat
VOLUME /data
EXPOSE 8000
# The server stops within 9 s: 5 for requests and sockets, 4 for the rest. Docker kills it after 10.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=40s --retries=3 CMD ["python", "deploy/probe.py", "/healthz"]
CMD ["python", "manage.py", "serve"]
