# One image for the web server, the worker, beat and Flower. docker-compose.yml has a command for each.
ARG PYTHON_VERSION=3.11-slim-bookworm

FROM python:${PYTHON_VERSION} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/locked/base.txt requirements/locked/django.txt requirements/locked/celery.txt ./
# pip has a folder of its own, which stays behind. So do 12 MB of what translations are made from.
RUN python -m venv /pip && python -m venv --without-pip /venv && \
    /pip/bin/pip --python /venv/bin/python install --require-hashes --no-deps \
    -r base.txt -r django.txt -r celery.txt && \
    find /venv -name '*.po' -delete

FROM python:${PYTHON_VERSION}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Aftercommit" \
      org.opencontainers.image.description="A Django site whose effects happen after the commit, each once" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH="/venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/app/staticfiles \
    VAR_DIR=/var/lib/aftercommit
# The base image has a pip. Nothing is installed in a container that runs.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* && \
    groupadd --gid 10001 aftercommit && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/aftercommit \
        --shell /usr/sbin/nologin aftercommit && \
    install --directory --mode 0700 --owner 10001 --group 10001 /var/lib/aftercommit
WORKDIR /app
COPY --from=packages /venv /venv
COPY manage.py celery_app.py ./
COPY aftercommit aftercommit
COPY core core
COPY content content
COPY notifications notifications
COPY audit audit
# Nothing can be written here later, so Python would compile each module at each start.
RUN python -m compileall -q . && \
    SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(48))') DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --no-input --verbosity 0
USER 10001:10001
VOLUME /var/lib/aftercommit
EXPOSE 8000
# Each program refuses to start without a SECRET_KEY that is long and random.
# After SIGTERM a balancer has five seconds to look, and to send nothing more.
CMD ["python", "-m", "core.serving", "--host", "0.0.0.0", "--drains-for", "5"]
