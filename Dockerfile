# podhost in a container: one image, one command, one volume.
#   docker build -t podhost .
#   docker run -p 8000:8000 -v podhost:/data -e PODHOST_BASE_URL=https://podcasts.example.org podhost
# BASE may be any image that has Python 3.11 or later with pip and venv.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY podhost podhost
COPY episodes episodes
# The build backend lives in pip's own temporary environment and everything else in one folder,
# which is all that the next stage takes: no build tool is left in the image.
RUN python3 -m venv /opt/podhost \
 && /opt/podhost/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile \
        --constraint constraints.txt . \
 && /opt/podhost/bin/python -m compileall -q /opt/podhost/lib \
 && /opt/podhost/bin/pip uninstall --yes --quiet wheel setuptools pip

FROM ${BASE}
COPY --from=build /opt/podhost /opt/podhost
# Letters on the pictures that guests share come from the machine's fonts; a slim image has none.
RUN if command -v apt-get > /dev/null; then \
        apt-get update \
     && apt-get install --yes --no-install-recommends fonts-dejavu-core \
     && rm -rf /var/lib/apt/lists/*; \
    fi
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home \
        --shell /usr/sbin/nologin podhost \
 && install --directory --owner=podhost --group=podhost --mode=750 /data
ENV PATH=/opt/podhost/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PODHOST_DATA=/data \
    PODHOST_HOST=0.0.0.0 \
    PODHOST_PORT=8000
USER podhost
WORKDIR /data
VOLUME /data
EXPOSE 8000
# The process answers; /readyz would restart it for an outage of the database, which helps nobody.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PODHOST_PORT'] + '/healthz', timeout=4)"]
# 30 s for downloads in flight, and some more: run it with --stop-timeout 40.
STOPSIGNAL SIGTERM
CMD ["podhost", "serve"]
