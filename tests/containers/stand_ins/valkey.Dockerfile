ARG BASE
FROM ${BASE}
RUN groupadd --system --gid 999 valkey && useradd --system --uid 999 --gid 999 valkey && \
    install --directory --owner valkey --group valkey /data
COPY valkey-server valkey-cli valkey.sh /usr/local/bin/
VOLUME /data
WORKDIR /data
ENTRYPOINT ["valkey.sh"]
CMD ["valkey-server"]
