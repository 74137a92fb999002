# One image for the web server, the worker, beat and Flower. docker-compose.yml has a command for each.
ARG PYTHON_VERSION=3.11-slim-bookworm

FROM python:${PYTHON_VERSION} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/locked/base.txt requirements/locked/django.txt requirements/locked/celery.txt ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --no-deps \
    -r base.txt -r django.txt -r celery.txt

FROM python:${PYTHON_VERSION}
ENV PATH="/venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/app/staticfiles \
    VAR_DIR=/var/lib/aftercommit
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/aftercommit aftercommit
WORKDIR /app
COPY --from=packages /venv /venv
COPY manage.py celery_app.py ./
COPY aftercommit aftercommit
COPY core core
COPY content content
COPY notifications notifications
COPY audit audit
RUN SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(48))') DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --no-input --verbosity 0
USER 10001
VOLUME /var/lib/aftercommit
EXPOSE 8000
# Each program refuses to start without a SECRET_KEY that is long and random.
CMD ["python", "-m", "core.serving", "--host", "0.0.0.0"]
