ARG BASE
FROM ${BASE}
# Debian's package starts no server here, and makes a user of another number than the image's.
RUN groupadd --system --gid 999 rabbitmq && \
    useradd --system --uid 999 --gid 999 --home-dir /var/lib/rabbitmq rabbitmq && \
    apt-get update -qq && apt-get install -qq --yes --no-install-recommends rabbitmq-server && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie && \
    install --directory /etc/rabbitmq/conf.d && \
    echo "log.console = true" > /etc/rabbitmq/conf.d/10-defaults.conf
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/rabbitmq \
    RABBITMQ_LOGS=- \
    RUNNING_UNDER_SYSTEMD=true
VOLUME /var/lib/rabbitmq
CMD ["rabbitmq-server"]
