# It has the stand-in's pg_isready, as the image of edoburu has one.
FROM postgres:18-bookworm
# Installed, it would bring Perl.
RUN cd /tmp && apt-get update -qq && apt-get download -qq pgbouncer libevent-2.1-7 libc-ares2 && \
    for each in *.deb; do dpkg --extract "$each" files || exit; done && \
    cp files/usr/sbin/pgbouncer /usr/sbin/ && cp --recursive files/usr/lib/*-linux-gnu /usr/lib/ && \
    rm -rf files ./*.deb /var/lib/apt/lists/* /var/cache/apt/* && \
    useradd --system --uid 70 --no-create-home pooler && install --directory --owner 70 /etc/pgbouncer
COPY pgbouncer.sh /usr/local/bin/
ENTRYPOINT ["pgbouncer.sh"]
STOPSIGNAL SIGTERM
CMD ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]
