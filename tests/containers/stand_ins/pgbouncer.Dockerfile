# It has the stand-in's pg_isready, as the image of edoburu has one.
FROM postgres:18-bookworm
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends pgbouncer && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 70 --no-create-home pooler && install --directory --owner 70 /etc/pgbouncer
COPY pgbouncer.sh /usr/local/bin/
ENTRYPOINT ["pgbouncer.sh"]
STOPSIGNAL SIGTERM
CMD ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]
