# Two stages: what builds the package stays behind.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml requirements.txt README.md LICENSE ./
COPY dixa_state ./dixa_state
RUN python -m venv /opt/dixa-state \
 && /opt/dixa-state/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt \
 && /opt/dixa-state/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data dixa-state
COPY --from=build /opt/dixa-state /opt/dixa-state
ENV PATH=/opt/dixa-state/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DIXA_STATE_HOST=0.0.0.0 \
    DIXA_STATE_LOG_FORMAT=json \
    DIXA_STATE_STORE=sqlite:////data/dixa-state.db
USER dixa-state
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Alive, not ready: while the database is away the service answers 503 and waits; a restart helps nobody.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"DIXA_STATE_PORT\", \"8000\")}/healthz', timeout=2)"]
ENTRYPOINT ["dixa-state"]
CMD ["serve"]
